"""Which program a command line is, where it lies and in which version; and whether that version was ever tested."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from esaa.agents.clis.dialect import Dialect
from esaa.agents.process import Program, run_program
from esaa.errors import AgentError, AgentUnavailable

_TIMEOUT_S = 60.0
_OUTPUT_BYTES_MAX = 64 * 1024
_VERSION = re.compile(r"\d{1,6}(?:\.\d{1,6}){1,3}")


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A program of this machine: its path, its version as it says it, and a remark where that was never tested."""

    path: Path
    version: str
    remark: str | None = None

    @property
    def folders(self) -> tuple[Path, ...]:
        """What it needs of the disk beside the system: the folder of its package, and that of node."""
        real = self.path.resolve()
        top = next((one.parent for one in real.parents if one.name == "node_modules"), None)
        node = shutil.which("node")
        found = [(top / "node_modules") if top else real.parent, self.path.parent]
        if node is not None:
            found.append(Path(node).resolve().parent.parent)
        return tuple(dict.fromkeys(one for one in found if one not in (Path("/usr"), Path("/"))))


_known: dict[tuple[str, int], Installed] = {}
"""What was found out, by the program's path and the time of its last change: asking costs seconds."""


async def find_installed(dialect: Dialect, directory: Path, environment: Mapping[str, str]) -> Installed:
    """The program of a dialect on the PATH of `environment`.

    Raises `AgentUnavailable` where it is missing, does not say its version, or is older than the oldest tested one.
    """
    found = shutil.which(dialect.program, path=environment.get("PATH", os.defpath))
    if found is None:
        raise AgentUnavailable(
            "AGENT_NOT_INSTALLED",
            f"The agent {dialect.name} needs the program `{dialect.program}`, which is not on the PATH.",
            f"Install it: npm install -g {dialect.package}. {dialect.log_in}",
        )
    key = (found, os.stat(found).st_mtime_ns)
    known = _known.get(key)
    if known is not None:
        return known
    installed = judged(dialect, Path(found), await _asked(dialect, found, directory, environment))
    _known[key] = installed
    return installed


def judged(dialect: Dialect, path: Path, version: str) -> Installed:
    """The program in this version. Raises `AgentUnavailable` where it is too old."""
    if _parts(version) < _parts(dialect.oldest):
        raise AgentUnavailable(
            "AGENT_TOO_OLD",
            f"{path} is {dialect.name} {version}; the oldest that can be asked is {dialect.oldest}.",
            f"Update it: npm install -g {dialect.package}@latest.",
        )
    remark = None
    if version not in dialect.versions:
        tested = ", ".join(dialect.versions)
        remark = f"{dialect.name} {version} was never tested with esaa (tested: {tested})."
    return Installed(path=path, version=version, remark=remark)


async def _asked(dialect: Dialect, path: str, directory: Path, environment: Mapping[str, str]) -> str:
    try:
        finished = await run_program(
            Program(arguments=[path, "--version"], directory=directory, environment=environment),
            b"",
            timeout_s=_TIMEOUT_S,
            output_bytes_max=_OUTPUT_BYTES_MAX,
        )
    except AgentError as error:
        raise AgentUnavailable("AGENT_NOT_INSTALLED", error.message, f"Install {dialect.package} anew.") from error
    found = _VERSION.search(finished.output.decode("utf-8", "replace"))
    if found is None or finished.ending != "exited" or finished.code != 0:
        raise AgentUnavailable(
            "AGENT_VERSION_UNKNOWN",
            f"`{path} --version` does not say a version: {finished.last_words or 'it said nothing'}",
            f"Install {dialect.package} anew.",
        )
    return found[0]


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
