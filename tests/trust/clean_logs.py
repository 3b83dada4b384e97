"""Sound logs, drawn: small governed histories in which nothing is wrong, with their read models, as bytes.

They are walked here, not by the orchestrator, so that thousands can be drawn in a minute. The hashes and read models
in them are the package's; the standalone verifier recomputes them by its own rules.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from esaa.kernel.canonical import compact
from esaa.kernel.chain import leaf_hash
from esaa.protocol.evolve import evolve
from esaa.protocol.issues import issues_json
from esaa.protocol.lessons import lessons_json
from esaa.protocol.roadmap import projection_hash, roadmap_json
from esaa.protocol.state import State
from esaa.protocol.wire import ProtocolVocabulary

AGENT = {"spec": "agent-spec", "impl": "agent-impl", "qa": "agent-qa"}
REVIEWER = {"spec": "agent-qa", "impl": "agent-qa", "qa": "agent-spec"}
WORDS = (
    "página",
    "Größe",
    "plan",
    "\U0001f680",
    "naïve",
    "日本",
    "a/b\\c",
    'say "no"',
    "tab\tend",
    "line\nbreak",
    "x" * 40,
)
_WIRE = ProtocolVocabulary()


class CleanLog(NamedTuple):
    """The files of a folder like `.roadmap`, and the lines of its log without line feeds."""

    files: Mapping[str, bytes]
    lines: tuple[bytes, ...]


def draw_log(draw: random.Random, events_min: int = 6, events_max: int = 40) -> CleanLog:
    """A log of about as many events as asked for; it ends where no batch is open."""
    walk = _Walk(draw)
    length = draw.randint(events_min, events_max)
    while len(walk.lines) < length:
        walk.step()
    if draw.random() < 0.5:
        walk.verify()
    return made_of(tuple(walk.lines))


def made_of(lines: tuple[bytes, ...]) -> CleanLog:
    """The folder of a log with these lines: its read models are what the package projects from them."""
    state = State()
    for line in lines:
        evolve(state, _WIRE.decode(line))
    files = {
        "activity.jsonl": b"".join(line + b"\n" for line in lines),
        "roadmap.json": roadmap_json(state),
        "issues.json": issues_json(state),
        "lessons.json": lessons_json(state),
    }
    return CleanLog(files, lines)


class _Walk:
    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.lines: list[bytes] = []
        self._version = draw.choice(("0.4.0", "0.4.1"))
        self._state = State()
        self._clock = draw.randrange(86_000)
        self._tasks: dict[str, tuple[str, str]] = {}
        self._issues: dict[str, bool] = {}
        self._has_ended = False
        self._start()

    def step(self) -> None:
        """One act with everything that belongs to its batch."""
        if self._has_ended:
            self._start()
        moves = [self._create, self._create, self._act, self._act, self._act, self._act, self._report, self._resolve]
        moves += [self._reject, self.verify, self._end]
        if self._version == "0.4.1":
            moves += [self._amend, self._foreign]
        self.draw.choice(moves)()

    def verify(self) -> None:
        """verify.start, and verify.ok with the hash that the events before it give."""
        self._write("orchestrator", "verify.start", {"strict": True})
        self._write("orchestrator", "verify.ok", {"projection_hash_sha256": projection_hash(self._state)})

    def _start(self) -> None:
        self._has_ended = False
        number = len(self.lines)
        payload = {"run_id": f"RUN-{number:04d}", "status": "initialized", "master_correlation_id": "CID-1"}
        if self.draw.random() < 0.5:
            payload["project_name"] = self._text()
        self._write("orchestrator", "run.start", payload)

    def _end(self) -> None:
        if self.draw.random() < 0.5:
            self._write("orchestrator", "run.end", {"status": self.draw.choice(("success", "failed", "halted"))})
            self._has_ended = True

    def _create(self) -> None:
        kind = self.draw.choice(("spec", "impl", "qa"))
        name = f"T-{len(self._tasks) + 1:04d}"
        others = list(self._tasks)
        payload: dict[str, Any] = {
            "task_id": name,
            "task_kind": kind,
            "title": self._text(),
            "depends_on": self.draw.sample(others, min(len(others), self.draw.randrange(3))),
            "outputs": {"files": [f"src/{name}.py"], **({"weight": 1e-05} if self.draw.random() < 0.1 else {})},
        }
        if self.draw.random() < 0.3:
            payload["description"] = self._text()
        if self.draw.random() < 0.2:
            payload["executable_checks"] = ["b", "a", "b"]
        if self.draw.random() < 0.2:
            payload["boundary_grant"] = ["docs\\x/**"]
        if others and self.draw.random() < 0.2:
            payload["supersedes"] = [self.draw.choice(others)]
        self._tasks[name] = (kind, "todo")
        self._write("orchestrator", "task.create", payload)

    def _amend(self) -> None:
        waiting = [name for name, (_, status) in self._tasks.items() if status == "todo"]
        if waiting:
            payload = {"task_id": self.draw.choice(waiting), "title": self._text(), "boundary_grant": []}
            self._write("orchestrator", "task.amend", payload)

    def _foreign(self) -> None:
        self._write("orchestrator", "runner.metrics", {"seconds": self.draw.random()})

    def _act(self) -> None:
        open_tasks = [(name, *what) for name, what in self._tasks.items() if what[1] != "done"]
        if not open_tasks:
            return
        name, kind, status = self.draw.choice(open_tasks)
        if status == "todo":
            self._agent(AGENT[kind], "claim", name, {}, "in_progress")
        elif status == "in_progress":
            checks = {"verification": {"checks": [self._text()]}}
            self._agent(AGENT[kind], "complete", name, checks, "review", closes=False)
            effect = {"path": f"src/{name}.py", "before_sha256": None, "after_sha256": self._digest(), "bytes": 12}
            payload = {"task_id": name, "files": [f"src/{name}.py"], "effects": [effect]}
            self._write("orchestrator", "orchestrator.file.write", payload)
            self._project("roadmap")
        elif self.draw.random() < 0.7:
            self._agent(REVIEWER[kind], "review", name, {"decision": "approve", "tasks": [name]}, "done")
        else:
            back = {"decision": "request_changes", "tasks": [self._text()]}
            self._agent(REVIEWER[kind], "review", name, back, "in_progress")

    def _report(self) -> None:
        if not self._tasks:
            return
        name = self.draw.choice([*self._issues, f"ISS-{len(self._issues) + 1:04d}"])
        task = self.draw.choice(list(self._tasks))
        payload: dict[str, Any] = {
            "action": "issue.report",
            "task_id": task,
            "issue_id": name,
            "severity": self.draw.choice(("low", "medium")),
            "title": self._text(),
            "evidence": {"symptom": self._text(), "repro_steps": [self._text()]},
        }
        if self.draw.random() < 0.5:
            payload["affected"] = {"baseline_id": self.draw.choice(("B-000", "B-001")), "paths": ["src/a.py"]}
        if self.draw.random() < 0.3:
            scope = {"scope": {"task_kinds": ["impl"]}, "enforcement": {"mode": "warn", "applies_to": "workflow_gate"}}
            lesson = {"mistake": self._text(), "rule": self._text(), **scope}
            payload |= {"category": "process", "subtype": "lesson", "lesson": lesson}
        self._issues[name] = True
        self._write(self.draw.choice(("agent-qa", "runtime-monitor")), "issue.report", payload)
        if self.draw.random() < 0.3:
            fix = f"HF-{len(self._tasks) + 1:04d}"
            hotfix = {"task_id": fix, "task_kind": "impl", "title": self._text(), "is_hotfix": True, "issue_id": name}
            self._tasks[fix] = ("impl", "todo")
            self._write("orchestrator", "hotfix.create", hotfix | {"fixes": task, "scope_patch": ["src/**"]})
        self._project("issues")

    def _resolve(self) -> None:
        if self._issues:
            name = self.draw.choice(list(self._issues))
            payload = {"issue_id": name, "resolution": {"status": "resolved", "note": self._text()}}
            self._write("orchestrator", "issue.resolve", payload)

    def _reject(self) -> None:
        payload = {"task_id": "T-0001", "error_code": "SCHEMA_INVALID", "message": self._text()}
        self._write("orchestrator", "output.rejected", payload | {"reason": "schema_violation"})

    def _agent(
        self, actor: str, action: str, task: str, more: dict[str, Any], status: str, *, closes: bool = True
    ) -> None:
        before = self._tasks[task][1]
        self._tasks[task] = (self._tasks[task][0], status)
        payload = {"action": action, "task_id": task, "prior_status": before, **more}
        extra = {"reviewer_role": "qa"} if action == "review" else {}
        self._write(actor, action, payload, extra)
        if closes:
            self._project("roadmap")

    def _project(self, target: str) -> None:
        self._write("orchestrator", "orchestrator.view.mutate", {"target": target, "change": "projected"})

    def _write(
        self, actor: str, action: str, payload: Mapping[str, Any], extra: Mapping[str, str] | None = None
    ) -> None:
        seq = len(self.lines) + 1
        self._clock += self.draw.randrange(3)
        hours, rest = divmod(self._clock, 3600)
        event = {
            "schema_version": self._version,
            "event_id": f"EV-{seq:08d}",
            "event_seq": seq,
            "ts": f"2026-03-{2 + hours // 24:02d}T{hours % 24:02d}:{rest // 60:02d}:{rest % 60:02d}Z",
            "actor": actor,
            "action": action,
            "payload": payload,
            **(extra or {}),
        }
        if self.lines:
            event["prev_hash"] = leaf_hash(self.lines[-1])
        line = compact(event)
        self.lines.append(line)
        evolve(self._state, _WIRE.decode(line))

    def _text(self) -> str:
        return " ".join(self.draw.choices(WORDS, k=self.draw.randint(1, 4)))

    def _digest(self) -> str:
        return f"{self.draw.getrandbits(256):064x}"
