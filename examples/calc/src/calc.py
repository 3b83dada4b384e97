"""The command line: compute one expression, a conversation, or a window.

    python src/calc.py "2 + 3 * 4"
    python src/calc.py
    python src/calc.py --window
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from calc_config import DEFAULT_PATH, Config, ConfigError, load_config
from calc_engine import CalcError, evaluate, format_number

EXIT_OK = 0
EXIT_MISTAKE = 1
EXIT_USAGE = 2

WELCOME = "Type an expression, or an empty line to leave."


def main(arguments: Sequence[str] | None = None, lines: TextIO | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        config = load_config(options.config)
    except ConfigError as error:
        print(f"calc: {error}", file=sys.stderr)
        return EXIT_USAGE
    if options.window:
        return _window(config)
    if options.expression:
        return _once(" ".join(options.expression), config)
    return _conversation(lines or sys.stdin, config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="calc", description="A decimal calculator.")
    parser.add_argument("expression", nargs="*", help="what to compute; put -- before a leading minus")
    parser.add_argument("--window", action="store_true", help="open the window")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, help="settings to use instead of calc.toml")
    return parser


def _once(text: str, config: Config) -> int:
    try:
        print(format_number(evaluate(text, config=config), config.digits))
    except CalcError as error:
        print(_explain(text, error), file=sys.stderr)
        return EXIT_MISTAKE
    return EXIT_OK


def _conversation(lines: TextIO, config: Config) -> int:
    """One expression a line; a mistake is explained and the conversation goes on."""
    is_terminal = lines.isatty()
    if is_terminal:
        print(WELCOME)
    ans = Decimal(0)
    status = EXIT_OK
    while True:
        if is_terminal:
            print("> ", end="", flush=True)
        line = lines.readline()
        text = line.rstrip("\n")
        if not line or (is_terminal and not text.strip()):
            break
        if not text.strip():
            continue
        try:
            ans = evaluate(text, ans, config)
        except CalcError as error:
            print(_explain(text, error), file=sys.stderr)
            status = EXIT_MISTAKE
        else:
            print(format_number(ans, config.digits))
    return EXIT_OK if is_terminal else status


def _window(config: Config) -> int:
    from calc_gui import WindowUnavailable, open_window

    try:
        open_window(config)
    except WindowUnavailable as error:
        print(f"calc: {error}", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK


def _explain(text: str, error: CalcError) -> str:
    """The expression, a caret under the mistake, and the message."""
    return f"  {text}\n  {' ' * error.position}^ {error.message}"


if __name__ == "__main__":
    sys.exit(main())
