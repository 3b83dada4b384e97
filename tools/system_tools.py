"""Installs the tools of the operating system that the tests use, as root on Debian; else says what is missing.

The command lines of agents come from npm, in the versions of `agent_clis/package-lock.json`, into a folder beside it.

A test whose tool is missing skips by name, and under CI=true that skip is a failure (tests/conftest.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

TOOLS = {
    "git": "git",
    "strace": "strace",
    "sha256sum": "coreutils",
    "openssl": "openssl",
    "chromium": "chromium",
    "go": "golang-go",
    "bwrap": "bubblewrap",
    "npm": "npm",
}
"""Command to Debian package."""

LIBRARIES = {"/usr/share/gocode/src/golang.org/x/mod/sumdb": "golang-golang-x-mod-dev"}
"""Folder to Debian package."""


AGENT_CLIS = Path(__file__).resolve().parent / "agent_clis"


def main() -> int:
    install_packages()
    install_agent_clis()
    return 0


def install_packages() -> None:
    """Installs what is missing of TOOLS and LIBRARIES, and says what could not be."""
    missing = _missing()
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = sorted(set(missing.values()))
        print(f"installing {', '.join(packages)} for the tests", file=sys.stderr)
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", *arguments], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        missing = _missing()
    for name, package in missing.items():
        print(f"{name} is missing (Debian: {package}); the tests that need it will skip", file=sys.stderr)


def install_agent_clis() -> None:
    """Installs the command lines of agents, if those of the lock file are not there yet."""
    lock = (AGENT_CLIS / "package-lock.json").read_bytes()
    stamp = AGENT_CLIS / "node_modules" / ".installed"
    npm = shutil.which("npm")
    if npm is None or (stamp.exists() and stamp.read_bytes() == lock):
        return
    print("installing the command lines of agents for the tests", file=sys.stderr)
    # Gemini CLI needs Node 20 or newer; the other two bring programs that need none.
    command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=AGENT_CLIS, check=False, capture_output=True)
    if done.returncode == 0:
        stamp.write_bytes(lock)
    else:
        complaint = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        print(f"npm could not install them: {''.join(complaint)}; their tests will skip", file=sys.stderr)


def _missing() -> dict[str, str]:
    tools = {command: package for command, package in TOOLS.items() if shutil.which(command) is None}
    return tools | {folder: package for folder, package in LIBRARIES.items() if not os.path.isdir(folder)}


if __name__ == "__main__":
    sys.exit(main())
