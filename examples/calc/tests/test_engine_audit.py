"""T-3000: the engine against exact fractions, on expressions that nobody chose."""

import ast
import random
import unittest
from fractions import Fraction

from tests import SRC
from calc_config import Config
from calc_engine import CalcError, evaluate

SEED = 20_240_229
ROUNDS = 2_000
ALLOWED = {
    "calc_config": set(),
    "calc_engine": {"calc_config"},
    "calc_gui": {"calc_config", "calc_engine"},
    "calc": {"calc_config", "calc_engine", "calc_gui"},
}
STANDARD = {
    "__future__", "argparse", "collections", "dataclasses", "decimal", "math", "pathlib", "re", "sys", "tkinter",
    "tomllib", "typing",
}


def grow(chance, depth):
    """A random expression and its exact value, or None where it divides by zero."""
    if depth == 0 or chance.random() < 0.2:
        number = chance.choice([str(chance.randint(0, 99)), f"{chance.randint(0, 99)}.{chance.randint(0, 99):02d}"])
        return number, Fraction(number)
    shape = chance.choice("+-*/+-*/n^%")
    left, a = grow(chance, depth - 1)
    if shape == "n":
        return f"(-{left})" if left[0] != "-" else f"(-({left}))", None if a is None else -a
    if shape == "%":
        return f"({left})%", None if a is None else a / 100
    if shape == "^":
        power = chance.randint(0, 3)
        return f"({left})^{power}", None if a is None else a**power
    right, b = grow(chance, depth - 1)
    text = f"({left} {shape} {right})"
    if a is None or b is None or (shape == "/" and b == 0):
        return text, None
    return text, {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[shape]


class AuditTest(unittest.TestCase):
    def test_a3_agrees_with_exact_fractions(self):
        chance = random.Random(SEED)
        compared = 0
        for _ in range(ROUNDS):
            text, exact = grow(chance, 4)
            if exact is None or len(text) > 400:
                continue
            with self.subTest(text=text):
                found = Fraction(evaluate(text))
                self.assertLessEqual(abs(found - exact), max(abs(exact), 1) * Fraction(1, 10**20))
            compared += 1
        self.assertGreaterEqual(compared, 1_000)

    def test_r5_arbitrary_text_gives_a_number_or_a_calc_error(self):
        chance = random.Random(SEED)
        pieces = [*"0123456789.+-*/^!%(),eE ", "sqrt(", "ln(", "round(", "max(", "ans", "pi", "**", "÷", "\x00", "é", "١"]
        for _ in range(ROUNDS):
            text = "".join(chance.choices(pieces, k=chance.randint(0, 30)))
            with self.subTest(text=text):
                try:
                    self.assertTrue(evaluate(text).is_finite())
                except CalcError as error:
                    self.assertTrue(error.message)
                    self.assertTrue(0 <= error.position <= len(text))

    def test_r7_every_depth_is_answered(self):
        config = Config(depth_max=80, length_max=10_000)
        for opening, closing in (("(", ")"), ("-", ""), ("abs(", ")"), ("2^", ""), ("-(", ")")):
            for depth in (1, 20, 39, 79, 80, 500):
                try:
                    evaluate(opening * depth + "1" + closing * depth, config=config)
                except CalcError:
                    pass


class ArchitectureTest(unittest.TestCase):
    def test_modules_import_only_what_they_may(self):
        self.assertEqual({path.stem for path in SRC.glob("*.py")}, set(ALLOWED))
        for name, allowed in ALLOWED.items():
            tree = ast.parse((SRC / f"{name}.py").read_text(encoding="utf-8"))
            imported = set()
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    imported.add((node.module or "").split(".")[0])
            with self.subTest(module=name):
                self.assertLessEqual(imported, allowed | STANDARD)

    def test_nothing_runs_text_as_code(self):
        for path in SRC.glob("*.py"):
            names = {node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}
            self.assertFalse(names & {"eval", "exec", "compile", "__import__"}, path.name)


if __name__ == "__main__":
    unittest.main()
