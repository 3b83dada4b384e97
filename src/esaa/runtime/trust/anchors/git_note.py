"""The anchor that is a git note: `refs/notes/esaa` on the commit that is checked out holds its checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

from esaa.errors import IntegrationError
from esaa.kernel.head_proof import split_notes
from esaa.runtime.trust.anchors.base import Placed, checkpoint_in, contradicted, same_head
from esaa.runtime.trust.anchors.git import Git

REF = "refs/notes/esaa"


class GitNoteAnchor:
    """One note for each commit, an empty line between its checkpoints; shown by `git log --notes=esaa`.

    With a remote the notes are pushed, and what is fetched is what the remote has.
    """

    def __init__(self, git: Git, remote: str, origin: str) -> None:
        self._git = git
        self._remote = remote
        self._origin = origin

    def put(self, note: bytes, size: int) -> Placed:
        """Adds the checkpoint to the commit's note, and pushes where a remote is named."""
        commit = self._git.head()
        if commit is None:
            raise IntegrationError("GIT_NO_COMMIT", "There is no commit that a note could stand on.", "Commit first.")
        lying = self._git.ask("notes", f"--ref={REF}", "show", commit) or b""
        known = [one for one in split_notes(lying) if one] if lying else []
        heads = [(one, found) for one in known if (found := checkpoint_in(one)) is not None]
        if any(h.origin == self._origin and h.size == size and not same_head(one, note) for one, h in heads):
            raise contradicted(f"The note on commit {commit[:12]}", size)
        if not any(same_head(one, note) for one in known):
            blob = self._git.run("hash-object", "-w", "--stdin", given=b"\n".join([*known, note])).decode().strip()
            # By its blob, for the text of a note would be cleaned up.
            self._git.run("notes", f"--ref={REF}", "add", "--force", "-C", blob, commit)
        if self._remote:
            self._git.run("push", "--quiet", "--no-verify", "--", self._remote, f"{REF}:{REF}")
        where = f"note on commit {commit[:12]}" + (f" at {self._remote}" if self._remote else "")
        return Placed(where=where, note=note, detail={"commit": commit})

    def fetch(self) -> Iterator[bytes]:
        """The checkpoints in all notes of the ref."""
        tree: str | None = REF if self._git.ask("rev-parse", "--verify", "--quiet", REF) is not None else None
        if self._remote:
            tree = self._git.advertised(self._remote, REF).get(REF)
            if tree is not None:
                self._git.bring(self._remote, [REF])
        if tree is None:
            return
        listed = self._git.run("ls-tree", "-r", "--format=%(objectname)", tree).decode().split()
        for blob in self._git.objects(listed):
            yield from split_notes(blob)
