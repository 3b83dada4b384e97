"""The anchor that is an annotated tag: its message is the checkpoint, it tags the commit that is checked out."""

from __future__ import annotations

from collections.abc import Iterator

from esaa.runtime.trust.anchors.base import Placed, contradicted, same_head
from esaa.runtime.trust.anchors.git import Git, ref_part


class GitTagAnchor:
    """`refs/tags/esaa/{origin without its host}/{size}`. Without a commit the tag is of the checkpoint itself.

    With a remote the tag is pushed, and what is fetched is what the remote has, whatever became of the tags here.
    """

    def __init__(self, git: Git, remote: str, origin: str) -> None:
        self._git = git
        self._remote = remote
        self._prefix = f"refs/tags/esaa/{ref_part(origin)}/"

    def put(self, note: bytes, size: int) -> Placed:
        """Tags, and pushes where a remote is named."""
        ref = f"{self._prefix}{size}"
        name = ref.removeprefix("refs/tags/")
        lying = self._git.ask("cat-file", "tag", ref)
        if lying is None:
            target = self._git.head() or self._git.run("hash-object", "-w", "--stdin", given=note).decode().strip()
            self._git.run("tag", "--annotate", "--cleanup=verbatim", "--file=-", name, target, given=note)
        elif not same_head(_message(lying), note):
            raise contradicted(f"The tag {name}", size)
        if self._remote:
            self._git.run("push", "--quiet", "--no-verify", "--", self._remote, f"{ref}:{ref}")
        tag = self._git.run("rev-parse", ref).decode().strip()
        where = f"tag {name}" + (f" at {self._remote}" if self._remote else "")
        return Placed(where=where, note=_message(lying) if lying is not None else note, detail={"tag": tag})

    def fetch(self) -> Iterator[bytes]:
        """The messages of all tags of this log."""
        if self._remote:
            found = self._git.advertised(self._remote, f"{self._prefix}*")
            self._git.bring(self._remote, list(found))
            names = list(found.values())
        else:
            names = self._git.run("for-each-ref", "--format=%(objectname)", self._prefix).decode().split()
        for tag in self._git.objects(names):
            yield _message(tag)


def _message(tag: bytes) -> bytes:
    return tag.partition(b"\n\n")[2]
