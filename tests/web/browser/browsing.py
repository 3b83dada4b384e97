"""A browser that looks at the page as a person would, and notes everything that it complains about."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Page, Request, expect

PATIENCE_MS = 40_000
"""Tests share their machine: a page that is late is not wrong."""
SCREENS = (
    "events",
    "board",
    "state",
    "files",
    "lanes",
    "diff",
    "bisect",
    "what-if",
    "blame",
    "graph",
    "rejections",
    "proof",
    "metrics",
    "notes",
)


class Served(NamedTuple):
    """A workspace behind `esaa serve`, a process of its own."""

    root: Path
    base: str
    url: str


@contextmanager
def serving(root: Path, *options: str) -> Generator[Served, None, None]:
    """Serves a workspace until the end of the block."""
    line = [sys.executable, "-m", "esaa", "--root", str(root), "serve", "--port", "0", "--json", "--quiet", *options]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())
        yield Served(root, f"http://{address['host']}:{address['port']}", address["url"])
    finally:
        process.terminate()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def esaa(root: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """The command, as a process of its own, beside the workspace: some commands of the page write a folder."""
    line = [sys.executable, "-m", "esaa", "--root", str(root), *arguments]
    return subprocess.run(
        line, cwd=root.parent, capture_output=True, text=True, timeout=120, check=check, stdin=subprocess.DEVNULL
    )


def indexed(root: Path) -> Path:
    """The workspace with its index made: on a busy machine that may take long, and the page would say so."""
    esaa(root, "state", "--json", check=False)
    return root


class Reader:
    """A person at the page of a served workspace: in a browser of their own, or with a new tab in one that is open."""

    def __init__(self, browser: Browser, served: Served, context: BrowserContext | None = None) -> None:
        self.served = served
        self._owned = context is None
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}) if context is None else context
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.may_complain = ""
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", self._interrupted)
        self.page.on("request", self._requested)
        if self._owned:
            self.page.goto(served.url)

    def open(self, address: str, *, shown: int | None = None) -> Locator:
        """Opens an address of the page, and waits until its screen stands."""
        self.page.goto(f"{self.served.base}{address}")
        return self.shows(shown) if shown is not None else self.screen()

    def shows(self, seq: int) -> Locator:
        """Waits until the screen shows this moment."""
        screen = self.screen()
        expect(screen).to_have_attribute("data-shown", str(seq), timeout=PATIENCE_MS)
        return screen

    def screen(self) -> Locator:
        """The screen, once it shows any moment."""
        screen = self.page.locator("[data-screen]")
        expect(screen).to_have_attribute("data-shown", re.compile(r"\d+"), timeout=PATIENCE_MS)
        return screen

    def press(self, *keys: str) -> None:
        """Presses keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def query(self) -> str:
        """What stands behind the `?` of the address."""
        return urlsplit(self.page.url).query

    def asks(self, part: str) -> None:
        """Waits until the query holds this: the address follows what is shown a moment later, as a slider may rush."""
        expect(self.page).to_have_url(re.compile(rf"\?(.*&)?{re.escape(part)}(&|$)"), timeout=PATIENCE_MS)

    def slider(self) -> Locator:
        """The scrubber."""
        return self.page.get_by_role("slider", name="The moment")

    def answer(self, address: str) -> Any:
        """The twin at an address."""
        response = self.context.request.get(f"{self.served.base}{address}")
        assert response.ok, (response.status, response.text()[:300])
        return response.json()

    def leave(self) -> None:
        """Closes what was opened; whatever it complained about is a failure."""
        if self._owned:
            self.context.close()
        else:
            self.page.close()
        assert not self.complaints, self.complaints
        assert not self.elsewhere, f"requests left the machine: {self.elsewhere}"

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not (
            self.may_complain and re.search(self.may_complain, message.text)
        ):
            self.complaints.append(f"{message.type}: {message.text}")

    def _interrupted(self, dialog: Dialog) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self.served.base, "data:", "blob:")):
            self.elsewhere.append(request.url)


def chromium_arguments() -> list[str]:
    """Root has no sandbox, and small machines little shared memory."""
    return ["--no-sandbox", "--disable-dev-shm-usage"] if os.geteuid() == 0 else ["--disable-dev-shm-usage"]
