"""T-1000 R8: settings are read, checked, and refused with a useful sentence."""

import tempfile
import unittest
from pathlib import Path

import tests  # noqa: F401  (puts src on the path)
from calc_config import DEFAULT_PATH, RANGES, Config, ConfigError, load_config


class ConfigTest(unittest.TestCase):
    def load(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "calc.toml"
            path.write_text(text, encoding="utf-8")
            return load_config(path)

    def test_the_file_holds_the_defaults(self):
        self.assertEqual(load_config(DEFAULT_PATH), Config())

    def test_an_empty_file_gives_the_defaults(self):
        self.assertEqual(self.load(""), Config())

    def test_one_setting_is_changed(self):
        self.assertEqual(self.load("digits = 5"), Config(digits=5))

    def test_limits_are_accepted_and_passed_limits_refused(self):
        for name, (low, high) in RANGES.items():
            for value in (low, high):
                self.assertEqual(getattr(Config(**{name: value}), name), value)
            for value in (low - 1, high + 1):
                with self.subTest(name=name, value=value), self.assertRaisesRegex(ConfigError, f"between {low} and {high}"):
                    Config(**{name: value})

    def test_only_whole_numbers(self):
        for value in ("true", "5.0", '"5"'):
            with self.subTest(value=value), self.assertRaisesRegex(ConfigError, "digits must be a whole number"):
                self.load(f"digits = {value}")

    def test_unknown_settings_are_named(self):
        with self.assertRaisesRegex(ConfigError, "unknown settings: colour, digit"):
            self.load("digit = 5\ncolour = 1")

    def test_broken_and_missing_files(self):
        with self.assertRaisesRegex(ConfigError, "not valid TOML"):
            self.load("digits =")
        with self.assertRaisesRegex(ConfigError, "cannot read"):
            load_config(Path("no-such-file.toml"))


if __name__ == "__main__":
    unittest.main()
