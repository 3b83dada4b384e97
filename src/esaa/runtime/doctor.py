"""What is wrong with a workspace, in words, and the repairs that are safe. Looks at everything, changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from esaa.effects.from_facts import file_effects
from esaa.errors import ContractError, EsaaError, StoreLocked
from esaa.protocol.commands import RecordRepair
from esaa.protocol.facts import FileWritten
from esaa.protocol.lessons import enforceable
from esaa.protocol.roadmap import schema_version
from esaa.runtime.tree_watch import TreeWatch, told
from esaa.runtime.verification.checkpoint_audit import Knowledge
from esaa.runtime.verification.verify import Target, verify
from esaa.runtime.workspace import Workspace
from esaa.stores.contracts import read_governance
from esaa.stores.layout import LOG_NAME, ROADMAP
from esaa.stores.litter import litter_in, sweep, sweep_staging
from esaa.stores.lock import writer_lock
from esaa.stores.secrets import state_key
from esaa.stores.views import VIEW_NAMES


class Symptom(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be, and what to do. Notes need nothing."""

    code: str
    severity: Literal["error", "warning", "note"]
    message: str
    hint: str


def examine(root: Path, config_dir: Path, opened: Callable[[], Workspace]) -> list[Symptom]:
    """All symptoms of the workspace in `root`. Never raises for what is wrong with it.

    `config_dir` is the user's, where the key of the state snapshots lies; `opened` opens the workspace, and is only
    called when that can succeed.
    """
    symptoms = _folder(root)
    if any(one.severity == "error" for one in symptoms):
        return symptoms
    symptoms += _contracts(root)
    symptoms += _lock(root)
    symptoms += _key(config_dir)
    symptoms += _log(root, config_dir)
    symptoms += _litter(root, config_dir)
    if not any(one.severity == "error" for one in symptoms):
        symptoms += _meaning(opened())
    return symptoms


def repair(workspace: Workspace, *, accept_log: bool = False, config_dir: Path | None = None) -> list[str]:
    """Mends a torn tail, a cut batch, unpublished files and read models, and sweeps up what killed processes left,
    in the user's `config_dir` too. Repairs of the log are recorded in it.

    Raises what opening the workspace raises: damage that a crash cannot have done is never cut away. `accept_log` goes
    on from a log that lacks events which this machine has seen, and records that it did.
    """
    lying = {name: workspace.views.on_disk(name) for name in VIEW_NAMES}
    before = _differing(workspace)
    with workspace.writing(accept_shorter=accept_log) as notices:
        done = [notice for notice in notices if not notice.startswith("EV-")]
        written = [event for event in workspace.events() if isinstance(event.fact, FileWritten)]
        # What is left alone, because somebody else changed it, `examine` names.
        workspace.publisher.publish(file_effects(written))
        published = sorted(set(before) - set(_differing(workspace)))
        if published:
            detail = {"files": published}
            workspace.record_command(RecordRepair(target="files", change="published again", detail=detail))
            done.append(f"published again: {', '.join(published)}")
        workspace.project()
        views = [name for name, data in lying.items() if workspace.views.on_disk(name) != data]
        if views and not done:
            done.append(f"projected again: {', '.join(views)}")
        swept = sweep_staging(workspace.roadmap / ".esaa" / "staging", workspace.disk)
    for folder in _swept_folders(workspace.roadmap, config_dir):
        swept += sweep(folder, workspace.disk)
    if swept:
        done.append(f"swept up: {len(swept)} file(s) that interrupted commands had left")
    return done


def _swept_folders(roadmap: Path, config_dir: Path | None) -> list[Path]:
    return [roadmap, *([] if config_dir is None else [config_dir])]


def _differing(workspace: Workspace) -> list[str]:
    verdict = verify(_target(workspace.root), files=True)
    return [one.where for one in verdict.findings if one.code == "FILE_DIFFERS"]


def _target(root: Path) -> Target:
    return Target(log=root / ROADMAP / LOG_NAME, roadmap=root / ROADMAP, root=root)


def _folder(root: Path) -> list[Symptom]:
    roadmap = root / ROADMAP
    if not roadmap.is_dir():
        return [_error("WORKSPACE_NOT_FOUND", f"There is no folder {roadmap}.", "Make a workspace with `esaa init`.")]
    log = roadmap / LOG_NAME
    if log.is_symlink():
        return [_error("LOG_IS_LINK", f"{log} is a symbolic link.", "Put the file itself there.")]
    if not log.is_file():
        return [_error("LOG_NOT_FOUND", f"There is no log {log}.", "Restore it, or begin with `esaa init`.")]
    return [
        _warning("READ_ONLY", f"{path} is not writable.", "Reading works; writing does not.")
        for path in (roadmap, log)
        if not os.access(path, os.W_OK)
    ]


def _contracts(root: Path) -> list[Symptom]:
    try:
        read_governance(root / ROADMAP)
    except ContractError as error:
        return [_error(error.code, error.message, error.hint)]
    return []


def _lock(root: Path) -> list[Symptom]:
    path = root / ROADMAP / ".esaa" / "lock"
    if not path.exists() or not os.access(path, os.W_OK):
        return []
    try:
        with writer_lock(path, timeout_s=0):
            return []
    except StoreLocked as error:
        return [_warning(error.code, error.message, error.hint)]
    except EsaaError as error:
        return [_error(error.code, error.message, error.hint)]


def _key(config_dir: Path) -> list[Symptom]:
    if state_key(config_dir) is not None:
        return []
    text = f"{config_dir} holds no usable key, so states are folded from the whole log each time."
    return [_warning("NO_STATE_KEY", text, "Make the folder writable, the key yours alone (mode 0600).")]


def _litter(root: Path, config_dir: Path) -> list[Symptom]:
    left = [path for folder in _swept_folders(root / ROADMAP, config_dir) for path in litter_in(folder)]
    if not left:
        return []
    text = f"{len(left)} temporary file(s) of interrupted commands lie about, the first is {left[0]}."
    return [_note("LITTER_LEFT", text, "They are harmless; `esaa doctor --repair` sweeps them up.")]


def _log(root: Path, config_dir: Path) -> list[Symptom]:
    verdict = verify(_target(root), files=True, knowledge=Knowledge(config_dir))
    return [
        Symptom(
            code=finding.code,
            severity=finding.severity,
            message=f"{finding.where}{'' if finding.line is None else f':{finding.line}'} {finding.message}.",
            hint=finding.hint,
        )
        for finding in verdict.findings
    ]


def _meaning(workspace: Workspace) -> list[Symptom]:
    found: list[Symptom] = []
    state = workspace.state()
    if schema_version(state) != workspace.rules.agent.version:
        text = f"The log is of protocol {schema_version(state)}, the contracts are of {workspace.rules.agent.version}."
        found.append(_warning("VERSIONS_DIFFER", text, "The log's first event decides; set `version` accordingly."))
    for lesson in state.active_lessons():
        if not enforceable(lesson):
            text = f"Lesson {lesson.get('lesson_id')} is to be enforced, but its rule has no form that can be."
            found.append(_warning("LESSON_NOT_ENFORCEABLE", text, "See docs/reference/lessons.md."))
    watch = TreeWatch(workspace.root, workspace.disk)
    since = watch.since()
    strange = () if since is None else watch.unaccounted(workspace.events(since + 1))
    if strange:
        text = f"No event accounts for {len(strange)} change(s) in the project: {told(strange)}."
        hint = "An agent, or somebody else, wrote there during a run. Keep the files or remove them."
        found.append(_warning("UNACCOUNTED_WRITE", text, hint))
    staging = workspace.roadmap / ".esaa" / "staging"
    left = sorted(path.name for path in staging.iterdir()) if staging.is_dir() else []
    if left:
        text = f"{len(left)} staged file(s) of an interrupted command lie in {staging}."
        found.append(_note("STAGING_LEFT", text, "They are harmless; `esaa doctor --repair` sweeps them up."))
    return found


def _error(code: str, message: str, hint: str) -> Symptom:
    return Symptom(code=code, severity="error", message=message, hint=hint)


def _warning(code: str, message: str, hint: str) -> Symptom:
    return Symptom(code=code, severity="warning", message=message, hint=hint)


def _note(code: str, message: str, hint: str) -> Symptom:
    return Symptom(code=code, severity="note", message=message, hint=hint)
