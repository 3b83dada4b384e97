"""`esaa serve` as a person starts it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from esaa.cli.app import run
from esaa.errors import UsageError
from esaa.web.server import WebServer, is_loopback_host
from tests.history.memory_past import claims
from tests.web.servers import TOKEN, opener

ESAA = Path(sys.executable).with_name("esaa")


@contextmanager
def started(root: Path, *words: str) -> Generator[tuple[subprocess.Popen[str], dict[str, Any]], None, None]:
    command = [str(ESAA), "serve", "--port", "0", "--json", "--root", str(root), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield process, json.loads(line)
        finally:
            process.kill()


def test_the_address_that_is_printed_lets_one_in(demo_run: Path) -> None:
    with started(demo_run, "log/event?at=79&q=a b") as (process, said):
        assert said["url"].startswith(f"http://127.0.0.1:{said['port']}/log/event?at=79&q=a%20b&token=")
        assert len(said["token"]) >= 32
        address = f"http://127.0.0.1:{said['port']}/log.json"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {said['token']}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["head"] == 167
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_two_servers_have_two_tokens(demo_run: Path) -> None:
    with started(demo_run) as (_, one), started(demo_run) as (_, other):
        assert one["token"] != other["token"]
        assert one["port"] != other["port"]


def test_a_port_that_is_taken_is_said(demo_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["serve", "--port", str(port), "--root", str(demo_run)]) == 2
    assert f"port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("token", ["short", "with a\nline end......", "zwölf Boxkämpfer jagen"])
def test_a_token_must_be_hard_to_guess_and_fit_for_an_address(token: str, demo_run: Path) -> None:
    assert run(["serve", "--port", "0", "--token", token, "--root", str(demo_run)]) == 2


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70, "a..b"])
def test_a_host_that_is_none_is_said(host: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Nothing can listen on"):
        WebServer(tmp_path, opener(claims(), tmp_path), host=host, port=0, token=TOKEN)


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_the_address_of_the_newer_protocol_stands_in_brackets_once(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setattr("esaa.web.server._bound", lambda *_: bound)
        server = WebServer(tmp_path, opener(claims(), tmp_path), host=host, token=TOKEN)
        assert server.address.url.startswith(f"http://[::1]:{bound.getsockname()[1]}/?token=")


def test_a_folder_that_is_no_workspace_is_not_served(tmp_path: Path) -> None:
    assert run(["serve", "--port", "0", "--root", str(tmp_path / "nothing")]) == 7


def test_without_the_packages_the_way_to_them_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UsageError, match=r"esaa\[ui\]"):
        WebServer(tmp_path, opener(claims(), tmp_path), port=0, token=TOKEN)


def test_other_commands_do_not_load_the_web(demo_run: Path) -> None:
    code = "import sys; from esaa.cli.app import run; run(sys.argv[1:]); print('starlette' in sys.modules)"
    words = [sys.executable, "-c", code, "status", "--root", str(demo_run)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_what_this_machine_alone_can_reach(host: str, is_it: bool) -> None:
    assert is_loopback_host(host) is is_it
