"""The composition root: from a folder and the settings to a workspace with its stores, rules and agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from msgspec import structs

from esaa.config import Config, load_config, load_trail_settings
from esaa.contracts.governance import Governance
from esaa.errors import CorruptLog, EsaaError, NotFound, StoreError
from esaa.protocol.evolve import PROJECTION_VERSION
from esaa.protocol.facts import Fact
from esaa.protocol.wire import WRITABLE, ProtocolVocabulary
from esaa.runtime.clock import Clock, SystemClock
from esaa.runtime.folded_log import FoldedLog
from esaa.runtime.workspace import Subscriber, Workspace
from esaa.stores.contract_cache import ContractCache
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore
from esaa.stores.layout import LOG_NAME, ORIGIN_NAME, ROADMAP
from esaa.stores.locate import events_from
from esaa.stores.secrets import state_key
from esaa.stores.snapshots import SnapshotStore

if TYPE_CHECKING:
    from esaa.agents.sandbox.enclosure import Enclosure
    from esaa.history.divergence import Likeness
    from esaa.query.history.feed import Indexed
    from esaa.runtime.history.machine import TimeMachine
    from esaa.runtime.history.views import DivergenceView, Overview
    from esaa.runtime.operations.run_gate import RunGate
    from esaa.runtime.trail.feed import TrailFeed
    from esaa.runtime.trail.trail import NewId, Trail
    from esaa.runtime.trust.anchoring import Anchoring
    from esaa.runtime.trust.log_checkpoints import LogCheckpoints
    from esaa.runtime.trust.proving import ProvableLog
    from esaa.runtime.trust.trail_checkpoints import TrailCheckpoints


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that has `.roadmap/`. Raises `NotFound`."""
    for folder in (start, *start.parents):
        if (folder / ROADMAP).is_dir():
            return folder
    raise NotFound(
        "WORKSPACE_NOT_FOUND",
        f"There is no {ROADMAP}/ in {start} or above it.",
        "Make a workspace with `esaa init`, or name one with --root.",
    )


def find_log(root: Path) -> Path:
    """The log of the workspace in `root`; who only reads events needs no more. Raises `NotFound`."""
    path = root / ROADMAP / LOG_NAME
    if not path.exists():
        raise NotFound("LOG_NOT_FOUND", f"There is no log {path}.", "Make a workspace with `esaa init`.")
    if not path.is_file():  # a pipe would be waited for, and a device never ends
        raise StoreError("LOG_UNREADABLE", f"{path} is no plain file.", "Put the log itself there.")
    return path


def open_workspace(
    root: Path,
    config: Config | None = None,
    *,
    clock: Clock | None = None,
    disk: Disk | None = None,
) -> Workspace:
    """The workspace in `root`. Raises `NotFound`, `ContractError`; the log is read on first use."""
    find_log(root)
    settings, medium = config or load_config(), disk or Disk()
    contracts = ContractCache(
        root / ROADMAP / ".esaa" / "contracts.cache", state_key(Path(settings.config_dir), medium), medium
    )
    rules = contracts.read(root / ROADMAP)
    workspace = compose(root, rules, settings, clock or SystemClock(), medium, contracts)
    if (root / ROADMAP / ".esaa" / "trail-feed.json").exists():
        workspace.subscribers.append(_follower(workspace, settings))
    return workspace


def compose(
    root: Path,
    rules: Governance,
    config: Config,
    clock: Clock,
    disk: Disk,
    contracts: ContractCache | None = None,
) -> Workspace:
    """A workspace from its parts; only the log's first line is read.

    `contracts` is kept when the workspace is first written to.
    """
    vocabulary = ProtocolVocabulary(_protocol_of(root / ROADMAP / LOG_NAME) or rules.agent.version)
    limit = rules.storage.event_store.line_bytes_max
    store: JsonlStore[Fact] = JsonlStore(root / ROADMAP / LOG_NAME, vocabulary, disk, line_bytes_max=limit)
    secret = state_key(Path(config.config_dir), disk)
    snapshots = SnapshotStore(root / ROADMAP / ".esaa" / "state.snapshot", disk, secret, "protocol", PROJECTION_VERSION)
    log = FoldedLog(store, snapshots, rules.storage.state_snapshots.every_events)
    workspace = Workspace(
        root, rules, log, disk, clock, lock_timeout_s=config.lock_timeout_s, contracts=contracts, secret=secret
    )
    workspace.enclosure_of = lambda name: open_enclosure(workspace, config, name)
    if (root / ROADMAP / ORIGIN_NAME).exists():
        workspace.open_checkpoints = lambda: open_checkpoints(workspace, config)
    return workspace


def open_enclosure(workspace: Workspace, config: Config, name: str) -> Enclosure:
    """What confines the programs of an actor, or of the checks (`checks`), as RUNTIME_POLICY says.

    Raises `AgentUnavailable` where the policy demands more than the machine has.
    """
    # Loaded here: most commands start no program.
    from esaa.agents.sandbox.choose import choose
    from esaa.agents.sandbox.enclosure import Enclosure
    from esaa.contracts.sandbox import SandboxPolicy
    from esaa.stores.trail_layout import base_folder

    trail_settings = load_trail_settings(workspace.root, config)
    policy = workspace.rules.runtime.sandbox or SandboxPolicy()
    actor = workspace.rules.swarm.actors.get(name)
    if actor is not None and actor.sandbox is not None:
        policy = structs.replace(policy, level=actor.sandbox)
    return Enclosure(
        sandbox=choose(policy),
        root=workspace.root,
        hidden=(Path(config.config_dir), base_folder(workspace.root, trail_settings.storage.base_path)),
        readable=tuple(map(Path, policy.readable)),
        is_networked=name in policy.network,
        limits=policy.limits,
        variables=() if actor is None else actor.env,
    )


def open_checkpoints(workspace: Workspace, config: Config) -> LogCheckpoints:
    """What names and signs the log of a workspace, with the keys of this user."""
    from esaa.runtime.trust.log_checkpoints import LogCheckpoints

    return LogCheckpoints(
        workspace.roadmap,
        workspace.log.store,
        Path(config.config_dir),
        workspace.disk,
        every_events=workspace.rules.runtime.checkpoints.every_events,
    )


def open_trail(
    root: Path,
    config: Config | None = None,
    *,
    clock: Clock | None = None,
    disk: Disk | None = None,
    new_id: NewId | None = None,
) -> Trail:
    """The trail of the folder `root`, with the settings of `.roadmap/event-sourcing.yaml`. Nothing is written yet.

    Raises `ConfigError` for a wrong setting, and for an event type of the project's own that is no valid schema.
    """
    # Loaded here: who claims a task pays for no trail.
    from esaa.runtime.trail.trail import Trail, random_id
    from esaa.stores.subject_keys import SubjectKeys
    from esaa.stores.trail import TrailStore
    from esaa.stores.trail_layout import base_folder
    from esaa.stores.trail_types import load_types
    from esaa.trail.erasable import ErasableFields

    settings = config or load_config()
    trail_settings = load_trail_settings(root, settings)
    base = base_folder(root, trail_settings.storage.base_path)
    types, medium = load_types(base), disk or Disk()
    ErasableFields(trail_settings.privacy.erasable, types)
    trail = Trail(
        root=root,
        settings=trail_settings,
        types=types,
        store=TrailStore(
            base,
            trail_settings.storage,
            medium,
            lock_timeout_s=settings.lock_timeout_s,
            lines_cached_max=trail_settings.performance.cache_recent_events,
        ),
        clock=clock or SystemClock(),
        new_id=new_id or random_id,
        secret=state_key(Path(settings.config_dir), disk),
        subject_keys=SubjectKeys(base, Path(settings.config_dir), medium),
    )
    if not (root / ROADMAP / ORIGIN_NAME).exists():
        return trail
    return structs.replace(trail, open_checkpoints=lambda: _trail_checkpoints(trail, settings))


def _trail_checkpoints(trail: Trail, config: Config) -> TrailCheckpoints:
    from esaa.runtime.trust.trail_checkpoints import TrailCheckpoints
    from esaa.stores.origin import read_origin

    origin = read_origin(trail.root / ROADMAP)
    assert origin is not None, "asked only where there is one"
    return TrailCheckpoints(trail.root, trail.store, origin, Path(config.config_dir), trail.secret)


def open_provable(root: Path, stream: str | None = None) -> ProvableLog:
    """The log in `root`, or a stream of its trail, as proofs are made of it. Raises `NotFound`."""
    from esaa.runtime.trust.proving import ProvableLog, leaves_of_log, leaves_of_source
    from esaa.stores.anchor_receipts import ReceiptStore
    from esaa.stores.checkpoints import CHECKPOINTS, CheckpointStore

    cosigned = ReceiptStore(root / ROADMAP, Disk()).notes
    if stream is None:
        notes = CheckpointStore(root / ROADMAP / CHECKPOINTS, Disk())
        return ProvableLog(leaves_of_log(find_log(root)), notes, cosigned)
    from esaa.runtime.trust.trail_checkpoints import StreamSource, stream_checkpoints

    store = open_trail(root).store
    source = StreamSource(store.stream(stream), store.base)
    return ProvableLog(leaves_of_source(source), stream_checkpoints(store, stream), cosigned)


def open_anchoring(root: Path, stream: str | None = None, *, clock: Clock | None = None) -> Anchoring:
    """The anchors of `.roadmap/anchors.yaml` for the log in `root`, or a stream of its trail.

    Raises `NotFound` for a log without a name, `ContractError` for a file that is wrong.
    """
    from functools import partial

    from esaa.runtime.trust.anchoring import Anchoring
    from esaa.runtime.trust.anchors.resolve import make_anchor, read_anchors
    from esaa.stores.anchor_receipts import ReceiptStore
    from esaa.stores.origin import read_origin, trail_origin

    project = read_origin(root / ROADMAP)
    if project is None:
        raise NotFound(
            "ORIGIN_NOT_FOUND", f"The log in {root} has no name to be signed under.", "Run `esaa key create`."
        )
    origin = project if stream is None else trail_origin(project, stream)
    log, receipts = open_provable(root, stream), ReceiptStore(root / ROADMAP, Disk())
    anchors = {
        name: (
            str(one.__struct_config__.tag),
            partial(make_anchor, name, one, root, origin, receipts, log.hashes_since, Disk()),
        )
        for name, one in read_anchors(root / ROADMAP).items()
    }
    return Anchoring(log, origin, anchors, receipts, clock or SystemClock())


def open_machine(
    root: Path,
    past: str = "log",
    told: Callable[[int, int], None] | None = None,
    *,
    say: Callable[[str], None] | None = None,
    config: Config | None = None,
    clock: Clock | None = None,
) -> TimeMachine:
    """The time machine of the governed log in `root`, or of a stream of its trail.

    `told` is told how far the index is, where a long log is indexed first: events done, and all. `say` is told why an
    index is made anew, or cannot be kept. Raises `NotFound`, and `UsageError` for a text that names no past.
    """
    from esaa.query.history.opening import open_log_past
    from esaa.runtime.history.machine import TimeMachine
    from esaa.runtime.history.opening import LOG, log_sources, stream_machine

    settings = config or load_config()
    if past != LOG:
        return stream_machine(open_trail(root, settings, clock=clock), past, Path(settings.config_dir))
    log = find_log(root)

    def progress(found: Indexed) -> None:
        if told is not None and found.bytes_done:
            told(found.events, found.events * found.bytes_total // found.bytes_done)

    opened = open_log_past(root, now=(clock or SystemClock()).now, progress=progress, say=say)
    sources = log_sources(root, log, lambda: open_trail(root, settings, clock=clock), Path(settings.config_dir))
    return TimeMachine(opened, sources)


def open_overview(root: Path) -> Overview:
    """Everything in `root` that has a past: the governed log, the streams of the trail, and the runs."""
    from esaa.runtime.history.overview import Summaries, overview

    machines = [open_machine(root)] if (root / ROADMAP / LOG_NAME).is_file() else []
    try:
        return overview(machines, open_trail(root), Summaries())
    finally:
        for machine in machines:
            machine.close()


def open_divergence(machine: TimeMachine, against: Path, *, by_meaning: bool = False) -> DivergenceView:
    """Where something else parts from the past of a machine: a workspace, a log, or a read model.

    Raises `NotFound`, and `UsageError` for what is none of them.
    """
    if against.suffix == ".json":
        return machine.model_divergence(against.read_bytes(), where=str(against))
    likeness: Likeness = "meaning" if by_meaning else "lines"
    if machine.past.kind == "trail":
        from esaa.runtime.history.stream_past import StreamPast

        other = StreamPast(open_trail(against), machine.past.name)
        return machine.divergence(other, likeness=likeness, where=str(against))
    from esaa.query.history.opening import open_log_past

    log = find_log(against) if against.is_dir() else against
    with TemporaryDirectory(prefix="esaa-against-") as folder:
        if log.resolve().parent.name != ROADMAP:
            # Beside a log that lies alone nothing is left behind.
            link = Path(folder) / LOG_NAME
            link.symlink_to(log.resolve())
            log = link
        past = open_log_past(log)
        try:
            found, damage = machine.divergence(past, likeness=likeness, where=str(against)), past.damage
        finally:
            past.close()
    if damage is not None and (found.first is None or found.first.theirs is None):
        # Named as it was asked for, not by the link that stands for it.
        raise CorruptLog(damage.code, damage.message.replace(str(log), str(against)), damage.hint, damage.line)
    return found


def open_feed(
    root: Path,
    config: Config | None = None,
    *,
    rules: Governance | None = None,
    clock: Clock | None = None,
    disk: Disk | None = None,
) -> TrailFeed:
    """The feed that tells the trail in `root` of the log there. Nothing is written yet; raises as `open_trail`."""
    from esaa.contracts.swarm import MONITOR
    from esaa.runtime.trail.feed import TrailFeed
    from esaa.runtime.trail.recorder import TrailRecorder

    trail = open_trail(root, config, clock=clock, disk=disk)
    rules = rules or open_workspace(root, config).rules
    agents = [name for name in rules.swarm.actors if name != MONITOR]
    return TrailFeed(TrailRecorder(trail, is_async=False), root / ROADMAP / LOG_NAME, agents)


def open_gate(workspace: Workspace, config: Config | None = None) -> RunGate:
    """The gate of a workspace's run: its budgets, approvals, and a person's wishes. Raises as `open_trail`."""
    from esaa.runtime.operations.run_gate import RunGate

    return RunGate(workspace, open_trail(workspace.root, config, clock=workspace.clock, disk=workspace.disk))


def _follower(workspace: Workspace, config: Config) -> Subscriber:
    """The feed of a workspace that has one, opened when there is something to tell."""
    feed: TrailFeed | None = None

    def follow() -> Sequence[str]:
        nonlocal feed
        try:
            feed = feed or open_feed(
                workspace.root, config, rules=workspace.rules, clock=workspace.clock, disk=workspace.disk
            )
        except EsaaError as error:
            return (f"the trail was not told of it: {error}",)
        return feed.finish()

    return follow


def _protocol_of(log: Path) -> str | None:
    """The version of the log's first event, which decides for the rest of its life; None for a new or legacy log."""
    first = next(events_from(log, 1, ProtocolVocabulary()), None)
    version = None if first is None else first[1].schema_version
    return version if version in WRITABLE else None
