"""What a contract may not ask for: values of the right type that could not be enforced as written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from esaa.contracts.agent import FORBIDDEN_FIELDS, NEVER_WRITE
from esaa.contracts.governance import Governance
from esaa.contracts.load import parse_governance
from esaa.contracts.swarm import Assignment
from esaa.contracts.values import AGENT_ACTIONS, INVARIANTS, REJECT_CONDITIONS, RESERVED_ACTIONS
from esaa.errors import ContractError

Refuse = Callable[[str, str, str], str]


@pytest.fixture
def refuse(files: dict[str, bytes]) -> Refuse:
    """Replaces a text in a contract and gives the message of the refusal."""

    def refused(name: str, old: str, new: str) -> str:
        text = files[name].decode()
        assert text.count(old) >= 1, f"{name} has no {old!r}"
        changed = {**files, name: text.replace(old, new, 1).encode()}
        with pytest.raises(ContractError) as caught:
            parse_governance(changed)
        assert caught.value.code == "CONTRACT_INVALID"
        assert caught.value.hint
        return caught.value.message

    return refused


@pytest.fixture
def accept(files: dict[str, bytes]) -> Callable[[str, str, str], Governance]:
    """Replaces a text in a contract and gives the governance that comes of it."""

    def accepted(name: str, old: str, new: str) -> Governance:
        text = files[name].decode()
        assert old in text
        return parse_governance({**files, name: text.replace(old, new, 1).encode()})

    return accepted


AGENT = "AGENT_CONTRACT.yaml"
ORCHESTRATOR = "ORCHESTRATOR_CONTRACT.yaml"
RUNTIME = "RUNTIME_POLICY.yaml"
STORAGE = "STORAGE_POLICY.yaml"
SWARM = "agents_swarm.yaml"
SPEC = "PARCER_PROFILE.agent-spec.yaml"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  - claim\n", "  - claim\n  - run.end\n", "allowed_actions: 'run.end' is not an agent action"),
        (
            "allowed_actions:\n  - claim\n  - complete\n  - review\n  - issue.report\n",
            "allowed_actions: []\n",
            "allowed_actions is empty",
        ),
        ("  - verify.fail\n", "", "reserved_actions must be exactly"),
        ("  - verify.fail\n", "  - verify.fail\n  - task.reopen\n", "reserved_actions must be exactly"),
        ("    - .roadmap/**\n", "", "never_write must contain ['.roadmap/**']"),
        ("    - .git/**\n    - .claude/**\n", "", "never_write must contain ['.git/**', '.claude/**']"),
        ("    - .githooks/**\n", "    - .githooks/**\n    - ../x\n", "never_write: '../x' is not a path"),
        ('write: ["docs/**"]', 'write: ["/docs/**"]', "by_task_kind.spec.write: '/docs/**' is not a path"),
        ('write: ["docs/**"]', 'write: ["docs\\\\x"]', "is not a path below the workspace"),
        ('write: ["docs/**"]', 'write: [""]', "is not a path below the workspace"),
        ('write: ["docs/**"]', 'write: ["./docs"]', "is not a path below the workspace"),
        ('write: ["docs/**"]', 'write: ["docs//x"]', "is not a path below the workspace"),
        ('write: ["docs/**"]', 'write: ["docs**"]', "is not a path below the workspace"),
        ('forbidden_write: [".roadmap/**"]', 'forbidden_write: ["a/../b"]', "by_task_kind.impl.forbidden_write"),
        ('read: [".roadmap/**", "docs/**"]', 'read: ["~", ".."]', "by_task_kind.spec.read: '..'"),
        ("    - completed_at\n", "", "forbidden_fields must contain ['completed_at']"),
        ("required_keys: [activity_event]", "required_keys: []", "required_keys must be [activity_event]"),
        ("result_bytes_max: 4194304", "result_bytes_max: 0", "output_contract.result_bytes_max must be at least 1"),
        ("depth_max: 64", "depth_max: 0", "output_contract.depth_max must be at least 1"),
        ("files_max: 200", "files_max: -1", "output_contract.files_max must be at least 1"),
        ("file_bytes_max: 1048576", "file_bytes_max: 0", "output_contract.file_bytes_max must be at least 1"),
    ],
)
def test_agent_contract_that_cannot_hold_is_refused(refuse: Refuse, old: str, new: str, message: str) -> None:
    assert message in refuse(AGENT, old, new)


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ("commands: {Tests: [make]}", "'Tests' is not a name (lower-case letters, digits, hyphens)"),
        ("commands: {tests: []}", "executable_checks.commands.tests names no program"),
        ('commands: {tests: [" "]}', "executable_checks.commands.tests names no program"),
        ('commands: {tests: [make, "a\\0b"]}', "has an argument that no program can be given"),
        (f"commands: {{tests: [make, {'x' * 4097}]}}", "has an argument that no program can be given"),
        ("timeout: PT0S", "executable_checks.timeout must be at least PT1S"),
        ("output_bytes_max: 0", "executable_checks.output_bytes_max must be at least 1"),
        *(
            (f'linked: ["{folder}"]', f"executable_checks.linked: {folder!r} is not a folder of the project's own")
            for folder in (".git", ".roadmap", "", "/opt", "deps/", "a/../..")
        ),
    ],
)
def test_executable_checks_that_could_not_be_run_are_refused(refuse: Refuse, checks: str, message: str) -> None:
    assert message in refuse(AGENT, "vague_checks:\n", f"executable_checks:\n  {checks}\n\nvague_checks:\n")


def test_executable_checks_that_can_be_run_are_taken(accept: Callable[[str, str, str], Governance]) -> None:
    checks = "executable_checks:\n  commands: {unit-1: [make, test]}\n  linked: [web/node_modules]\n\nvague_checks:\n"
    found = accept(AGENT, "vague_checks:\n", checks).agent.executable_checks
    assert (found.commands, found.linked) == ({"unit-1": ("make", "test")}, ("web/node_modules",))


@pytest.mark.parametrize("kind", ["spec", "impl", "qa"])
def test_kind_without_a_boundary_is_refused(files: dict[str, bytes], kind: str) -> None:
    from esaa.contracts.values import ContractFinding

    agent = parse_governance(files).agent
    by_kind = {name: boundary for name, boundary in agent.boundaries.by_task_kind.items() if name != kind}
    boundaries = msgspec.structs.replace(agent.boundaries, by_task_kind=by_kind)
    with pytest.raises(ContractFinding, match="has no entry"):
        msgspec.structs.replace(agent, boundaries=boundaries).check()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  - INV-003", "  # INV-003", "invariants must name all of"),
        ("  - INV-003", "  - INV-007", "invariants must name all of"),
        ("  - lock_violation\n", "", "reject_conditions must be exactly"),
        ("  impl: 1\n", "  impl: 0\n", "impl needs at least 1 check"),
        ("  hotfix: 2\n", "  hotfix: 1\n", "hotfix at least 2"),
        ("  spec: 0\n", "  spec: -1\n", "none below 0"),
        ("  qa: 0\n", "  qa: -1\n", "none below 0"),
    ],
)
def test_orchestrator_contract_that_cannot_hold_is_refused(refuse: Refuse, old: str, new: str, message: str) -> None:
    assert message in refuse(ORCHESTRATOR, old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("max: 3 ", "max: 0 ", "attempts.max must be 1, 2 or 3"),
        ("max: 3 ", "max: 4 ", "attempts.max must be 1, 2 or 3"),
        ("ttl: PT30M", "ttl: PT0S", "attempts.ttl must be at least PT1S"),
        ("ttl: PT30M", "ttl: -PT30M", "attempts.ttl must be at least PT1S"),
        ("cooldown: PT2M", "cooldown: -PT1S", "attempts.cooldown must not be negative"),
        ("max: 20\n", "max: 0\n", "snapshots.max must be between 1 and 20"),
        ("max: 20\n", "max: 21\n", "snapshots.max must be between 1 and 20"),
        ("parallel_max: 8", "parallel_max: 0", "dispatch.parallel_max must be between 1 and 64"),
        ("parallel_max: 8", "parallel_max: 65", "dispatch.parallel_max must be between 1 and 64"),
        ("output_bytes_max: 8388608", "output_bytes_max: 0", "dispatch.output_bytes_max must be at least 1"),
        ("window: PT1M", "window: PT0S", "unknown_actors: window must be at least PT1S"),
        ("details_max: 100", "details_max: 0", "details_max at least 1"),
        (
            "\ndispatch:\n",
            "\ncheckpoints: {every_events: 0}\ndispatch:\n",
            "checkpoints.every_events must be between 1 and",
        ),
        *(
            ("\ndispatch:\n", f"\n{key}\ndispatch:\n", message)
            for key, message in (
                ("context: {tokens_max: 999}", "context.tokens_max must be between 1000 and 10000000"),
                ("context: {tokens_max: 10000001}", "context.tokens_max must be between 1000 and 10000000"),
                (
                    "sandbox: {level: none, required: landlock}",
                    "sandbox.level is none, which is less than the required",
                ),
                ("sandbox: {readable: [etc]}", "sandbox.readable: 'etc' is not an absolute path below /"),
                ("sandbox: {readable: [/]}", "sandbox.readable: '/' is not an absolute path below /"),
                ("sandbox: {readable: [/srv/../etc]}", "is not an absolute path below /"),
                ('sandbox: {readable: ["/srv\\0"]}', "is not an absolute path below /"),
                ("sandbox: {limits: {memory_mb: 0}}", "sandbox.limits.memory_mb must be at least 1"),
                ("sandbox: {limits: {processes: 0}}", "sandbox.limits.processes must be at least 1"),
                ("sandbox: {limits: {file_mb: -1}}", "sandbox.limits.file_mb must be at least 1"),
                ("sandbox: {limits: {cpu: PT0S}}", "sandbox.limits.cpu must be at least PT1S"),
                ("sandbox: {network: [agent-nobody]}", "'agent-nobody' is neither an actor nor `checks`"),
            )
        ),
    ],
)
def test_runtime_policy_that_cannot_hold_is_refused(refuse: Refuse, old: str, new: str, message: str) -> None:
    assert message in refuse(RUNTIME, old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    - actor\n", "", "required_fields must be exactly"),
        ("    - actor\n    - action\n", "    - action\n    - actor\n", "required_fields must be exactly"),
        ("line_bytes_max: 16777216", "line_bytes_max: 4095", "line_bytes_max must be at least 4096"),
        ("every_events: 256", "every_events: 0", "every_events must be at least 1"),
        (
            "event_store:\n",
            "refused_outputs_bytes_max: -1\nevent_store:\n",
            "refused_outputs_bytes_max must be at least 0",
        ),
    ],
)
def test_storage_policy_that_cannot_hold_is_refused(refuse: Refuse, old: str, new: str, message: str) -> None:
    assert message in refuse(STORAGE, old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  agent-qa:\n", "  Agent QA:\n", "'Agent QA' is not a name"),
        ("  agent-qa:\n", "  orchestrator: {roles: [qa]}\n  agent-qa:\n", "cannot be registered"),
        (
            "  agent-qa:\n",
            "  other: {roles: [monitor]}\n  agent-qa:\n",
            "the monitor role belongs to 'runtime-monitor'",
        ),
        ("roles: [monitor]", "roles: [monitor, qa]", "the monitor role belongs to 'runtime-monitor'"),
        ("roles: [monitor]", "roles: [qa]", "'runtime-monitor' with the role monitor is required"),
        ("  runtime-monitor:\n", "  other-monitor:\n", "the monitor role belongs to"),
        ("  runtime-monitor:\n    roles: [monitor]\n    adapter: manual\n", "", "is required"),
        ("roles: [qa]", "roles: []", "actors.agent-qa.roles must name at least one role"),
        ("roles: [qa]", "roles: [qa, qa]", "and none twice"),
        ("adapter: manual", 'adapter: " "', "adapter must not be empty"),
        ("adapter: manual", 'adapter: manual\n    model: " "', "actors.agent-spec.model must not be empty"),
        ("adapter: manual", "adapter: manual\n    limits: {timeout_s: 0}", "limits.timeout_s must be above 0 and"),
        ("adapter: manual", "adapter: manual\n    limits: {timeout_s: 86401}", "at most 86400"),
        ("adapter: manual", "adapter: manual\n    limits: {tokens_out_max: 0}", "tokens_out_max must be at least 1"),
        ("adapter: manual", "adapter: manual\n    env: [A, B-C]", "env holds names of variables, never values"),
        ("    impl: {agent: agent-impl, template: impl.core}\n", "", "by_task_kind has no entry for 'impl'"),
        ("  qa: agent-spec", "", "review has no entry for 'qa'"),
        ("{agent: agent-qa,", "{agent: [],", "nobody is assigned to 'qa'"),
        ("{agent: agent-qa,", "{agent: nobody,", "'nobody' is not an actor with the role 'qa'"),
        ("{agent: agent-qa,", "{agent: agent-spec,", "'agent-spec' is not an actor with the role 'qa'"),
        ("template: impl.hotfix", "template: impl.hotfix, x: 1", "unknown key"),
        ("agent: agent-impl, template: impl.hotfix", "agent: agent-qa, template: impl.hotfix", "the role 'impl'"),
        ("  spec: agent-qa", "  spec: nobody", "review.spec: 'nobody' is not a registered actor"),
        ("  spec: agent-qa", "  spec: runtime-monitor", "'runtime-monitor' may only report issues"),
        ("  spec: agent-qa", "  spec: agent-spec", "such work could never be reviewed"),
    ],
)
def test_swarm_that_cannot_work_is_refused(refuse: Refuse, old: str, new: str, message: str) -> None:
    assert message in refuse(SWARM, old, new)


SANDBOX = b"sandbox: {required: landlock, readable: [/usr/share/dict], network: [agent-impl, checks]}\n"


@pytest.mark.parametrize("level", ["bubblewrap", "landlock", "best"])
def test_actor_may_have_a_sandbox_as_strong_as_is_required(files: dict[str, bytes], level: str) -> None:
    swarm = files[SWARM].replace(b"roles: [impl]\n", f"roles: [impl]\n    sandbox: {level}\n".encode())
    found = parse_governance({**files, RUNTIME: files[RUNTIME] + SANDBOX, SWARM: swarm})
    assert found.swarm.actors["agent-impl"].sandbox == level
    assert found.runtime.sandbox is not None
    assert (found.runtime.sandbox.network, found.runtime.sandbox.readable) == (
        ("agent-impl", "checks"),
        ("/usr/share/dict",),
    )


def test_actor_with_less_of_a_sandbox_than_is_required_is_refused(files: dict[str, bytes]) -> None:
    swarm = files[SWARM].replace(b"roles: [impl]\n", b"roles: [impl]\n    sandbox: none\n")
    with pytest.raises(ContractError) as caught:
        parse_governance({**files, RUNTIME: files[RUNTIME] + SANDBOX, SWARM: swarm})
    assert "actors.agent-impl.sandbox: none is less than the landlock" in caught.value.message


def test_limits_of_a_call_may_be_as_wide_as_they_go(files: dict[str, bytes]) -> None:
    limits = b"roles: [impl]\n    model: m-1\n    limits: {timeout_s: 86400, tokens_out_max: 1}\n    env: [_A1]\n"
    actor = parse_governance({**files, SWARM: files[SWARM].replace(b"roles: [impl]\n", limits)}).swarm.actors[
        "agent-impl"
    ]
    assert (actor.model, actor.limits.timeout_s, actor.limits.tokens_out_max, actor.env) == ("m-1", 86400, 1, ("_A1",))


def test_hotfix_worker_cannot_be_its_own_reviewer(files: dict[str, bytes]) -> None:
    text = files[SWARM].decode()
    text = text.replace("roles: [qa]", "roles: [qa, impl]").replace(
        "impl: {agent: agent-impl, template: impl.hotfix}", "impl: {agent: agent-qa, template: impl.hotfix}"
    )
    with pytest.raises(ContractError, match=r"review\.impl: 'agent-qa' also does the impl work"):
        parse_governance({**files, SWARM: text.encode()})


def test_own_work_may_be_reviewed_where_the_policy_says_so(files: dict[str, bytes]) -> None:
    files[SWARM] = files[SWARM].replace(b"  spec: agent-qa", b"  spec: agent-spec")
    files[ORCHESTRATOR] = files[ORCHESTRATOR].replace(b"self_review: false", b"self_review: true")
    assert parse_governance(files).swarm.review["spec"] == "agent-spec"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('  - "## Objective"', '  - "Objective"', "required_headings: 'Objective' must begin with '#'"),
        ("    - task\n    - files", "    - files", "context.injects must contain 'task'"),
        ("profile: agent-spec", "profile: agent-impl", "which is not the name in the file's name"),
        ("action: claim", "action: start", "response.valid_examples[0]: refused by agent_result.schema.json"),
        ("task_id: T-1000\n        prior", "task_idd: T-1000\n        prior", "response.valid_examples[0]: refused"),
    ],
)
def test_profile_that_cannot_hold_is_refused(refuse: Refuse, old: str, new: str, message: str) -> None:
    assert message in refuse(SPEC, old, new)


@pytest.mark.parametrize(
    ("path", "empty"),
    [
        (("persona", "role"), " "),
        (("audience", "consumers"), []),
        (("rules", "hard"), []),
        (("execution", "steps"), []),
        (("response", "format"), ""),
        (("response", "valid_examples"), []),
    ],
)
def test_profile_without_a_dimension_is_refused(files: dict[str, bytes], path: tuple[str, str], empty: Any) -> None:
    import yaml

    profile = yaml.safe_load(files[SPEC])
    profile[path[0]][path[1]] = empty
    files[SPEC] = yaml.safe_dump(profile).encode()
    with pytest.raises(ContractError, match=rf"{path[0]}\.{path[1]} must not be empty"):
        parse_governance(files)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("actor: orchestrator\n      action: run.start", "actor: agent-qa\n      action: run.start", "its own events"),
        ("action: run.start", "action: claim", "its own events only"),
        ("      event_seq: 1\n", "", "an event needs ['event_seq']"),
    ],
)
def test_orchestrator_example_that_is_no_event_of_its_own_is_refused(
    refuse: Refuse, old: str, new: str, message: str
) -> None:
    assert message in refuse("PARCER_PROFILE.orchestrator-runtime.yaml", old, new)


def test_defaults_are_what_the_specification_says(files: dict[str, bytes]) -> None:
    governance = parse_governance(files)
    agent, runtime = governance.agent, governance.runtime
    assert set(agent.allowed_actions) == set(AGENT_ACTIONS)
    assert set(agent.reserved_actions) == set(RESERVED_ACTIONS)
    boundaries = agent.boundaries.by_task_kind
    code = (".roadmap/**", "docs/**", "src/**", "tests/**")
    assert boundaries["spec"].read == (".roadmap/**", "docs/**")
    assert boundaries["spec"].write == ("docs/**",)
    assert boundaries["spec"].forbidden_write == ("src/**", "tests/**", ".roadmap/**")
    assert boundaries["impl"].read == boundaries["qa"].read == code
    assert boundaries["impl"].write == ("src/**", "tests/**")
    assert boundaries["impl"].forbidden_write == (".roadmap/**",)
    assert boundaries["qa"].write == ("docs/qa/**", "tests/**")
    assert boundaries["qa"].forbidden_write == ("src/**", ".roadmap/**")
    assert agent.boundaries.never_write == NEVER_WRITE
    assert agent.output_contract.forbidden_fields == FORBIDDEN_FIELDS
    assert agent.output_contract.result_bytes_max == 4 * 1024 * 1024
    assert agent.output_contract.file_bytes_max == 1024 * 1024
    assert (agent.output_contract.depth_max, agent.output_contract.files_max) == (64, 200)
    assert set(governance.orchestrator.invariants) == set(INVARIANTS)
    assert set(governance.orchestrator.reject_conditions) == set(REJECT_CONDITIONS)
    gate = governance.orchestrator.verification_gate
    assert (gate.spec, gate.impl, gate.qa, gate.hotfix) == (0, 1, 0, 2)
    assert not governance.orchestrator.review.self_review
    assert runtime.attempts.ttl == timedelta(minutes=30)
    assert runtime.attempts.cooldown == timedelta(minutes=2)
    assert (runtime.attempts.max, runtime.snapshots.max, runtime.dispatch.parallel_max) == (3, 20, 8)
    assert [runtime.escalation.of(severity) for severity in ("low", "medium", "high", "critical")] == [
        "log_only",
        "log_and_flag",
        "block_task",
        "halt_pipeline",
    ]
    assert governance.swarm.review == {"spec": "agent-qa", "impl": "agent-qa", "qa": "agent-spec"}


def test_assignment_follows_kind_and_hotfix(accept: Callable[[str, str, str], Governance]) -> None:
    swarm = accept(SWARM, "  agent-qa:\n", "  impl-two: {roles: [impl]}\n  agent-qa:\n").swarm
    assert swarm.assignment("impl", is_hotfix=False).template == "impl.core"
    assert swarm.assignment("impl", is_hotfix=True).template == "impl.hotfix"
    assert swarm.assignment("qa", is_hotfix=True).template == "qa.core"
    assert swarm.actors["impl-two"].adapter == "manual"


def test_several_agents_share_the_work_in_their_order(accept: Callable[[str, str, str], Governance]) -> None:
    swarm = accept(SWARM, "roles: [spec]", "roles: [spec, impl]").swarm
    assert swarm.assignment("impl", is_hotfix=False).agents == ("agent-impl",)
    shared = Assignment(agent=("agent-impl", "agent-spec"), template="impl.core")
    assert shared.agents == ("agent-impl", "agent-spec")


def test_profile_of_an_actor_is_its_own_or_its_roles(accept: Callable[[str, str, str], Governance]) -> None:
    governance = accept(SWARM, "  agent-qa:\n", "  claude: {roles: [impl]}\n  agent-qa:\n")
    own, borrowed = governance.profile_of("agent-impl"), governance.profile_of("claude")
    assert own is not None
    assert own is borrowed
    assert governance.profile_of("stranger") is None
    assert governance.profile_of("runtime-monitor") is None


def test_boundary_may_use_wildcards_and_trailing_slashes(accept: Callable[[str, str, str], Governance]) -> None:
    agent = accept(AGENT, 'write: ["docs/**"]', 'write: ["docs/", "*.md", "**/README.md", "**"]').agent
    assert agent.boundaries.by_task_kind["spec"].write == ("docs/", "*.md", "**/README.md", "**")


def test_never_write_may_be_longer(accept: Callable[[str, str, str], Governance]) -> None:
    agent = accept(AGENT, "    - .githooks/**\n", "    - .githooks/**\n    - .github/**\n").agent
    assert ".github/**" in agent.boundaries.never_write
