"""Publishing files: from blobs to the project's tree, by staging, fsync, rename and directory fsync.

Idempotent by (event, digest): a file that already has the digest is left alone, so a crash is repaired by running
again. A file that someone else changed in between is never overwritten; it is reported.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from esaa.contracts.agent import NEVER_WRITE
from esaa.effects.paths import UnsafePath, file_fault, inspect, parent_of
from esaa.errors import StoreError
from esaa.protocol.paths import covered_folded, guarded_component, path_fault
from esaa.stores.blobs import BlobStore
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error

_ANY_SIZE = 1 << 62
_NO_NAME = re.compile(r"[^A-Za-z0-9-]")


class FileEffect(msgspec.Struct, frozen=True, kw_only=True):
    """One file that an event says was written."""

    event_id: str
    path: str
    before_sha256: str | None
    after_sha256: str


class Publisher:
    """Writes the files of a project. `root` is the project, `staging` a directory on the same file system."""

    def __init__(self, root: Path, staging: Path, blobs: BlobStore, disk: Disk) -> None:
        self._root = root
        self._staging = staging
        self._blobs = blobs
        self._disk = disk
        self._settled: set[str] = set()

    def publish(self, effects: list[FileEffect]) -> list[str]:
        """Brings the files to the state that the events say. Returns a finding for each that was left alone.

        Raises `StoreError` where the disk fails; running again then goes on where it stopped.
        """
        findings: list[str] = []
        for effect, known in _newest(effects):
            finding = self._publish_one(effect, known)
            if finding is not None:
                findings.append(finding)
        return findings

    def _publish_one(self, effect: FileEffect, known: set[str | None]) -> str | None:
        # The rules judged the path when it was recorded; but whoever hands over a log has recorded what they liked.
        refusal = write_refusal(effect.path)
        if refusal is not None:
            return f"{effect.event_id}: `{effect.path}` {refusal} and was not written"
        found = inspect(self._root, effect.path, bytes_max=_ANY_SIZE, want_content=False)
        if found.sha256 == effect.after_sha256:
            return self._settle(effect)
        if found.fault is not None:
            return f"{effect.event_id}: `{effect.path}` {found.fault} and was not written"
        if found.sha256 not in known:
            return f"{effect.event_id}: `{effect.path}` was changed by someone else and was not overwritten"
        try:
            content = self._blobs.get(effect.after_sha256)
        except StoreError as error:
            return f"{effect.event_id}: `{effect.path}` was not written: {error.message}"
        if content is None:
            return f"{effect.event_id}: the content of `{effect.path}` is missing from .roadmap/blobs"
        try:
            self._replace(effect, content)
        except UnsafePath as error:
            return f"{effect.event_id}: `{effect.path}` {error.strerror} and was not written"
        except OSError as error:
            raise storage_error(self._root / effect.path, error) from error
        return None

    def _settle(self, effect: FileEffect) -> str | None:
        """The file is there already: whoever put it there may have been killed before its name was durable."""
        try:
            self._settle_way(effect.path)
            with parent_of(self._root, effect.path, create=None) as (directory, _):
                self._disk.fsync(directory)
        except UnsafePath as error:
            return f"{effect.event_id}: `{effect.path}` {error.strerror} and was not written"
        except OSError as error:
            raise storage_error(self._root / effect.path, error) from error
        return None

    def _settle_way(self, path: str) -> None:
        """Makes the directories on the way durable, once: another process may have made them and been killed."""
        directories = path.split("/")[:-1]
        for depth in range(1, len(directories) + 1):
            way = "/".join(directories[:depth])
            if way not in self._settled:
                try:
                    with parent_of(self._root, way, create=None) as (directory, _):
                        self._disk.fsync(directory)
                except FileNotFoundError as error:
                    raise UnsafePath(error.errno, f"leads through `{way}`, which was moved away meanwhile") from error
                self._settled.add(way)

    def _replace(self, effect: FileEffect, content: bytes) -> None:
        self._disk.mkdir(self._staging)
        staged = self._staging / f"{_NO_NAME.sub('_', effect.event_id)[:64]}-{effect.after_sha256[:16]}"
        with parent_of(self._root, effect.path, create=self._disk) as (directory, name):
            mode = self._mode(directory, name)
            self._settle_way(effect.path)
            # What a killed publication left behind would lend its mode.
            self._disk.unlink(staged)
            fd = self._disk.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
            try:
                if mode is not None:
                    os.fchmod(fd, mode)
                self._disk.write(fd, content)
                self._disk.fsync(fd)
            finally:
                os.close(fd)
            self._disk.rename(str(staged), name, target_dir=directory)
            self._disk.fsync(directory)

    def _mode(self, directory: int, name: str) -> int | None:
        """The mode of the file that is replaced, asked on the directory that is written to; None for a new one."""
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return None
        fault = file_fault(status)
        if fault is not None:
            raise UnsafePath(0, fault)
        return status.st_mode & 0o777


def write_refusal(path: str) -> str | None:
    """Why nothing is ever written at a path, whatever an event says, or None. Completes the sentence "the path ..."."""
    fault = path_fault(path)
    if fault is not None:
        return fault
    if covered_folded(path, NEVER_WRITE) or guarded_component(path) is not None:
        return "belongs to the trail, to version control or to an agent's settings"
    return None


def _newest(effects: list[FileEffect]) -> list[tuple[FileEffect, set[str | None]]]:
    """The last effect of each path, with every digest that the file may have had on the way to it."""
    merged: dict[str, tuple[FileEffect, set[str | None]]] = {}
    for effect in effects:
        known = merged[effect.path][1] if effect.path in merged else set()
        merged[effect.path] = effect, known | {effect.before_sha256, effect.after_sha256}
    return list(merged.values())
