"""What verifications share on the command line: checkpoints from elsewhere, keys, and the trust answer in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from esaa.errors import EsaaError, UsageError

if TYPE_CHECKING:
    from esaa.cli.face import Face
    from esaa.kernel.checkpoint import VerifierKey
    from esaa.runtime.verification.checkpoint_audit import Given, Trust

C = TypeVar("C", bound=Callable[..., Any])


def checkpoint_options(command: C) -> C:
    """`--checkpoint FILE` and `--key VKEY`."""
    for option in (
        click.option(
            "--key", "vkeys", multiple=True, metavar="VKEY", help="Believe this public key too. May be given often."
        ),
        click.option(
            "--checkpoint",
            "checkpoints",
            multiple=True,
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE",
            help="A checkpoint that was kept elsewhere: an anchor. May be given often.",
        ),
    ):
        command = option(command)
    return command


def given_checkpoint(path: Path) -> Given:
    """The checkpoint in a file that somebody names. A link is followed: the user chose it."""
    from esaa.runtime.verification.checkpoint_audit import Given
    from esaa.stores.checkpoints import read_note

    return Given(where=str(path), data=read_note(path.resolve()) or b"")


def fetched_checkpoints(face: Face, roadmap: Path | None) -> list[Given]:
    """What the anchors of a workspace give back now. One that cannot be asked is a warning: it vouches for nothing."""
    from esaa.open import open_anchoring
    from esaa.runtime.verification.checkpoint_audit import Given

    if roadmap is None:
        raise UsageError(
            "ANCHORS_NONE", "A bare log has no anchors.", "Give what was kept elsewhere with --checkpoint FILE."
        )
    anchoring = open_anchoring(roadmap.parent)
    found: list[Given] = []
    for name in anchoring.names:
        try:
            found += [Given(where=f"anchor {name}", data=note) for _, note in anchoring.fetched([name])]
        except EsaaError as error:
            face.warn(f"anchor {name}: {error}")
    if not anchoring.names:
        face.warn("no anchor is configured in .roadmap/anchors.yaml")
    return found


def parse_key(text: str) -> VerifierKey:
    """A public key from its text. Raises `UsageError`."""
    from esaa.kernel.checkpoint import CheckpointInvalid, parse_vkey

    try:
        return parse_vkey(text.strip())
    except CheckpointInvalid as error:
        raise UsageError(
            "KEY_INVALID", f"{text[:80]!r} is no public key: {error}.", "Take what `esaa key show` prints."
        ) from error


def reach(trust: Trust) -> str:
    """The trust answer in words."""
    if trust.answer == "INVALID":
        reach = f"invalid from line {trust.invalid_from_line}"
    elif trust.answer == "VALID-ANCHORED":
        by = ", ".join(trust.anchored_by)
        reach = f"anchored through #{trust.anchored_through} by {by}, and a tail of {trust.unanchored_tail} events"
    else:
        reach = f"an unanchored log of {trust.unanchored_tail} events"
    return reach if trust.signed_through is None else f"{reach}, signed through #{trust.signed_through}"
