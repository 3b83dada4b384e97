"""The server's addresses, put together. Everything that it needs is given to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from esaa.errors import EsaaError, UsageError
from esaa.open import open_trail
from esaa.runtime.clock import Clock, SystemClock
from esaa.runtime.history.overview import Summaries, overview
from esaa.runtime.trail.states import check_stream
from esaa.stores.disk import Disk
from esaa.stores.layout import LOG_NAME, ROADMAP
from esaa.stores.notes import NoteStore
from esaa.version import __version__
from esaa.web import openapi
from esaa.web.actions import Actions
from esaa.web.answers import answer_to, json_answer
from esaa.web.built_page import BuiltPage
from esaa.web.faults import on_bug, on_esaa_error, on_http_exception, on_os_error
from esaa.web.guard import Guard, Hosts
from esaa.web.machines import Machines, OpenMachine
from esaa.web.note_routes import NoteRoutes
from esaa.web.page import PageRoutes
from esaa.web.questions import BY_SCREEN, QUESTIONS
from esaa.web.served import LOG, Served, ServerView
from esaa.web.tail import Tail

SCREENS = frozenset({one.screen for one in QUESTIONS if one.screen} | {"notes"})
"""What may stand behind the name of a past, as a screen of the page."""


_SHOWN_ON = {"event": "events", "task": "board"}
"""Answers that are shown on another screen: one event beside the list of all, one task beside its board."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is told: what it serves, to whom, and what may be done through it."""

    root: Path
    open_machine: OpenMachine
    token: str
    hosts: Hosts
    cookie: str
    allows_actions: bool = False
    is_closing: Callable[[], bool] = lambda: False
    clock: Clock = msgspec.field(default_factory=SystemClock)
    page: BuiltPage = msgspec.field(default_factory=BuiltPage)


def make_app(setting: Setting) -> ASGIApp:
    """The application, with the guard before it."""
    log = setting.root / ROADMAP / LOG_NAME
    served = Served(log)
    machines = Machines(setting.open_machine, served.version_of)
    notes = NoteRoutes(NoteStore(setting.root / ROADMAP, Disk()), machines, setting.clock)
    tail = Tail(machines, served.change_of, setting.is_closing)
    actions = Actions(setting.root, is_allowed=setting.allows_actions)
    page = PageRoutes(setting.page)
    described = openapi.document()
    summaries = Summaries()

    async def index(_request: Request) -> Response:
        if not log.is_file():  # a trail needs no governed run
            return json_answer(await run_sync(lambda: overview((), open_trail(setting.root), summaries)))
        found = await machines.ask(LOG, lambda machine: overview((machine,), open_trail(setting.root), summaries))
        return json_answer(found)

    async def server(_request: Request) -> Response:
        name = setting.root.resolve().name
        return json_answer(ServerView(version=__version__, workspace=name, allows_actions=setting.allows_actions))

    async def document(_request: Request) -> Response:
        return json_answer(described)

    async def meta(request: Request) -> Response:
        return await answer_to(request, machines, _past(request), BY_SCREEN[""])

    async def twin(request: Request) -> Response:
        question = BY_SCREEN.get(str(request.path_params["screen"]))
        if question is None or not question.screen:
            raise HTTPException(404)
        return await answer_to(request, machines, _past(request), question)

    async def listen(request: Request) -> Response:
        return await tail.answer(request, _past(request))

    async def notes_of(request: Request) -> Response:
        return await notes.of_past(_past(request))

    async def note(request: Request) -> Response:
        note_id = str(request.path_params["note_id"])
        if request.method == "PUT":
            return await notes.put(request, _past(request), note_id)
        return await notes.delete(_past(request), note_id)

    async def screen(request: Request) -> Response:
        if request.path_params.get("screen", "board") not in SCREENS:
            raise HTTPException(404)
        if _past(request) != LOG:
            try:
                check_stream(_past(request))
            except UsageError:
                raise HTTPException(404) from None  # what is no past has no page either
        shown = _SHOWN_ON.get(str(request.path_params.get("screen", "")))
        if shown is not None:
            query = request.url.query.replace("id=", "task=", 1) if shown == "board" else request.url.query
            return RedirectResponse(f"/{_past(request)}/{shown}" + (f"?{query}" if query else ""), 303)
        return await page.shell(request)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        yield
        machines.close()

    app = Starlette(
        routes=[
            Route("/", page.shell),
            Route("/index.json", index),
            Route("/server.json", server),
            Route("/openapi.json", document),
            Route("/notes.json", notes.all),
            Route("/approvals.json", actions.waiting),
            Route("/approvals/{approval_id}.json", actions.request),
            Route("/actions/{action}.json", actions.act, methods=["POST"]),
            Route("/assets/{name}", page.asset),
            Route("/{past}.json", meta),
            Route("/{past}/tail", listen),
            Route("/{past}/notes.json", notes_of),
            Route("/{past}/notes/{note_id}.json", note, methods=["PUT", "DELETE"]),
            Route("/{past}/{screen}.json", twin),
            Route("/{past}", screen),
            Route("/{past}/{screen}", screen),
        ],
        exception_handlers={
            EsaaError: on_esaa_error,
            OSError: on_os_error,
            HTTPException: on_http_exception,
            Exception: on_bug,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    zipped = GZipMiddleware(app, minimum_size=1000, compresslevel=5)
    return Guard(zipped, token=setting.token, hosts=setting.hosts, cookie=setting.cookie)


def _past(request: Request) -> str:
    return str(request.path_params["past"])
