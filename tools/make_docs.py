"""Writes the reference pages that follow from the code: commands, events, error codes.

`python tools/make_docs.py` writes them, `--check` names those that are stale and ends with 1. The same code gives the
same bytes on any machine.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from esaa import errors
from esaa.cli.app import COMMANDS, cli
from esaa.cli.face import face_options
from esaa.kernel.decider import LAYERS
from esaa.protocol.fact_base import FactBase
from esaa.protocol.facts import FACT_TYPES, ForeignRecorded
from esaa.protocol.rejections import CODES
from esaa.protocol.wire import Envelope

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "esaa"
REFERENCE = ROOT / "docs" / "reference"
MARK = "<!-- Written by tools/make_docs.py. Change the code, then run `make docs`. -->"


def main(arguments: list[str]) -> int:
    """Writes or checks all pages."""
    stale = [path for path, text in pages().items() if not path.is_file() or path.read_text("utf-8") != text]
    if arguments == ["--check"]:
        for path in stale:
            print(f"stale: {path.relative_to(ROOT)} (run `make docs`)")
        return 1 if stale else 0
    if arguments:
        print("usage: make_docs.py [--check]", file=sys.stderr)
        return 2
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages()[path], "utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    return {
        REFERENCE / "cli.md": _page(cli_page()),
        REFERENCE / "events.md": _page(events_page()),
        REFERENCE / "error-codes.md": _page(codes_page()),
    }


def _page(lines: Iterator[str]) -> str:
    title, *rest = lines
    return "\n".join([title, "", MARK, *rest]).rstrip() + "\n"


# The command line


def cli_page() -> Iterator[str]:
    """Every command with its arguments, options and examples."""
    yield "# Commands"
    yield from _text(
        """
        Data goes to standard output, remarks go to standard error. These options stand before or after the name of
        any command:
        """
    )
    yield from _table(("option", "meaning"), [_option_row(one) for one in _global_options()])
    yield from _text(
        """
        What each command ends with is on [the page of exit codes](exit-codes.md).

        | command | what it does |
        |---|---|
        """
    )
    found = [pair for name in COMMANDS for pair in _commands(name, _command(name))]
    for name, command in found:
        if not isinstance(command, click.Group):
            yield f"| [`esaa {name}`](#{_anchor(f'esaa {name}')}) | {_cell(_paragraphs(command)[0])} |"
    for name, command in found:
        if not isinstance(command, click.Group):
            yield from _command_section(name, command)


def _command(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


def _commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for below in sorted(command.commands):
            yield from _commands(f"{name} {below}", command.commands[below])


def _command_section(name: str, command: click.Command) -> Iterator[str]:
    inherited = {option.name for option in _global_options()}
    own = [one for one in command.params if isinstance(one, click.Option) and one.name not in inherited]
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    usage = [f"esaa {name}", *(["[OPTIONS]"] if own else []), *map(_argument, arguments)]
    yield from ("", f"## esaa {name}", "", "```text", " ".join(usage), "```")
    for paragraph in _paragraphs(command):
        example = paragraph.removeprefix("Example: ")
        yield from ("", "```sh", example, "```") if example != paragraph else ("", paragraph)
    if own:
        yield from _table(("option", "meaning"), [_option_row(one) for one in own])


def _paragraphs(command: click.Command) -> list[str]:
    return [" ".join(part.split()) for part in inspect.cleandoc(command.help or "").split("\n\n")]


def _argument(argument: click.Argument) -> str:
    name = argument.metavar or str(argument.name).upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _option_row(option: click.Option) -> tuple[str, str]:
    value = "" if option.is_flag else f" {option.metavar or _metavar(option)}"
    notes = [_sentence(option.help or "")] if option.help else []
    if option.required:
        notes.append("Required.")
    if option.multiple and "may be given often" not in (option.help or "") and "May be" not in (option.help or ""):
        notes.append("May be given often.")
    if option.show_default and not option.is_flag:
        notes.append(f"Default: `{option.default}`.")
    return f"`{', '.join(option.opts)}{value}`", " ".join(notes)


def _metavar(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(str(choice) for choice in option.type.choices)
    return option.type.name.upper()


def _global_options() -> list[click.Option]:
    @click.command()
    @face_options
    def probe() -> None:
        """Carries the options that every command has."""

    return [one for one in probe.params if isinstance(one, click.Option)]


# The events

_PROSE = {
    "schema_version": "The protocol version of the line. The first line's decides for the log.",
    "event_id": "`EV-%08d` of the seq.",
    "event_seq": "1, 2, 3, ... without a gap (INV-004).",
    "ts": "UTC, `YYYY-MM-DDTHH:MM:SSZ`; never before the line before.",
    "actor": "Whose act it is: an actor of `agents_swarm.yaml`, or `orchestrator`.",
    "action": "Which event it is.",
    "payload": "The fields below.",
    "reviewer_role": "On a `review`: `qa`.",
    "command_id": "The id that a command was given, with the command's fingerprint.",
    "correlation_id": "The story that the event belongs to.",
    "causation_id": "The event that this one follows from, inside its batch.",
    "prev_hash": "The leaf hash of the line before, SHA-256(0x00 || line), in hex. Absent on the first line.",
}
_ALWAYS = ("schema_version", "event_id", "event_seq", "ts", "actor", "action", "payload")


def events_page() -> Iterator[str]:
    """The envelope, and every fact with its fields."""
    yield "# Events"
    yield from _text(
        """
        The log `.roadmap/activity.jsonl` holds one event per line. Each line is an envelope around a payload.

        ## The envelope
        """
    )
    known = [field.name for field in msgspec.structs.fields(Envelope) if field.name != "data"]
    order = [*_ALWAYS, *(name for name in known if name not in _ALWAYS)]
    yield from _table(
        ("key", "on every line", "meaning"),
        [(f"`{name}`", "yes" if name in _ALWAYS else "", _PROSE[name]) for name in order],
    )
    yield from _text(
        """
        ## Payloads

        A field that is not required is absent where it has nothing to say. Absent and null are different things.
        """
    )
    for fact in FACT_TYPES:
        yield from _fact_section(fact)
    yield from _fact_section(ForeignRecorded)


def _fact_section(fact: type[FactBase]) -> Iterator[str]:
    prose, _ = _docstring(fact)
    title = "Other writers' events" if fact is ForeignRecorded else fact.action_name
    yield from ("", f"### {title}")
    for paragraph in prose:
        yield from ("", paragraph)
    if fact is ForeignRecorded:
        return
    meanings: dict[str, str] = {}
    for base in reversed(fact.__mro__):
        if issubclass(base, FactBase):
            meanings |= _docstring(base)[1]
    rows = [
        (f"`{field.name}`", "yes" if field.required else "", meanings[field.name])
        for field in msgspec.structs.fields(fact)
    ]
    yield from _table(("field", "required", "meaning"), rows)


def _docstring(fact: type[FactBase]) -> tuple[list[str], dict[str, str]]:
    """The paragraphs of a fact's docstring, and the meanings of the fields that it lists."""
    prose: list[str] = []
    meanings: dict[str, str] = {}
    for part in inspect.cleandoc(fact.__doc__ or "").split("\n\n"):
        if not part.startswith("- `"):
            prose.append(" ".join(part.split()))
            continue
        for item in part.removeprefix("- ").split("\n- "):
            name, _, meaning = item.removeprefix("`").partition("`: ")
            meanings[name] = _sentence(" ".join(meaning.split()))
    return prose, meanings


# The error codes


_SAID = {
    ("AUTHORITY_VIOLATION", ""): "an actor wrote an action that it has no right to write",
    (
        "CONTRACT_UNREADABLE",
        "",
    ): "a contract beside the log cannot be read; boundaries and authority were not judged",
    ("FILE_DIFFERS", ""): "`…` was changed since, or is missing (written at line …)",
    ("INTERRUPTED", "EsaaError"): "Interrupted; everything acknowledged so far is in the log.",
    ("READ_MODEL_DIFFERS", ""): "`…` is missing, or is not what the log gives",
    ("USAGE", "UsageError"): "The command line cannot be understood; the message says why.",
    ("WRONG_EXPECTED_VERSION", "WrongExpectedVersion"): "The log is at event …, not at ….",
}
"""What the code does not say in one literal."""


class _Said(NamedTuple):
    """One place in the code that names a code."""

    code: str
    who: str
    message: str


def codes_page() -> Iterator[str]:
    """The codes of refusals, of findings, and of errors."""
    yield "# Error codes"
    yield from _text(
        """
        Codes are stable: a program may compare them. Messages may change. There are three kinds.

        ## Refused outputs

        An output that breaks a rule is refused: the command ends with 5, and the log gets an `output.rejected` with
        the code, the reason and the layer. A command of the operator (`task create`, `issue resolve`, ...) that breaks
        a rule ends with 5 too, but leaves no event. The seven layers are asked in this order, and the first that
        finds something answers; only an unregistered actor is refused before all of them.
        """
    )
    for layer in LAYERS:
        rows = [(f"`{code}`", f"`{one.reason}`", one.meaning) for code, one in CODES.items() if one.layer == layer]
        yield from ("", f"### Layer {LAYERS.index(layer) + 1}: {layer}")
        yield from _table(("code", "reason", "meaning"), rows)
    yield from _text(
        """
        ## Findings

        `esaa verify` and `esaa doctor` report these. A code that is on the list above too means the same there.
        """
    )
    yield from _table(("code", "what is said"), [(f"`{one.code}`", one.message) for one in _findings()])
    yield from _text(
        """
        ## Errors

        The world is not as it should be: nothing was recorded, and the command ends with the exit code of the error's
        class. An ellipsis stands for what differs from case to case. In a run, an agent that timed out, crashed or
        printed too much is no error but a refused output (`ATTEMPT_TIMEOUT`, `AGENT_FAILED`,
        `RESOURCE_LIMIT_EXCEEDED`).
        """
    )
    yield from _table(
        ("code", "class", "exit code", "what is said"),
        [(f"`{one.code}`", f"`{one.who}`", _exit_code(one), one.message) for one in _errors()],
    )


def _exit_code(said: _Said) -> str:
    kind: type[errors.EsaaError] = getattr(errors, said.who)
    return "130" if said.code == "INTERRUPTED" else str(kind.exit_code)


def _errors() -> list[_Said]:
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    said = [
        _Said(code, name, _message(call.args[1:2], call, scope))
        for _, scope, call in _calls()
        if (name := _called(call)) in kinds and (code := _code(call)) is not None
    ]
    return _merged([*said, _Said("WRONG_EXPECTED_VERSION", "WrongExpectedVersion", "")])


def _findings() -> list[_Said]:
    """What the audits and the doctor report."""
    found: list[_Said] = []
    for path, scope, call in _calls():
        if not (path.stem.endswith(("audit", "verify", "verification", "doctor"))):
            continue
        code = next((_literal(one) for one in call.args[:3] if _literal(one) is not None), None)
        if code is None or _called(call) not in {"add", "_add", "_error", "_warning", "_note"}:
            continue
        position = [_literal(one) for one in call.args].index(code)
        found.append(_Said(code, "", _message(call.args[position + 1 : position + 3], call, scope)))
    return _merged(found)


def _merged(said: list[_Said]) -> list[_Said]:
    """One row for each code and class, with every message it comes with."""
    rows: dict[tuple[str, str], list[str]] = {}
    for one in said:
        messages = rows.setdefault((one.code, one.who), [])
        if one.message and one.message not in messages:
            messages.append(one.message)
    return [
        _Said(code, who, _SAID.get((code, who)) or "<br>".join(sorted(messages)))
        for (code, who), messages in sorted(rows.items())
    ]


def _calls() -> Iterator[tuple[Path, ast.AST, ast.Call]]:
    """Every call in the package, with the function or module that it stands in."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        stack: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
        while stack:
            node, scope = stack.pop()
            inner = node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else scope
            if isinstance(node, ast.Call):
                yield path, scope, node
            stack += [(child, inner) for child in ast.iter_child_nodes(node)]


def _called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _code(call: ast.Call) -> str | None:
    return _literal(call.args[0]) if call.args else None


def _literal(node: ast.AST) -> str | None:
    """A code, or None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
        return text if text.isupper() and text.replace("_", "").isalnum() else None
    return None


def _message(candidates: list[ast.expr], call: ast.Call, scope: ast.AST) -> str:
    """The first of the arguments that is a text, where the code has it as a literal."""
    return next((text for one in candidates if (text := _shown(one, call, scope))), "")


def _shown(node: ast.expr, call: ast.Call, scope: ast.AST) -> str:
    """A text as it stands in the code, with an ellipsis for each value."""
    if isinstance(node, ast.Constant):
        return _cell(node.value) if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return _cell("".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values))
    if isinstance(node, ast.Name):
        before = [
            one
            for one in ast.walk(scope)
            if isinstance(one, ast.Assign)
            and one.lineno < call.lineno
            and any(isinstance(target, ast.Name) and target.id == node.id for target in one.targets)
        ]
        last = max(before, key=lambda one: one.lineno, default=None)
        return "" if last is None or isinstance(last.value, ast.Name) else _shown(last.value, call, scope)
    return ""


# Markdown


def _text(text: str) -> Iterator[str]:
    yield ""
    yield from inspect.cleandoc(text).splitlines()


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield from ("", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}")
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\|", "|").replace("|", "\\|")


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:] if not text.startswith("`") else text
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
