"""What is done for a value, looked up by its type: one step, however many types there are."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


class ByType(dict[type, T]):
    """A map from types; a type that is not in it has what its nearest base has. Raises `KeyError` where none has."""

    def __missing__(self, kind: type) -> T:
        for base in kind.__mro__[1:]:
            if base in self:
                self[kind] = self[base]
                return self[base]
        raise KeyError(kind)
