"""What an event says of a secret that was taken out of it. Apart, so that who only reads events loads no patterns."""

from __future__ import annotations

import msgspec


class Redaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Secrets that were taken out before the event was written: the kind, the field, and how many."""

    kind: str
    path: str
    count: int = 1
