"""Gemini CLI without a person: `gemini -p` with a stream of JSON. It takes no schema; the orchestrator judges."""

from __future__ import annotations

import json
import re

from esaa.agents.base import Usage
from esaa.agents.clis.dialect import Ask, Heard, Invocation, Trouble
from esaa.agents.clis.stream import Line, count, json_lines, part, text

_READING = ("list_directory", "read_file", "read_many_files", "grep_search", "search_file_content", "glob")
_EDITING = ("replace", "write_file")
_RETRIES = 4
_NOT_AUTHENTICATED = 41
_REFUSED = re.compile(r'"code":\s*(401|403)|UNAUTHENTICATED|PERMISSION_DENIED|API_KEY_INVALID|API key not valid')
_FENCE = re.compile(r"\s*```(?:json)?\n(.*)\n```\s*", re.DOTALL)


class Gemini:
    """`gemini`, from the npm package @google/gemini-cli."""

    name = "gemini-cli"
    program = "gemini"
    package = "@google/gemini-cli"
    versions: tuple[str, ...] = ("0.61.0",)
    oldest: str = "0.61.0"
    credentials: tuple[str, ...] = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    variables: tuple[str, ...] = (
        "GOOGLE_GEMINI_BASE_URL",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
        "GOOGLE_APPLICATION_CREDENTIALS",
    )
    login: tuple[str, ...] = (".gemini",)
    log_in = "Run `gemini` once and log in, or set GEMINI_API_KEY."

    def invocation(self, ask: Ask) -> Invocation:
        """`gemini -p`, with settings of the tree's own that leave no tool but the named ones, and no server.

        What is the system's message elsewhere begins the user's here: the program keeps its own.
        """
        tools = _READING + (_EDITING if ask.is_editing else ()) + (("run_shell_command",) if ask.has_shell else ())
        arguments = [
            "--output-format",
            "stream-json",
            "--approval-mode",
            "yolo" if ask.has_shell else "auto_edit" if ask.is_editing else "default",
            "--skip-trust",
            "--extensions",
            "none",
            "--allowed-mcp-server-names",
            "none",
        ]
        if ask.model is not None:
            arguments += ["--model", ask.model]
        settings: Line = {
            "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False, "maxAttempts": _RETRIES},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
            "tools": {"core": list(tools)},
            "context": {"fileName": "NO_SUCH_FILE.md"},
        }
        environment = {"GEMINI_CLI_NO_RELAUNCH": "true", "NO_COLOR": "1"}
        where = "tree"
        if ask.has_key:
            is_vertex = ask.variables.get("GOOGLE_GENAI_USE_VERTEXAI", "").lower() == "true"
            is_vertex = is_vertex or "GEMINI_API_KEY" not in ask.variables
            settings["security"] = {"auth": {"selectedType": "vertex-ai" if is_vertex else "gemini-api-key"}}
            environment["GEMINI_CLI_HOME"] = str(ask.home)
            where = "home"
        said = f"{ask.prompt.system}\n\n{ask.prompt.user}" if ask.prompt.system else ask.prompt.user
        return Invocation(
            arguments=(*arguments, "--prompt", ""),
            given=said.encode(),
            environment=environment,
            files={(where, ".gemini/settings.json"): json.dumps(settings).encode()},  # type: ignore[dict-item]
        )

    def heard(self, output: bytes, exit_code: int) -> Heard:
        """What the assistant said after its last use of a tool is the answer, if the call succeeded."""
        said: list[str] = []
        usage = Usage()
        trouble: str | None = None
        is_done = False
        for line in json_lines(output):
            match line.get("type"):
                case "init":
                    usage = Usage(model=text(line.get("model")))
                case "tool_use" | "tool_result":
                    said = []
                case "message" if line.get("role") == "assistant":
                    said.append(text(line.get("content")) or "")
                case "error" if line.get("severity") != "warning":
                    trouble = text(line.get("message")) or trouble
                case "result":
                    usage = _usage(usage.model, part(line, "stats"))
                    is_done = line.get("status") == "success"
                    trouble = text(part(line, "error").get("message")) or trouble
                case _:
                    pass
        if exit_code == _NOT_AUTHENTICATED or (trouble is not None and _REFUSED.search(trouble)):
            message = trouble or "it has neither a key nor a login"
            return Heard(usage=usage, trouble=Trouble(kind="unavailable", message=message[:500]))
        answer = "".join(said)
        if not is_done:
            return Heard(usage=usage, trouble=None if trouble is None else _failed(trouble))
        return Heard(usage=usage, result=_unfenced(answer).encode("utf-8", "replace") if answer else None)


def _failed(message: str) -> Trouble:
    return Trouble(kind="failed", message=message[:500])


def _unfenced(answer: str) -> str:
    # The one decoration that this program's models cannot be talked out of. Prose around it stays, and is refused.
    fenced = _FENCE.fullmatch(answer)
    return answer if fenced is None or "```" in fenced[1] else fenced[1]


def _usage(model: str | None, stats: Line) -> Usage:
    models = {name: part(stats, "models", name) for name in part(stats, "models")}
    by_model = list(models.values()) or [stats]
    tokens_in = sum(count(one.get("input_tokens")) for one in by_model)
    said = sum(count(one.get("output_tokens")) for one in by_model)
    total = sum(count(one.get("total_tokens")) for one in by_model)
    # It may have been asked to choose, and for small things it takes a smaller one.
    chosen = max(models, key=lambda name: count(models[name].get("total_tokens")), default=model)
    return Usage(
        model=chosen,
        tokens_in=tokens_in,
        tokens_out=max(said, total - tokens_in),  # thoughts are counted in the total alone
        tokens_cached=sum(count(one.get("cached")) for one in by_model),
    )
