"""A real browser, where there is one, on the page of a real server."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from esaa.web.built_page import BuiltPage
from tests.web.browser.browsing import Reader, Served, chromium_arguments, indexed, serving


@pytest.fixture(scope="session")
def need_page(need_tool: Callable[[str], str]) -> None:
    """Skips where the page is not built; under CI=true that is a failure."""
    fault = BuiltPage().fault()
    if fault is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{fault}; in CI it must be", pytrace=False)
        pytest.skip(str(fault))


@pytest.fixture(scope="module")
def browser(need_tool: Callable[[str], str], need_page: None, demo_run: Path) -> Generator[Browser, None, None]:
    """Chromium, once for a module: while it is open, nothing else in this process can run an event loop of its own.

    That is why the demo is made before.
    """
    executable = need_tool("chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=chromium_arguments())
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served(demo_run: Path, need_page: None) -> Generator[Served, None, None]:
    """The demo, finished, behind a server."""
    with serving(indexed(demo_run)) as found:
        yield found


@pytest.fixture(scope="module")
def known(browser: Browser, served: Served) -> Generator[Reader, None, None]:
    """A browser that the server of the demo knows already."""
    person = Reader(browser, served)
    yield person
    person.leave()


@pytest.fixture
def reader(browser: Browser, served: Served, known: Reader) -> Generator[Reader, None, None]:
    """Somebody who looks at the demo, in a new tab."""
    person = Reader(browser, served, known.context)
    yield person
    person.leave()
