"""Claude Code without a person: `claude -p` with a stream of JSON and a schema that the program itself enforces."""

from __future__ import annotations

import json

from esaa.agents.base import Usage
from esaa.agents.clis.dialect import Ask, Heard, Invocation, Trouble
from esaa.agents.clis.stream import Line, count, json_lines, micro_usd, part, text

_READING = ("Read", "Glob", "Grep")
_EDITING = ("Edit", "Write")
_RETRIES = "4"


class ClaudeCode:
    """`claude`, from the npm package @anthropic-ai/claude-code or its own installer."""

    name = "claude-code"
    program = "claude"
    package = "@anthropic-ai/claude-code"
    versions: tuple[str, ...] = ("2.1.330",)
    oldest: str = "2.1.197"
    credentials: tuple[str, ...] = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
    variables: tuple[str, ...] = (
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_CUSTOM_HEADERS",
        "ANTHROPIC_MODEL",
        "CLAUDE_CONFIG_DIR",
    )
    login: tuple[str, ...] = (".claude", ".claude.json")
    log_in = "Run `claude` once and log in, or set ANTHROPIC_API_KEY."

    def invocation(self, ask: Ask) -> Invocation:
        """`claude -p`: no settings, hooks, servers or memory of the user; tools by name and nothing else."""
        tools = _READING + (_EDITING if ask.is_editing else ()) + (("Bash",) if ask.has_shell else ())
        arguments = [
            "-p",
            "--output-format",
            "stream-json",
            "--verbose",
            "--strict-mcp-config",
            "--setting-sources",
            "",
            "--no-session-persistence",
            "--disable-slash-commands",
            "--permission-mode",
            "acceptEdits",
            "--tools",
            ",".join(tools),
        ]
        if ask.has_shell:
            arguments += ["--allowedTools", "Bash"]
        if ask.model is not None:
            arguments += ["--model", ask.model]
        if ask.schema:
            arguments += ["--json-schema", ask.schema.decode()]
        if ask.prompt.system:
            arguments += ["--append-system-prompt-file", str(ask.asked / "system.md")]
        environment = {
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_MAX_RETRIES": _RETRIES,
        }
        if ask.has_key:
            environment["CLAUDE_CONFIG_DIR"] = str(ask.home / ".claude")
        if ask.tokens_out_max is not None:
            environment["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(ask.tokens_out_max)
        return Invocation(
            arguments=tuple(arguments),
            given=ask.prompt.user.encode(),
            environment=environment,
            files={("asked", "system.md"): ask.prompt.system.encode()},
        )

    def heard(self, output: bytes, exit_code: int) -> Heard:
        """The last `result` line decides; before there is one, the messages say what was used."""
        model: str | None = None
        messages: dict[str, Line] = {}
        result: Line | None = None
        for line in json_lines(output):
            match line.get("type"):
                case "system" if line.get("subtype") == "init":
                    model = text(line.get("model"))
                case "assistant":
                    # A message comes in several lines, each with the usage so far.
                    message = part(line, "message")
                    messages[str(message.get("id"))] = part(message, "usage")
                case "result":
                    result = line
                case _:
                    pass
        if result is None:
            return Heard(usage=_usage(model, list(messages.values())))
        usage = _reported(model, result)
        trouble = _trouble(result)
        if trouble is not None:
            return Heard(usage=usage, trouble=trouble)
        if "structured_output" in result:
            return Heard(usage=usage, result=_encoded(result["structured_output"]))
        said = text(result.get("result"))
        return Heard(usage=usage, result=None if said is None else said.encode("utf-8", "replace"))


def _encoded(value: object) -> bytes:
    # The program decoded it; what canonical JSON cannot hold is spelled so that the strict parser refuses it.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _trouble(result: Line) -> Trouble | None:
    subtype = text(result.get("subtype")) or "success"
    if result.get("is_error") is not True and subtype == "success":
        return None
    errors = result.get("errors")
    told = ", ".join(str(one) for one in errors) if isinstance(errors, list) else ""
    said = text(result.get("result")) or told or subtype
    is_refused = result.get("api_error_status") in (401, 403) or "/login" in said
    return Trouble(kind="unavailable" if is_refused else "failed", message=said[:500])


def _reported(model: str | None, result: Line) -> Usage:
    # `usage` is the main loop alone; `modelUsage` has what helpers used as well.
    by_model = part(result, "modelUsage")
    if not by_model:
        return _usage(model, [part(result, "usage")], cost=micro_usd(result.get("total_cost_usd")))
    parts = [part(by_model, name) for name in by_model]
    cached = sum(count(one.get("cacheReadInputTokens")) for one in parts)
    written = sum(count(one.get("cacheCreationInputTokens")) for one in parts)
    return Usage(
        model=model or next(iter(by_model)),
        tokens_in=sum(count(one.get("inputTokens")) for one in parts) + cached + written,
        tokens_out=sum(count(one.get("outputTokens")) for one in parts),
        tokens_cached=cached,
        cost_micro_usd=micro_usd(result.get("total_cost_usd")),
    )


def _usage(model: str | None, used: list[Line], cost: int | None = None) -> Usage:
    if not used:
        return Usage(model=model)
    cached = sum(count(one.get("cache_read_input_tokens")) for one in used)
    written = sum(count(one.get("cache_creation_input_tokens")) for one in used)
    return Usage(
        model=model,
        tokens_in=sum(count(one.get("input_tokens")) for one in used) + cached + written,
        tokens_out=sum(count(one.get("output_tokens")) for one in used),
        tokens_cached=cached,
        cost_micro_usd=cost,
    )
