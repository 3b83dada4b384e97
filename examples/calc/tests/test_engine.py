"""T-1010: what can be typed, what comes out, and where a mistake is shown."""

import decimal
import time
import unittest
from decimal import Decimal

import tests  # noqa: F401  (puts src on the path)
from calc_config import Config
from calc_engine import CalcError, evaluate, format_number


class ValueTest(unittest.TestCase):
    def check(self, examples):
        for text, expected in examples.items():
            with self.subTest(text=text):
                self.assertEqual(format_number(evaluate(text), 12), expected)

    def test_r1_precedence_and_grouping(self):
        self.check({
            "2+3*4": "14", "(2+3)*4": "20", "2^3^2": "512", "-2^2": "-4", "(-2)^2": "4", "2^-1": "0.5",
            "8/4/2": "1", "10-4-3": "3", "--3": "3", "2*-3": "-6", "2**3": "8", "6×7−84÷2": "0", "3·4": "12",
        })

    def test_r1_numbers(self):
        self.check({"1.": "1", ".5": "0.5", "1e3": "1000", "1.5E-2": "0.015", " 1\t+\n2 ": "3"})

    def test_r2_percent_and_factorial(self):
        self.check({"200*15%": "30", "50%%": "0.005", "0!": "1", "5!": "120", "3!!": "720", "-3!": "-6", "2^3!": "64"})

    def test_r3_names(self):
        self.check({"pi": "3.14159265359", "e": "2.71828182846", "ans": "0"})
        self.assertEqual(evaluate("ans*2", Decimal(21)), 42)

    def test_r4_functions(self):
        self.check({
            "sqrt(2)": "1.41421356237", "abs(-3)": "3", "floor(-2.5)": "-3", "ceil(-2.5)": "-2", "exp(0)": "1",
            "ln(e)": "1", "log(1000)": "3", "round(2.5)": "2", "round(3.5)": "4", "round(-1.235, 2)": "-1.24",
            "round(1234, -2)": "1200", "min(3)": "3", "min(3,1,2)": "1", "max(1, 2^3, 4)": "8",
        })

    def test_decimal_not_binary(self):
        self.assertEqual(evaluate("0.1+0.2"), Decimal("0.3"))
        self.assertEqual(evaluate("1.1*3"), Decimal("3.3"))

    def test_r8_notation(self):
        self.check({
            "1/3": "0.333333333333", "2/3": "0.666666666667", "1000000*10^8": "100000000000000",
            "10^14": "100000000000000", "10^15": "1e15", "1/10^6": "0.000001", "1/10^7": "1e-7", "12345678901234567": "1.23456789012e16",
            "-0": "0", "0*-1": "0", "5.00": "5", "100": "100",
        })
        self.assertEqual(format_number(Decimal("999.96"), 4), "1000")

    def test_r9_the_callers_context_is_left_alone(self):
        with decimal.localcontext() as context:
            context.prec = 3
            context.traps[decimal.Inexact] = True
            before = repr(context)
            self.assertEqual(format_number(evaluate("1/3"), 6), "0.333333")
            self.assertEqual(repr(decimal.getcontext()), before)


class MistakeTest(unittest.TestCase):
    def check(self, examples, config=Config()):
        for text, (message, position) in examples.items():
            with self.subTest(text=text[:40]), self.assertRaises(CalcError) as caught:
                evaluate(text, config=config)
            self.assertEqual((str(caught.exception), caught.exception.position), (message, position))

    def test_r6_reading(self):
        self.check({
            "": ("nothing to compute", 0),
            "   ": ("nothing to compute", 0),
            "2 $ 3": ("unknown character '$'", 2),
            "2 + foo": ("unknown name 'foo'", 4),
            "foo(1)": ("unknown name 'foo'", 0),
            "(1 + 2": ("this parenthesis is never closed", 0),
            "1 + 2)": ("this parenthesis was never opened", 5),
            "1 +": ("a number is missing at the end", 3),
            "1 + * 2": ("a number is missing before '*'", 4),
            "()": ("a number is missing before ')'", 1),
            "2 3": ("an operator is missing before '3'", 2),
            "2(3)": ("an operator is missing before '('", 1),
            "(2 3)": ("an operator is missing before '3'", 3),
            "(1, 2)": ("a comma belongs between arguments", 2),
            "sqrt": ("sqrt needs parentheses", 0),
            "pi(2)": ("pi is not a function", 0),
        })

    def test_r6_arguments(self):
        self.check({
            "sqrt()": ("sqrt takes 1 argument, not 0", 0),
            "sqrt(1,2)": ("sqrt takes 1 argument, not 2", 0),
            "1+round(1,2,3)": ("round takes 1 to 2 arguments, not 3", 2),
            "min()": ("min takes at least 1 argument, not 0", 0),
        })

    def test_r6_domain(self):
        self.check({
            "1/0": ("division by zero", 1),
            "0/0": ("division by zero", 1),
            "0^-1": ("division by zero", 1),
            "sqrt(-1)": ("sqrt is not defined here", 0),
            "ln(0)": ("ln is not defined here", 0),
            "1+log(-5)": ("log is not defined here", 2),
            "(-8)^0.5": ("a negative number has no fractional power", 4),
            "round(1, 0.5)": ("round is not defined here", 0),
            "1.5!": ("a factorial needs a whole number from 0 to 1000", 3),
            "1001!": ("a factorial needs a whole number from 0 to 1000", 4),
            "10^10000": ("the result is too large", 2),
            "1e10000": ("the result is too large", 0),
            "1e99999999999999999999": ("the result is too large", 0),
        })

    def test_r7_limits(self):
        self.check({"1" * 401: ("the expression is longer than 400 characters", 400)})
        self.check({"(" * 60 + "1" + ")" * 60: ("nested deeper than 60 levels", 60)})
        self.check({"-" * 60 + "1": ("nested deeper than 60 levels", 60)})
        self.check({"^".join("1" * 70): ("nested deeper than 60 levels", 120)})

    def test_r7_the_deepest_allowed_expression_is_computed(self):
        config = Config(depth_max=80, length_max=10_000)
        self.assertEqual(evaluate("(" * 79 + "1" + ")" * 79, config=config), 1)
        self.assertEqual(evaluate("+".join("1" * 5_000), config=config), 5_000)

    def test_a2_nothing_takes_long(self):
        generous = Config(depth_max=80, length_max=10_000)
        started = time.perf_counter()
        for text in ("9^9^9", "(" * 2_000, "exp(exp(exp(9)))", "1000!" + "*1000!" * 500, "1.0000001^123456789.5"):
            try:
                evaluate(text, config=generous)
            except CalcError:
                pass
        self.assertLess(time.perf_counter() - started, 1.0)


if __name__ == "__main__":
    unittest.main()
