"""What was refused is kept beside the log: as it was sent, without secrets, bounded, never where texts are erasable."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from esaa.kernel.canonical import sha256_hex
from esaa.runtime.refused_outputs import KEPT_BYTES_MAX, kept_form
from esaa.runtime.workspace import Workspace
from tests.workspaces import (
    NO_COOLDOWN,
    assert_sound,
    issue,
    make_workspace,
    new_task,
    payloads,
    reopen,
    result,
    run,
    submit,
)

TOKEN = "ghp_" + "a1B2" * 9
PAGE = new_task("T-1", outputs=["src/page.html"])
AHEAD_OF_TIME = result("complete", "T-1", files={"src/page.html": "<p>early</p>"})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with one task."""
    return make_workspace(tmp_path / "project", [PAGE], edits=NO_COOLDOWN)


def kept_of(workspace: Workspace) -> bytes | None:
    """The kept bytes of the only refusal."""
    (refusal,) = payloads(workspace.root, "output.rejected")
    assert "output_sha256" in refusal, refusal
    return workspace.refused.get(refusal["output_sha256"])


def blobs(workspace: Workspace) -> list[Path]:
    """Every file of the blob store."""
    return [path for path in (workspace.roadmap / "blobs").rglob("*") if path.is_file()]


def test_refused_output_is_kept_as_it_was_sent(workspace: Workspace) -> None:
    submit(workspace, "agent-impl", AHEAD_OF_TIME)
    assert kept_of(workspace) == AHEAD_OF_TIME
    (refusal,) = payloads(workspace.root, "output.rejected")
    assert refusal["output_sha256"] == refusal["result_sha256"] == sha256_hex(AHEAD_OF_TIME)
    assert_sound(workspace.root)


@pytest.mark.parametrize("sent", [b"{", b"no JSON at all", b'{"activity_event": [1, 2]}', b'{"a": 1, "a": 2}'], ids=str)
def test_what_is_no_result_is_kept_too(workspace: Workspace, sent: bytes) -> None:
    submit(workspace, "agent-impl", sent)
    assert kept_of(workspace) == sent


def test_accepted_output_is_not_kept_a_second_time(workspace: Workspace) -> None:
    submit(workspace, "agent-impl", result("claim", "T-1"))
    assert blobs(workspace) == []


def test_secrets_are_taken_out_of_what_is_kept(workspace: Workspace) -> None:
    files = {"src/page.html": f"key = '{TOKEN}'"}
    submit(workspace, "agent-impl", result("complete", "T-1", notes=f"with {TOKEN}", files=files))
    kept = kept_of(workspace)
    assert kept is not None
    event = json.loads(kept)
    assert event["activity_event"]["notes"] == "with [redacted:github_token]"
    assert "[redacted:github_token]" in event["file_updates"][0]["content"]
    (refusal,) = payloads(workspace.root, "output.rejected")
    assert refusal["output_sha256"] != refusal["result_sha256"]


def test_name_that_is_a_secret_is_kept_without_it(workspace: Workspace) -> None:
    submit(workspace, "agent-impl", result("claim", "T-1"))
    submit(workspace, "agent-impl", issue("T-1", TOKEN, "low"))
    kept = kept_of(workspace)
    assert kept is not None
    assert json.loads(kept)["activity_event"]["issue_id"] == "[redacted:github_token]"


@pytest.mark.parametrize(
    "sent",
    [
        f'{{"a": "{TOKEN}", "a": "x"}}',
        f'{{"notes": "{TOKEN}"',
        '{"notes": "' + "".join(f"\\u{ord(one):04x}" for one in TOKEN) + '"}',
        '{"notes": "' + "".join(f"\\u{ord(one):04x}" for one in TOKEN) + '"',
        f'{{"password": "hunter2hunter2", "n": {"1" * 5000}}}',
    ],
    ids=["shadowed", "cut", "escaped", "escaped and cut", "beside a number that no decoder takes"],
)
def test_no_form_hides_a_secret(sent: str) -> None:
    kept = kept_form(sent.encode())
    if kept is not None:
        text = kept.decode()
        assert TOKEN not in text
        assert "hunter2hunter2" not in text
        assert "\\u0067" not in text


@pytest.mark.parametrize("sent", [b"", b"x" * (KEPT_BYTES_MAX + 1), b"\xff\xfe{", b'{"a": "\\u0061'], ids=len)
def test_what_nobody_can_look_into_is_not_kept(sent: bytes) -> None:
    assert kept_form(sent) is None


def test_large_output_leaves_its_digest_alone(workspace: Workspace) -> None:
    submit(workspace, "agent-impl", result("complete", "T-1", files={"src/page.html": "x" * KEPT_BYTES_MAX}))
    (refusal,) = payloads(workspace.root, "output.rejected")
    assert "output_sha256" not in refusal
    assert blobs(workspace) == []


def test_nothing_is_kept_where_texts_are_erasable(tmp_path: Path) -> None:
    made = make_workspace(tmp_path / "project", [PAGE], edits=NO_COOLDOWN)
    policy = made.roadmap / "STORAGE_POLICY.yaml"
    policy.write_text(f"{policy.read_text()}\nerasable: [notes]\n")
    workspace = reopen(made.root)
    submit(workspace, "agent-impl", result("complete", "T-1", notes="Jane Doe called"))
    (refusal,) = payloads(workspace.root, "output.rejected")
    assert "output_sha256" not in refusal
    assert blobs(workspace) == []


def test_outputs_of_strangers_are_not_kept(workspace: Workspace) -> None:
    submit(workspace, "stranger", result("claim", "T-1"))
    assert payloads(workspace.root, "output.rejected")[0]["count"] == 1
    assert blobs(workspace) == []


def test_dry_run_keeps_nothing(workspace: Workspace) -> None:
    from esaa.protocol.commands import Submit
    from esaa.protocol.result import parse_result

    command = Submit(actor="agent-impl", result=parse_result(AHEAD_OF_TIME, workspace.rules))
    assert workspace.commit(command, dry_run=True).rejected is not None
    assert blobs(workspace) == []


def test_log_verifies_without_the_kept_output(workspace: Workspace) -> None:
    submit(workspace, "agent-impl", AHEAD_OF_TIME)
    (path,) = blobs(workspace)
    path.unlink()
    assert_sound(workspace.root)


def test_answers_of_a_run_are_kept_as_well(workspace: Workspace) -> None:
    answers = iter([b"I would rather not", result("claim", "T-1")])
    asyncio.run(run(workspace, lambda dispatch, context: next(answers), steps=2))
    assert kept_of(workspace) == b"I would rather not"


def bounded(tmp_path: Path, bytes_max: int) -> Workspace:
    """A workspace with so much room for refused outputs."""
    made = make_workspace(tmp_path / "project", [PAGE], edits=NO_COOLDOWN)
    policy = made.roadmap / "STORAGE_POLICY.yaml"
    policy.write_text(f"{policy.read_text()}\nrefused_outputs_bytes_max: {bytes_max}\n")
    return reopen(made.root)


def refuse(workspace: Workspace, text: str) -> str:
    """An output that is refused, made older than those that follow; gives its digest."""
    data = result("complete", "T-1", files={"src/page.html": text})
    submit(workspace, "agent-impl", data)
    digest = sha256_hex(data)
    assert workspace.refused.get(digest) == data
    (path,) = [one for one in blobs(workspace) if one.name == digest]
    before = path.stat().st_mtime_ns - 10**9 * (1000 - len(payloads(workspace.root, "output.rejected")))
    os.utime(path, ns=(before, before))
    return digest


def test_the_oldest_are_let_go_where_there_is_no_more_room(tmp_path: Path) -> None:
    workspace = bounded(tmp_path, 3 * 4096)
    digests = [refuse(workspace, f"<p>{number}</p>") for number in range(5)]
    assert {path.name for path in blobs(workspace)} == set(digests[2:])
    assert [workspace.refused.get(one) is None for one in digests] == [True, True, False, False, False]
    assert_sound(workspace.root)


def test_what_is_refused_again_is_the_newest(tmp_path: Path) -> None:
    workspace = bounded(tmp_path, 2 * 4096)
    first, second = refuse(workspace, "<p>1</p>"), refuse(workspace, "<p>2</p>")
    assert refuse(workspace, "<p>1</p>") == first
    third = refuse(workspace, "<p>3</p>")
    assert {path.name for path in blobs(workspace)} == {first, third}
    assert workspace.refused.get(second) is None


def test_contents_of_files_are_never_let_go(tmp_path: Path) -> None:
    workspace = bounded(tmp_path, 4096)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    submit(workspace, "agent-impl", result("complete", "T-1", files={"src/page.html": "<p>kept</p>"}))
    for number in range(3):
        refuse(workspace, f"<p>{number}</p>")
    assert workspace.blobs.get(sha256_hex(b"<p>kept</p>")) == b"<p>kept</p>"
    assert len(blobs(workspace)) == 2


def test_what_has_no_room_at_all_is_not_said_to_be_kept(tmp_path: Path) -> None:
    workspace = bounded(tmp_path, 0)
    submit(workspace, "agent-impl", AHEAD_OF_TIME)
    assert "output_sha256" not in payloads(workspace.root, "output.rejected")[0]
    assert blobs(workspace) == []


def test_outputs_that_an_earlier_version_kept_are_found(workspace: Workspace) -> None:
    digest = workspace.blobs.put(b"refused long ago")
    assert workspace.refused.get(digest) == b"refused long ago"
