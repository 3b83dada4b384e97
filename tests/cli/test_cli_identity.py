"""Signed submissions by the command line: keys of actors, every entrance, and what a thief of a signature gets."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from esaa.kernel.canonical import canonical, compact, sha256_hex
from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import parse_vkey
from esaa.protocol.identity import Turn, signing_message
from esaa.stores.keys import verify_ed25519
from tests.cli.workbench import Workbench, result

ACTORS = ("agent-spec", "agent-impl", "agent-qa")


@pytest.fixture
def signed(planned: Workbench) -> Workbench:
    """The planned workspace, where every agent has a key on this machine, and only signed outputs count."""
    keys = {actor: planned.ok("key", "create", "--actor", actor, "--json").answer["vkey"] for actor in ACTORS}
    register(planned, keys)
    return planned


def register(workbench: Workbench, keys: Mapping[str, str]) -> None:
    workbench.edit("agents_swarm.yaml", "contract: agents_swarm\n", "contract: agents_swarm\nidentity: signed\n")
    for actor, vkey in keys.items():
        workbench.edit("agents_swarm.yaml", f"  {actor}:\n", f"  {actor}:\n    key: {vkey}\n")


def rejections(workbench: Workbench) -> list[tuple[str, str, bool]]:
    payloads = [event["payload"] for event in workbench.events() if event["action"] == "output.rejected"]
    return [(one["error_code"], one["rejected_actor"], one["counts"]) for one in payloads]


def signed_result(workbench: Workbench, actor: str, data: bytes) -> bytes:
    return workbench.ok("sign", "-", "--actor", actor, stdin=data).out.encode()


def drop(workbench: Workbench, name: str, data: bytes) -> None:
    inbox = workbench.roadmap / "inbox"
    inbox.mkdir(exist_ok=True)
    (inbox / name).write_bytes(data)


def test_key_of_an_actor_is_kept_for_its_owner_alone_and_never_made_twice(signed: Workbench) -> None:
    folder = Path(os.environ["ESAA_CONFIG_DIR"]) / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.rglob("*") if path.is_file())
    assert not [path for path in signed.root.rglob("*") if "actor" in path.name and path.suffix == ".key"]
    again = signed("key", "create", "--actor", "agent-impl", "--json")
    assert again.code == 2
    stranger = signed("key", "create", "--actor", "stranger", "--json")
    assert (stranger.code, stranger.error["code"]) == (2, "ACTOR_UNKNOWN")


def test_what_was_signed_is_taken_and_the_log_shows_under_which_signature(signed: Workbench) -> None:
    data = signed_result(signed, "agent-spec", result("claim", "T-1"))
    (signed.root / "claim.json").write_bytes(data)
    signed.ok("submit", "claim.json", "--actor", "agent-spec")
    (event,) = [event for event in signed.events() if event["action"] == "claim"]
    recorded = event["payload"]["signature"]
    origin = (signed.roadmap / "origin").read_text().strip()
    plain = json.loads(data)
    claims = plain.pop("signature")
    # What an auditor does with nothing but the line of the log and the key.
    message = signing_message(
        workspace=origin,
        actor=event["actor"],
        task_id=event["payload"]["task_id"],
        action=event["action"],
        turn=Turn(recorded["ask"], recorded["attempt"]),
        result_sha256=recorded["result_sha256"],
    )
    value = base64.b64decode(recorded["value"])
    assert verify_ed25519(parse_vkey(recorded["key"]).public, message, value)
    assert not verify_ed25519(parse_vkey(recorded["key"]).public, message.replace(b"T-1", b"T-2"), value)
    assert recorded["result_sha256"] == sha256_hex(canonical(plain))
    assert (recorded["value"], recorded["workspace"]) == (claims["value"], origin)
    signed.assert_sound()


def test_signature_that_was_put_under_another_act_is_found_by_a_strict_verification(signed: Workbench) -> None:
    signed.ok("claim", "T-1", "--actor", "agent-spec")
    lines = signed.lines()
    # The whole history anew, so that nothing but the signature tells: the chain is recomputed from the claim on.
    place = next(number for number, line in enumerate(lines) if b'"claim"' in line)
    lines[place] = lines[place].replace(b'"attempt":1', b'"attempt":2')
    for number in range(place + 1, len(lines)):
        event = json.loads(lines[number])
        event["prev_hash"] = leaf_hash(lines[number - 1].rstrip(b"\n"))
        lines[number] = compact(event) + b"\n"
    signed.write_log(lines)
    signed.unsign()
    shutil.rmtree(signed.roadmap / ".esaa")
    outcome = signed("verify", "--strict", "--json")
    assert outcome.code == 4, outcome
    assert [(one["line"], one["code"]) for one in outcome.answer["findings"]] == [(place + 1, "SIGNATURE_INVALID")]


def test_whole_task_is_worked_on_by_commands_that_sign_what_they_compose(signed: Workbench) -> None:
    signed.ok("claim", "T-3", "--actor", "agent-impl")
    signed.ok(
        "issue", "report", "T-3", "--actor", "agent-impl", "--id", "ISS-1", "--severity", "low",
        "--title", "a scratch", "--symptom", "it shows", "--step", "look",
    )  # fmt: skip
    (signed.root / "src").mkdir(exist_ok=True)
    (signed.root / "src" / "x.py").write_text("x = 1\n")
    signed.ok(
        "complete", "T-3", "--actor", "agent-impl", "--file", "src/x.py", "--check", "python -c 'import x' ends with 0"
    )
    signed.ok("review", "T-3", "--actor", "agent-qa", "--approve")
    acts = [event for event in signed.events() if "signature" in event["payload"]]
    assert [event["action"] for event in acts] == ["claim", "issue.report", "complete", "review"]
    turns = [(event["payload"]["signature"]["ask"], event["payload"]["signature"]["attempt"]) for event in acts]
    assert turns == [("claim", 1), ("complete", 1), ("complete", 2), ("review", 1)]
    assert rejections(signed) == []
    signed.assert_sound()


def test_forged_replayed_and_unsigned_files_are_refused_at_every_entrance_and_cost_the_actor_nothing(
    signed: Workbench,
) -> None:
    good = signed_result(signed, "agent-spec", result("claim", "T-1"))
    value = json.loads(good)
    other_task = json.loads(good)
    other_task["activity_event"]["task_id"] = "T-2"
    other_notes = json.loads(good)
    other_notes["activity_event"]["notes"] = "and a little more"
    forgeries = {
        "agent-spec__1.json": (result("claim", "T-1"), "IDENTITY_MISSING"),
        "agent-spec__2.json": (json.dumps(other_task).encode(), "IDENTITY_INVALID"),
        "agent-spec__3.json": (json.dumps(other_notes).encode(), "IDENTITY_INVALID"),
        "agent-impl__4.json": (good, "IDENTITY_INVALID"),
        "agent-spec__5.json": (signed_result(signed, "agent-impl", result("claim", "T-1")), "IDENTITY_INVALID"),
        "agent-spec__6.json": (json.dumps({**value, "signature": "mine"}).encode(), "IDENTITY_INVALID"),
        "runtime-monitor__7.json": (good, "IDENTITY_UNREGISTERED"),
        "agent-spec__8.json": (b"{", "IDENTITY_MISSING"),
    }
    for name, (data, _) in forgeries.items():
        drop(signed, name, data)
    assert signed("inbox", "--once").code == 5
    expected = [(code, name.partition("__")[0], False) for name, (_, code) in sorted(forgeries.items())]
    assert sorted(rejections(signed)) == sorted(expected)

    for data in (result("claim", "T-1"), json.dumps(other_notes).encode(), b"{"):
        (signed.root / "forged.json").write_bytes(data)
        assert signed("submit", "forged.json", "--actor", "agent-spec").code == 5
        assert rejections(signed)[-1][0] in ("IDENTITY_INVALID", "IDENTITY_MISSING")
    assert "claim" not in signed.actions()

    drop(signed, "agent-spec__9.json", good)
    signed.ok("inbox", "--once")
    drop(signed, "agent-spec__again.json", good)
    signed("inbox", "--once")
    assert rejections(signed)[-1] == ("IDENTITY_REPLAYED", "agent-spec", False)
    assert [event["action"] for event in signed.events()].count("claim") == 1
    signed.assert_sound()


def test_signature_is_worth_nothing_in_another_workspace(signed: Workbench, tmp_path: Path) -> None:
    data = signed_result(signed, "agent-spec", result("claim", "T-1"))
    (signed.roadmap / "origin").write_text("esaa.local/another\n")
    drop(signed, "agent-spec__1.json", data)
    signed("inbox", "--once")
    assert rejections(signed) == [("IDENTITY_REPLAYED", "agent-spec", False)]


def test_command_agent_that_signs_does_a_run_and_one_that_does_not_uses_up_its_attempts(signed: Workbench) -> None:
    honest = signed.root.parent / "honest.py"
    honest.write_text(
        textwrap.dedent(
            f"""
            import json, subprocess, sys
            context = json.load(sys.stdin)
            ask, task = context["ask"], context["task"]
            event = {{"action": ask["action"], "task_id": ask["task_id"], "prior_status": ask["prior_status"]}}
            out = {{"activity_event": event}}
            if ask["action"] == "complete":
                event["verification"] = {{"checks": ["read it", "read it again"]}}
            if ask["action"] == "review":
                event |= {{"decision": "approve", "tasks": [ask["task_id"]]}}
            if sys.argv[1] == "signs":
                command = [{sys.executable!r}, "-m", "esaa", "sign", "-", "--actor", context["actor"]]
                done = subprocess.run(command, input=json.dumps(out).encode(), stdout=subprocess.PIPE, check=True)
                sys.stdout.buffer.write(done.stdout)
            else:
                print(json.dumps(out))
            """
        )
    )
    outcome = signed("run", "--agent", f"command:{sys.executable} {honest} signs", "--steps", "4", "--json")
    assert outcome.code == 0, outcome
    assert rejections(signed) == []
    assert sum("signature" in event["payload"] for event in signed.events()) == 4

    signed("run", "--agent", f"command:{sys.executable} {honest} never", "--steps", "2")
    refused = rejections(signed)
    assert refused
    assert {(code, counts) for code, _, counts in refused} == {("IDENTITY_MISSING", True)}
    signed.assert_sound()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{", "RESULT_NOT_SIGNABLE"),
        (b"[]", "RESULT_NOT_SIGNABLE"),
        (b"{}", "TASK_NOT_FOUND"),
        (b'{"activity_event": {"action": "claim", "task_id": "T-404"}}', "TASK_NOT_FOUND"),
        (b'{"activity_event": {"task_id": "T-1"}}', "RESULT_NOT_SIGNABLE"),
        (b'{"activity_event": {"action": "claim", "task_id": "T-1"}, "signature": 1}', "RESULT_NOT_SIGNABLE"),
    ],
)
def test_what_is_no_agent_result_is_not_signed(signed: Workbench, data: bytes, code: str) -> None:
    outcome = signed("sign", "-", "--actor", "agent-impl", "--json", stdin=data)
    assert outcome.code != 0
    assert outcome.error["code"] == code


def test_who_has_no_key_is_told_how_to_get_one(planned: Workbench) -> None:
    outcome = planned("sign", "-", "--actor", "agent-impl", "--json", stdin=result("claim", "T-1"))
    assert outcome.error["code"] == "KEY_NOT_FOUND"
    register(planned, {})
    refused: Any = planned("claim", "T-3", "--actor", "agent-impl", "--json")
    assert refused.code == 5
    assert refused.answer["rejected"]["error_code"] == "IDENTITY_MISSING"
    (planned.roadmap / "origin").unlink()
    outcome = planned("sign", "-", "--actor", "agent-impl", "--json", stdin=result("claim", "T-1"))
    assert outcome.error["code"] == "ORIGIN_NOT_FOUND"
