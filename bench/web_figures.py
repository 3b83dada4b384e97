"""The figures of the page: a real browser on `esaa serve` over long logs."""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.figure import Figure
from bench.measure import Measures
from bench.workspaces import make_workspace_apart

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

JUMPS = 60
SIZES = (100_000, 1_000_000)
_MIB = 1024 * 1024
_BUILDING_S = 3600
_PATIENCE_MS = 120_000

SCRUB = """
async (seqs) => {
  const frame = () => new Promise(requestAnimationFrame);
  const shown = () => document.querySelector("[data-screen]")?.dataset.shown;
  const slider = document.querySelector("input[type=range]");
  const times = [];
  for (const seq of seqs) {
    const begun = performance.now();
    slider.value = String(seq);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    while (shown() !== String(seq)) await frame();
    await frame();
    times.push(performance.now() - begun);
  }
  return times;
}
"""
"""Moves the slider as a hand does; a jump ends with the frame after the one that shows the moment."""


class _Load(NamedTuple):
    first_rows_ms: float
    size_bytes: int
    requests_elsewhere: int


class _Server(NamedTuple):
    base: str
    url: str
    token: str


class WebBench(Measures):
    """The figures that a browser takes."""

    def web(self) -> list[Figure]:
        """First rows, first load, scrubbing, heap and start, at each size; nothing where there is no browser."""
        try:
            from playwright.sync_api import sync_playwright
        except ModuleNotFoundError:
            print("web: not measured, for playwright is not installed (it is a tool for development)", flush=True)
            return []
        chromium = shutil.which("chromium")
        if chromium is None:
            print("web: not measured, for there is no chromium", flush=True)
            return []
        figures: list[Figure] = []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium,
                args=["--no-sandbox", "--disable-dev-shm-usage", "--enable-precise-memory-info"],
            )
            for size in SIZES:
                figures += self._at(browser, size)
            browser.close()
        return figures

    def _at(self, browser: Browser, size: int) -> list[Figure]:
        events = size // self._scale
        root = self._scratch / f"workspace-{events}"
        if not root.is_dir():
            root.mkdir()
            make_workspace_apart(root, events, open_tasks=20)
        built = time.monotonic()
        with self._serving(root) as server:
            head = _head(server)
            built = time.monotonic() - built
        starts: list[float] = []
        for _ in range(self._repeats):
            begun = time.monotonic()
            with self._serving(root) as server:
                _head(server)
                starts.append(time.monotonic() - begun)
        with self._serving(root) as server:
            loads = [_first_load(browser, server, head) for _ in range(self._repeats)]
            times, heap = _scrub(browser, server, head)
        name = f"web at {size:,} events"
        detail: dict[str, float | int | str] = {"events": head, "index_built_s": round(built, 1)}
        figures = [
            Figure(
                name=f"{name}: scrub p95",
                ratio=max(_p95(one) for one in times.values()),
                bar=250,
                unit=" ms",
                detail=detail
                | {f"{one}_p50_ms": round(statistics.median(found), 1) for one, found in times.items()}
                | {f"{one}_p95_ms": round(_p95(found), 1) for one, found in times.items()},
            ),
            Figure(
                name=f"{name}: first rows",
                ratio=statistics.median(one.first_rows_ms for one in loads),
                bar=1000,
                unit=" ms",
                detail={"all_ms": " ".join(f"{one.first_rows_ms:.0f}" for one in loads)},
            ),
            Figure(
                name=f"{name}: first load",
                ratio=max(one.size_bytes for one in loads) / 1000,
                bar=150,
                unit=" kB",
                detail={"requests_elsewhere": max(one.requests_elsewhere for one in loads)},
            ),
            Figure(
                name=f"{name}: requests that leave the machine",
                ratio=max(one.requests_elsewhere for one in loads),
                bar=0,
                unit="",
                detail={},
            ),
            Figure(name=f"{name}: JS heap", ratio=heap / _MIB, bar=60, unit=" MiB", detail={"bytes": heap}),
        ]
        if size == max(SIZES):
            start = statistics.median(starts)
            kept = {"all_s": " ".join(f"{one:.2f}" for one in starts)}
            figures.append(Figure(name=f"{name}: server start, index kept", ratio=start, bar=2, unit=" s", detail=kept))
        return figures

    @contextmanager
    def _serving(self, root: Path) -> Generator[_Server, None, None]:
        line = [sys.executable, "-m", "esaa", "--root", str(root), "serve", "--port", "0", "--json", "--quiet"]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, env=self._environment, text=True)
        try:
            assert process.stdout is not None
            told: dict[str, Any] = json.loads(process.stdout.readline())
            yield _Server(f"http://{told['host']}:{told['port']}", told["url"], told["token"])
        finally:
            process.terminate()
            process.wait()


def _head(server: _Server) -> int:
    """The head, once the log can be asked."""
    until = time.monotonic() + _BUILDING_S
    while True:
        request = urllib.request.Request(f"{server.base}/log.json", headers={"Authorization": f"Bearer {server.token}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                head: int = json.load(answer)["head"]
                return head
        except urllib.error.HTTPError as error:
            # The index is being built.
            if error.code != 503 or time.monotonic() > until:
                raise
            time.sleep(0.2)


def _first_load(browser: Browser, server: _Server, head: int) -> _Load:
    """With an empty cache, from the address to ten rows of the middle of the log."""
    with _page(browser, server) as page:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes: list[int] = []
        elsewhere: list[str] = []
        session.on("Network.loadingFinished", lambda one: sizes.append(int(one["encodedDataLength"])))
        page.on("request", lambda one: None if one.url.startswith(server.base) else elsewhere.append(one.url))
        begun = time.monotonic()
        page.goto(f"{server.base}/log/events?at={head // 2}", wait_until="commit")
        page.locator("[role=option][aria-posinset]").nth(9).wait_for(state="attached")
        first_rows = 1000 * (time.monotonic() - begun)
        page.wait_for_selector(f'[data-shown="{head // 2}"]')
        page.wait_for_timeout(500)
        return _Load(first_rows, sum(sizes), len(elsewhere))


def _scrub(browser: Browser, server: _Server, head: int) -> tuple[dict[str, list[float]], int]:
    """The times of random jumps on two screens, compared with a far moment, and the heap after all of them."""
    chance = random.Random(7)
    found: dict[str, list[float]] = {}
    with _page(browser, server) as page:
        for screen in ("events", "board"):
            page.goto(f"{server.base}/log/{screen}?at={head // 2}&since={head // 10}")
            page.wait_for_selector(f'[data-shown="{head // 2}"]')
            seqs = [chance.randrange(1, head + 1) for _ in range(JUMPS)]
            found[screen] = page.evaluate(SCRUB, seqs)
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.collectGarbage")
        heap = int(session.send("Runtime.getHeapUsage")["usedSize"])
    return found, heap


@contextmanager
def _page(browser: Browser, server: _Server) -> Generator[Page, None, None]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(_PATIENCE_MS)
    try:
        page = context.new_page()
        page.goto(server.url, wait_until="commit")
        page.wait_for_load_state()
        yield page
    finally:
        context.close()


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]
