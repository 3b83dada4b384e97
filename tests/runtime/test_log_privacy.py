"""The governed log and its privacy: secrets are taken out of what agents send, texts can lie beside the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from esaa.errors import ContractError, NotFound, UsageError
from esaa.kernel.canonical import compact
from esaa.protocol.commands import CreateTask, Submit
from esaa.protocol.result import parse_result
from esaa.runtime.privacy.log_erasables import erase_in_log, reveal_in_log, standing_in_log
from esaa.runtime.workspace import Workspace
from esaa.stores.erasables import ErasableStore
from tests.workspaces import (
    NO_COOLDOWN,
    assert_sound,
    contract_files,
    issue,
    log_bytes,
    log_lines,
    make_workspace,
    new_task,
    payloads,
    reopen,
    result,
    submit,
)

SAID: dict[str, Any] = {"reason": "she asked for it", "authority": "data protection officer"}
TOKEN = "ghp_" + "a1B2" * 9
TEXT = "Jane Doe called from Lisbon"
PAGE = new_task("T-1", outputs=["src/page.html"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the project."""
    return tmp_path / "project"


def secretive(root: Path, *texts: str) -> Workspace:
    """A workspace with one task, whose log keeps some texts erasable."""
    workspace = make_workspace(root, [PAGE], edits=NO_COOLDOWN)
    policy = root / ".roadmap" / "STORAGE_POLICY.yaml"
    policy.write_text(f"{policy.read_text()}\nerasable: [{', '.join(texts)}]\n")
    return reopen(root) if texts else workspace


def everything(folder: Path) -> bytes:
    """Every byte below a folder."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize(
    "fields",
    [
        {"notes": f"with {TOKEN}"},
        {"unknown_field": TOKEN},
        {"action": TOKEN},
        {"task_id": TOKEN},
        {"prior_status": TOKEN},
        {"notes": [TOKEN]},
    ],
    ids=str,
)
def test_no_secret_of_a_result_reaches_the_disk(root: Path, fields: dict[str, Any]) -> None:
    workspace = secretive(root)
    submit(workspace, "agent-impl", compact({"activity_event": {"action": "claim", "task_id": "T-1"} | fields}))
    assert TOKEN.encode() not in everything(root)
    assert {"claim", "output.rejected"} & {one["action"] for one in log_lines(root)}, "it is recorded"
    assert_sound(root)


def test_what_was_taken_out_is_said_in_the_event_and_to_the_agent(root: Path) -> None:
    workspace = secretive(root)
    receipt = submit(workspace, "agent-impl", result("claim", "T-1", notes=f"with {TOKEN}"))
    (claim,) = payloads(root, "claim")
    assert claim["notes"] == "with [redacted:github_token]"
    warning = "a secret (github_token) was taken out of /notes"
    assert receipt.warnings == (warning,)
    assert [one["warnings"] for one in payloads(root, "orchestrator.view.mutate") if "warnings" in one] == [[warning]]


def test_other_warnings_stay_beside_those_of_secrets(root: Path) -> None:
    workspace = secretive(root)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    receipt = submit(workspace, "agent-impl", result("complete", "T-1", notes=TOKEN))
    assert any("was not delivered" in one for one in receipt.warnings)
    assert any("github_token" in one for one in receipt.warnings)


def test_texts_without_secrets_are_recorded_as_they_were_sent(root: Path) -> None:
    workspace = secretive(root)
    evidence = {"symptom": "é \u2028 \\u0041 passwords are hard", "repro_steps": ["1.0", "https://example.org/a:b@c"]}
    report: dict[str, Any] = {"issue_id": "ISS-1", "severity": "low", "title": "t", "evidence": evidence}
    submit(workspace, "agent-impl", result("issue.report", "T-1", **report))
    (sent,) = payloads(root, "issue.report")
    assert sent["evidence"] == evidence


@pytest.mark.parametrize(
    "task",
    [
        {"task_id": TOKEN},
        {"outputs": (f"src/{TOKEN}.md",)},
        {"boundary_grant": (f"{TOKEN}/**",)},
    ],
    ids=["id", "output", "grant"],
)
def test_a_task_is_not_named_by_a_secret(root: Path, task: dict[str, Any]) -> None:
    workspace = secretive(root)
    before = log_bytes(root)
    receipt = workspace.commit(CreateTask(**({"task_id": "T-2", "task_kind": "impl", "title": "x"} | task)))
    assert receipt.rejected is not None
    assert receipt.rejected.error_code == "SCHEMA_INVALID"
    assert "github_token" in receipt.rejected.message
    assert log_bytes(root) == before


@pytest.mark.parametrize("place", ["path", "issue_id"])
def test_a_result_whose_names_are_secrets_is_refused_and_that_recorded(root: Path, place: str) -> None:
    workspace = secretive(root)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    files = {f"src/{TOKEN}.md": "x"} if place == "path" else None
    data = result("complete", "T-1", files=files) if files else issue("T-1", TOKEN, "low")
    receipt = submit(workspace, "agent-impl", data)
    assert receipt.rejected is not None
    (refusal,) = payloads(root, "output.rejected")
    assert refusal["error_code"] == "SCHEMA_INVALID"
    assert refusal["task_id"] is None
    assert TOKEN.encode() not in everything(root)
    assert_sound(root)


def test_files_are_written_as_they_were_sent_with_a_warning(root: Path) -> None:
    workspace = secretive(root)
    submit(workspace, "agent-impl", result("claim", "T-1"))
    content = f"const token = '{TOKEN}'\n"
    receipt = submit(workspace, "agent-impl", result("complete", "T-1", files={"src/page.html": content}))
    assert receipt.rejected is None
    assert (root / "src" / "page.html").read_text() == content
    assert any("`src/page.html` holds what looks like a secret" in one for one in receipt.warnings)
    assert TOKEN.encode() not in log_bytes(root)


def test_strangers_and_command_ids_do_not_leave_secrets_either(root: Path) -> None:
    workspace = secretive(root)
    for _ in range(2):
        workspace.commit(Submit(actor=TOKEN, result=parse_result(b"{}", workspace.rules)))
    with pytest.raises(UsageError) as caught:
        submit(workspace, "agent-impl", result("claim", "T-1"), command_id=TOKEN)
    assert caught.value.code == "COMMAND_ID_INVALID"
    assert TOKEN.encode() not in everything(root)


def test_erasable_texts_lie_beside_the_log_until_they_are_erased(root: Path) -> None:
    workspace = secretive(root, "notes", "evidence")
    submit(workspace, "agent-impl", result("claim", "T-1", notes=TEXT))
    evidence = {"symptom": TEXT, "repro_steps": [TEXT]}
    report: dict[str, Any] = {"issue_id": "ISS-1", "severity": "low", "title": "t", "evidence": evidence}
    submit(workspace, "agent-impl", result("issue.report", "T-1", **report))
    holding = [path for path in root.rglob("*") if path.is_file() and b"Jane" in path.read_bytes()]
    assert {path.parts[-3] for path in holding} == {"erasable"}
    (claim,) = payloads(root, "claim")
    assert claim["notes"] == "[erasable]"
    ids = [one["event_id"] for one in log_lines(root) if one["action"] in ("claim", "issue.report")]
    assert [reveal_in_log(workspace, one)[1][0].value for one in ids] == [TEXT, evidence]
    assert standing_in_log(workspace).keys() == {"HELD"}
    before = log_bytes(root)

    done = erase_in_log(reopen(root), ids, **SAID)

    assert [event_id for event_id, _ in done.values] == ids
    assert log_bytes(root).startswith(before)
    assert b"Jane" not in everything(root.parent)
    assert [reveal_in_log(workspace, one)[1][0].status for one in ids] == ["ERASED", "ERASED"]
    (record,) = [one for one in payloads(root, "orchestrator.view.mutate") if one["change"] == "erased"]
    assert record["target"] == "blobs"
    assert record["detail"]["event_ids"] == ids
    assert record["detail"]["requested_by"] == SAID["authority"]
    assert_sound(root)
    again = erase_in_log(reopen(root), ids, **SAID)
    assert (again.erased_before, again.record_ids) == (2, ())


def test_a_run_goes_on_over_erased_texts(root: Path) -> None:
    workspace = secretive(root, "notes")
    submit(workspace, "agent-impl", result("claim", "T-1", notes=TEXT))
    erase_in_log(workspace, [one["event_id"] for one in log_lines(root) if one["action"] == "claim"], **SAID)
    workspace = reopen(root)
    files = {"src/page.html": "<p>x</p>\n"}
    assert submit(workspace, "agent-impl", result("complete", "T-1", files=files, notes=TEXT)).rejected is None
    assert submit(workspace, "agent-qa", result("review", "T-1", notes=TEXT)).rejected is None
    assert workspace.state().tasks.get("T-1").status == "done"  # type: ignore[union-attr]
    assert len(standing_in_log(workspace)["HELD"]) == 2
    assert_sound(root)


def test_what_cannot_be_erased_is_refused_by_name(root: Path) -> None:
    workspace = secretive(root, "notes")
    submit(workspace, "agent-impl", result("claim", "T-1", notes=TEXT))
    (claim,) = (one["event_id"] for one in log_lines(root) if one["action"] == "claim")
    with pytest.raises(UsageError, match="no erasable texts"):
        erase_in_log(workspace, ["EV-00000001"], **SAID)
    with pytest.raises(NotFound, match="EV-99999999"):
        erase_in_log(workspace, ["EV-99999999"], **SAID)
    with pytest.raises(UsageError) as caught:
        erase_in_log(workspace, [claim], **(SAID | {"reason": f"{TEXT}, and wants it gone"}))
    assert caught.value.code == "ERASURE_REPEATS"
    assert erase_in_log(workspace, [claim], dry_run=True, **SAID).values == ((claim, "/notes"),)
    assert standing_in_log(workspace).keys() == {"HELD"}


def test_an_erasure_that_a_crash_cut_short_is_told_and_finished(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = secretive(root, "notes")
    submit(workspace, "agent-impl", result("claim", "T-1", notes=TEXT))
    (claim,) = (one["event_id"] for one in log_lines(root) if one["action"] == "claim")

    def crash(store: ErasableStore, commitment: str) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ErasableStore, "destroy", crash)
        with pytest.raises(KeyboardInterrupt):
            erase_in_log(workspace, [claim], **SAID)
    workspace = reopen(root)
    assert standing_in_log(workspace) == {"UNFINISHED": [f"{claim} /notes"]}
    assert reveal_in_log(workspace, claim)[1][0].value is None
    erase_in_log(workspace, [claim], **SAID)
    assert standing_in_log(workspace) == {"ERASED": [f"{claim} /notes"]}
    assert_sound(root)


@pytest.mark.parametrize("text", ["task_id", "verification", "title", "x"])
def test_what_bears_state_cannot_be_erasable(root: Path, text: str) -> None:
    with pytest.raises(ContractError, match="erasable"):
        secretive(root, text)


def test_a_workspace_without_the_setting_is_as_before(root: Path) -> None:
    workspace = secretive(root)
    submit(workspace, "agent-impl", result("claim", "T-1", notes=TEXT))
    assert payloads(root, "claim")[0]["notes"] == TEXT
    assert not (root / ".roadmap" / "erasable").exists()
    assert "erasable" not in json.loads(json.dumps(payloads(root, "claim")[0]))
    assert contract_files()["STORAGE_POLICY.yaml"].count(b"erasable") == 0
