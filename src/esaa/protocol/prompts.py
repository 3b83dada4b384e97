"""What is said to a model: profile, template and context rendered into a system and a user message."""

from __future__ import annotations

import msgspec


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """What is said to a model.

    `template` is the template's name, such as `impl.core`; `template_version` is its number, or the digest of a
    project's own. `sha256` is the digest of the canonical JSON of `{system, user}`.
    """

    template: str
    template_version: str
    system: str
    user: str
    sha256: str
