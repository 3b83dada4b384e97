"""Old versions of event types, lifted to today's: pure one-step functions over metadata, chained when read.

The log is never rewritten. A step takes the metadata of one version and gives that of the next; it holds no rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Step = Callable[[dict[str, Any]], dict[str, Any]]
Steps = Mapping[tuple[str, str], tuple[str, Step]]

UPCASTERS: Steps = {}
"""(event type, version) -> (next version, step). Empty as long as every type is at its first version."""


class NoUpcaster(ValueError):
    """An event carries a version that this esaa knows no way from."""


def upcast(
    event_type: str,
    version: str,
    current: str,
    metadata: dict[str, Any],
    steps: Steps = UPCASTERS,
) -> dict[str, Any]:
    """The metadata as the current version has it. A newer minor or patch version is read as it stands.

    Raises `NoUpcaster` where no chain of steps leads to the current version, where the major version is newer, and
    where the metadata is not what a step can lift.
    """
    value = metadata
    at = version
    while at != current:
        step = steps.get((event_type, at))
        if step is None:
            if is_readable(at, current):
                return value
            raise NoUpcaster(f"{event_type} {version} cannot be read as {current}")
        at, lift = step
        try:
            value = lift(value)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # A lenient store may hold metadata that never fitted its version.
            raise NoUpcaster(f"{event_type} {version} does not have the fields of that version") from error
    return value


def is_readable(version: str, current: str) -> bool:
    """True where a tolerant reader of `current` understands `version`: the same major number."""
    return semver(version)[0] == semver(current)[0]


def semver(version: str) -> tuple[int, int, int]:
    """The three numbers of a semantic version. Raises `NoUpcaster` for a text that is none."""
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise NoUpcaster(f"{version!r} is no semantic version")
    major, minor, patch = map(int, parts)
    return major, minor, patch
