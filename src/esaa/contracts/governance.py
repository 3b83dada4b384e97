"""All contracts of a workspace as one value: the rules that `decide` is asked under."""

from __future__ import annotations

from esaa.contracts.agent import AgentContract
from esaa.contracts.orchestrator import OrchestratorContract
from esaa.contracts.parcer import ParcerProfile
from esaa.contracts.runtime import RuntimePolicy
from esaa.contracts.storage import StoragePolicy
from esaa.contracts.swarm import SwarmRegistry
from esaa.contracts.templates import PromptTemplate
from esaa.contracts.values import ContractValue


class Governance(ContractValue, frozen=True, kw_only=True):
    """The contracts in force. `profiles` is keyed by profile name; `result_schema` is the JSON Schema text in force.

    `templates` holds the project's own prompt templates; where it has none, the shipped one counts.
    """

    agent: AgentContract
    orchestrator: OrchestratorContract
    runtime: RuntimePolicy
    storage: StoragePolicy
    swarm: SwarmRegistry
    profiles: dict[str, ParcerProfile]
    result_schema: str
    templates: dict[str, PromptTemplate] = {}

    def profile_of(self, actor: str) -> ParcerProfile | None:
        """The profile of an actor: its own, else the one of its first role."""
        own = self.profiles.get(actor)
        if own is not None:
            return own
        registered = self.swarm.actors.get(actor)
        if registered is None:
            return None
        return self.profiles.get(f"agent-{registered.roles[0]}")
