"""T-1030: every example in the guide is computed, every setting compared."""

import contextlib
import io
import re
import unittest
from decimal import Decimal

from tests import SRC
import calc
from calc_config import RANGES, Config
from calc_engine import CONSTANTS, FUNCTIONS, evaluate, format_number

GUIDE = (SRC.parent / "docs" / "guide.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```calc\n(.*?)```", GUIDE, re.DOTALL)


class GuideTest(unittest.TestCase):
    def test_r1_the_first_example_comes_at_once(self):
        self.assertIn('python src/calc.py "0.1 + 0.2"', "\n".join(GUIDE.splitlines()[:10]))
        self.assertEqual(format_number(evaluate("0.1 + 0.2"), 12), "0.3")

    def test_r2_every_example_is_right(self):
        examples = 0
        for block in BLOCKS:
            ans = Decimal(0)
            for line in block.splitlines():
                text, expected = line.rsplit(" = ", 1)
                with self.subTest(line=line):
                    ans = evaluate(text, ans)
                    self.assertEqual(format_number(ans, Config().digits), expected)
                examples += 1
        self.assertGreaterEqual(examples, 25)

    def test_r3_nothing_is_left_out(self):
        examples = " ".join(BLOCKS)
        names = set(re.findall(r"[a-z]{2,}|\be\b", examples))
        self.assertLessEqual({*FUNCTIONS, *CONSTANTS, "ans"}, names)
        for sign in "+-*/^!%(),×÷−":
            self.assertIn(sign, examples)

    def test_r4_the_mistake_is_printed_as_shown(self):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertEqual(calc.main(["2 * (3 + 4"]), 1)
        self.assertIn(err.getvalue(), GUIDE)

    def test_r5_settings_table(self):
        rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\d+) \|", GUIDE, re.MULTILINE)
        expected = [(name, str(getattr(Config(), name)), str(low), str(high)) for name, (low, high) in RANGES.items()]
        self.assertEqual(rows, expected)

    def test_r6_window_keys_are_explained(self):
        window = GUIDE.split("## The window")[1].split("## Settings")[0]
        for key in ("`=`", "`C`", "`⌫`", "`√`", "Enter", "Escape", "Backspace"):
            self.assertIn(key, window)


if __name__ == "__main__":
    unittest.main()
