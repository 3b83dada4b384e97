"""The sandbox of one actor, or of the checks, in one workspace: what adapters ask for a program that they may start."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from esaa.agents.process import Program
from esaa.agents.sandbox.base import Confinement, Sandbox, make_private
from esaa.agents.sandbox.control_groups import ControlGroups
from esaa.contracts.sandbox import ProcessLimits, SandboxLevel


class Enclosure(msgspec.Struct, frozen=True, kw_only=True):
    """How programs are confined for one actor.

    - `root`: the workspace. `hidden`: what is never seen, whatever an adapter asks for: the keys of this user.
    - `readable`, `is_networked`, `limits`: as RUNTIME_POLICY says.
    - `variables`: names of variables of this process that are handed on, for the key of a vendor.
    """

    sandbox: Sandbox
    root: Path
    hidden: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    is_networked: bool = False
    limits: ProcessLimits = ProcessLimits()
    variables: tuple[str, ...] = ()

    @property
    def level(self) -> SandboxLevel:
        """The level in force, as it stands in events."""
        return self.sandbox.level

    @contextmanager
    def opened(self) -> Generator[Cell, None, None]:
        """A cell for one call: its private folder and, where the machine gives one, its control group.

        In the end every process that is still in the group is killed, and the folder is taken away.
        """
        folder = Path(tempfile.mkdtemp(prefix="esaa-"))
        groups = ControlGroups.make(self.limits)
        try:
            yield Cell(self, make_private(folder / "private"), groups)
        finally:
            groups.end()
            remove_tree(folder)


class Cell:
    """One call's place: `private` is writable for the program, and is gone afterwards."""

    def __init__(self, enclosure: Enclosure, private: Path, groups: ControlGroups) -> None:
        self._enclosure = enclosure
        self._groups = groups
        self.private = private

    @property
    def level(self) -> SandboxLevel:
        """The level in force."""
        return self._enclosure.level

    def program(
        self,
        arguments: Sequence[str],
        *,
        directory: Path | None = None,
        sees_project: bool = True,
        readable: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        is_merged: bool = False,
    ) -> Program:
        """The confined program, ready for `run_program`.

        It runs in `directory` (default: the workspace, which it sees read-only where `sees_project`). `environment` are
        further variables. With `is_merged` its standard error goes where its standard output goes.
        """
        enclosure = self._enclosure
        handed_on = {name: os.environ[name] for name in enclosure.variables if name in os.environ}
        confinement = Confinement(
            directory=directory or enclosure.root,
            private=self.private,
            project=enclosure.root if sees_project else None,
            readable=(*enclosure.readable, *readable),
            writable=tuple(writable),
            hidden=enclosure.hidden,
            is_networked=enclosure.is_networked,
            environment={**handed_on, **(environment or {})},
            control_groups=self._groups.entrances,
            limits=enclosure.limits,
            is_merged=is_merged,
        )
        launch = enclosure.sandbox.launch(arguments, confinement)
        return Program(arguments=launch.arguments, directory=launch.directory, environment=launch.environment)


def remove_tree(folder: Path) -> None:
    """Takes a folder away with all that is in it, whatever rights a program gave to it."""

    def with_rights(*failure: Any) -> None:
        path: str = failure[1]
        parent = os.path.dirname(path)
        for one in (parent, path):
            if not os.path.islink(one) and os.path.isdir(one):
                os.chmod(one, stat.S_IRWXU)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(path):
            os.unlink(path)

    shutil.rmtree(folder, onerror=with_rights)
