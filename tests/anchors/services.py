"""The services that anchors talk to, as real processes and servers on the loopback; and a signed log to anchor."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from esaa.contracts.anchors import AnchorSettings
from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import VerifierKey, format_note
from esaa.kernel.merkle import root
from esaa.runtime.clock import ManualClock
from esaa.runtime.trust.anchoring import Anchoring
from esaa.runtime.trust.anchors.base import Anchor
from esaa.runtime.trust.anchors.resolve import make_anchor
from esaa.runtime.trust.proving import ProvableLog, leaves_of_log
from esaa.runtime.trust.witness import Witness, WitnessHandler, WitnessServer
from esaa.stores.anchor_receipts import ReceiptStore
from esaa.stores.checkpoints import CheckpointStore
from esaa.stores.disk import Disk
from esaa.stores.keys import KeyStore
from tests.kernel.signing import Signer

ORIGIN = "esaa.local/5b2b1f6e"
LOG_KEY = Signer(ORIGIN)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class SignedLog:
    """A log in a folder, signed as far as the test says."""

    def __init__(self, folder: Path, *, signed: int, lines: int = 30) -> None:
        self.root = folder
        self.roadmap = folder / ".roadmap"
        self.roadmap.mkdir(parents=True)
        self.receipts = ReceiptStore(self.roadmap, Disk())
        self.notes = CheckpointStore(self.roadmap / "checkpoints", Disk())
        self.write([b'{"event_seq":%d}' % number for number in range(1, lines + 1)])
        self.sign(signed)

    def write(self, lines: list[bytes]) -> None:
        """Makes these the lines of the log."""
        self.leaves = [leaf_hash(line) for line in lines]
        (self.roadmap / "activity.jsonl").write_bytes(b"\n".join(lines) + b"\n")

    def rewrite(self) -> None:
        """Makes another history of it, of the same length."""
        self.write([b'{"event_seq":%d,"other":1}' % number for number in range(1, len(self.leaves) + 1)])

    def sign(self, size: int) -> bytes:
        """Signs the first events, publishes that, and gives the note's bytes."""
        note = LOG_KEY.note(size, root(self.leaves[:size]))
        self.notes.keep(note, size)
        self.notes.publish(note)
        return format_note(note)

    def provable(self) -> ProvableLog:
        """The log as proofs see it."""
        return ProvableLog(leaves_of_log(self.roadmap / "activity.jsonl"), self.notes, self.receipts.notes)

    def anchor(self, settings: AnchorSettings, name: str = "one") -> Anchor:
        """The anchor of a setting."""
        hashes = self.provable().hashes_since
        return make_anchor(name, settings, self.root, ORIGIN, self.receipts, hashes, Disk())

    def anchoring(self, **settings: AnchorSettings) -> Anchoring:
        """All of them."""
        made = {
            name: (str(one.__struct_config__.tag), partial(self.anchor, one, name)) for name, one in settings.items()
        }
        return Anchoring(self.provable(), ORIGIN, made, self.receipts, ManualClock(NOON))


def git(folder: Path, *arguments: str) -> str:
    """Runs git as a test's user would."""
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    command = ["git", *who, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def repository(folder: Path, remote: Path | None = None) -> None:
    """A repository with a commit, and a bare remote `origin` where one is asked for."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "first")
    if remote is not None:
        subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True, capture_output=True)
        git(folder, "remote", "add", "origin", str(remote))


@contextlib.contextmanager
def serving(server: ThreadingHTTPServer) -> Generator[str, None, None]:
    """The address of a server that answers while the block runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Authority:
    """A time stamping authority: certificates of its own, and `openssl ts -reply` behind HTTP."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self.answers: list[bytes] = []
        _run(
            folder,
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=root"
            " -keyout ca.key -out ca.pem",
        )
        (folder / "ext").write_text(
            "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\nbasicConstraints=CA:FALSE\n"
        )
        _run(
            folder, "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=tsa -keyout tsa.key -out tsa.csr"
        )
        _run(
            folder, "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out tsa.pem"
        )
        (folder / "ts.cnf").write_text(
            "[tsa]\ndefault_tsa=one\n[one]\nserial=serial\nsigner_cert=tsa.pem\ncerts=ca.pem\nsigner_key=tsa.key\n"
            "signer_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\naccuracy=secs:1\nordering=no\ntsa_name=yes\n"
            "crypto_device=builtin\n"
        )
        (folder / "serial").write_text("01\n")

    def stamp(self, query: bytes) -> bytes:
        """The token for a request."""
        (self.folder / "query").write_bytes(query)
        _run(self.folder, "ts -reply -config ts.cnf -section one -queryfile query -out token")
        return (self.folder / "token").read_bytes()

    @contextlib.contextmanager
    def serve(self) -> Generator[str, None, None]:
        """Its address, while the block runs. Answers in `answers` are given first, in the place of tokens."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                is_query = self.headers["Content-Type"] == "application/timestamp-query"
                token = authority.answers.pop(0) if authority.answers else authority.stamp(query)
                self.send_response(200 if is_query else 400)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(token)

            def log_message(self, *arguments: object) -> None:
                pass

        with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
            yield address


class QuietWitnessServer(WitnessServer):
    """As the real one, whose requests are not told on standard error."""

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        super().__init__(address, witness)
        self.RequestHandlerClass = type("Quiet", (WitnessHandler,), {"log_message": lambda *_: None})


class WitnessHouse:
    """A witness with its state in a folder."""

    def __init__(self, folder: Path, *logs: VerifierKey) -> None:
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self.signing = KeyStore(folder).create("w1.example")
        self.logs = logs or (LOG_KEY.key,)
        self.clock = ManualClock(NOON)

    def witness(self, disk: Disk | None = None) -> Witness:
        """The witness, as a process that has just begun."""
        return Witness(self.state, self.signing, self.logs, self.clock, disk or Disk())

    @contextlib.contextmanager
    def serve(self) -> Iterator[str]:
        """Its address, while the block runs."""
        with serving(QuietWitnessServer(("127.0.0.1", 0), self.witness())) as address:
            yield address


def _run(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)
