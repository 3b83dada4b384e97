"""Patches of files: git takes them, and they give the other content byte by byte."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esaa.history import tree
from esaa.history.tree import is_binary, patch_text

lines = st.lists(st.sampled_from(["a", "b", "", "ü", "x\r", "-", "+ ", "\\", "\x0b", "\u2028"]), max_size=14)
texts = st.builds(lambda found, end: ("\n".join(found) + end).encode(), lines, st.sampled_from(["", "\n"]))


def applied(folder: Path, path: str, before: bytes | None, patch: str) -> bytes | None:
    """What git makes of a content with a patch."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if before is not None:
        target.write_bytes(before)
    if patch:
        command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-p1", "-"]
        done = subprocess.run(command, cwd=folder, input=patch.encode(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode() + patch
    return target.read_bytes() if target.exists() else None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.none() | texts, st.none() | texts)
def test_git_makes_the_other_content_of_it(tmp_path: Path, before: bytes | None, after: bytes | None) -> None:
    patch = patch_text("src/a.txt", before, after, was_there=before is not None, is_there=after is not None)
    assert applied(tmp_path, "src/a.txt", before, patch) == after
    assert (patch == "") == (before == after)


@pytest.mark.parametrize("compared_max", [0, 4_000_000])
def test_long_files_with_changes_far_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compared_max: int) -> None:
    monkeypatch.setattr(tree, "_COMPARED_MAX", compared_max)
    dice = Random(1)
    for _ in range(12):
        old = [f"line {number}" for number in range(dice.randint(1, 90))]
        new = list(old)
        for _ in range(dice.randint(0, 5)):
            place = dice.randrange(len(new) + 1)
            new[place : place + dice.randint(0, 3)] = [f"new {dice.random()}"] * dice.randint(0, 2)
        before, after = "\n".join(old).encode(), ("\n".join(new) + "\n").encode()
        patch = patch_text("a.txt", before, after)
        assert applied(tmp_path, "a.txt", before, patch) == after


@pytest.mark.parametrize(
    "path", ["with blank.md", "ü.md", 'quote".md', "back\\slash.md", "tab\t.md", "b c/ü d.md", "\x01"]
)
def test_any_name_is_taken(tmp_path: Path, path: str) -> None:
    for before, after in ((b"a\n", b"b\n"), (None, b"b\n"), (b"a\n", None), (None, b""), (b"", None)):
        patch = patch_text(path, before, after, was_there=before is not None, is_there=after is not None)
        assert applied(tmp_path, path, before, patch) == after


def test_a_patch_reads_as_git_writes_it() -> None:
    before = "".join(f"{number}\n" for number in range(1, 30)).encode()
    after = before.replace(b"\n10\n", b"\nten\n").replace(b"\n25\n", b"\n").replace(b"29\n", b"29")
    assert patch_text("n.txt", before, after).splitlines() == [
        "diff --git a/n.txt b/n.txt",
        "--- a/n.txt",
        "+++ b/n.txt",
        "@@ -7,7 +7,7 @@",
        *[" 7", " 8", " 9", "-10", "+ten", " 11", " 12", " 13"],
        "@@ -22,8 +22,7 @@",
        *[" 22", " 23", " 24", "-25", " 26", " 27", " 28", "-29", "+29"],
        "\\ No newline at end of file",
    ]


def test_a_long_rest_that_stayed_is_in_no_hunk() -> None:
    rest = b"same\n" * 10
    lines = patch_text("x.py", b"old\n" + rest, b"new\n" + rest).splitlines()
    assert lines[-6:] == ["@@ -1,4 +1,4 @@", "-old", "+new", " same", " same", " same"]


def test_what_git_cannot_apply_is_a_remark() -> None:
    assert patch_text("x", None, b"a") == "esaa: x may have changed; a content of it was not kept, or was erased.\n"
    assert patch_text("x", b"a", None).startswith("esaa: x may have changed")
    assert patch_text("x.png", b"\0" * 2000, b"\xff") == "esaa: x.png is binary; 2,000 bytes became 1 bytes.\n"
    assert patch_text("x.png", None, b"\xff", was_there=False).endswith("nothing became 1 bytes.\n")
    assert patch_text("x.png", b"\xff", b"\xff") == ""
    assert patch_text("x", None, None, was_there=False, is_there=False) == ""


def test_a_remark_between_patches_is_passed_over(tmp_path: Path) -> None:
    patch = patch_text("x.png", b"\0", b"\xff") + patch_text("a.txt", b"a\n", b"b\n") + patch_text("y", None, b"a")
    assert applied(tmp_path, "a.txt", b"a\n", patch) == b"b\n"


@pytest.mark.parametrize(("data", "binary"), [(b"", False), ("ü".encode(), False), (b"a\0b", True), (b"\xff", True)])
def test_text_is_told_from_binary(data: bytes, binary: bool) -> None:
    assert is_binary(data) is binary
