"""Writes `expected_folds.json` anew: what the examples fold to, type by type, family by family, and all together.

    .venv/bin/python -m tests.trail.write_expected_folds

Whoever changes an example, a fold or a projection runs it, and reads the difference before it is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from esaa.trail.registry import FAMILIES
from esaa.trail.state import OrchestrationState, encode_state
from esaa.trail.views.agent_metrics import agent_metrics
from esaa.trail.views.failures import failures
from esaa.trail.views.gaps import gaps
from esaa.trail.views.phases import phases
from esaa.trail.views.quality import quality
from tests.trail.metadata_examples import EXAMPLES
from tests.trail.scenes import fold, pairs, scene

PAGE = Path(__file__).with_name("expected_folds.json")


def expected_folds() -> dict[str, Any]:
    """The whole page."""
    told = pairs(scene(*EXAMPLES.items()))
    return {
        "types": {name: marks([name]) for name in EXAMPLES},
        "families": {family: marks(kind.__name__ for kind in kinds) for family, kinds in FAMILIES.items()},
        "agent_metrics": _json(agent_metrics(told)),
        "phases": _json(phases(told)),
        "quality": _json(quality(told)),
        "gaps": _json(gaps(told)),
        "failures": _json(failures(told)),
    }


def marks(names: Iterable[str]) -> dict[str, Any]:
    """The fields of the state that the examples of these types change, one after the other."""
    state = msgspec.json.decode(encode_state(fold(scene(*((name, EXAMPLES[name]) for name in names)))))
    empty = msgspec.json.decode(encode_state(OrchestrationState()))
    return {
        key: value
        for key, value in state.items()
        if value != empty[key] and key not in {"last_sequence", "last_event_at"}
    }


def _json(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


if __name__ == "__main__":
    PAGE.write_bytes(msgspec.json.format(msgspec.json.encode(expected_folds()), indent=1) + b"\n")
