"""T-1020: keys are pressed on the model; the window itself is never opened."""

import subprocess
import sys
import unittest
from types import SimpleNamespace
from unittest import mock

from tests import SRC
from calc_config import Config
from calc_gui import COLOURS, INSERTS, KEYBOARD, ROWS, Keypad, WindowUnavailable, open_window


def pressed(keys, config=Config()):
    keypad = Keypad(config)
    for key in keys:
        keypad.press(key)
    return keypad


def contrast(one, other):
    def luminance(colour):
        channels = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


class KeypadTest(unittest.TestCase):
    def test_r2_keys_build_an_entry(self):
        self.assertEqual(pressed("2+3×4").entry, "2+3×4")
        self.assertEqual(pressed("√9)").entry, "sqrt(9)")

    def test_r2_clear(self):
        keypad = pressed("1÷0=C")
        self.assertEqual((keypad.entry, keypad.result, keypad.message), ("", "", ""))

    def test_r2_take_back(self):
        self.assertEqual(pressed("12⌫").entry, "1")
        self.assertEqual(pressed("1+√⌫").entry, "1+")
        self.assertEqual(pressed(["2", "+", "ans", "⌫"]).entry, "2+")
        self.assertEqual(pressed("⌫").entry, "")

    def test_r3_equals(self):
        keypad = pressed("2+3×4=")
        self.assertEqual((keypad.entry, keypad.result, keypad.history), ("2+3×4", "14", [("2+3×4", "14")]))

    def test_r3_equals_on_nothing(self):
        keypad = pressed("=")
        self.assertEqual((keypad.entry, keypad.result, keypad.message, keypad.history), ("", "", "", []))

    def test_r4_an_operator_continues(self):
        keypad = pressed("2+3=×4")
        self.assertEqual((keypad.entry, keypad.result), ("ans×4", ""))
        keypad.press("=")
        self.assertEqual(keypad.result, "20")

    def test_r4_a_digit_begins_anew(self):
        self.assertEqual(pressed("2+3=7").entry, "7")
        self.assertEqual(pressed("2+3=√").entry, "sqrt(")

    def test_r5_a_mistake_keeps_the_entry(self):
        keypad = pressed("6=7+=")
        self.assertEqual((keypad.entry, keypad.message), ("7+", "a number is missing at the end"))
        self.assertEqual(keypad.history, [("6", "6")])
        keypad.press("1")
        self.assertEqual((keypad.entry, keypad.message), ("7+1", ""))
        for key in ("C", "ans", "="):
            keypad.press(key)
        self.assertEqual(keypad.result, "6")

    def test_r6_history_is_bounded(self):
        self.assertEqual([entry for entry, _ in pressed("1=2=3=4=", Config(history_size=2)).history], ["3", "4"])
        self.assertEqual(pressed("1=2=", Config(history_size=0)).history, [])
        self.assertEqual(len(pressed("1=" * 15, Config(history_size=20)).history), 15)
        self.assertEqual(len(pressed("1=" * 25, Config(history_size=20)).history), 20)

    def test_r7_every_key_and_the_keyboard(self):
        keys = {key for row in ROWS for key in row}
        self.assertEqual(len(keys), 24)
        self.assertEqual({KEYBOARD[name] for name in ("Return", "BackSpace", "Escape")}, {"=", "⌫", "C"})
        self.assertEqual(set(KEYBOARD.values()) - keys, {"!"})
        self.assertLessEqual(set(INSERTS), keys)

    def test_r8_contrast(self):
        for front, back in (
            ("text", "background"), ("quiet", "background"), ("alarm", "background"), ("text", "key"),
            ("text", "key_operator"), ("text_equals", "key_equals"), ("text_equals", "quiet"),
        ):
            with self.subTest(front=front, back=back):
                self.assertGreaterEqual(contrast(COLOURS[front], COLOURS[back]), 4.5)


class WindowTest(unittest.TestCase):
    def test_a2_tkinter_is_not_imported_early(self):
        program = "import sys, calc, calc_gui; print('tkinter' in sys.modules)"
        found = subprocess.run([sys.executable, "-c", program], cwd=SRC, capture_output=True, text=True, check=True)
        self.assertEqual(found.stdout.strip(), "False")

    def test_r9_without_tkinter(self):
        with mock.patch.dict(sys.modules, {"tkinter": None}):
            with self.assertRaisesRegex(WindowUnavailable, "no tkinter"):
                open_window()

    def test_r9_without_a_display(self):
        class TclError(Exception):
            pass

        stand_in = SimpleNamespace(Tk=mock.Mock(side_effect=TclError), TclError=TclError)
        with mock.patch.dict(sys.modules, {"tkinter": stand_in}):
            with self.assertRaisesRegex(WindowUnavailable, "no display"):
                open_window()

    def test_r1_the_window_draws_what_the_model_says(self):
        stand_in = mock.MagicMock()
        stand_in.TclError = Exception
        with mock.patch.dict(sys.modules, {"tkinter": stand_in}):
            open_window()
        buttons = {call.kwargs["text"]: call.kwargs["command"] for call in stand_in.Button.call_args_list}
        self.assertEqual(set(buttons), {key for row in ROWS for key in row})
        for key in "2+3=":
            buttons[key]()
        shown = [call.kwargs["text"] for call in stand_in.Label.return_value.configure.call_args_list if "text" in call.kwargs]
        self.assertEqual(shown[-2:], ["2+3 =", "5"])


if __name__ == "__main__":
    unittest.main()
