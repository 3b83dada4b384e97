"""What is said to a model: profile, template and context rendered into a system and a user message.

Pure: the same profile, template and context give the same bytes, whose digest stands beside the act that came of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from esaa.contracts.parcer import ParcerProfile
from esaa.contracts.templates import PromptTemplate, filled
from esaa.kernel.canonical import canonical, sha256_hex
from esaa.protocol.scheduling import Order
from esaa.protocol.task_table import Task

_FROM_PROFILE = ("profile", "left_out")


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


def render(template: PromptTemplate, profile: ParcerProfile | None, context: dict[str, Any]) -> Prompt:
    """The prompt for a purified context. Without a profile, its sections say nothing."""
    is_hotfix = context.get("task", {}).get("is_hotfix") is True
    hotfix = "" if profile is None or not is_hotfix else _hotfix(profile)
    of_profile = dict.fromkeys(("persona", "audience", "rules", "injected", "execution", "response"), "")
    if profile is not None:
        of_profile = {
            "persona": _persona(profile),
            "audience": _audience(profile),
            "rules": _rules(profile),
            "injected": _injected(profile),
            "execution": _section("The steps you take", _numbered(profile.execution.steps)),
            "response": _response(profile),
        }
    system = filled(template.system, of_profile | {"hotfix": hotfix})
    user = filled(
        template.user,
        {
            "ask": _ask(context),
            "last_rejection": _last_rejection(context.get("last_rejection")),
            "hotfix": hotfix,
            "left_out": _left_out(context.get("left_out", [])),
            "context": _fenced(json.dumps(_told(context), ensure_ascii=False, indent=1)),
        },
    )
    return Prompt(
        template=template.name,
        template_version=template.version,
        system=system,
        user=user,
        sha256=sha256_hex(canonical({"system": system, "user": user})),
    )


def question_sha256(order: Order, task: Task) -> str:
    """What an order asks, as a digest: who, for what, the how-manieth time, about the task as it stands.

    What other tasks change meanwhile does not change the question, though it may change the prompt. So an answer that
    was paid for is still one to the same question when a run goes on.
    """
    asked = {
        "action": order.action,
        "actor": order.actor,
        "attempt": order.attempt,
        "task": msgspec.to_builtins(task),
        "template": order.template,
    }
    return sha256_hex(canonical(asked))


def _told(context: dict[str, Any]) -> dict[str, Any]:
    """The context without what the prompt says in words."""
    told = {name: value for name, value in context.items() if name not in _FROM_PROFILE}
    headings = context.get("profile", {}).get("required_headings")
    return told | {"profile": {"required_headings": headings}} if headings else told


def _persona(profile: ParcerProfile) -> str:
    persona = profile.persona
    parts = [persona.role, _bullets(persona.identity_constraints), f"How you work: {persona.operating_mode}"]
    return _section("Who you are", "\n\n".join([*parts, f"When you are unsure: {persona.failure_default}"]))


def _audience(profile: ParcerProfile) -> str:
    readers = [f"{one.who}: {one.needs}" for one in profile.audience.consumers]
    return _section("Who reads what you send", _bullets(readers))


def _rules(profile: ParcerProfile) -> str:
    parts = ["What breaks one of these is refused:", _bullets(profile.rules.hard)]
    if profile.rules.soft:
        parts += ["Good practice:", _bullets(profile.rules.soft)]
    if profile.approval_bar:
        parts.append(f"What is approved: {profile.approval_bar}")
    return _section("The rules", "\n\n".join(parts))


def _injected(profile: ParcerProfile) -> str:
    if not profile.context.never_injects:
        return ""
    return _section("What you are never shown", _bullets(profile.context.never_injects))


def _response(profile: ParcerProfile) -> str:
    parts = [profile.response.format]
    if profile.required_headings:
        headings = ", ".join(f"`{one}`" for one in profile.required_headings)
        parts.append(f"Every Markdown file under docs/spec/ has these headings: {headings}.")
    parts.append("Outputs that are taken:")
    parts += [_fenced(_json(example)) for example in profile.response.valid_examples]
    if profile.response.invalid_examples:
        parts.append("Outputs that are not as they should be, and why:")
    for wrong in profile.response.invalid_examples:
        parts.append(f"{wrong.why}\n\n{_fenced(_json(wrong.output))}")
    return _section("What you answer", "\n\n".join(parts))


def _hotfix(profile: ParcerProfile) -> str:
    mode = profile.hotfix_mode
    return "" if mode is None else _section("This is a hotfix", _bullets(mode.additional_constraints))


def _ask(context: dict[str, Any]) -> str:
    ask, task = context["ask"], context.get("task", {})
    lines = [
        f"You are {context['actor']}. You are asked to `{ask['action']}` the task {ask['task_id']}:"
        f" {task.get('title', '')}".rstrip(" :")
        + f". Its status is `{ask['prior_status']}`; send that as `prior_status`. This is attempt {ask['attempt']}."
    ]
    if ask.get("deadline"):
        lines.append(f"The attempt ends at {ask['deadline']}.")
    lines.append("Where you cannot do it, report why with `issue.report` instead.")
    return _section("What is asked", "\n".join(lines))


def _last_rejection(rejection: object) -> str:
    if not isinstance(rejection, dict):
        return ""
    where = f" in the layer `{rejection['layer']}`" if rejection.get("layer") else ""
    parts = [f"Your last output was refused{where} with {rejection.get('error_code', 'an error')}:"]
    parts.append(str(rejection.get("message", "")))
    if rejection.get("hint"):
        parts.append(f"What to do: {rejection['hint']}")
    parts.append("Do not send the same output again.")
    return _section("Why your last output was refused", "\n".join(parts))


def _left_out(entries: Iterable[Any]) -> str:
    lines = [f"`{one['name']}`: {one['reason']}" for one in entries]
    return _section("What is not shown for want of room", _bullets(lines)) if lines else ""


def _section(heading: str, body: str) -> str:
    return f"## {heading}\n\n{body}"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line.strip()}" for line in lines)


def _numbered(lines: Iterable[str]) -> str:
    return "\n".join(f"{number}. {line.strip()}" for number, line in enumerate(lines, start=1))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _fenced(text: str) -> str:
    # A fence that is longer than any in the text: what a file says cannot end it.
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}json\n{text}\n{fence}"
