"""Installs the tools of the operating system that the tests use, as root on Debian; else says what is missing.

A test whose tool is missing skips by name, and under CI=true that skip is a failure (tests/conftest.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

TOOLS = {"git": "git", "strace": "strace", "sha256sum": "coreutils", "openssl": "openssl", "chromium": "chromium"}
"""Command to Debian package."""


def main() -> int:
    missing = [command for command in TOOLS if shutil.which(command) is None]
    if not missing:
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        packages = sorted({TOOLS[command] for command in missing})
        print(f"installing {', '.join(packages)} for the tests", file=sys.stderr)
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", *arguments], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        missing = [command for command in TOOLS if shutil.which(command) is None]
    for command in missing:
        print(f"{command} is missing (Debian: {TOOLS[command]}); the tests that need it will skip", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
