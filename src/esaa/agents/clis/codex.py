"""Codex without a person: `codex exec --json` with a schema for its last message. It brings its own sandbox."""

from __future__ import annotations

import json
import re

from esaa.agents.base import Usage
from esaa.agents.clis.dialect import Ask, Heard, Invocation, Trouble
from esaa.agents.clis.stream import Line, count, json_lines, part, text

_API = "https://api.openai.com/v1"
_REFUSED = re.compile(r"\b(401|403)\b|not logged in|log in again|invalid api key", re.IGNORECASE)
_RETRIES = 4


class Codex:
    """`codex`, from the npm package @openai/codex."""

    name = "codex"
    program = "codex"
    package = "@openai/codex"
    versions: tuple[str, ...] = ("0.169.0",)
    oldest: str = "0.169.0"
    credentials: tuple[str, ...] = ("OPENAI_API_KEY", "CODEX_API_KEY")
    variables: tuple[str, ...] = ("OPENAI_BASE_URL", "CODEX_HOME")
    login: tuple[str, ...] = (".codex",)
    log_in = "Run `codex login`, or set OPENAI_API_KEY."

    def invocation(self, ask: Ask) -> Invocation:
        """`codex exec`: nothing of the user's configuration, no web, no file of its own session.

        Where our sandbox is around it, its own is left out: one does not start inside the other.
        """
        own = "workspace-write" if ask.is_editing else "read-only"
        arguments = [
            "exec",
            "--json",
            "--color",
            "never",
            "--ephemeral",
            "--ignore-user-config",
            "--ignore-rules",
            "--skip-git-repo-check",
            "--sandbox",
            "danger-full-access" if ask.is_confined else own,
            *_set("approval_policy", "never"),
            *_set("web_search", "disabled"),
            # A folder for temporary files that others use too is no private place.
            "-c",
            "sandbox_workspace_write.exclude_slash_tmp=true",
        ]
        if ask.prompt.system:
            arguments += _set("developer_instructions", ask.prompt.system)
        if ask.model is not None:
            arguments += ["--model", ask.model]
        if ask.schema:
            arguments += ["--output-schema", str(ask.asked / "schema.json")]
        environment = {}
        if ask.has_key:
            environment["CODEX_HOME"] = str(ask.home / ".codex")
            key = next(name for name in self.credentials if name in ask.variables)
            base_url = ask.variables.get("OPENAI_BASE_URL", _API)
            arguments += [
                *_set("model_provider", "esaa"),
                "-c",
                f'model_providers.esaa={{name="esaa",base_url={_toml(base_url)},wire_api="responses",env_key="{key}",'
                f"request_max_retries={_RETRIES},stream_max_retries={_RETRIES}}}",
            ]
        return Invocation(
            arguments=(*arguments, "-"),
            given=ask.prompt.user.encode(),
            environment=environment,
            files={("asked", "schema.json"): ask.schema, ("home", ".codex/.keep"): b""},
        )

    def heard(self, output: bytes, exit_code: int) -> Heard:
        """The last message of the agent is the answer, if the turn was completed."""
        said: str | None = None
        usage = Usage()
        failure: str | None = None
        is_completed = False
        for line in json_lines(output):
            match line.get("type"):
                case "item.completed" if part(line, "item").get("type") == "agent_message":
                    said = text(part(line, "item").get("text"))
                case "turn.completed":
                    usage = _usage(part(line, "usage"))
                    is_completed = True
                case "turn.failed":
                    failure = text(part(line, "error").get("message")) or "the turn failed"
                case "error":
                    # It may still try again; only what it says in the end counts.
                    failure = failure or text(line.get("message"))
                case _:
                    pass
        if is_completed:
            return Heard(usage=usage, result=None if said is None else said.encode("utf-8", "replace"))
        if failure is None:
            return Heard(usage=usage)
        kind = "unavailable" if _REFUSED.search(failure) else "failed"
        return Heard(usage=usage, trouble=Trouble(kind=kind, message=failure[:500]))  # type: ignore[arg-type]


def _usage(used: Line) -> Usage:
    # The stream does not name the model.
    if not used:
        return Usage()
    return Usage(
        tokens_in=count(used.get("input_tokens")),
        tokens_out=count(used.get("output_tokens")),
        tokens_cached=count(used.get("cached_input_tokens")),
    )


def _set(key: str, value: str) -> list[str]:
    return ["-c", f"{key}={_toml(value)}"]


def _toml(value: str) -> str:
    # A JSON string is a TOML string but for DEL, and for the surrogate pairs that ASCII alone would need.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
