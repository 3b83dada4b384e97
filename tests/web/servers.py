"""Servers for tests: a small past in memory behind the real application."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from esaa.errors import NotFound
from esaa.history.entries import EntryFilter
from esaa.history.past import Past
from esaa.history.pointers import parse_pointer, value_at
from esaa.runtime.clock import ManualClock
from esaa.runtime.history.machine import HEAD, TimeMachine
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.views import EventsView, Meta, StateView, VerifyView
from esaa.web.app import Setting, make_app
from esaa.web.built_page import BuiltPage
from esaa.web.guard import Hosts
from esaa.web.machines import OpenMachine
from tests.history.memory_past import claims
from tests.workspaces import MORNING

TOKEN = "a-token-for-tests-only"
PORT = 8321
HERE = f"http://127.0.0.1:{PORT}"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


class SmallMachine(TimeMachine):
    """Answers some of the questions, over any past, without looking further."""

    def meta(self) -> Meta:
        """As the past says."""
        past = self.past
        head = past.head()
        last = past.entry(head) if head else None
        return Meta(
            past=past.name,
            at=head,
            cli="esaa status",
            kind=past.kind,
            head=head,
            head_hash=None if last is None else last.leaf_hash,
            first_ts=None,
            last_ts=None if last is None else last.ts,
            names=(),
            actors=(),
            subjects_count=0,
            runs=(),
            verify=VerifyView(status="unknown", detail=""),
        )

    def events(self, wanted: EntryFilter, *, offset: int = 0, count: int = 100) -> EventsView:
        """A page of the past."""
        page = self.past.find(wanted, offset=offset, count=count)
        return EventsView(
            past=self.past.name,
            at=self.past.head(),
            cli="esaa log",
            total=page.total,
            offset=page.offset,
            entries=page.entries,
        )

    def state(self, at: str = HEAD, *, pointer: str = "", after: str | None = None, count: int = 200) -> StateView:
        """The value, whole."""
        seq = self.past.seq_of(at)
        value = value_at(self.past.document(seq), parse_pointer(pointer))
        return StateView(
            past=self.past.name,
            at=seq,
            cli="esaa state",
            pointer=pointer,
            kind="value",
            value=value,
            preview="",
            children=(),
            total=0,
        )

    def tail(self, after: int, *, count: int = 500) -> tuple[Any, ...]:
        """What came after."""
        return tuple(self.past.entries(after + 1, min(after + count, self.past.head())))


def opener(past: Past, root: Path) -> OpenMachine:
    """Opens the machine of this one past."""

    def open_machine(name: str, _told: Callable[[int, int], None]) -> TimeMachine:
        if name != past.name:
            raise NotFound("STREAM_NOT_FOUND", f"There is no stream {name}.", "`esaa trail list` names them.")
        return SmallMachine(past, Sources(root=root))

    return open_machine


@contextmanager
def client(
    root: Path,
    past: Past | None = None,
    *,
    open_machine: OpenMachine | None = None,
    page: Path | None = None,
    is_signed_in: bool = True,
    allows_actions: bool = False,
    host: str = "127.0.0.1",
) -> Generator[TestClient, None, None]:
    """A client of the application, over a past in memory that stands for the log of the folder."""
    log = root / ".roadmap" / "activity.jsonl"
    if not log.exists():
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"{}\n")
    setting = Setting(
        root=root,
        open_machine=open_machine or opener(past or claims(), root),
        token=TOKEN,
        hosts=Hosts(PORT, [host]),
        cookie=f"esaa_token_{PORT}",
        allows_actions=allows_actions,
        clock=ManualClock(MORNING),
        page=BuiltPage(root / "no-page" if page is None else page),
    )
    with TestClient(make_app(setting), base_url=HERE, follow_redirects=False) as found:
        if is_signed_in:
            found.cookies.set(f"esaa_token_{PORT}", TOKEN, domain="127.0.0.1")
        yield found


def fault_code(answer: Any) -> str:
    """The code of an answer that says what is wrong."""
    return str(json.loads(answer.content)["error"]["code"])
