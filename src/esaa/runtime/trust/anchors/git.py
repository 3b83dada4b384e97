"""Git as far as anchors need it: always a list of arguments, without hooks, prompts or a shell."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from esaa.errors import IntegrationError
from esaa.kernel.checkpoint import NOTE_BYTES_MAX

_TIMEOUT_S = 120.0
_OBJECTS_MAX = 10_000
_NOTES_BYTES_MAX = 64 * NOTE_BYTES_MAX
_ID = re.compile(rb"[0-9a-f]{40,64}")


class Git:
    """The repository that holds a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def run(self, *arguments: str, given: bytes = b"") -> bytes:
        """What git prints. Raises `IntegrationError` with the first line of its complaint where it fails."""
        done = self._run(arguments, given)
        if done.returncode != 0:
            said = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[0]
            raise IntegrationError(
                "GIT_FAILED", f"git {arguments[0]} failed: {said[:300]}.", "Try the same by hand in the workspace."
            )
        return done.stdout

    def ask(self, *arguments: str) -> bytes | None:
        """What git prints, or None where it has no answer."""
        done = self._run(arguments, b"")
        return done.stdout if done.returncode == 0 else None

    def head(self) -> str | None:
        """The commit that is checked out, or None."""
        found = self.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return None if found is None else found.decode().strip()

    def advertised(self, remote: str, pattern: str) -> dict[str, str]:
        """The refs of a remote that match a pattern, with their objects; what a tag leads to is left out."""
        lines = self.run("ls-remote", "--quiet", "--", remote, pattern).decode("utf-8", "replace").splitlines()
        pairs = [line.split("\t", 1) for line in lines[:_OBJECTS_MAX] if "\t" in line]
        return {ref: name for name, ref in pairs if not ref.endswith("^{}")}

    def bring(self, remote: str, refs: Sequence[str]) -> None:
        """Fetches the objects of a remote's refs; no ref of this repository changes."""
        if refs:
            options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
            self.run("fetch", *options, "--", remote, *refs)

    def objects(self, names: Sequence[str]) -> Iterator[bytes]:
        """The contents of objects. Those that are missing, or longer than notes can be, are left out."""
        kept = [name for name in names[:_OBJECTS_MAX] if _ID.fullmatch(name.encode())]
        if not kept:
            return
        sizes = self.run("cat-file", "--batch-check", given="\n".join(kept).encode() + b"\n").splitlines()
        small = [one.split()[0] for one in sizes if _is_small(one)]
        data = self.run("cat-file", "--batch", given=b"\n".join(small) + b"\n") if small else b""
        at = 0
        for _ in small:
            end = data.index(b"\n", at)
            size = int(data[at:end].split()[2])
            yield data[end + 1 : end + 1 + size]
            at = end + 1 + size + 1

    def _run(self, arguments: Sequence[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
        # Nothing of the repository may run: anchoring must not depend on hooks, and no remote may name a program.
        quiet = ("core.hooksPath=/dev/null", "tag.gpgSign=false", "protocol.ext.allow=never", "push.gpgSign=false")
        command = ["git", *(part for one in quiet for part in ("-c", one)), "-C", str(self._root), *arguments]
        names = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
        if not _has_identity(self._root):
            for who in ("AUTHOR", "COMMITTER"):
                names |= {f"GIT_{who}_NAME": "esaa", f"GIT_{who}_EMAIL": "esaa@localhost"}
        try:
            return subprocess.run(
                command,
                input=given,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
                env={**os.environ, **names},
            )
        except FileNotFoundError as error:
            raise IntegrationError("GIT_MISSING", "There is no program `git` here.", "Install it.") from error
        except subprocess.TimeoutExpired as error:
            raise IntegrationError(
                "GIT_TIMED_OUT", f"git {arguments[0]} did not end within {_TIMEOUT_S:.0f} s.", "Try it by hand."
            ) from error


def ref_part(origin: str) -> str:
    """The part of a log's name that stands in refs: without the host that all have in common."""
    return origin.partition("/")[2] or origin


def _is_small(line: bytes) -> bool:
    parts = line.split()
    return len(parts) == 3 and parts[2].isdigit() and int(parts[2]) <= _NOTES_BYTES_MAX


def _has_identity(root: Path) -> bool:
    try:
        command = ["git", "-C", str(root), "var", "GIT_COMMITTER_IDENT"]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
