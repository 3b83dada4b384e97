"""Verifying again answers what verifying in full answers, and never believes more than bytes and signatures."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from esaa.runtime.verification import reverification
from esaa.runtime.verification.checkpoint_audit import Given, Knowledge
from esaa.runtime.verification.verify import Verdict, find_target, verify
from esaa.stores import verified
from esaa.stores.verified import PieceDigests, VerifiedStore, has_digests
from tests.signed import config_dir, judged, key_of, latest, note_over, rewritten, signed_workspace
from tests.workspaces import new_task, reopen, submit
from tests.workspaces import result as result_of


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A signed workspace that was verified once; also short logs are remembered here."""
    monkeypatch.setattr(reverification, "REMEMBERED_FROM_BYTES", 0)
    folder = tmp_path / "project"
    workspace = signed_workspace(folder, [new_task(f"T-{number}", outputs=[f"src/{number}.py"]) for number in range(5)])
    submit(workspace, "agent-impl", result_of("claim", "T-0"))
    submit(workspace, "agent-impl", result_of("complete", "T-0", files={"src/0.py": "0\n"}))
    workspace.verify_now()
    assert judged(folder).compared_by_bytes == 0
    return folder


def both(root: Path, given: tuple[bytes, ...] = ()) -> tuple[Verdict, Verdict]:
    """The answer of this machine, and the one of a machine with the same keys and heads that verified nothing."""
    anchors = [Given(where="anchor", data=data) for data in given]
    quick = verify(find_target(root), files=True, knowledge=Knowledge(config_dir(root)), given=anchors)
    fresh = root.parent / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(config_dir(root), fresh)
    shutil.rmtree(fresh / "verified", ignore_errors=True)
    full = verify(find_target(root), files=True, knowledge=Knowledge(fresh), given=anchors)
    assert full.compared_by_bytes == 0
    return quick, full


def assert_alike(root: Path, given: tuple[bytes, ...] = ()) -> Verdict:
    quick, full = both(root, given)
    assert msgspec.structs.replace(quick, compared_by_bytes=0) == full
    return quick


def go_on(root: Path, number: int, *, is_signed: bool = True) -> None:
    """Records a task, and verifies; as a machine without the key, where it is not to be signed."""
    (key,) = (config_dir(root) / "keys").glob("*.key")
    if not is_signed:
        key.rename(root.parent / "away")
    workspace = reopen(root)
    workspace.commit(new_task(f"T-{number}"))
    workspace.verify_now()
    if not is_signed:
        (root.parent / "away").rename(key)


def test_an_unchanged_log_is_compared_by_its_bytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("nothing is judged again")

    events = assert_alike(root).events
    monkeypatch.setattr("esaa.runtime.verification.verify.check_file", fail)
    monkeypatch.setattr("esaa.runtime.verification.verify.audit_meaning", fail)
    verdict = judged(root)
    assert verdict.compared_by_bytes == verdict.events == events
    assert verdict.trust.signed_through == events


@pytest.mark.parametrize("is_signed", [True, False])
def test_only_the_tail_is_judged(root: Path, is_signed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = judged(root).events
    go_on(root, 10, is_signed=is_signed)
    if not is_signed:
        anchor = latest(root).read_bytes()
        assert assert_alike(root, (anchor,)).trust.anchored_through == before
        return
    verdict = assert_alike(root)
    assert verdict.compared_by_bytes == before < verdict.events
    assert verdict.findings == ()
    for number in range(11, 14):
        go_on(root, number)
        assert assert_alike(root).compared_by_bytes > 0


def test_what_has_grown_is_remembered_anew_and_what_has_not_is_left(root: Path) -> None:
    first = (config_dir(root) / "verified").stat().st_mtime_ns
    for number in range(10, 40):
        go_on(root, number)
    before = judged(root).compared_by_bytes
    after = judged(root).compared_by_bytes
    assert before < after == judged(root).events
    assert first != (config_dir(root) / "verified").stat().st_mtime_ns


def test_every_changed_byte_is_found_as_in_full(root: Path) -> None:
    go_on(root, 10)
    path = root / ".roadmap" / "activity.jsonl"
    sound = path.read_bytes()
    rng = random.Random(4)
    for at in sorted(rng.sample(range(len(sound)), 60)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1 << rng.randrange(8)]) + sound[at + 1 :])
        assert assert_alike(root).findings != (), at
    path.write_bytes(sound)
    assert assert_alike(root).findings == ()


def test_cut_and_doubled_lines_are_found_as_in_full(root: Path) -> None:
    go_on(root, 10)
    path = root / ".roadmap" / "activity.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (lines[:-1], lines[:-4], lines[:3], [*lines, lines[-1]], [*lines, b"{}\n"], [*lines, b"\n"]):
        path.write_bytes(b"".join(changed))
        quick, full = both(root)
        assert msgspec.structs.replace(quick, compared_by_bytes=0) == full
    path.write_bytes(b"".join(lines)[:-1])
    assert_alike(root)


@pytest.mark.parametrize("name", ["roadmap.json", "issues.json", "lessons.json", "src/0.py"])
@pytest.mark.parametrize("has_tail", [False, True])
def test_what_lies_beside_the_log_is_compared_each_time(root: Path, name: str, has_tail: bool) -> None:
    if has_tail:
        go_on(root, 10)
    path = root / name if name.startswith("src") else root / ".roadmap" / name
    path.write_bytes(path.read_bytes() + b" ")
    assert assert_alike(root).findings != ()
    path.unlink()
    assert assert_alike(root).findings != ()


def contract_changed(root: Path) -> None:
    path = root / ".roadmap" / "AGENT_CONTRACT.yaml"
    text = path.read_text()
    assert "src/**" in text
    path.write_text(text.replace("src/**", "other/**"))


def contract_gone(root: Path) -> None:
    (root / ".roadmap" / "AGENT_CONTRACT.yaml").unlink()


def unsigned(root: Path) -> None:
    shutil.rmtree(latest(root).parent)


def signed_by_a_stranger(root: Path) -> None:
    from esaa.stores.keys import KeyStore

    name = (root / ".roadmap" / "origin").read_text().strip()
    latest(root).write_bytes(note_over(root, [KeyStore(root.parent / "stranger").create(name)]))


def nameless(root: Path) -> None:
    (root / ".roadmap" / "origin").unlink()


@pytest.mark.parametrize("change", [contract_changed, contract_gone, unsigned, signed_by_a_stranger, nameless])
def test_where_what_the_memory_rests_on_is_gone_all_is_judged(root: Path, change: Callable[[Path], None]) -> None:
    assert judged(root).compared_by_bytes > 0
    change(root)
    assert assert_alike(root).compared_by_bytes == 0


def test_an_anchor_of_a_size_that_is_not_remembered_is_judged_in_full(root: Path) -> None:
    anchor = note_over(root, [key_of(root)], 4)
    verdict = assert_alike(root, (anchor,))
    assert verdict.trust.anchored_through == 4
    assert verdict.compared_by_bytes == 0
    assert assert_alike(root, (anchor.replace(b"\n4\n", b"\n5\n"),)).findings != ()


def test_a_rewrite_that_its_operator_signed_is_judged_in_full(root: Path) -> None:
    rewritten(root, lambda event: event | {"actor": event["actor"]}, first=3)
    assert judged(root).compared_by_bytes > 0, "nothing was changed yet"
    rewritten(root, lambda event: event | {"ts": "2030-01-01T00:00:00Z"}, first=5)
    latest(root).write_bytes(note_over(root, [key_of(root)]))
    verdict = assert_alike(root)
    assert verdict.compared_by_bytes == 0
    assert "LOG_ROLLED_BACK" in [one.code for one in verdict.findings]


def test_a_forged_memory_is_not_believed(root: Path) -> None:
    (path,) = (config_dir(root) / "verified").iterdir()
    sound = path.read_bytes()
    rng = random.Random(5)
    places = [*range(60), *rng.sample(range(len(sound)), 60)]
    for forged in (*(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :] for at in places), sound[:-1], b""):
        path.write_bytes(forged)
        assert judged(root).compared_by_bytes == 0
        path.write_bytes(forged)
    # Nor is another log's, or another user's.
    store = VerifiedStore(config_dir(root))
    path.write_bytes(sound)
    origin = (root / ".roadmap" / "origin").read_text().strip()
    assert store.load(origin) is not None
    path.rename(path.with_name("esaa.local+other"))
    assert store.load("esaa.local/other") is None
    path.with_name("esaa.local+other").rename(path)
    (config_dir(root) / "state.key").write_bytes(b"k" * 32)
    assert store.load(origin) is None
    assert judged(root).compared_by_bytes == 0


def test_strict_and_all_ask_for_everything(root: Path) -> None:
    knowledge = Knowledge(config_dir(root))
    assert verify(find_target(root), strict=True, knowledge=knowledge).compared_by_bytes == 0
    assert verify(find_target(root), hash_all=True, knowledge=knowledge).compared_by_bytes == 0


def test_a_verdict_with_a_finding_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverification, "REMEMBERED_FROM_BYTES", 0)
    root = tmp_path / "project"
    signed_workspace(root, [new_task("T-1")]).verify_now()
    (root / ".roadmap" / "lessons.json").unlink()
    assert judged(root).findings != ()
    assert not (config_dir(root) / "verified").exists()
    go_on(root, 2, is_signed=False)
    unsigned = judged(root)
    assert unsigned.trust.signed_through is not None
    assert unsigned.trust.signed_through < unsigned.events
    again = assert_alike(root)
    assert again.compared_by_bytes == again.events, "the tail that nobody signed was judged before as well"


def test_a_bare_copy_needs_no_memory(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / ".roadmap" / "activity.jsonl", tmp_path / "copy.jsonl")
    found = verify(find_target(tmp_path / "copy.jsonl"), knowledge=Knowledge(config_dir(root)))
    assert (found.compared_by_bytes, found.findings) == (0, ())


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 19, 20, 21, 35])
@pytest.mark.parametrize("chunk", [1, 7, 10, 33])
def test_pieces_are_digested_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, chunk: int
) -> None:
    monkeypatch.setattr(verified, "_PIECE", 10)
    data = bytes(range(size))
    path = tmp_path / "file"
    path.write_bytes(data + b"tail")
    digests = PieceDigests()
    for at in range(0, size, chunk):
        digests.update(data[at : at + chunk])
    assert has_digests(path, size, digests.digests())
    longer = PieceDigests.after(path, size, digests.digests())
    longer.update(b"tail")
    assert has_digests(path, size + 4, longer.digests())
    assert not has_digests(path, size + 4, digests.digests())
    assert not has_digests(path, size + 5, longer.digests())
    for at in range(size):
        path.write_bytes(data[:at] + bytes([data[at] ^ 128]) + data[at + 1 :] + b"tail")
        assert not has_digests(path, size, digests.digests())
