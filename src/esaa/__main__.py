"""The command `esaa`. `--version` answers before anything else is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    if sys.argv[1:] == ["--version"]:
        from esaa.version import __version__

        print(f"esaa {__version__}")
        return
    if sys.platform == "win32":
        print("esaa runs on Linux and macOS; on Windows use it inside WSL.", file=sys.stderr)
        sys.exit(2)
    try:
        from esaa.cli.app import run

        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:  # before or after the command itself
        sys.exit(130)


if __name__ == "__main__":
    main()
