"""The modules of the page are tested by their own tests (`web/tests`), and against what the server answers."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import pytest
from starlette.datastructures import QueryParams

import hatch_build
from esaa.open import open_machine
from esaa.web.export import export_run
from esaa.web.parameters import read
from esaa.web.questions import BY_SCREEN
from tests.web.test_export import PAGE, data_of

pytestmark = pytest.mark.timeout(900)  # npm fetches packages


def questions(head: int) -> list[str]:
    """What is asked of the server and of the exported file alike."""
    found: list[str] = []
    for at in (0, 1, 12, 40, 80, 130, head):
        found += [
            f"board?at={at}",
            f"board?at={at}&since=20",
            f"state?at={at}",
            f"state?at={at}&pointer=/tasks&count=3",
        ]
        found += [f"files?at={at}&since=60", f"diff?at={at}&since=30", f"diff?at={at}&since=20&pointer=/tasks"]
        found += [f"rejections?at={at}", f"event?at={max(1, at)}", f"graph?at={max(1, at)}"]
    found += [f"board?at={head}&status=done&after=T-1000&count=2", f"state?at={head}&pointer=/run"]
    found += ["events?offset=20&count=5", "events?actor=agent-qa&count=7", "events?q=index.html"]
    found += [f"task?at={head}&id=T-2000", "task?at=80&id=T-1000", f"blame?at={head}&pointer=/tasks/T-1000/status"]
    return list(dict.fromkeys(found))


def test_the_modules_of_the_page(demo_run: Path, tmp_path: Path) -> None:
    machine = open_machine(demo_run)
    asked = []
    for one in questions(machine.past.head()):
        screen, _, query = one.partition("?")
        question = BY_SCREEN[screen]
        answer = question.ask(machine, read(question.parameters, QueryParams(query)))
        asked.append((f"/log/{screen}.json?{query}", answer))
    assert any(
        card["open_issues"]
        for _, one in msgspec.to_builtins(asked)
        for column in one.get("columns", ())
        for card in column["cards"]
    )
    answers = tmp_path / "answers.json"
    answers.write_bytes(
        msgspec.json.encode({"data": data_of(export_run(machine, "RUN-0001", PAGE).html), "asked": asked})
    )
    try:
        done = hatch_build.run_page_tests(ESAA_ANSWERS=str(answers))
    except hatch_build.NotBuilt as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{error}; in CI it must be possible", pytrace=False)
        pytest.skip(f"the tests of the page cannot run here: {error}")
    told = re.search(r"Tests +(?:\d+ failed \| )?(\d+) passed", done.stdout)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert told is not None, done.stdout[-2000:]
    assert int(told[1]) > len(asked), "the tests beside those against the server ran too"
