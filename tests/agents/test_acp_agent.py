"""ACP agents: what comes through us, what they may ask, and everything that must not hold up or outlive a run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("acp", reason="the acp extra is not installed")

from esaa.agents.acp.agent import AcpAgent, AcpSettings
from esaa.agents.base import Answer, Dispatch, Prompt
from esaa.agents.bounds import Bounds
from esaa.agents.resolve import Ground, make_agent
from esaa.agents.sandbox.base import Confinement, Launch
from esaa.agents.sandbox.enclosure import Enclosure
from esaa.agents.sandbox.none import NoSandbox
from esaa.contracts.load import parse_governance
from esaa.contracts.sandbox import SandboxLevel
from esaa.errors import AgentCrashed, AgentError, AgentTimedOut, AgentUnavailable, ConfigError
from esaa.kernel.canonical import sha256_hex
from esaa.protocol.scheduling import Order
from esaa.protocol.task_table import Task
from esaa.stores.contracts import shipped_files
from tests.agents.test_command_agent import assert_dies

PROGRAM = Path(__file__).with_name("acp_agent.py")
LIMIT = 200_000
PATIENCE_S = 20.0
TASK = Task(
    task_id="T-1",
    task_kind="impl",
    title="T",
    description="",
    status="in_progress",
    depends_on=(),
    targets=(),
    outputs={},
)
CONTRACT = parse_governance(shipped_files("0.4.0")).agent


def bounds_of(order: Order) -> Bounds:
    return Bounds(task=TASK, contract=CONTRACT, action=order.action)


class Labelled:
    """Confines nothing, and says that it is bubblewrap: what is granted because of a sandbox needs none here."""

    level: SandboxLevel = "bubblewrap"

    def launch(self, arguments: Sequence[str], confinement: Confinement) -> Launch:
        assert confinement.is_networked
        assert confinement.writable == (confinement.directory,)
        return NoSandbox().launch(arguments, confinement)


class Play:
    """One script of the test agent, played in a project of its own."""

    def __init__(self, folder: Path, script: str, **options: Any) -> None:
        self.project = folder / "project"
        self.diary_file = folder / "diary.jsonl"
        for name, text in (("src/old.py", "print('old')\n"), ("docs/spec.md", "# Spec\n"), ("secrets.env", "K=1\n")):
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            (self.project / name).write_text(text)
        self.action = str(options.pop("action", "complete"))
        command = str(options.pop("command", f"{sys.executable} {PROGRAM} {script} {self.diary_file}"))
        enclosure = Enclosure(
            sandbox=options.pop("sandbox", None) or NoSandbox(),
            root=self.project,
            is_networked=options.pop("is_networked", False),
        )
        self.agent = AcpAgent(command, enclosure, bounds_of, AcpSettings(output_bytes_max=LIMIT, **options))

    def answer(self, timeout_s: float = PATIENCE_S) -> Answer:
        order = Order(task_id="T-1", action=self.action, actor="agent-impl", attempt=1, template="impl.core")
        prompt = Prompt(template="impl.core", template_version="1", system="Be good.", user="Do it.", sha256="0" * 64)
        dispatch = Dispatch(order=order, context=b"{}", timeout_s=timeout_s, prompt=prompt, schema=b'{"type":"object"}')
        return asyncio.run(self.agent.answer(dispatch))

    def result(self) -> Any:
        return json.loads(self.answer().result)

    def diary(self) -> list[Any]:
        return [json.loads(line) for line in self.diary_file.read_text().splitlines()]


def updates(result: Any) -> dict[str, Any]:
    return {one["path"]: one for one in result["file_updates"]}


def test_a_write_through_us_is_seen_by_the_agent_and_becomes_a_file_update(tmp_path: Path) -> None:
    play = Play(tmp_path, "writes")
    answer = play.answer()
    result = json.loads(answer.result)
    assert result["activity_event"]["action"] == "complete"
    assert result["file_updates"] == [{"path": "src/new.py", "content": "print('new')\n"}]
    assert {"read": "print('old')\n"} in play.diary()
    assert {"read": "print('new')\n"} in play.diary()
    assert {"own eyes": "print('new')\n"} in play.diary()
    assert not (play.project / "src/new.py").exists()
    used = answer.usage
    assert (used.client, used.client_version, used.sandbox) == ("acp:test-agent", "1.2.3", "none")
    assert (used.tokens_in, used.tokens_out, used.tokens_cached, used.cost_micro_usd) == (1100, 30, 1000, 12_500)
    assert used.duration_s is not None
    assert used.duration_s > 0


def test_the_prompt_is_said_first_then_the_schema_then_how_to_work(tmp_path: Path) -> None:
    play = Play(tmp_path, "chunks")
    play.answer()
    (said,) = [one["prompt"] for one in play.diary() if "prompt" in one]
    assert said[:2] == ["Be good.", "Do it."]
    assert said[2].endswith('{"type":"object"}')
    assert "private copy" in said[3]


def test_a_change_that_nobody_was_asked_about_is_found_and_the_project_stays_as_it_was(tmp_path: Path) -> None:
    play = Play(tmp_path, "edits_alone")
    assert "src/old.py" in updates(play.result())
    assert (play.project / "src/old.py").read_text() == "print('old')\n"


def test_reads_and_writes_outside_of_the_bounds_are_errors_for_the_agent(tmp_path: Path) -> None:
    play = Play(tmp_path, "goes_out")
    result = play.result()
    assert "file_updates" not in result
    assert [one for one in play.diary() if isinstance(one, list)] == [[True] * 13]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diary.jsonl", "project"]


def test_an_agent_never_sees_what_its_kind_of_task_may_not_read(tmp_path: Path) -> None:
    play = Play(tmp_path, "looks")
    play.answer()
    assert {"tree": ["docs/spec.md", "src/old.py"]} in play.diary()


def test_permission_is_given_once_for_what_the_contract_allows_and_for_nothing_else(tmp_path: Path) -> None:
    play = Play(tmp_path, "asks")
    play.answer()
    (chosen,) = [one for one in play.diary() if "edit told before" in one]
    allowed = {name for name, kind in chosen.items() if kind == "allow_once"}
    assert allowed == {"edit told before", "edit of a diff", "read", "think"}
    assert chosen.pop("only always") == "cancelled"
    assert {kind for name, kind in chosen.items() if name not in allowed} == {"reject_once"}


def test_under_a_sandbox_commands_are_granted(tmp_path: Path) -> None:
    play = Play(tmp_path, "asks", sandbox=Labelled(), is_networked=True)
    play.answer()
    (chosen,) = [one for one in play.diary() if "edit told before" in one]
    assert chosen["execute"] == "allow_once"
    refused = ("edit elsewhere", "switch_mode", "delete", "fetch", "no kind")
    assert {chosen[name] for name in refused} == {"reject_once"}


def test_an_agent_without_a_way_to_its_vendor_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(AgentUnavailable) as caught:
        Play(tmp_path, "asks", sandbox=Labelled()).answer()
    assert caught.value.code == "NETWORK_NOT_GRANTED"


@pytest.mark.parametrize("action", ["claim", "review"])
def test_an_act_without_files_may_write_nothing(tmp_path: Path, action: str) -> None:
    play = Play(tmp_path, "asks", action=action)
    play.answer()
    (chosen,) = [one for one in play.diary() if "edit told before" in one]
    assert {name for name, kind in chosen.items() if kind == "allow_once"} == {"read", "think"}


def test_the_answer_is_what_was_said_after_the_last_tool_call(tmp_path: Path) -> None:
    assert Play(tmp_path, "chunks").result() == {"activity_event": {"action": "claim", "task_id": "T-1"}}


def test_a_tool_call_that_is_only_asked_about_ends_a_message_too(tmp_path: Path) -> None:
    assert Play(tmp_path, "asks_and_answers").result()["activity_event"]["action"] == "complete"


def test_a_tool_call_after_the_answer_does_not_lose_it(tmp_path: Path) -> None:
    assert Play(tmp_path, "answers_then_works").result()["activity_event"]["action"] == "complete"


def test_one_fenced_block_is_the_answer(tmp_path: Path) -> None:
    assert Play(tmp_path, "fenced").result() == {"activity_event": {"action": "claim", "task_id": "T-1"}}


def test_prose_is_handed_on_for_the_orchestrator_to_refuse(tmp_path: Path) -> None:
    assert Play(tmp_path, "prose").answer().result == b"I am done, the file is written."


def test_files_come_with_a_complete_and_with_nothing_else(tmp_path: Path) -> None:
    assert "file_updates" not in Play(tmp_path, "claims_and_writes").result()


def test_a_file_that_was_written_and_declared_stands_once_as_it_was_written(tmp_path: Path) -> None:
    play = Play(tmp_path, "writes_and_declares")
    answer = play.answer()
    assert {path: one["content"] for path, one in updates(json.loads(answer.result)).items()} == {
        "src/a.py": "one\n",
        "src/b.py": "two\n",
    }
    assert "The agent both changed and sent src/a.py, src/b.py: what it changed was taken." in answer.remarks


def test_a_change_of_a_file_that_was_there_is_an_edit_of_what_the_agent_saw(tmp_path: Path) -> None:
    update = updates(Play(tmp_path, "edits_alone").result())["src/old.py"]
    assert update["base_sha256"] == sha256_hex(b"print('old')\n")
    assert update["edits"] == [{"old_string": "print('old')\n", "new_string": "print('changed')\n"}]


def test_what_the_agent_was_refused_and_that_it_was_never_tested_is_told(tmp_path: Path) -> None:
    remarks = Play(tmp_path, "goes_out").answer().remarks
    assert "test-agent 1.2.3 was never tested with esaa over ACP." in remarks
    assert any("writing `.roadmap/activity.jsonl`" in remark for remark in remarks)
    assert any("made src/out" in remark for remark in remarks)


def test_a_key_that_the_agent_repeats_stands_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "a-key-that-nobody-may-see")
    answer = Play(tmp_path, "tells_its_key", env=("TEST_KEY",)).answer()
    assert b"[TEST_KEY]" in answer.result
    assert b"a-key-that" not in answer.result
    with pytest.raises(AgentCrashed) as caught:
        Play(tmp_path, "dies_of_its_key", env=("TEST_KEY",)).answer()
    assert "the key [TEST_KEY] is bad" in caught.value.message


def test_lines_of_a_file_are_read_by_number(tmp_path: Path) -> None:
    play = Play(tmp_path, "parts")
    play.answer()
    assert ["two\nthree\n", "two", "", -32002] in play.diary()


def test_the_program_gets_the_environment_that_was_handed_on_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-handed-on")
    monkeypatch.setenv("GEMINI_API_KEY", "handed-on")
    play = Play(tmp_path, "environment", env=("GEMINI_API_KEY", "NOT_SET_ANYWHERE"))
    play.answer()
    seen = next(one for one in play.diary() if "environment" in one)
    assert seen["environment"]["GEMINI_API_KEY"] == "handed-on"
    assert "ANTHROPIC_API_KEY" not in seen["environment"]
    assert seen["environment"]["HOME"].endswith("/private/home")
    assert seen["capabilities"]["fs"] == {"readTextFile": False, "writeTextFile": True}
    assert {"authenticated": "gemini-api-key"} in play.diary()


def test_nobody_is_logged_in_by_a_way_that_needs_a_person(tmp_path: Path) -> None:
    play = Play(tmp_path, "environment")
    play.answer()
    seen = next(one for one in play.diary() if "environment" in one)
    assert seen["environment"]["HOME"] == os.path.expanduser("~")
    assert not [one for one in play.diary() if "authenticated" in one]


def test_a_model_is_chosen_where_the_agent_offers_the_choice(tmp_path: Path) -> None:
    play = Play(tmp_path, "chooses", model="grand")
    assert play.answer().usage.model == "grand"
    assert {"model": "grand"} in play.diary()


@pytest.mark.parametrize(("script", "model"), [("chooses", "absent"), ("environment", "grand")])
def test_a_model_that_is_not_offered_stops_the_run(tmp_path: Path, script: str, model: str) -> None:
    with pytest.raises(AgentUnavailable) as caught:
        Play(tmp_path, script, model=model).answer()
    assert caught.value.code == "MODEL_NOT_OFFERED"


def test_what_an_agent_says_of_its_quota_counts(tmp_path: Path) -> None:
    used = Play(tmp_path, "quota").answer().usage
    assert (used.model, used.tokens_in, used.tokens_out) == ("large", 37, 10)


@pytest.mark.parametrize("script", ["noise", "nonsense"])
def test_what_is_no_acp_is_passed_over_without_a_word_of_ours(
    tmp_path: Path, script: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert Play(tmp_path, script).result()["activity_event"]["action"] == "complete"
    assert caplog.records == []


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("dies", "ACP_NO_HANDSHAKE", "exit code 7 before it answered: the licence has run out"),
        ("new_protocol", "AGENT_TOO_NEW", "speaks ACP 9"),
        ("logged_out", "AGENT_NOT_LOGGED_IN", "has no key"),
        ("key_expired", "AGENT_NOT_LOGGED_IN", "has no key"),
    ],
)
def test_an_agent_that_cannot_be_asked_stops_the_run(tmp_path: Path, script: str, code: str, words: str) -> None:
    with pytest.raises(AgentUnavailable) as caught:
        Play(tmp_path, script).answer()
    assert caught.value.code == code
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("refuses", "AGENT_REFUSED", "refused to answer"),
        ("cut", "ANSWER_CUT", "limit of tokens"),
        ("fails", "AGENT_CRASHED", "the model is overloaded"),
        ("bad_response", "AGENT_CRASHED", "no ACP"),
        ("dies_in_the_turn", "AGENT_CRASHED", "exit code 9 before it answered: out of memory"),
        ("floods", "OUTPUT_TOO_LARGE", "more than an answer may have"),
        ("one_endless_line", "OUTPUT_TOO_LARGE", "more than an answer may have"),
        ("deletes_its_tree", "PRIVATE_TREE_LOST", "private tree"),
    ],
)
def test_a_turn_that_ends_badly_costs_an_attempt(tmp_path: Path, script: str, code: str, words: str) -> None:
    with pytest.raises(AgentCrashed) as caught:
        Play(tmp_path, script).answer()
    assert caught.value.code == code
    assert words in caught.value.message


def test_a_failed_turn_says_what_it_used(tmp_path: Path) -> None:
    with pytest.raises(AgentCrashed) as caught:
        Play(tmp_path, "refuses").answer()
    assert getattr(caught.value.usage, "tokens_in", None) == 10


def test_an_agent_that_hangs_is_ended_with_the_children_that_left_its_group(tmp_path: Path) -> None:
    play = Play(tmp_path, "hangs")
    with pytest.raises(AgentTimedOut):
        play.answer(timeout_s=3)
    told = next(one for one in play.diary() if "child" in one)
    assert_dies(told["me"])
    assert_dies(told["child"])
    assert not Path(told["tree"]).exists()


def test_an_agent_that_takes_no_answers_does_not_fill_the_memory(tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(AgentTimedOut):
        Play(tmp_path, "reads_without_end").answer(timeout_s=4)
    assert time.monotonic() - begin < PATIENCE_S


def test_a_program_that_says_nothing_is_no_acp_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esaa.agents.acp.session._HANDSHAKE_S", 0.5)
    with pytest.raises(AgentUnavailable) as caught:
        Play(tmp_path, "silent").answer()
    assert caught.value.code == "ACP_NO_HANDSHAKE"


def test_a_session_that_is_not_opened_costs_an_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esaa.agents.acp.session._HANDSHAKE_S", 5)
    with pytest.raises(AgentCrashed) as caught:
        Play(tmp_path, "opens_nothing").answer(timeout_s=60)
    assert caught.value.code == "ACP_NO_SESSION"


@pytest.mark.parametrize(
    ("command", "code"),
    [("/no/such/program --acp", "AGENT_NOT_INSTALLED"), ("cat", "ACP_SESSION_REFUSED"), ("true", "ACP_NO_HANDSHAKE")],
)
def test_a_program_that_is_no_agent_is_named(tmp_path: Path, command: str, code: str) -> None:
    play = Play(tmp_path, "environment", command=command)
    with pytest.raises(AgentUnavailable) as caught:
        play.answer()
    assert caught.value.code == code
    assert command.split(maxsplit=1)[0] in caught.value.message


@pytest.mark.parametrize("command", ["", "run 'half"])
def test_a_command_that_is_none_is_refused_at_once(tmp_path: Path, command: str) -> None:
    with pytest.raises(AgentError, match="agent command"):
        Play(tmp_path, "environment", command=command)


def test_the_adapter_is_made_by_name(tmp_path: Path) -> None:
    ground = Ground(enclosure_of=lambda: Enclosure(sandbox=NoSandbox(), root=tmp_path), bounds_of=bounds_of)
    assert isinstance(make_agent("acp:gemini --acp", tmp_path, 1, ground=ground), AcpAgent)
    for adapter in ("acp", "acp:"):
        with pytest.raises(ConfigError):
            make_agent(adapter, tmp_path, 1, ground=ground)
