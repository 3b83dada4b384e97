"""A small C2SP witness: it cosigns one history of each log that it knows, and keeps what it signed before it answers.

A witness that forgets may sign two histories. So it does not begin without its folder, which is made once.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec

from esaa.errors import ConfigError, StoreError
from esaa.kernel.checkpoint import (
    COSIGNATURE,
    Checkpoint,
    CheckpointInvalid,
    Note,
    Signature,
    VerifierKey,
    checkpoint_of,
    cosignature_message,
    format_note,
    key_id,
    parse_note,
)
from esaa.kernel.witnessing import REQUEST_BYTES_MAX, Refusal, judge, origin_of, parse_request
from esaa.runtime.clock import Clock
from esaa.stores.checkpoints import read_note
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.keys import SigningKey, verify_ed25519
from esaa.stores.lock import writer_lock

SIZE_TYPE = "text/x.tlog.size"
_LOCK = "lock"
_CONNECTION_TIMEOUT_S = 15.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


def cosigner(key: SigningKey) -> VerifierKey:
    """The public key under which a key cosigns."""
    name, public = key.verifier.name, key.verifier.public
    return VerifierKey(name=name, key_id=key_id(name, COSIGNATURE, public), algorithm=COSIGNATURE, public=public)


class Witness:
    """What a witness is without HTTP. Check and record are one step, also between processes."""

    def __init__(self, folder: Path, key: SigningKey, logs: Sequence[VerifierKey], clock: Clock, disk: Disk) -> None:
        if not folder.is_dir():
            raise ConfigError(
                "WITNESS_STATE_MISSING",
                f"There is no folder {folder}, where the witness remembers what it signed.",
                "Restore it. If it is lost, make a witness of another name: this one may not sign again.",
            )
        self.key = cosigner(key)
        self._folder = folder
        self._signing = key
        self._logs = tuple(logs)
        self._clock = clock
        self._disk = disk
        self._guard = threading.Lock()

    def add_checkpoint(self, data: bytes) -> Answer:
        """Answers the request `add-checkpoint`. Raises `StoreError` where it cannot remember: then it signs nothing."""
        request = parse_request(data)
        if isinstance(request, Refusal):
            return _refused(request)
        origin = origin_of(request)
        if isinstance(origin, Refusal):
            return _refused(origin)
        path = self._path(origin)
        with self._guard, writer_lock(self._folder / _LOCK, timeout_s=_CONNECTION_TIMEOUT_S, what="this witness"):
            verdict = judge(request, self._known(path, origin), self._logs, verify_ed25519)
            if isinstance(verdict, Refusal):
                return _refused(verdict)
            submitted = parse_note(request.note)
            signature = self._cosign(submitted)
            kept = Note(text=submitted.text, signatures=(*_of_logs(submitted, self._logs), signature))
            try:
                self._disk.replace_file(path, format_note(kept), durable=True)
            except OSError as error:
                raise storage_error(path, error) from error
        alone = format_note(Note(text=submitted.text, signatures=(signature,)))
        return Answer(status=200, body=alone.rpartition(b"\n\n")[2])

    def newest(self, name: str) -> Answer:
        """The checkpoint cosigned last of the log whose origin has this SHA-256, for who monitors."""
        if len(name) != 64 or any(one not in "0123456789abcdef" for one in name):
            return Answer(status=404, body=b"there is nothing here\n")
        data = read_note(self._folder / name)
        return (
            Answer(status=404, body=b"no checkpoint of this log\n") if data is None else Answer(status=200, body=data)
        )

    def _cosign(self, note: Note) -> Signature:
        time = int(self._clock.now().timestamp())
        blob = time.to_bytes(8, "big") + self._signing.sign(cosignature_message(time, note.text))
        return Signature(name=self.key.name, key_id=self.key.key_id, blob=blob)

    def _known(self, path: Path, origin: str) -> Checkpoint | None:
        data = read_note(path)
        if data is None:
            return None
        try:
            found = checkpoint_of(parse_note(data))
        except CheckpointInvalid as error:
            raise StoreError("WITNESS_STATE_DAMAGED", f"{path}: {error}.", "Restore it from a copy.") from error
        if found.origin != origin:
            raise StoreError("WITNESS_STATE_DAMAGED", f"{path} is about {found.origin}.", "Restore it from a copy.")
        return found

    def _path(self, origin: str) -> Path:
        return self._folder / hashlib.sha256(origin.encode()).hexdigest()


class WitnessServer(ThreadingHTTPServer):
    """The witness on HTTP: `POST /add-checkpoint`, and `GET /checkpoint/{SHA-256 of the origin}` to monitor it."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        super().__init__(address, WitnessHandler)
        self.witness = witness


class WitnessHandler(BaseHTTPRequestHandler):
    """One connection to the server."""

    protocol_version = "HTTP/1.1"
    timeout = _CONNECTION_TIMEOUT_S

    @property
    def _witness(self) -> Witness:
        assert isinstance(self.server, WitnessServer), "only a witness serves this"
        return self.server.witness

    def do_POST(self) -> None:
        """`add-checkpoint`."""
        if self.path != "/add-checkpoint":
            self._send(Answer(status=404, body=b"there is nothing here\n"), is_last=True)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or "Transfer-Encoding" in self.headers:
            self._send(Answer(status=411, body=b"say the length\n"), is_last=True)
        elif len(length) > 9 or int(length) > REQUEST_BYTES_MAX:
            self._send(Answer(status=413, body=b"too long\n"), is_last=True)
        else:
            try:
                answer = self._witness.add_checkpoint(self.rfile.read(int(length)))
            except StoreError as error:
                self.log_error("%s", error)
                answer = Answer(status=500, body=b"the witness cannot remember, so it does not sign\n")
            self._send(answer)

    def do_GET(self) -> None:
        """The newest checkpoint of a log."""
        folder, _, name = self.path.rpartition("/")
        if folder == "/checkpoint":
            self._send(self._witness.newest(name))
        else:
            self._send(Answer(status=404, body=b"there is nothing here\n"))

    def _send(self, answer: Answer, *, is_last: bool = False) -> None:
        self.close_connection = self.close_connection or is_last
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if is_last:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)


def _refused(refusal: Refusal) -> Answer:
    if refusal.size is not None:
        return Answer(status=refusal.status, body=b"%d\n" % refusal.size, content_type=SIZE_TYPE)
    return Answer(status=refusal.status, body=refusal.reason.encode("utf-8", "replace") + b"\n")


def _of_logs(note: Note, logs: Sequence[VerifierKey]) -> tuple[Signature, ...]:
    known = {(key.name, key.key_id) for key in logs}
    return tuple(one for one in note.signatures if (one.name, one.key_id) in known)
