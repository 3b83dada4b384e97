"""Services that answer badly: whatever they say, it ends as one error that names them, and no receipt is kept."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from esaa.contracts.anchors import Rfc3161Anchor, WitnessAnchor
from esaa.errors import IntegrationError
from esaa.kernel.checkpoint import COSIGNATURE, format_note, format_vkey, parse_note
from tests.anchors.services import LOG_KEY, SignedLog, serving
from tests.kernel.signing import Signer

KEY = Signer("w1.example", 7, COSIGNATURE)
SIZE = "text/x.tlog.size"
PLAIN = "text/plain"


@contextmanager
def answering(status: int, body: bytes, content_type: str = PLAIN) -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything alike, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *arguments: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        yield address, asked


def lines_of(signer: Signer, note: bytes) -> bytes:
    parsed = parse_note(note)
    signed = type(parsed)(text=parsed.text, signatures=(signer.sign(parsed.text),))
    return format_note(signed).rpartition(b"\n\n")[2]


@pytest.mark.parametrize(
    ("status", "body", "content_type", "said"),
    [
        (200, b"", PLAIN, "does not hold"),
        (200, b"hello\n", PLAIN, "does not hold"),
        (200, b"\xff" * 50, PLAIN, "does not hold"),
        (200, "— w1.example AAAAAAA=\n".encode(), PLAIN, "did not sign with the key"),
        (200, "— w1.example {id}AAAA\n".encode(), PLAIN, "does not hold"),
        (200, b"x" * 300_000, PLAIN, "more than 262144 bytes"),
        (302, b"", PLAIN, "answers 302"),
        (307, b"", PLAIN, "answers 307"),
        (409, b"many\n", SIZE, "without its size"),
        (409, b"010\n", SIZE, "without its size"),
        (409, b"\xff\n", SIZE, "without its size"),
        (409, b"5\n", SIZE, "another history"),
        (409, b"99\n", SIZE, "cosigned 99 events"),
        (409, b"\x1b[2Jno\n", PLAIN, "another history"),
        (422, b"no", PLAIN, "another history"),
        (500, b"", PLAIN, "it said nothing"),
    ],
)
def test_witness_that_answers_badly_is_not_believed(
    log: SignedLog, status: int, body: bytes, content_type: str, said: str
) -> None:
    with answering(status, body, content_type) as (address, asked):
        settings = WitnessAnchor(url=address, key=format_vkey(KEY.key))
        with pytest.raises(IntegrationError, match=said):
            log.anchoring(w=settings).put("w")
        assert set(asked) == {"/add-checkpoint"}, "no redirect is followed"
        assert len(asked) <= 2
    assert log.receipts.all() == []


def test_cosignature_of_another_checkpoint_is_not_believed(log: SignedLog) -> None:
    other = format_note(LOG_KEY.note(11, log.leaves[0]))
    with answering(200, lines_of(KEY, other)) as (address, _), pytest.raises(IntegrationError, match="does not hold"):
        log.anchoring(w=WitnessAnchor(url=address, key=format_vkey(KEY.key))).put("w")


def test_signatures_of_strangers_are_left_out(log: SignedLog) -> None:
    note = log.sign(10)
    lines = lines_of(Signer("stranger", 8, COSIGNATURE), note) + lines_of(KEY, note)
    with answering(200, lines) as (address, _):
        log.anchoring(w=WitnessAnchor(url=address, key=format_vkey(KEY.key))).put("w")
    (kept,) = log.receipts.notes()
    assert [one.name for one in kept.signatures] == [LOG_KEY.key.name, "w1.example"]


@pytest.mark.parametrize("body", [b"", b"hello", b"\xff" * 100, b"x" * 300_000])
def test_witness_that_shows_no_checkpoint_vouches_for_nothing(log: SignedLog, body: bytes) -> None:
    with answering(200, body) as (address, _):
        found = log.anchoring(w=WitnessAnchor(url=address, key=format_vkey(KEY.key))).compare(["w"], [LOG_KEY.key])
    assert (found.checkpoints, found.anchored_through) == ((), 0)


def test_checkpoint_that_the_witness_did_not_sign_vouches_for_nothing(log: SignedLog) -> None:
    with answering(200, log.sign(10)) as (address, _):
        found = log.anchoring(w=WitnessAnchor(url=address, key=format_vkey(KEY.key))).compare(["w"], [LOG_KEY.key])
    assert found.checkpoints == ()


@pytest.mark.parametrize(("status", "content_type"), [(200, PLAIN), (500, "application/timestamp-reply"), (302, PLAIN)])
def test_authority_that_answers_something_else_is_said(
    log: SignedLog, tmp_path: Path, status: int, content_type: str
) -> None:
    (tmp_path / "ca.pem").write_text("")
    said = f"answers {status}"
    with answering(status, b"x", content_type) as (address, _), pytest.raises(IntegrationError, match=said):
        log.anchoring(t=Rfc3161Anchor(url=address, ca_file=str(tmp_path / "ca.pem"))).put("t")


def test_service_that_speaks_no_http_is_said(log: SignedLog) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"\x00\x01 I am no web server\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        settings = WitnessAnchor(url=f"http://127.0.0.1:{server.getsockname()[1]}", key=format_vkey(KEY.key))
        with pytest.raises(IntegrationError, match=r"127\.0\.0\.1"):
            log.anchoring(w=settings).put("w")
        thread.join()
