"""The commands in AGENT_CONTRACT.yaml that a verification check may name, to be run on what is delivered."""

from __future__ import annotations

import re
from datetime import timedelta

from esaa.contracts.values import ContractFinding, ContractValue

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ARGUMENT_CHARS_MAX = 4096


class ExecutableChecks(ContractValue, frozen=True, kw_only=True):
    """An allow-list: nothing else is ever run for a check.

    - `commands`: argument lists by name. A check `run:NAME` has its command run on a copy of the project with the
      delivered files in it, in the sandbox of RUNTIME_POLICY.yaml; it must end with exit code 0.
    - `timeout`: what one command has.
    - `output_bytes_max`: what one command may print.
    - `linked`: folders of the project that are not copied but seen read-only, such as installed dependencies.
    """

    commands: dict[str, tuple[str, ...]] = {}
    timeout: timedelta = timedelta(minutes=10)
    output_bytes_max: int = 16_000_000
    linked: tuple[str, ...] = (".venv", "node_modules")

    def check(self) -> None:
        """Raise `ContractFinding` where a value could not be enforced as written."""
        for name, arguments in self.commands.items():
            where = f"executable_checks.commands.{name}"
            if not _NAME.fullmatch(name):
                raise ContractFinding(
                    f"executable_checks.commands: {name!r} is not a name (lower-case letters, digits, hyphens)"
                )
            if not arguments or not arguments[0].strip():
                raise ContractFinding(f"{where} names no program")
            if any("\0" in one or len(one) > _ARGUMENT_CHARS_MAX for one in arguments):
                raise ContractFinding(f"{where} has an argument that no program can be given")
        if self.timeout.total_seconds() < 1:
            raise ContractFinding("executable_checks.timeout must be at least PT1S")
        if self.output_bytes_max < 1:
            raise ContractFinding("executable_checks.output_bytes_max must be at least 1")
        for folder in self.linked:
            if folder in (".roadmap", ".git") or folder.strip("/") != folder or not folder or ".." in folder.split("/"):
                raise ContractFinding(f"executable_checks.linked: {folder!r} is not a folder of the project's own")
