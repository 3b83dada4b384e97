"""Whatever stands in a trail or a context, no command lets it steer a terminal; and no command could by oversight."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from esaa.cli.terminal import for_screen, plain
from tests.audit.hostile import a_hostile_trail
from tests.cli.test_cli_terminal import HOSTILE, assert_calm, on_terminal
from tests.cli.workbench import Workbench

CLI = Path(__file__).resolve().parents[2] / "src" / "esaa" / "cli"

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff]")

READERS = [
    ["query"],
    ["query", "--sort", "oldest", "--limit", "300"],
    ["query", "alert"],
    ["query", "--issue", "PROJ-1", "--type", "DecisionMade"],
    ["query", "--group-by", "agent_name"],
    ["query", "--group-by", "phase"],
    *(["state", "--issue", "PROJ-1", "--projection", name]
      for name in ("state", "agents", "timeline", "phases", "quality", "gaps", "failures")),
    ["time-travel", "PROJ-1", "2026-01-05T10:00:00Z", "--window", "600"],
    ["snapshot", "list", "--issue", "PROJ-1"],
    ["restore-point", "list"],
    ["trail", "check"],
    ["trail", "list"],
    ["replay", "PROJ-1"],
    ["record", "--list"],
    ["audit", "--format", "md", "--output", "-"],
]  # fmt: skip


@pytest.fixture(scope="module")
def hostile_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile") / "project"
    (root / ".roadmap").mkdir(parents=True)
    a_hostile_trail(root / ".roadmap")
    return root


@pytest.mark.parametrize("line", READERS, ids=" ".join)
def test_no_reader_of_a_trail_lets_a_text_steer(hostile_root: Path, line: list[str], esaa: Workbench) -> None:
    if "--output" not in line:
        assert esaa("--root", str(hostile_root), *line).code in (0, 1), "the command is one"
    for options in ([], ["--json"]):
        outcome = esaa("--root", str(hostile_root), *line, *options)
        assert "This is a bug" not in outcome.err
        if "--output" not in line:  # in a pipe a report is the file that it is
            assert not STEERING.search(outcome.out + outcome.err), ascii(outcome.out + outcome.err)[:2000]


@pytest.mark.parametrize("format_", ["md", "json", "csv", "html"])
def test_report_on_a_terminal_does_not_steer_it(hostile_root: Path, esaa: Workbench, format_: str) -> None:
    esaa.root = hostile_root
    _, screen, _ = on_terminal(esaa, "audit", "--format", format_, "--output", "-")
    assert len(screen) > 10_000
    assert not STEERING.search(re.sub(r"\r?\r\n", "\n", screen)), "whatever the trail holds"


def test_context_on_a_terminal_does_not_steer_it(esaa: Workbench) -> None:
    esaa.ok("init")
    esaa.ok("task", "create", "T-1", "--kind", "spec", "--title", HOSTILE, "--description", HOSTILE)
    code, screen, _ = on_terminal(esaa, "dispatch-context", "T-1")
    assert code == 0
    assert_calm(screen.replace("\r\n", "\n"))
    assert HOSTILE.encode()[-4:] in esaa.process("dispatch-context", "T-1").out.encode(), (
        "an agent gets the text itself"
    )


def test_text_of_many_lines_keeps_its_lines() -> None:
    assert for_screen("a\n\tb\r\nc\r\x1b[2J\n") == "a\n\tb\nc\\u000d\\u001b[2J\n"


@pytest.mark.parametrize(
    "character",
    ["\x00", "\x1b", "\x7f", "\x9b", "\xad", "\u061c", "\u115f", "\u200b", "\u2028", "\u202e", "\u2064", "\u2069",
     "\u206f", "\u3164", "\ud800", "\ufeff", "\uffa0", "\ufff9", "\U000e0041", "\U000e0101"],
)  # fmt: skip
def test_character_that_steers_or_hides_is_shown_as_its_code(character: str) -> None:
    shown = plain(f"a{character}b")
    assert character not in shown
    assert re.fullmatch(r"a(\\u[0-9a-f]{4}){1,2}b", shown)


@pytest.mark.parametrize("text", ["é中😀 Ж א", "a\tb", "⏎ ❤\ufe0f", ""])
def test_what_can_be_seen_is_shown_as_it_is(text: str) -> None:
    assert plain(text) == text


def test_every_print_of_the_command_line_goes_through_the_filter() -> None:
    found = [
        f"{path.name}:{node.lineno}: {ast.unparse(node)[:100]}"
        for path in sorted(CLI.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and re.fullmatch(r"click\.s?echo|click\.secho|print", ast.unparse(node.func))
        and not all(_is_calm(argument) for argument in node.args)
    ]
    assert found == []


def _is_calm(argument: ast.expr) -> bool:
    """A constant, a number, what the filter gives, or pieces of these."""
    match argument:
        case ast.Constant():
            return True
        case ast.JoinedStr(values=values):
            return all(_is_calm(value) for value in values)
        case ast.FormattedValue(value=value):
            return _is_calm(value)
        case ast.IfExp(body=body, orelse=orelse):
            # In a pipe the other reader is a program, which gets the bytes as they are.
            return _is_calm(body) and (_is_calm(orelse) or "isatty()" in ast.unparse(argument.test))
        case ast.Call(func=func):
            return ast.unparse(func) in {"plain", "for_screen", "as_json", "ctx.get_help", "json.dumps"}
        case ast.Name(id=name):
            return name == "events"  # a count
        case _:
            return False
