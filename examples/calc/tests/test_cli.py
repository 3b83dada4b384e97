"""The command line, called as a function: output, explanations and exit status."""

import contextlib
import io
import unittest

import tests  # noqa: F401  (puts src on the path)
import calc


def run(*arguments, typed=""):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = calc.main(list(arguments), lines=io.StringIO(typed))
    return status, out.getvalue(), err.getvalue()


class CommandLineTest(unittest.TestCase):
    def test_one_expression(self):
        self.assertEqual(run("0.1 + 0.2"), (0, "0.3\n", ""))

    def test_words_are_joined(self):
        self.assertEqual(run("2", "+", "3"), (0, "5\n", ""))

    def test_a_leading_minus(self):
        self.assertEqual(run("--", "-2^2"), (0, "-4\n", ""))

    def test_a_mistake_is_pointed_at(self):
        self.assertEqual(run("2 * (3 + 4"), (1, "", "  2 * (3 + 4\n      ^ this parenthesis is never closed\n"))

    def test_a_conversation_remembers_and_goes_on(self):
        status, out, err = run(typed="12*12\n\n1/0\nans/9\n")
        self.assertEqual((status, out), (1, "144\n16\n"))
        self.assertIn("division by zero", err)

    def test_missing_settings(self):
        status, out, err = run("--config", "no-such-file.toml", "1")
        self.assertEqual((status, out), (2, ""))
        self.assertTrue(err.startswith("calc: cannot read no-such-file.toml"))


if __name__ == "__main__":
    unittest.main()
