"""Prompt templates: the frame of what is said to a model. Shipped as data; a file in `.roadmap` replaces a shipped one.

    version: 1
    === system
    {{persona}}
    === user
    {{ask}}
    {{context}}

Each part is text with the names of sections in double braces, each on a line of its own. A section that has nothing to
say leaves its line out.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal, get_args

from esaa.contracts.values import ContractFinding, ContractValue

TemplateName = Literal["spec.core", "impl.core", "qa.core", "impl.hotfix"]
TEMPLATE_NAMES: tuple[TemplateName, ...] = get_args(TemplateName)

SYSTEM_SECTIONS = ("persona", "audience", "rules", "injected", "execution", "response", "hotfix")
"""The sections that follow from the profile alone; they are the same for every task of an actor."""
USER_SECTIONS = ("ask", "last_rejection", "hotfix", "left_out", "context")
"""The sections that follow from the task."""

_NAME = re.compile(r"\{\{([^{}]*)\}\}")
_PARTS = re.compile(r"version: (?P<version>[^\n]{1,64})\n=== system\n(?P<system>.*)\n=== user\n(?P<user>.*)", re.DOTALL)


class PromptTemplate(ContractValue, frozen=True, kw_only=True):
    """A template. `version` is the shipped one's number, or the digest of a project's own file."""

    name: TemplateName
    version: str
    system: str
    user: str

    def check(self) -> None:
        """Raise `ContractFinding` where a section is unknown, or what every prompt needs is missing."""
        for part, text, known in (("system", self.system, SYSTEM_SECTIONS), ("user", self.user, USER_SECTIONS)):
            unknown = [name for name in _NAME.findall(text) if name not in known]
            if unknown:
                raise ContractFinding(f"the {part} part has no section {unknown[0]!r}; there are {', '.join(known)}")
        for part, text, name in (
            ("system", self.system, "response"),
            ("user", self.user, "ask"),
            ("user", self.user, "context"),
        ):
            if f"{{{{{name}}}}}" not in text:
                raise ContractFinding(f"the {part} part has no {{{{{name}}}}}, without which nobody could answer")


def parse_template(name: TemplateName, text: str, *, is_shipped: bool) -> PromptTemplate:
    """The template that a file holds. Raises `ContractFinding` where it is none."""
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ContractFinding("it must begin with `version: ...`, then have `=== system` and `=== user` on lines")
    version = found["version"].strip() if is_shipped else hashlib.sha256(text.encode()).hexdigest()
    template = PromptTemplate(name=name, version=version, system=found["system"].strip(), user=found["user"].strip())
    template.check()
    return template


def filled(text: str, sections: dict[str, str]) -> str:
    """A part of a template with its sections in place, once: what a section says is never looked into."""
    lines: list[str] = []
    for line in text.splitlines():
        name = _NAME.fullmatch(line.strip())
        if name is not None and not sections[name[1]]:
            continue
        lines.append(_NAME.sub(lambda match: sections[match[1]], line))
    # No two empty lines in a row, where a section left its line out.
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip("\n") + "\n"
