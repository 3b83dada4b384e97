"""Answers of agents that were not judged yet: each is durable before anybody looks at it, and gone once it was judged.

They cost money, so a run that was killed in between goes on from them. Authenticated: what another program puts here
is no answer of anybody's. Without a key nothing is kept, and the agent is asked again.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from esaa.errors import StoreError
from esaa.kernel.ingest import SMALL_STATE
from esaa.protocol.provenance import Usage
from esaa.stores.disk import Disk
from esaa.stores.outside import read_own

_MAC_BYTES = 32
_SUFFIX = ".answer"


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, the question that it is to, and when it came (the log's time).

    `based_on` is the event up to which the agent had seen the project.
    """

    question_sha256: str
    task_id: str
    received_at: str
    based_on: int
    result: bytes
    usage: Usage = Usage()
    provenance: dict[str, Any] | None = None


class AnswerStore:
    """One file for each answer, named by the digest of its question."""

    def __init__(self, folder: Path, secret: bytes | None, disk: Disk) -> None:
        self._folder = folder
        self._secret = secret
        self._disk = disk

    def keep(self, answer: KeptAnswer) -> None:
        """Makes an answer durable. Raises `StoreError` where that fails: it was paid for, and could be lost."""
        if self._secret is None:
            return
        body = msgspec.msgpack.encode(answer)
        try:
            self._disk.mkdir(self._folder)
            path = self._path(answer.question_sha256)
            self._disk.replace_file(path, _mac(self._secret, body) + body, durable=True, mode=0o600)
        except OSError as error:
            raise StoreError(
                "ANSWER_NOT_KEPT",
                f"The answer about {answer.task_id} cannot be kept in {self._folder}: {error.strerror or error}.",
                "Make room or set the rights right, then run again; the agent is asked again.",
            ) from error

    def find(self, question_sha256: str) -> KeptAnswer | None:
        """The kept answer to a question; None where there is none that this user's runs wrote."""
        return self._read(self._path(question_sha256))

    def all(self) -> Iterator[KeptAnswer]:
        """Every kept answer that can be read."""
        try:
            names = sorted(os.listdir(self._folder))
        except OSError:
            return
        for name in names:
            found = self._read(self._folder / name) if name.endswith(_SUFFIX) else None
            if found is not None:
                yield found

    def drop(self, question_sha256: str) -> None:
        """Forgets an answer. A failure is no error: an answer whose question is settled is never asked for again."""
        path = self._path(question_sha256)
        if not path.exists():
            return
        try:
            self._disk.unlink(path)
        except OSError:
            return

    def _path(self, question_sha256: str) -> Path:
        return self._folder / f"{question_sha256}{_SUFFIX}"

    def _read(self, path: Path) -> KeptAnswer | None:
        if self._secret is None:
            return None
        data = read_own(path, SMALL_STATE)
        if data is None or not hmac.compare_digest(data[:_MAC_BYTES], _mac(self._secret, data[_MAC_BYTES:])):
            return None
        try:
            found = msgspec.msgpack.decode(data[_MAC_BYTES:], type=KeptAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # of another version of this program
        return found if path == self._path(found.question_sha256) else None


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, b"answers\n" + body, "sha256")
