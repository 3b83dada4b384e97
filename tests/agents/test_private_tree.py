"""The copy that an agent edits: what is in it, what is told of the changes, and that it is gone afterwards."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from esaa.agents import private_tree as module
from esaa.agents.private_tree import Change, private_tree, remove_abandoned
from esaa.errors import AgentCrashed, AgentError

READABLE = ("docs/**", "src/**")


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files; a test leaves nothing in it."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    files = {
        "src/a.py": "a = 1\n",
        "src/deep/b.py": "b = 2\n",
        "docs/spec/T-1.md": "# T-1\n",
        "tests/test_a.py": "",
        ".env": "KEY=secret\n",
        ".roadmap/activity.jsonl": "{}\n",
        ".git/config": "",
        "src/.claude/settings.json": "{}",
        "src/__pycache__/a.pyc": "",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def listed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.usefixtures("scratch")
def test_copy_holds_what_may_be_read_and_never_log_keys_or_settings(project: Path) -> None:
    with private_tree(project, READABLE) as tree:
        assert listed(tree.root) == {"src/a.py", "src/deep/b.py", "docs/spec/T-1.md"}
        assert (tree.private / "home").is_dir()
        assert (tree.private / "tmp").is_dir()
        assert tree.changes() == module.Changes()
    with private_tree(project, None) as tree:
        assert listed(tree.root) == {"src/a.py", "src/deep/b.py", "docs/spec/T-1.md", "tests/test_a.py", ".env"}


@pytest.mark.usefixtures("scratch")
def test_links_of_the_project_are_not_followed_into_the_copy(project: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    (project / "src/link").symlink_to(tmp_path / "outside/secret")
    (project / "src/folder").symlink_to(tmp_path / "outside")
    os.mkfifo(project / "src/pipe")
    with private_tree(project, READABLE) as tree:
        assert listed(tree.root) == {"src/a.py", "src/deep/b.py", "docs/spec/T-1.md"}


@pytest.mark.usefixtures("scratch")
def test_changes_are_told_with_what_was_before(project: Path) -> None:
    with private_tree(project, READABLE) as tree:
        (tree.root / "src/a.py").write_text("a = 2\n")
        (tree.root / "src/new").mkdir()
        (tree.root / "src/new/c.py").write_text("c = 3\n")
        (tree.root / "src/deep/b.py").write_text("b = 2\n")  # written again, and the same
        changes = tree.changes()
    assert changes.files == (
        Change(path="src/a.py", before=b"a = 1\n", after=b"a = 2\n"),
        Change(path="src/new/c.py", before=None, after=b"c = 3\n"),
    )
    assert changes.remarks == ()
    assert (project / "src/a.py").read_text() == "a = 1\n"


@pytest.mark.usefixtures("scratch")
def test_what_a_result_cannot_hold_is_told_in_words(project: Path, tmp_path: Path) -> None:
    with private_tree(project, READABLE) as tree:
        (tree.root / "src/deep/b.py").unlink()
        (tree.root / "src/link.py").symlink_to("/etc/passwd")
        (tree.root / "docs/elsewhere").symlink_to(tmp_path)
        os.mkfifo(tree.root / "src/pipe")
        (tree.root / "src/picture.png").write_bytes(b"\x89PNG\xff")
        (tree.root / os.fsdecode(b"src/\xff.py")).write_text("")
        (tree.root / ".git").mkdir()
        (tree.root / ".git/config").write_text("")
        (tree.root / "src/__pycache__").mkdir()
        (tree.root / "src/__pycache__/a.cpython-311.pyc").write_text("")
        changes = tree.changes()
    assert changes.files == ()
    told = "\n".join(changes.remarks)
    for words in (
        "removed src/deep/b.py: a result cannot say so",
        "src/link.py",
        "docs/elsewhere",
        "it is a symbolic link",
        "src/pipe: it is no plain file",
        "src/picture.png, which is no UTF-8 text",
        "1 file(s) whose names no result can hold",
        "a git repository of its own",
    ):
        assert words in told
    assert len(changes.remarks) == 6


@pytest.mark.usefixtures("scratch")
def test_settings_of_agents_that_an_agent_writes_are_proposed_so_that_they_can_be_refused(project: Path) -> None:
    with private_tree(project, READABLE) as tree:
        (tree.root / ".claude").mkdir()
        (tree.root / ".claude/settings.json").write_text("{}")
        assert [change.path for change in tree.changes().files] == [".claude/settings.json"]


@pytest.mark.usefixtures("scratch")
def test_tree_that_the_agent_took_away_is_a_crash(project: Path) -> None:
    def lose(tree: module.PrivateTree) -> None:
        module.remove_folder(tree.root)

    def replace(tree: module.PrivateTree) -> None:
        module.remove_folder(tree.root)
        tree.root.write_text("no folder")

    for act in (lose, replace):
        with private_tree(project, READABLE) as tree:
            act(tree)
            with pytest.raises(AgentCrashed) as caught:
                tree.changes()
            assert caught.value.code == "PRIVATE_TREE_LOST"


@pytest.mark.usefixtures("scratch")
def test_copy_that_was_tampered_with_proves_nothing(project: Path) -> None:
    with private_tree(project, READABLE) as tree:
        (tree.root / "src/a.py").write_text("a = 2\n")
        (tree.root.parent / "before/src/a.py").write_text("a = 0\n")
        with pytest.raises(AgentCrashed, match="is not known any more"):
            tree.changes()


@pytest.mark.usefixtures("scratch")
@pytest.mark.parametrize("flood", ["size", "number"])
def test_more_than_any_result_holds_is_a_crash(project: Path, flood: str) -> None:
    with private_tree(project, READABLE) as tree:
        if flood == "size":
            with open(tree.root / "src/hole", "wb") as file:
                file.truncate(1 << 40)
        else:
            for number in range(2_100):
                (tree.root / f"src/{number}").touch()
        with pytest.raises(AgentCrashed) as caught:
            tree.changes()
    assert caught.value.code == "OUTPUT_TOO_LARGE"


def deep(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("d" * 50, dir_fd=fd)
        below = os.open("d" * 50, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


def closed(folder: Path) -> None:
    (folder / "src/shut/inner").mkdir(parents=True)
    (folder / "src/shut/inner/file").touch()
    (folder / "src/shut/inner").chmod(0)
    (folder / "src/shut").chmod(0o500)
    (folder / "src").chmod(0)


def linked(folder: Path) -> None:
    (folder / "out").symlink_to("/tmp")
    (folder / "loop").symlink_to(".")


@pytest.mark.usefixtures("scratch")
@pytest.mark.parametrize("act", [deep, closed, linked])
def test_tree_is_gone_in_the_end_whatever_was_done_to_it(project: Path, act: Callable[[Path], None]) -> None:
    with private_tree(project, READABLE) as tree:
        act(tree.root)


def test_removal_goes_no_further_than_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").touch()
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    (inside / "folder/link").symlink_to(tmp_path / "outside")
    (inside / "link").symlink_to(tmp_path / "outside")
    module.remove_folder(inside)
    assert not inside.exists()
    assert (tmp_path / "outside/kept").exists()


@pytest.mark.usefixtures("scratch")
def test_tree_is_gone_when_the_call_fails(project: Path) -> None:
    with pytest.raises(ZeroDivisionError), private_tree(project, READABLE):
        raise ZeroDivisionError


def test_trees_of_killed_runs_are_taken_away_and_those_in_use_are_not(project: Path, scratch: Path) -> None:
    left = scratch / "esaa-agent-left"
    (left / "tree").mkdir(parents=True)
    (left / "lock").touch()
    with private_tree(project, READABLE) as tree:
        assert not left.exists()
        remove_abandoned()
        assert tree.root.exists()


def test_project_of_a_repository_is_what_git_does_not_ignore(
    project: Path, scratch: Path, need_tool: Callable[[str], str]
) -> None:
    git = need_tool("git")
    module.remove_folder(project / ".git")
    subprocess.run([git, "init", "--quiet", str(project)], check=True)
    (project / ".gitignore").write_text("build/\n.env\n")
    (project / "src/build").mkdir()
    (project / "src/build/big").write_text("")
    with private_tree(project, None) as tree:
        assert listed(tree.root) >= {"src/a.py", ".gitignore"}
        assert not listed(tree.root) & {".env", "src/build/big"}
        (tree.root / "src/build").mkdir()
        (tree.root / "src/build/out.txt").write_text("made")
        (tree.root / "src/c.py").write_text("")
        changes = tree.changes()
    assert [change.path for change in changes.files] == ["src/c.py"]
    assert changes.remarks == ("The agent left src/build/out.txt: the project's git ignores it.",)
    # A project that a repository around it ignores as a whole is copied all the same.
    inner = project / "build"
    (inner / "src").mkdir(parents=True)
    (inner / "src/x.py").touch()
    with private_tree(inner, None) as tree:
        assert listed(tree.root) == {"src/x.py"}
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
@pytest.mark.usefixtures("scratch")
def test_file_that_cannot_be_read_stops_before_the_agent_is_asked(project: Path) -> None:
    (project / "src/a.py").chmod(0)
    with pytest.raises(AgentError, match=r"src/a.py cannot be copied") as caught, private_tree(project, READABLE):
        pytest.fail("it was copied")
    assert caught.value.code == "PROJECT_NOT_COPIED"


@pytest.mark.usefixtures("scratch")
def test_project_beyond_measure_is_not_copied(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FILES_MAX", 2)
    with pytest.raises(AgentError) as caught, private_tree(project, READABLE):
        pytest.fail("it was copied")
    assert caught.value.code == "PROJECT_TOO_LARGE"
