"""The demo projects that ship with the package: their plan, their contracts, their recorded answers."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

from esaa.errors import NotFound
from esaa.kernel.strict_yaml import loads_yaml


class PlannedTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task of a plan."""

    task_id: str
    task_kind: str
    title: str
    description: str
    depends_on: tuple[str, ...]
    targets: tuple[str, ...]
    outputs: dict[str, tuple[str, ...]]


class Demo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A demo project: what it is, and its tasks in the order of their creation."""

    name: str
    summary: str
    tasks: tuple[PlannedTask, ...]


def demo_names() -> list[str]:
    """The demos that exist."""
    return sorted(entry.name for entry in _package().iterdir() if (entry / "project.yaml").is_file())


def read_demo(name: str) -> Demo:
    """A demo by its name. Raises `NotFound`."""
    if name not in demo_names():
        raise NotFound("DEMO_NOT_FOUND", f"There is no demo {name!r}.", f"There are: {', '.join(demo_names())}.")
    value: Any = loads_yaml((_package() / name / "project.yaml").read_text("utf-8"))
    return msgspec.convert(value, Demo)


def demo_files(name: str, protocol: str) -> dict[str, bytes]:
    """What the demo puts into `.roadmap` besides the log: its own contracts (of the protocol), and its cassettes."""
    files: dict[str, bytes] = {}
    for entry in (_package() / name / "contracts").iterdir():
        files[entry.name] = entry.read_bytes().replace(b"\nversion: 0.4.0\n", f"\nversion: {protocol}\n".encode())
    for entry in (_package() / name / "cassettes").iterdir():
        files[f"cassettes/{entry.name}"] = entry.read_bytes()
    return files


def _package() -> Traversable:
    return resources.files("esaa.demos")
