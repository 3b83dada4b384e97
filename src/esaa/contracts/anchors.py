"""`.roadmap/anchors.yaml`: where copies of checkpoints go. Strict like every contract; nothing is opened here."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from esaa.errors import ContractError
from esaa.kernel.ingest import ANCHORS as LIMIT
from esaa.kernel.ingest import NotIngested, yaml_of

FILE_NAME = "anchors.yaml"
ANCHORS_MAX = 32

Remote = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?\Z")]
"""The name of a git remote, which git itself resolves; empty for the repository here."""
Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[!-~]{1,2000}\Z")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class _Kind(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Whose tag is the key `kind`."""


class DirectoryAnchor(_Kind, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="directory"):
    """A folder elsewhere: another disk, another machine's share. A relative path begins at the workspace."""

    path: Text


class GitTagAnchor(_Kind, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="git_tag"):
    """An annotated tag of the commit that is checked out, pushed to a remote where one is named."""

    remote: Remote = ""


class GitNoteAnchor(_Kind, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="git_note"):
    """A note (`refs/notes/esaa`) on the commit that is checked out, pushed to a remote where one is named."""

    remote: Remote = ""


class Rfc3161Anchor(_Kind, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="rfc3161"):
    """A time stamping authority. `ca_file` holds the certificates that its tokens are checked against."""

    url: Url
    ca_file: Text


class WitnessAnchor(_Kind, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="witness"):
    """A C2SP witness: its submission prefix, and the public key of its cosignatures."""

    url: Url
    key: Text


AnchorSettings = DirectoryAnchor | GitTagAnchor | GitNoteAnchor | Rfc3161Anchor | WitnessAnchor


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    anchors: dict[str, AnchorSettings] = {}


def parse_anchors(data: bytes, where: str) -> dict[str, AnchorSettings]:
    """The anchors by name, in the order of the file. Raises `ContractError` naming what is wrong."""
    try:
        value = yaml_of(data, LIMIT)
        found = msgspec.convert(value, _File).anchors
    except (NotIngested, msgspec.ValidationError) as error:
        raise _wrong(where, str(error)) from error
    if len(found) > ANCHORS_MAX:
        raise _wrong(where, f"there are more than {ANCHORS_MAX} anchors")
    for name in found:
        if _NAME.fullmatch(name) is None:
            raise _wrong(where, f"{name[:80]!r} is no name; it has lower-case letters, digits and hyphens")
    return found


def _wrong(where: str, reason: str) -> ContractError:
    return ContractError(
        "ANCHORS_INVALID", f"{where}: {reason}.", "docs/how-to/anchor-a-log.md shows every kind of anchor."
    )
