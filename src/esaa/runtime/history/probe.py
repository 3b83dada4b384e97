"""A verdict by running a command on the files of a moment, each time in a fresh folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from esaa.errors import UsageError
from esaa.history.bisect import Verdict
from esaa.history.past import Past
from esaa.runtime.history.checkout import checkout
from esaa.runtime.history.files import digest_of
from esaa.runtime.history.sources import Sources

SKIP_CODE = 125
"""The exit code that says: nobody can tell here."""
TIMEOUT_S = 300.0


class Probe:
    """Runs a command in the tree as it was after an event: 0 is good, 125 says nothing, all else is bad.

    Also bad is a command that does not end in time. A tree of which a content is missing says nothing. Moments with the
    same files have one verdict. The command runs as the user who asked for it, and finds the seq in `ESAA_SEQ`.
    """

    def __init__(
        self,
        past: Past,
        sources: Sources,
        arguments: Sequence[str],
        *,
        timeout_s: float = TIMEOUT_S,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Raises `UsageError` for a command that is not there."""
        name = next(iter(arguments), "")
        if not name or (os.sep not in name and shutil.which(name) is None):
            raise UsageError("COMMAND_NOT_FOUND", f"There is no command {name!r}.", "Name one that is in PATH.")
        self._past = past
        self._sources = sources
        self._arguments = list(arguments)
        self._timeout_s = timeout_s
        self._told = told
        self._verdicts: dict[tuple[tuple[str, str | None], ...], Verdict] = {}

    def verdict(self, seq: int) -> Verdict:
        """What the command says of the files as they were after an event."""
        files = tuple((path, digest_of(part)) for path, part in self._past.parts(seq, "files"))
        found = self._verdicts.get(files)
        if found is None:
            found = self._verdicts[files] = self._probe(seq)
        self._told(f"#{seq}: {found}")
        return found

    def _probe(self, seq: int) -> Verdict:
        with tempfile.TemporaryDirectory(prefix="esaa-bisect-") as name:
            folder = Path(name) / "tree"
            tree = checkout(self._past, self._sources, seq, folder)
            if tree.missing:
                first = tree.missing[0]
                self._told(f"#{seq} has no whole tree: {first.path}: {first.reason}")
                return "skip"
            return self._run(seq, folder)

    def _run(self, seq: int, folder: Path) -> Verdict:
        try:
            process = subprocess.Popen(
                self._arguments,
                cwd=folder,
                env={**os.environ, "ESAA_SEQ": str(seq)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(
                "COMMAND_FAILED", f"{self._arguments[0]} cannot be run: {error.strerror}.", "Name a program."
            ) from error
        try:
            code = process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            self._told(f"#{seq}: it did not end within {self._timeout_s:g} s")
            code = 1
        finally:
            # Whatever it started ends with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return "good" if code == 0 else "skip" if code == SKIP_CODE else "bad"
