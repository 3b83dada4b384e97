"""The schemas of the read models: real ones pass, and what projection cannot give is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from esaa.stores.contracts import shipped_files

SHIPPED = shipped_files("0.4.0")
VALIDATORS = {
    name: jsonschema_rs.validator_for(json.loads(SHIPPED[f"{name}.schema.json"]))
    for name in ("roadmap", "issues", "lessons")
}

LOGS = (
    "esaa-0.4.0-initial",
    "esaa-0.4.1-147-events",
    "esaa-0.4.1-1821-events",
    "esaa-core-290-false-checkpoint",
    "esaa-mixed-0.4.0-0.4.1",
)


@pytest.mark.parametrize("model", VALIDATORS)
@pytest.mark.parametrize("log", LOGS)
def test_real_read_model_passes(real_logs: Path, log: str, model: str) -> None:
    value = json.loads((real_logs / log / f"{model}.json").read_text(encoding="utf-8"))
    found = [("/".join(map(str, error.instance_path)), error.message) for error in VALIDATORS[model].iter_errors(value)]
    assert found == []


META = {"schema_version": "0.4.0", "esaa_version": "0.4.x"}
FOLLOWER = {**META, "generated_by": "esaa.project", "source_event_store": ".roadmap/activity.jsonl", "updated_at": "t"}
ROADMAP: dict[str, Any] = {
    "meta": {
        **META,
        "immutable_done": True,
        "master_correlation_id": None,
        "run": {
            "run_id": None,
            "status": "initialized",
            "last_event_seq": 6,
            "projection_hash_sha256": "0" * 64,
            "verify_status": "ok",
        },
        "updated_at": "2026-02-27T01:25:22Z",
    },
    "project": {"name": "esaa-core", "audit_scope": ".roadmap/"},
    "tasks": [
        {
            "task_id": "T-1",
            "task_kind": "impl",
            "title": "A",
            "description": "A",
            "status": "done",
            "depends_on": [],
            "targets": [],
            "outputs": {"files": []},
            "immutability": {"done_is_immutable": True},
            "assigned_to": "agent-impl",
            "started_at": "t",
            "completed_at": "t",
            "is_hotfix": True,
            "issue_id": "ISS-1",
            "fixes": "T-0",
            "scope_patch": ["src/"],
            "boundary_grant": ["docs/x.md"],
            "executable_checks": ["a", "b"],
            "superseded_by": ["T-2"],
            "verification": {"checks": ["a"], "more": 1},
        },
        {
            "task_id": "T-2",
            "task_kind": "spec",
            "title": "B",
            "description": "B",
            "status": "todo",
            "depends_on": ["T-1"],
            "targets": ["x"],
            "outputs": {"files": ["docs/b.md"]},
            "immutability": {"done_is_immutable": True},
        },
    ],
    "indexes": {"by_status": {"done": 1, "todo": 1}, "by_kind": {"impl": 1, "spec": 1}},
}
ISSUES: dict[str, Any] = {
    "meta": {**FOLLOWER, "last_event_seq": 6},
    "issues": [
        {
            "issue_id": "ISS-1",
            "status": "open",
            "severity": "high",
            "title": "A",
            "baseline_id": "B-000",
            "affected": {},
            "evidence": {"symptom": "a", "repro_steps": ["b"]},
            "resolution": {},
            "links": {"reported_by_task_id": "T-1", "fixes_task_id": None, "hotfix_task_id": None},
            "timeline": {"created_event_seq": 3, "resolved_event_seq": None},
        }
    ],
    "indexes": {"open_by_baseline": {"B-000": ["ISS-1"]}},
}
LESSONS: dict[str, Any] = {
    "meta": FOLLOWER,
    "lessons": [
        {
            "lesson_id": "LES-0001",
            "status": "active",
            "title": "A",
            "mistake": "a",
            "rule": "b",
            "scope": {"task_kinds": ["qa"]},
            "enforcement": {"mode": "warn", "applies_to": "template"},
            "source_refs": [{"type": "issue", "ref": "ISS-1"}],
        }
    ],
    "indexes": {"by_task_kind": {"qa": ["LES-0001"]}, "by_enforcement_applies_to": {"template": ["LES-0001"]}},
}
MODELS = {"roadmap": ROADMAP, "issues": ISSUES, "lessons": LESSONS}


@pytest.mark.parametrize("model", MODELS)
def test_projected_read_model_passes(model: str) -> None:
    VALIDATORS[model].validate(MODELS[model])


@pytest.mark.parametrize(
    ("model", "path", "value"),
    [
        ("roadmap", ("extra",), 1),
        ("roadmap", ("meta", "extra"), 1),
        ("roadmap", ("meta", "immutable_done"), False),
        ("roadmap", ("meta", "schema_version"), "0.5.0"),
        ("roadmap", ("meta", "run", "projection_hash_sha256"), "0" * 63),
        ("roadmap", ("meta", "run", "verify_status"), "fine"),
        ("roadmap", ("meta", "run", "last_event_seq"), -1),
        ("roadmap", ("project", "extra"), 1),
        ("roadmap", ("tasks",), {}),
        ("roadmap", ("tasks", 0, "extra"), 1),
        ("roadmap", ("tasks", 0, "status"), "blocked"),
        ("roadmap", ("tasks", 0, "status"), "todo"),
        ("roadmap", ("tasks", 0, "status"), "review"),
        ("roadmap", ("tasks", 0, "task_kind"), "docs"),
        ("roadmap", ("tasks", 0, "immutability", "done_is_immutable"), False),
        ("roadmap", ("tasks", 0, "boundary_grant"), []),
        ("roadmap", ("tasks", 0, "executable_checks"), ["a", "a"]),
        ("roadmap", ("tasks", 1, "status"), "in_progress"),
        ("roadmap", ("tasks", 1, "outputs"), []),
        ("roadmap", ("indexes", "by_status", "done"), 0),
        ("roadmap", ("indexes", "by_status", "blocked"), 1),
        ("roadmap", ("indexes", "by_kind", "docs"), 1),
        ("issues", ("meta", "generated_by"), "me"),
        ("issues", ("issues", 0, "status"), "closed"),
        ("issues", ("issues", 0, "status"), "resolved"),
        ("issues", ("issues", 0, "severity"), "blocker"),
        ("issues", ("issues", 0, "links", "extra"), None),
        ("issues", ("issues", 0, "timeline", "created_event_seq"), 0),
        ("issues", ("issues", 0, "timeline", "resolved_event_seq"), 5),
        ("issues", ("indexes", "open_by_baseline", "B-001"), []),
        ("lessons", ("meta", "last_event_seq"), 6),
        ("lessons", ("lessons", 0, "lesson_id"), "L-1"),
        ("lessons", ("lessons", 0, "enforcement", "mode"), "punish"),
        ("lessons", ("indexes", "by_task_kind", "docs"), ["LES-0001"]),
        ("lessons", ("indexes", "by_enforcement_applies_to", "mood"), ["LES-0001"]),
    ],
)
def test_read_model_that_cannot_be_projected_is_refused(model: str, path: tuple[str | int, ...], value: Any) -> None:
    document = copy.deepcopy(MODELS[model])
    parent: Any = document
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    assert not VALIDATORS[model].is_valid(document)


@pytest.mark.parametrize("model", MODELS)
def test_missing_key_of_a_read_model_is_refused(model: str) -> None:
    optional = {"is_hotfix", "issue_id", "fixes", "scope_patch", "boundary_grant", "executable_checks"}
    optional |= {"superseded_by", "verification"}

    def holders(value: Any) -> list[dict[str, Any]]:
        if isinstance(value, list):
            return [holder for item in value for holder in holders(item)]
        if not isinstance(value, dict) or "checks" in value or "repro_steps" in value or "files" in value:
            return []
        return [value, *[holder for item in value.values() for holder in holders(item)]]

    document = copy.deepcopy(MODELS[model])
    indexes = list(document["indexes"].values())
    for holder in holders(document):
        for key in list(holder):
            if any(holder is index for index in indexes) or (model == "roadmap" and key in optional):
                continue
            value = holder.pop(key)
            assert not VALIDATORS[model].is_valid(document), key
            holder[key] = value
