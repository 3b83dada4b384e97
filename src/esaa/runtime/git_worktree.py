"""Going back to a commit with git: asked first whether that is safe, always as a list of arguments, never a shell.

Only `esaa restore-point restore --git` comes here. `reset --keep` refuses to touch files that somebody changed.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec

from esaa.errors import UsageError

_SHA = re.compile(r"[0-9a-f]{4,64}")
_TIMEOUT_S = 120.0


class ResetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A reset that is safe: the commit in full, and how many commits the branch goes back by."""

    sha: str
    commits_back: int


class GitWorktree:
    """The working tree that a folder lies in."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def files_changed(self) -> int | None:
        """How many tracked files differ from the commit, the trail's own left out; None where git cannot say."""
        try:
            done = self._run(*self._status())
        except UsageError:
            return None
        return len(done.stdout.splitlines()) if done.returncode == 0 else None

    def tracked(self) -> frozenset[str]:
        """The paths below the folder that git knows, relative to it."""
        done = self._run("ls-files", "-z")
        return frozenset(done.stdout.split("\0")) - {""}

    def plan_reset(self, sha: str, trail_folders: list[Path]) -> ResetPlan:
        """The reset to a commit. Raises `UsageError` where it is not safe: it would lose changes, or take back events.

        `trail_folders` are the folders that hold events and contents; a commit must not change them.
        """
        if _SHA.fullmatch(sha) is None:
            raise UsageError("GIT_COMMIT_UNKNOWN", f"{sha[:80]!r} is no commit id.", "Leave --git out.")
        found = self._run("rev-parse", "--verify", "--quiet", f"{sha}^{{commit}}")
        if found.returncode != 0:
            raise UsageError("GIT_COMMIT_UNKNOWN", f"git knows no commit {sha[:12]} here.", "Fetch it, or drop --git.")
        full = found.stdout.strip()
        changed = self._run(*self._status())
        if changed.returncode != 0 or changed.stdout:
            first = changed.stdout.splitlines()[0][3:] if changed.stdout else changed.stderr.strip()
            raise UsageError(
                "GIT_TREE_DIRTY",
                f"The working tree has changes that are in no commit ({first[:200]}).",
                "Commit or stash them, or leave --git out.",
            )
        self._refuse_losing_events(full, trail_folders)
        counted = self._run("rev-list", "--count", f"{full}..HEAD").stdout.strip()
        return ResetPlan(sha=full, commits_back=int(counted) if counted.isdigit() else 0)

    def reset(self, plan: ResetPlan) -> None:
        """Sets the branch and the files to the commit. Raises `UsageError` where git refuses; then nothing changed."""
        done = self._run("reset", "--keep", "--quiet", plan.sha)
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
            raise UsageError("GIT_RESET_REFUSED", f"git does not reset: {said[:300]}.", "Nothing was changed.")

    def _refuse_losing_events(self, sha: str, trail_folders: list[Path]) -> None:
        top = Path(self._run("rev-parse", "--show-toplevel").stdout.strip() or self._root).resolve()
        inside = [str(folder.resolve()) for folder in trail_folders if folder.resolve().is_relative_to(top)]
        if not inside:
            return
        done = self._run("diff", "--name-only", "HEAD", sha, "--", *inside)
        if done.returncode != 0 or done.stdout:
            raise UsageError(
                "GIT_WOULD_CHANGE_TRAIL",
                f"The trail is in git, and commit {sha[:12]} has an older one: a reset would take events back.",
                "Check the commit out in a worktree of its own, or leave --git out.",
            )

    @staticmethod
    def _status() -> tuple[str, ...]:
        # A trail that is tracked grows with every event; that is no change that anyone could lose.
        return ("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude).roadmap")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Without locks: asking must not write the index.
        command = ["git", "--no-optional-locks", "-C", str(self._root), *arguments]
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
            raise UsageError("GIT_MISSING", "There is no program `git` here.", "Install it, or drop --git.") from error
        except subprocess.TimeoutExpired as error:
            raise UsageError(
                "GIT_TIMED_OUT", f"git {arguments[0]} did not end within {_TIMEOUT_S:.0f} s.", "Try it by hand."
            ) from error
