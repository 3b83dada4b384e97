"""agents_swarm.yaml: who may act (actors), in which roles, served by which adapter, and who is asked for what.

An *actor* is an identity, a *role* is what it may do, an *adapter* is the program behind it (DESIGN 12.5).
"""

from __future__ import annotations

import re
from typing import Literal

from esaa.contracts.sandbox import SandboxChoice
from esaa.contracts.values import TASK_KINDS, ContractFinding, ContractValue, ProtocolVersion, TaskKind
from esaa.kernel.checkpoint import ED25519, CheckpointInvalid, parse_vkey

Role = Literal["spec", "impl", "qa", "monitor"]

ORCHESTRATOR = "orchestrator"
MONITOR = "runtime-monitor"
ACTOR_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_TIMEOUT_S_MAX = 24 * 3600


class CallLimits(ContractValue, frozen=True, kw_only=True):
    """What one call of an actor may take: seconds, where the run's own limit is not shorter, and tokens made."""

    timeout_s: float | None = None
    tokens_out_max: int | None = None


class Actor(ContractValue, frozen=True, kw_only=True):
    """One identity: its roles, the adapter that answers for it (`manual`: a person or tool submits), and the public key
    (a vkey, as `esaa key create --actor` prints it) that its submissions are signed with.

    `model` is what the adapter asks its program or vendor for; `limits` bound each call; `env` names the variables of
    the environment that are handed on to the adapter, never their values. `sandbox` is the level that confines its
    program, in the place of RUNTIME_POLICY's; never less than is required there.
    """

    roles: tuple[Role, ...]
    adapter: str = "manual"
    key: str | None = None
    model: str | None = None
    limits: CallLimits = CallLimits()
    env: tuple[str, ...] = ()
    sandbox: SandboxChoice | None = None


class Assignment(ContractValue, frozen=True, kw_only=True):
    """Who is asked to work on a task, and with which prompt template. Several agents share the work in turn."""

    agent: str | tuple[str, ...]
    template: Literal["spec.core", "impl.core", "qa.core", "impl.hotfix"]

    @property
    def agents(self) -> tuple[str, ...]:
        """The actors in their order."""
        return (self.agent,) if isinstance(self.agent, str) else self.agent


class Overrides(ContractValue, frozen=True, kw_only=True):
    """Assignments that replace the ordinary one when a task carries a flag."""

    when_task_flag_is_hotfix: dict[TaskKind, Assignment] = {}


class Resolution(ContractValue, frozen=True, kw_only=True):
    """Which assignment serves which task."""

    by_task_kind: dict[TaskKind, Assignment]
    overrides: Overrides = Overrides()


class SwarmRegistry(ContractValue, frozen=True, kw_only=True):
    """The actors and their duties. `review` says which actor reviews the work of which task kind.

    With `identity: signed`, only what is signed with an actor's registered key counts as the actor's.
    """

    contract: Literal["agents_swarm"]
    version: ProtocolVersion
    actors: dict[str, Actor]
    resolution: Resolution
    review: dict[TaskKind, str]
    identity: Literal["unsigned", "signed"] = "unsigned"

    def assignment(self, kind: TaskKind, is_hotfix: bool) -> Assignment:
        """The assignment of a task of this kind."""
        if is_hotfix:
            override = self.resolution.overrides.when_task_flag_is_hotfix.get(kind)
            if override is not None:
                return override
        return self.resolution.by_task_kind[kind]

    def check(self) -> None:
        """Raise `ContractFinding` where a value could not be enforced as written."""
        for name, actor in self.actors.items():
            if not ACTOR_NAME.fullmatch(name):
                raise ContractFinding(f"actors: {name!r} is not a name (lower-case letters, digits, hyphens)")
            if name == ORCHESTRATOR:
                raise ContractFinding("actors: 'orchestrator' is the orchestrator's own name and cannot be registered")
            if not actor.roles or len(set(actor.roles)) != len(actor.roles):
                raise ContractFinding(f"actors.{name}.roles must name at least one role, and none twice")
            if not actor.adapter.strip():
                raise ContractFinding(f"actors.{name}.adapter must not be empty")
            _check_call(name, actor)
            if "monitor" in actor.roles and (name != MONITOR or actor.roles != ("monitor",)):
                raise ContractFinding(f"actors.{name}: the monitor role belongs to {MONITOR!r} alone")
        self._check_keys()
        if MONITOR not in self.actors or self.actors[MONITOR].roles != ("monitor",):
            raise ContractFinding(f"actors: {MONITOR!r} with the role monitor is required")
        for kind in TASK_KINDS:
            if kind not in self.resolution.by_task_kind:
                raise ContractFinding(f"resolution.by_task_kind has no entry for {kind!r}")
            if kind not in self.review:
                raise ContractFinding(f"review has no entry for {kind!r}")
            for is_hotfix in (False, True):
                assignment = self.assignment(kind, is_hotfix)
                if not assignment.agents:
                    raise ContractFinding(f"resolution: nobody is assigned to {kind!r}")
                for name in assignment.agents:
                    if name not in self.actors or kind not in self.actors[name].roles:
                        raise ContractFinding(f"resolution: {name!r} is not an actor with the role {kind!r}")
            if self.review[kind] not in self.actors:
                raise ContractFinding(f"review.{kind}: {self.review[kind]!r} is not a registered actor")
            if self.review[kind] == MONITOR:
                raise ContractFinding(f"review.{kind}: {MONITOR!r} may only report issues")

    def _check_keys(self) -> None:
        owners: dict[bytes, str] = {}
        for name, actor in self.actors.items():
            if actor.key is None:
                continue
            try:
                key = parse_vkey(actor.key)
            except CheckpointInvalid as error:
                raise ContractFinding(f"actors.{name}.key is no public key: {error}") from error
            if key.algorithm != ED25519:
                raise ContractFinding(f"actors.{name}.key must be an Ed25519 key")
            owner = owners.setdefault(key.public, name)
            if owner != name:
                raise ContractFinding(f"actors.{name}.key is also that of {owner}; whose output would it sign?")


def _check_call(name: str, actor: Actor) -> None:
    if actor.model is not None and not actor.model.strip():
        raise ContractFinding(f"actors.{name}.model must not be empty")
    timeout_s, tokens = actor.limits.timeout_s, actor.limits.tokens_out_max
    if timeout_s is not None and not 0 < timeout_s <= _TIMEOUT_S_MAX:
        raise ContractFinding(f"actors.{name}.limits.timeout_s must be above 0 and at most {_TIMEOUT_S_MAX}")
    if tokens is not None and tokens < 1:
        raise ContractFinding(f"actors.{name}.limits.tokens_out_max must be at least 1")
    for variable in actor.env:
        # A value written here by mistake must not be repeated in a message.
        if not VARIABLE_NAME.fullmatch(variable):
            raise ContractFinding(f"actors.{name}.env holds names of variables, never values")
