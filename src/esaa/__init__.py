"""esaa: agents propose, a deterministic orchestrator disposes, replay proves it.

The names below are the public surface; they load when they are first used. Anything else is internal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esaa.version import __version__

if TYPE_CHECKING:
    from esaa.agents.base import Agent, Answer, Dispatch
    from esaa.agents.cassette import CassetteAgent, RecordingAgent
    from esaa.agents.command import CommandAgent
    from esaa.agents.scripted import ScriptedAgent
    from esaa.config import Config, load_config
    from esaa.contracts.governance import Governance
    from esaa.contracts.load import parse_governance
    from esaa.errors import EsaaError
    from esaa.kernel.decider import Rejected
    from esaa.kernel.findings import Finding
    from esaa.kernel.recorded import Draft, Recorded
    from esaa.kernel.spec import Spec
    from esaa.open import find_root, open_trail, open_workspace
    from esaa.protocol.evolve import evolve
    from esaa.protocol.roadmap import projection_hash
    from esaa.protocol.settle import settle
    from esaa.protocol.state import State
    from esaa.protocol.wire import ProtocolVocabulary
    from esaa.runtime.orchestrator import Orchestrator
    from esaa.runtime.trail.event_sourcing import EventSourcing
    from esaa.runtime.trail.recorder import TrailRecorder
    from esaa.runtime.verification.verify import Verdict, verify
    from esaa.runtime.workspace import Receipt, Workspace

_HOMES = {
    "Agent": "esaa.agents.base",
    "Answer": "esaa.agents.base",
    "CassetteAgent": "esaa.agents.cassette",
    "CommandAgent": "esaa.agents.command",
    "Config": "esaa.config",
    "Dispatch": "esaa.agents.base",
    "Draft": "esaa.kernel.recorded",
    "EsaaError": "esaa.errors",
    "EventSourcing": "esaa.runtime.trail.event_sourcing",
    "Finding": "esaa.kernel.findings",
    "Governance": "esaa.contracts.governance",
    "Orchestrator": "esaa.runtime.orchestrator",
    "ProtocolVocabulary": "esaa.protocol.wire",
    "Receipt": "esaa.runtime.workspace",
    "Recorded": "esaa.kernel.recorded",
    "RecordingAgent": "esaa.agents.cassette",
    "Rejected": "esaa.kernel.decider",
    "ScriptedAgent": "esaa.agents.scripted",
    "Spec": "esaa.kernel.spec",
    "State": "esaa.protocol.state",
    "TrailRecorder": "esaa.runtime.trail.recorder",
    "Verdict": "esaa.runtime.verification.verify",
    "Workspace": "esaa.runtime.workspace",
    "evolve": "esaa.protocol.evolve",
    "find_root": "esaa.open",
    "load_config": "esaa.config",
    "open_trail": "esaa.open",
    "open_workspace": "esaa.open",
    "parse_governance": "esaa.contracts.load",
    "projection_hash": "esaa.protocol.roadmap",
    "settle": "esaa.protocol.settle",
    "verify": "esaa.runtime.verification.verify",
}

__all__ = [
    "Agent",
    "Answer",
    "CassetteAgent",
    "CommandAgent",
    "Config",
    "Dispatch",
    "Draft",
    "EsaaError",
    "EventSourcing",
    "Finding",
    "Governance",
    "Orchestrator",
    "ProtocolVocabulary",
    "Receipt",
    "Recorded",
    "RecordingAgent",
    "Rejected",
    "ScriptedAgent",
    "Spec",
    "State",
    "TrailRecorder",
    "Verdict",
    "Workspace",
    "__version__",
    "evolve",
    "find_root",
    "load_config",
    "open_trail",
    "open_workspace",
    "parse_governance",
    "projection_hash",
    "settle",
    "verify",
]


def __getattr__(name: str) -> Any:  # a module's attributes have no common type
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'esaa' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
