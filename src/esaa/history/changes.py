"""What differs between two JSON values, as changes at JSON pointers, and the way from one to the other."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One place at which two documents differ.

    `add` has an `after` alone, `remove` a `before` alone, `replace` both; the other one is null.
    """

    op: Literal["add", "remove", "replace"]
    pointer: str
    before: Any = None
    after: Any = None
