"""The specification's workflows through the command line."""

from __future__ import annotations

import json

from tests.cli.workbench import Workbench
from tests.runtime.test_specified_calls import EXAMPLE_1, KEY


def test_the_same_through_the_command_line(esaa: Workbench) -> None:
    esaa.roadmap.mkdir()
    esaa.ok("record", "OrchestrationStarted", "--data", json.dumps(EXAMPLE_1), "--actor", "user:developer@company.com")
    esaa.ok("record", "AgentSpawned", "--issue", KEY, "agent_name=react-component-architect")
    assert esaa.ok("state", "--issue", KEY, "--json").answer["active_agents"] == ["react-component-architect"]
    moment = esaa.ok("state", "--issue", KEY, "--json").answer["last_event_at"]
    assert esaa.ok("time-travel", KEY, moment, "--json").answer["state_summary"]["current_phase"] == "EXPLORE"
    assert esaa.ok("replay", KEY, "--json").answer["failed_count"] == 0
    assert esaa.ok("snapshot", "create", "--issue", KEY, "--json").answer["snapshot_id"] == "snap-2"
    esaa.ok("audit", "--issue", KEY, "--format", "json")
    assert list((esaa.roadmap / "events/reports").glob("audit-*.json"))
