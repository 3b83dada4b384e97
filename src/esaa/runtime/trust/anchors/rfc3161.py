"""The anchor that is a time stamping authority (RFC 3161): its token proves that a checkpoint existed by then.

It does not prove that there was only one. The authority keeps nothing: the tokens lie with the receipts, and whoever
may rewrite the log may drop them. Keep copies elsewhere.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from esaa.errors import ConfigError, IntegrationError
from esaa.runtime.trust.anchors.base import Placed
from esaa.runtime.trust.anchors.http import exchange

QUERY, TOKEN = "tsq", "tsr"
_TIMEOUT_S = 60.0

Stamped = Callable[[], Iterator[tuple[bytes, bytes]]]
"""The notes that were stamped, each with its token."""


class Rfc3161Anchor:
    """An authority that is asked over HTTP. Requests and tokens are made and checked by `openssl ts`."""

    def __init__(self, url: str, ca_file: Path, stamped: Stamped) -> None:
        self._url = url
        self._ca_file = ca_file
        self._stamped = stamped

    def put(self, note: bytes, size: int) -> Placed:
        """Has the note's bytes stamped, and believes the token only when it is about them, with the nonce of now."""
        with tempfile.TemporaryDirectory(prefix="esaa-ts-") as name:
            folder = Path(name)
            (folder / "note").write_bytes(note)
            query, token = folder / "query", folder / "token"
            _openssl("-query", "-data", str(folder / "note"), "-sha256", "-cert", "-out", str(query))
            answer = exchange(self._url, query.read_bytes(), {"Content-Type": "application/timestamp-query"})
            if answer.status != 200 or answer.content_type != "application/timestamp-reply":
                raise IntegrationError(
                    "STAMP_REFUSED",
                    f"{self._url} answers {answer.status} with {answer.content_type[:80]}.",
                    "Is it the address of a time stamping authority?",
                )
            token.write_bytes(answer.body)
            said = self._verify("-queryfile", str(query), "-in", str(token))
            if said is not None:
                raise IntegrationError(
                    "STAMP_INVALID",
                    f"The token of {self._url} does not hold: {said}.",
                    f"Does {self._ca_file} hold the certificate of its root?",
                )
            files = {QUERY: query.read_bytes(), TOKEN: answer.body}
            return Placed(where=self._url, note=note, detail={"time": _time_of(token)}, files=files)

    def fetch(self) -> Iterator[bytes]:
        """The notes whose tokens hold now."""
        for note, stamp in self._stamped():
            if self.holds(note, stamp):
                yield note

    def holds(self, note: bytes, stamp: bytes) -> bool:
        """True where a token is about these very bytes and was signed by the authority."""
        with tempfile.TemporaryDirectory(prefix="esaa-ts-") as name:
            (Path(name) / "note").write_bytes(note)
            (Path(name) / "token").write_bytes(stamp)
            return self._verify("-data", str(Path(name) / "note"), "-in", str(Path(name) / "token")) is None

    def _verify(self, *arguments: str) -> str | None:
        """None where the token holds, else the reason."""
        if not self._ca_file.is_file():
            raise ConfigError(
                "STAMP_CA_MISSING", f"There is no file {self._ca_file}.", "Set ca_file in .roadmap/anchors.yaml."
            )
        done = _run("-verify", *arguments, "-CAfile", str(self._ca_file))
        if done.returncode == 0 and "Verification: OK" in done.stdout + done.stderr:
            return None
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower() or "FAILED" in line]
        return (lines or done.stderr.splitlines() or ["openssl refuses it"])[-1].strip()[-200:]


def _openssl(*arguments: str) -> str:
    done = _run(*arguments)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise IntegrationError("OPENSSL_FAILED", f"openssl ts {arguments[0]} failed: {said[:300]}.", "Try it by hand.")
    return done.stdout


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["openssl", "ts", *arguments]
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise IntegrationError("OPENSSL_MISSING", "There is no program `openssl` here.", "Install it.") from error
    except subprocess.TimeoutExpired as error:
        raise IntegrationError("OPENSSL_FAILED", "openssl ts did not end in time.", "Try it by hand.") from error


def _time_of(token: Path) -> str:
    found = re.search(r"^Time stamp: (.+) GMT$", _openssl("-reply", "-in", str(token), "-text"), re.MULTILINE)
    if found is None:
        return ""
    text = re.sub(r"\.[0-9]+(?= )", "", " ".join(found.group(1).split()))
    try:
        moment = datetime.strptime(text, "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return text
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
