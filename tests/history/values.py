"""JSON values and small pasts for properties."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st
from msgspec import UNSET

from tests.history.memory_past import MemoryPast, entry

names = st.sampled_from(["a", "b", "~", "/", "0", "status", "T-1"])
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.floats(-2, 2, allow_nan=False), st.sampled_from(["", "x", "1"])
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)
PARTS = (
    ("tasks", "T-1"),
    ("tasks", "T-2"),
    ("tasks", "a/b"),
    ("files", "x.md"),
    ("files", "src/y.py"),
    ("run", "status"),
)
VALUES: tuple[Any, ...] = (
    UNSET,
    {"status": "todo", "depends_on": []},
    {"status": "review", "depends_on": ["T-2"], "checks": [1]},
    {"status": "review", "depends_on": ["T-1", "T-2"], "checks": [True, {"a": None}]},
    "open",
    1,
    True,
)
ACTIONS = ("claim", "complete", "review", "output.rejected", "task.create", "AgentStarted", "AgentFailed")
ACTORS = ("agent-spec", "agent-impl", "orchestrator")
SUBJECTS = (None, "T-1", "T-2")
MINUTES = (0, 0, 1, 7, 600)


def changed(document: dict[str, Any], member: str, name: str, value: Any) -> dict[str, Any]:
    """A document in which one value is another one, or is gone."""
    members = {one: old for one, old in document[member].items() if one != name}
    return {**document, member: members if value is UNSET else {**members, name: value}}


@st.composite
def pasts(draw: st.DrawFn, size_max: int = 10) -> MemoryPast:
    """A past in which anything may follow anything; causes may lie ahead, be missing, or lead round."""
    past = MemoryPast()
    document: dict[str, Any] = {"run": {"status": "open"}, "tasks": {}, "files": {}}
    minutes = 0
    for seq, number in enumerate(draw(st.lists(st.integers(0, 2**31), max_size=size_max)), start=1):
        dice = Random(number)
        for _ in range(dice.choice((0, 1, 1, 2))):
            document = changed(document, *dice.choice(PARTS), dice.choice(VALUES))
        minutes += dice.choice(MINUTES)
        cause = dice.choice((None, dice.randint(1, size_max), max(seq - 1, 1)))
        past.append(
            entry(
                seq,
                dice.choice(ACTIONS),
                dice.choice(ACTORS),
                dice.choice(SUBJECTS),
                ts=f"2026-01-{1 + minutes // 1440:02d}T{minutes // 60 % 24:02d}:{minutes % 60:02d}:00Z",
                causation_id=None if cause is None else f"EV-{cause:08d}",
                is_rejection=dice.random() < 0.2,
            ),
            document,
        )
    return past
