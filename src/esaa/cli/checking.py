"""verify, project, doctor: does everything agree with the log?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from esaa.cli.acts import dry_run_option
from esaa.cli.agent_trials import doctor_agents
from esaa.cli.anchored import checkpoint_options, fetched_checkpoints, given_checkpoint, parse_key, reach
from esaa.cli.face import Face, exit_with, face_options, pass_face
from esaa.stores.views import VIEW_NAMES

if TYPE_CHECKING:
    from esaa.runtime.verification.verify import Verdict

_EXIT = {"ok": 0, "mismatch": 3, "corrupted": 4}


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings count, and every historical verify.ok is recomputed.")
@click.option("--all", "hash_all", is_flag=True, help="Recompute every historical verify.ok.")
@click.option("--files", is_flag=True, help="Also compare the published files with their last recorded digest.")
@checkpoint_options
@click.option("--anchors", is_flag=True, help="Also take the checkpoints that the anchors of this workspace give back.")
@click.option("--explain", is_flag=True, help="Say of each finding which rule it breaks and what to do.")
@click.option("--at", "moment", metavar="REF", help="How well this moment is proved, and its hashes. Alone.")
@face_options
@pass_face
def verify(
    face: Face,
    path: Path | None,
    strict: bool,
    hash_all: bool,
    files: bool,
    checkpoints: tuple[Path, ...],
    vkeys: tuple[str, ...],
    anchors: bool,
    explain: bool,
    moment: str | None,
) -> None:
    """Prove that log, projection and read models agree. PATH is a workspace, a .roadmap, or a bare activity.jsonl.

    Says how far the log is anchored by checkpoints kept elsewhere, and how far it is signed. Ends with 0 (ok),
    3 (mismatch) or 4 (corrupted). It only reads; this machine remembers the head, so that a log cannot go back.

    Example: esaa verify --strict --files
    """
    if moment is not None:
        from esaa.cli.earlier import proof_then

        proof_then(face, moment)
        return
    from esaa.cli.progress import byte_progress
    from esaa.config import load_config
    from esaa.runtime.verification.checkpoint_audit import Knowledge
    from esaa.runtime.verification.verify import find_target
    from esaa.runtime.verification.verify import verify as verify_log

    target = find_target(face.find_root() if path is None else path)
    fetched = fetched_checkpoints(face, target.roadmap) if anchors else []
    with byte_progress(face, "verifying", target.log) as progress:
        verdict = verify_log(
            target,
            strict=strict,
            hash_all=hash_all,
            files=files,
            progress=progress,
            knowledge=Knowledge(Path(load_config().config_dir)),
            keys=[parse_key(one) for one in vkeys],
            given=[*map(given_checkpoint, checkpoints), *fetched],
        )
    face.data(msgspec.to_builtins(verdict), *_lines(verdict, explain))
    exit_with(_EXIT[verdict.verify_status])


def _lines(verdict: Verdict, explain: bool) -> list[str]:
    lines: list[str] = []
    for finding in verdict.findings:
        where = f"{finding.where}:{finding.line}" if finding.line is not None else finding.where
        lines.append(f"{finding.severity} {where} {finding.code}: {finding.message}")
        if explain:
            lines.append(f"  {finding.effect}; {finding.hint}")
    judged = "" if verdict.boundaries_judged else ", boundaries not judged (no contract)"
    checked = "" if verdict.files_checked is None else f", {verdict.files_checked} files"
    skipped = f", {verdict.files_not_judged} writes without digest not judged" if verdict.files_not_judged else ""
    lines.append(
        f"{verdict.events} events, {verdict.hashes_recomputed} of {verdict.hashes} verify.ok recomputed"
        f"{checked}{skipped}{judged}; {reach(verdict.trust)}"
    )
    lines.append(f"projection_hash_sha256={verdict.projection_hash_sha256}")
    lines.append(f"verify_status={verdict.verify_status}")
    return lines


@click.command()
@dry_run_option
@face_options
@pass_face
def project(face: Face, dry_run: bool) -> None:
    """Write the read models again from the log.

    Example: esaa project
    """
    workspace = face.workspace()
    lying = {name: workspace.views.on_disk(name) for name in VIEW_NAMES}
    if not dry_run:
        # Opening for writing may mend read models already; they were written by this command all the same.
        with workspace.writing() as notices:
            workspace.project()
        for notice in notices:
            face.say(notice)
    changed = [name for name, data in workspace.read_models().items() if lying[name] != data]
    seq = workspace.state().seq
    what = f"{', '.join(changed)} {'would be' if dry_run else 'were'} written" if changed else "all were right already"
    face.data({"changed": changed, "last_event_seq": seq, "dry_run": dry_run}, f"read models at event #{seq}: {what}")


@click.group(invoke_without_command=True)
@click.option(
    "--repair", is_flag=True, help="Mend what is safe: a torn tail, unpublished files, old read models, litter."
)
@click.option(
    "--accept-log",
    is_flag=True,
    help="Go on from a log that lacks events this machine has seen (restored on purpose), and record it.",
)
@face_options
@pass_face
@click.pass_context
def doctor(ctx: click.Context, face: Face, repair: bool, accept_log: bool) -> None:
    """Look for everything that can be wrong with a workspace, explain it, and mend what is safe.

    Repairs of the log are recorded in it. Ends with 0 when all is well, 1 when something is left to do.
    `esaa doctor agents` tries the sandbox of each agent instead.

    Example: esaa doctor --repair
    """
    if ctx.invoked_subcommand is not None:
        return
    from esaa.config import load_config
    from esaa.open import open_workspace
    from esaa.runtime.doctor import examine
    from esaa.runtime.doctor import repair as mend

    root = face.find_root()
    config = load_config()
    config_dir = Path(config.config_dir)
    mends = repair or accept_log
    mended = mend(open_workspace(root, config), accept_log=accept_log, config_dir=config_dir) if mends else []
    symptoms = examine(root, config_dir, lambda: open_workspace(root, config))
    answer = {"repaired": mended, "symptoms": [msgspec.to_builtins(one) for one in symptoms]}
    lines = [f"repaired: {text}" for text in mended]
    lines += [f"{one.severity} {one.code}: {one.message} {one.hint}".rstrip() for one in symptoms]
    if not any(one.severity == "error" for one in symptoms):
        lines.append("the workspace is well")
    face.data(answer, *lines)
    exit_with(1 if any(one.severity == "error" for one in symptoms) else 0)


doctor.add_command(doctor_agents)
