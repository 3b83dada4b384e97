"""The client's side of one ACP session: what the agent asks of us, and what it says.

Writes stay in the private copy until the result is judged, permissions are decided by `permissions`. Reads are not
offered, but whoever asks gets what lies inside the read boundary. Nothing that the agent sends can end in anything but
an answer or an error for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from acp.exceptions import RequestError
from acp.schema import (
    AgentMessageChunk,
    AllowedOutcome,
    CurrentModeUpdate,
    DeniedOutcome,
    FileEditToolCallContent,
    ReadTextFileRequest,
    ReadTextFileResponse,
    RequestPermissionRequest,
    RequestPermissionResponse,
    SessionNotification,
    TextContentBlock,
    ToolCallProgress,
    ToolCallStart,
    ToolCallUpdate,
    UsageUpdate,
    WriteTextFileRequest,
    WriteTextFileResponse,
)
from pydantic import BaseModel, ValidationError

from esaa.agents.acp.permissions import ToolCall, option_for, refusal
from esaa.agents.acp.tree import SessionTree
from esaa.agents.bounds import Bounds
from esaa.kernel.ingest import TooLarge

_TOOL_CALLS_MAX = 10_000
_REFUSALS_KEPT = 100
_MICRO = 1_000_000


class Desk:
    """Answers one session. `handle` is the method handler of its connection; `overflow` is called where the agent says
    more than an answer may have."""

    def __init__(
        self,
        bounds: Bounds,
        tree: SessionTree,
        *,
        bytes_max: int,
        overflow: Callable[[], None],
        granted: Collection[str] = (),
    ) -> None:
        self.refusals: list[str] = []
        self.cost_micro_usd: int | None = None
        self.mode: str | None = None
        self._bounds = bounds
        self._tree = tree
        self._bytes_max = bytes_max
        self._granted = granted
        self._overflow = overflow
        self._said: list[str] = []
        self._said_before: list[str] = []
        self._said_chars = 0
        self._tool_calls: dict[str, ToolCall] = {}
        self._written: dict[str, int] = {}

    def said(self) -> str:
        """The agent's last message: what it said after its last tool call, or before it where nothing came after."""
        text = "".join(self._said)
        return text if text.strip() else "".join(self._said_before)

    async def handle(self, method: str, params: Any, is_notification: bool) -> Any:
        """Answers a request, takes a notification. Raises `RequestError`, which the agent is told."""
        try:
            match method:
                case "session/update":
                    self._updated(SessionNotification.model_validate(params))
                case "fs/read_text_file" if not is_notification:
                    return self._read(ReadTextFileRequest.model_validate(params))
                case "fs/write_text_file" if not is_notification:
                    return self._write(WriteTextFileRequest.model_validate(params))
                case "session/request_permission" if not is_notification:
                    return self._permit(RequestPermissionRequest.model_validate(params))
                case _ if not is_notification:
                    raise RequestError.method_not_found(method)
                case _:
                    pass
        except ValidationError as error:
            if not is_notification:
                raise RequestError.invalid_params({"details": str(error.errors()[0]["msg"])}) from None
        return None

    def _updated(self, notification: SessionNotification) -> None:
        update = notification.update
        if isinstance(update, AgentMessageChunk):
            if isinstance(update.content, TextContentBlock):
                self._said_chars += len(update.content.text)
                if self._said_chars > self._bytes_max:
                    self._overflow()
                    return
                self._said.append(update.content.text)
        elif isinstance(update, ToolCallStart | ToolCallProgress):
            self._note(update)
        elif isinstance(update, UsageUpdate):
            if update.cost is not None and update.cost.currency == "USD":
                self.cost_micro_usd = max(0, round(update.cost.amount * _MICRO))
        elif isinstance(update, CurrentModeUpdate):
            self.mode = update.current_mode_id[:60]

    def _note(self, call: ToolCallStart | ToolCallProgress | ToolCallUpdate) -> ToolCall:
        if "".join(self._said).strip():
            # Whatever is told of a tool call ends the message before it: some agents only ask, or only tell the end.
            self._said_before, self._said = self._said, []
        known = self._tool_calls.get(call.tool_call_id)
        places = [location.path for location in call.locations or ()]
        places += [one.path for one in call.content or () if isinstance(one, FileEditToolCallContent)]
        paths = tuple(dict.fromkeys(self._tree.project_path(place) for place in places))
        noted = ToolCall(
            kind=call.kind or (known.kind if known else "other"), paths=paths or (known.paths if known else ())
        )
        if len(self._tool_calls) < _TOOL_CALLS_MAX or known is not None:
            self._tool_calls[call.tool_call_id] = noted
        return noted

    def _permit(self, request: RequestPermissionRequest) -> RequestPermissionResponse:
        why_not = refusal(self._note(request.tool_call), self._bounds, self._granted)
        if why_not is not None:
            self._refused(why_not)
        option = option_for([(one.option_id, one.kind) for one in request.options], is_allowed=why_not is None)
        if option is None:
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=option))

    def _read(self, request: ReadTextFileRequest) -> ReadTextFileResponse:
        path = self._place(request.path)
        fault = self._bounds.read_refusal(path)
        if fault is not None and path not in self._written:
            self._refused(f"reading `{path}`: it {fault}")
            raise RequestError.invalid_params({"details": f"`{path}` {fault}"})
        text = self._text(path)
        if text is None:
            raise RequestError.resource_not_found(request.path)
        if request.line is not None or request.limit is not None:
            lines = text.split("\n")
            first = max((request.line or 1) - 1, 0)
            text = "\n".join(lines[first : None if request.limit is None else first + request.limit])
        return ReadTextFileResponse(content=text)

    def _text(self, path: str) -> str | None:
        try:
            content = self._tree.read(path, self._bytes_max)
            return None if content is None else content.decode()
        except TooLarge:
            raise RequestError.invalid_params({"details": f"`{path}` has more than {self._bytes_max} bytes"}) from None
        except UnicodeDecodeError:
            raise RequestError.invalid_params({"details": f"`{path}` is not UTF-8 text"}) from None
        except OSError as error:
            raise RequestError.invalid_params({"details": f"`{path}` cannot be read: {error.strerror}"}) from None

    def _write(self, request: WriteTextFileRequest) -> WriteTextFileResponse:
        path = self._place(request.path)
        fault = self._bounds.write_refusal(path)
        if fault is not None:
            self._refused(f"writing `{path}`: it {fault}")
            raise RequestError.invalid_params({"details": f"`{path}` {fault}"})
        content = request.content.encode("utf-8", "surrogatepass")
        self._written[path] = len(content)
        if sum(self._written.values()) > self._bytes_max:
            raise RequestError.invalid_params({"details": f"more than {self._bytes_max} bytes of files"})
        try:
            self._tree.write(path, content)
        except OSError as error:
            raise RequestError.invalid_params({"details": f"`{path}` cannot be written: {error.strerror}"}) from None
        return WriteTextFileResponse()

    def _place(self, path: str) -> str:
        place = self._tree.project_path(path)
        if place is None:
            self._refused(f"a place outside of the working directory: {path[:200]}")
            raise RequestError.invalid_params({"details": f"{path[:200]} is outside of the working directory"})
        return place

    def _refused(self, what: str) -> None:
        if len(self.refusals) < _REFUSALS_KEPT:
            self.refusals.append(what)


def as_params(model: BaseModel) -> dict[str, Any]:
    """A request's parameters as they go over the wire."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
