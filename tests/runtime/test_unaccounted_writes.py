"""A write in the project that no event accounts for is found at the end of a run, recorded, and told by the doctor."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from esaa.agents.base import Answer, Dispatch
from esaa.agents.scripted import ScriptedAgent
from esaa.runtime import tree_watch
from esaa.runtime.doctor import examine
from esaa.runtime.tree_watch import TreeWatch
from esaa.stores.disk import Disk
from tests.workspaces import Watcher, assert_sound, make_workspace, new_task, payloads, reopen, run


class Sly(ScriptedAgent):
    """Does something of its own in the project while it completes a task, and otherwise obeys."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    async def answer(self, dispatch: Dispatch) -> Answer:
        if dispatch.order.action == "complete":
            self._act()
        return await super().answer(dispatch)


def project(root: Path) -> Path:
    make_workspace(root, [new_task("T-1", outputs=["src/made.txt"])])
    (root / "src").mkdir()
    (root / "src" / "old.txt").write_text("old\n")
    return root


def played(root: Path, act: Callable[[], object], *, steps: int | None = None) -> Watcher:
    watcher = Watcher()
    asyncio.run(run(reopen(root), Sly(act), watcher=watcher, steps=steps))
    return watcher


def strange(root: Path) -> list[list[str]]:
    return [
        one["detail"]["files"]
        for one in payloads(root, "orchestrator.view.mutate")
        if one.get("change") == tree_watch.CHANGE
    ]


def warned(root: Path) -> list[str]:
    symptoms = examine(root, root.parent / "config", lambda: reopen(root))
    return [one.message for one in symptoms if one.code == "UNACCOUNTED_WRITE"]


def test_run_that_only_does_what_its_log_says_finds_nothing(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    watcher = played(root, lambda: None)
    assert watcher.sayings == []
    assert strange(root) == []
    assert warned(root) == []
    assert (root / "src" / "made.txt").exists()
    assert_sound(root)


def test_new_changed_and_removed_files_are_found_and_recorded(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    (root / "src" / "gone.txt").write_text("soon gone\n")

    def act() -> None:
        (root / "src" / "old.txt").write_text("new\n")
        (root / "src" / "gone.txt").unlink()
        (root / "deep" / "er").mkdir(parents=True)
        (root / "deep" / "er" / "new.txt").write_text("new\n")
        (root / "link").symlink_to("/etc/hosts")
        (root / "node_modules").mkdir()
        (root / "node_modules" / "made_by_a_program.js").write_text("")

    watcher = played(root, act)
    assert strange(root) == [["deep/er/new.txt", "link", "src/gone.txt", "src/old.txt"]]
    assert "`src/gone.txt` (gone)" in watcher.sayings[0]
    assert_sound(root)
    (message,) = warned(root)
    assert "4 change(s)" in message
    (root / "deep" / "er" / "new.txt").unlink()
    assert "3 change(s)" in warned(root)[0], "what was put right is not told again"


def test_file_that_is_written_again_after_its_event_is_found(tmp_path: Path) -> None:
    root = project(tmp_path / "project")

    class Late(ScriptedAgent):
        async def answer(self, dispatch: Dispatch) -> Answer:
            if dispatch.order.action == "review":
                (root / "src" / "made.txt").write_text("not what was delivered\n")
            return await super().answer(dispatch)

    asyncio.run(run(reopen(root), Late()))
    assert strange(root) == [["src/made.txt"]]


def test_watch_goes_on_over_a_pause_and_the_doctor_looks_meanwhile(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    watcher = played(root, lambda: (root / "behind.txt").write_text("x"), steps=2)
    assert "`behind.txt` (new)" in watcher.sayings[-1]
    assert strange(root) == []
    assert "`behind.txt` (new)" in warned(root)[0]
    played(root, lambda: None)
    assert strange(root) == [["behind.txt"]]
    assert_sound(root)


def test_next_run_begins_from_the_tree_as_it_is(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    played(root, lambda: (root / "behind.txt").write_text("x"))
    reopen(root).commit(new_task("T-2", outputs=["src/second.txt"]))
    played(root, lambda: None)
    assert strange(root) == [["behind.txt"]]
    assert warned(root) == []


def test_odd_names_and_damaged_notes_do_no_harm(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    odd = os.fsencode(root) + b"/odd-\xff.txt"
    played(root, lambda: os.close(os.open(odd, os.O_CREAT | os.O_WRONLY)))
    assert strange(root) == [["odd-\ufffd.txt"]]
    assert_sound(root)
    note = root / ".roadmap" / ".esaa" / "tree"
    for data in (b"", b"no JSON", b"[]", b'{"run_id": 1}', b"\xff"):
        note.write_bytes(data)
        assert warned(root) == []


def test_tree_that_is_too_large_or_cannot_be_noted_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path / "project")
    monkeypatch.setattr(tree_watch, "FILES_MAX", 0)
    watcher = played(root, lambda: (root / "behind.txt").write_text("x"))
    assert "are not watched: there are more than 0" in watcher.sayings[0]
    assert strange(root) == []

    class Full(Disk):
        def replace_file(self, path: Path, data: bytes, *, durable: bool, mode: int = 0o644) -> None:
            raise OSError(28, "No space left on device")

    said = TreeWatch(root, Full()).begin("RUN-0009", 1)
    assert said == "the project's files are not watched: No space left on device"


def test_what_the_run_itself_records_is_no_strange_write_also_when_the_run_goes_on_without_recording(
    tmp_path: Path,
) -> None:
    root = project(tmp_path)
    watch = TreeWatch(root, Disk())
    watch.begin("RUN-0001", 1, apart=[root / "answers", tmp_path.parent, root])
    (root / "answers").mkdir()
    (root / "answers" / "T-1.claim.1.json").write_text("{}")
    (root / "answers.txt").write_text("not in the folder")

    watch.begin("RUN-0001", 1)

    assert [one.path for one in watch.unaccounted(())] == ["answers.txt"]
