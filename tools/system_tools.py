"""Installs the tools of the operating system that the tests use, as root on Debian; else says what is missing.

A test whose tool is missing skips by name, and under CI=true that skip is a failure (tests/conftest.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

TOOLS = {
    "git": "git",
    "strace": "strace",
    "sha256sum": "coreutils",
    "openssl": "openssl",
    "chromium": "chromium",
    "go": "golang-go",
    "bwrap": "bubblewrap",
}
"""Command to Debian package."""

LIBRARIES = {"/usr/share/gocode/src/golang.org/x/mod/sumdb": "golang-golang-x-mod-dev"}
"""Folder to Debian package."""


def main() -> int:
    missing = _missing()
    if not missing:
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        packages = sorted(set(missing.values()))
        print(f"installing {', '.join(packages)} for the tests", file=sys.stderr)
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", *arguments], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        missing = _missing()
    for name, package in missing.items():
        print(f"{name} is missing (Debian: {package}); the tests that need it will skip", file=sys.stderr)
    return 0


def _missing() -> dict[str, str]:
    tools = {command: package for command, package in TOOLS.items() if shutil.which(command) is None}
    return tools | {folder: package for folder, package in LIBRARIES.items() if not os.path.isdir(folder)}


if __name__ == "__main__":
    sys.exit(main())
