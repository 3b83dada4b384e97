"""A real witness over real HTTP, and its client: one history of each log, remembered before it is answered."""

from __future__ import annotations

import hashlib
import http.client
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from esaa.contracts.anchors import WitnessAnchor
from esaa.errors import ConfigError, ContractError, IntegrationError, StoreError
from esaa.kernel.checkpoint import checkpoint_of, cosigned_by, format_vkey, parse_note
from esaa.kernel.merkle import consistency_proof
from esaa.kernel.witnessing import AddCheckpoint, format_request
from esaa.runtime.trust.proving import check, formatted
from esaa.runtime.trust.witness import Witness, cosigner
from esaa.stores.disk import Disk
from tests.anchors.services import LOG_KEY, NOON, ORIGIN, SignedLog, WitnessHouse
from tests.kernel.signing import Signer, verify

NAME = hashlib.sha256(ORIGIN.encode()).hexdigest()


@pytest.fixture
def house(tmp_path: Path) -> WitnessHouse:
    """A witness that knows the log's key."""
    return WitnessHouse(tmp_path / "witness")


def settings(house: WitnessHouse, address: str) -> WitnessAnchor:
    return WitnessAnchor(url=address, key=format_vkey(cosigner(house.signing)))


def request(log: SignedLog, old: int, size: int) -> bytes:
    note = log.sign(size)
    return format_request(AddCheckpoint(old_size=old, proof=consistency_proof(log.leaves[:size], old), note=note))


def test_log_that_grows_is_cosigned_and_its_receipts_show_it(log: SignedLog, house: WitnessHouse) -> None:
    with house.serve() as address:
        anchoring = log.anchoring(w=settings(house, address))
        for size in (10, 17, 17, 30):
            log.sign(size)
            receipt = anchoring.put("w")
            assert (receipt.size, receipt.detail["time"]) == (size, "2026-03-02T12:00:00Z")
        assert anchoring.compare(["w"], [LOG_KEY.key]).anchored_through == 30
    line = b'{"event_seq":7}'
    data = formatted(log.provable().receipt(7, line))
    found = check(data, line, [LOG_KEY.key, cosigner(house.signing)])
    assert found.seen == (("w1.example", int(NOON.timestamp())),)


def test_client_that_lost_its_receipts_asks_the_witness_where_it_stands(log: SignedLog, house: WitnessHouse) -> None:
    with house.serve() as address:
        log.anchoring(w=settings(house, address)).put("w")
        for path in (log.roadmap / "anchors").rglob("10.*"):
            path.unlink()
        log.sign(20)
        assert log.anchoring(w=settings(house, address)).put("w").size == 20


def test_rewritten_log_is_refused_and_found(log: SignedLog, house: WitnessHouse) -> None:
    with house.serve() as address:
        anchoring = log.anchoring(w=settings(house, address))
        anchoring.put("w")
        log.rewrite()
        log.sign(10)
        with pytest.raises(IntegrationError, match="another history"):
            anchoring.put("w")
        log.sign(20)
        with pytest.raises(IntegrationError, match="another history"):
            anchoring.put("w")
        for path in (log.roadmap / "anchors").rglob("10.*"):
            path.unlink()  # whoever rewrites the log drops the receipts too: the witness has not forgotten
        found = log.anchoring(w=settings(house, address)).compare(["w"], [LOG_KEY.key])
        assert [(one.size, one.standing) for one in found.checkpoints] == [(10, "differs")]


def test_log_that_was_rolled_back_is_refused(log: SignedLog, house: WitnessHouse) -> None:
    with house.serve() as address:
        log.sign(20)
        log.anchoring(w=settings(house, address)).put("w")
        log.sign(10)
        with pytest.raises(IntegrationError, match="has cosigned 20 events, and this checkpoint has 10"):
            log.anchoring(w=settings(house, address)).put("w")


def test_witness_of_another_key_or_that_does_not_know_the_log_is_said(
    log: SignedLog, house: WitnessHouse, tmp_path: Path
) -> None:
    other = WitnessHouse(tmp_path / "other", Signer("elsewhere").key)
    with house.serve() as address, other.serve() as stranger:
        with pytest.raises(IntegrationError, match="does not hold"):
            log.anchoring(w=settings(other, address)).put("w")
        with pytest.raises(IntegrationError, match="answers 404"):
            log.anchoring(w=settings(other, stranger)).put("w")
    with pytest.raises(IntegrationError, match=r"http://127\.0\.0\.1"):
        log.anchoring(w=settings(house, address)).put("w")
    for key in ("x", format_vkey(LOG_KEY.key)):
        with pytest.raises(ContractError, match="anchor w"):
            log.anchoring(w=WitnessAnchor(url=address, key=key)).put("w")


def test_witness_remembers_across_its_own_end(log: SignedLog, house: WitnessHouse) -> None:
    assert house.witness().add_checkpoint(request(log, 0, 10)).status == 200
    assert house.witness().add_checkpoint(request(log, 0, 20)).body == b"10\n"
    assert house.witness().add_checkpoint(request(log, 10, 20)).status == 200
    kept = parse_note((house.state / NAME).read_bytes())
    assert (checkpoint_of(kept).size, cosigned_by(kept, cosigner(house.signing), verify)) == (20, int(NOON.timestamp()))


class FullDisk(Disk):
    """A disk on which nothing more fits."""

    def replace_file(self, path: Path, data: bytes, *, durable: bool, mode: int = 0o644) -> None:
        raise OSError(28, "No space left on device")


def test_witness_that_can_not_remember_does_not_sign(log: SignedLog, house: WitnessHouse) -> None:
    with pytest.raises(StoreError):
        house.witness(FullDisk()).add_checkpoint(request(log, 0, 10))
    assert house.witness().newest(NAME).status == 404


def test_witness_without_its_memory_does_not_begin(house: WitnessHouse) -> None:
    house.state.rmdir()
    with pytest.raises(ConfigError, match="may not sign again"):
        house.witness()


@pytest.mark.parametrize("data", [b"hello\n", b""])
def test_witness_with_a_damaged_memory_does_not_sign(log: SignedLog, house: WitnessHouse, data: bytes) -> None:
    (house.state / NAME).write_bytes(data)
    with pytest.raises(StoreError, match=NAME):
        house.witness().add_checkpoint(request(log, 0, 10))


def test_of_two_that_ask_at_once_with_two_histories_one_is_signed(log: SignedLog, house: WitnessHouse) -> None:
    # The race of the specification: both begin at the same known size, in two processes of the witness.
    asked = [request(log, 0, 10)]
    log.rewrite()
    asked += [request(log, 0, 10)] * 1
    for _ in range(20):
        (house.state / NAME).unlink(missing_ok=True)
        witnesses = [house.witness(), house.witness()]
        answers: list[int] = []

        def ask(witness: Witness, data: bytes, answers: list[int] = answers) -> None:
            answers.append(witness.add_checkpoint(data).status)

        threads = [threading.Thread(target=ask, args=pair) for pair in zip(witnesses, asked, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200, 409]


def send(address: str, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        connection.putrequest(method, path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_server_answers_what_is_no_request(log: SignedLog, house: WitnessHouse) -> None:
    with house.serve() as address:
        for method, path, body, headers, status in (
            ("POST", "/add-checkpoint", b"hello", {"Content-Length": "5"}, 400),
            ("POST", "/add-checkpoint", None, {}, 411),
            ("POST", "/add-checkpoint", None, {"Content-Length": "-1"}, 411),
            ("POST", "/add-checkpoint", None, {"Content-Length": "1" * 30}, 413),
            ("POST", "/add-checkpoint", None, {"Content-Length": "999999999"}, 413),
            ("POST", "/add-checkpoint", None, {"Content-Length": "5", "Transfer-Encoding": "chunked"}, 411),
            ("POST", "/elsewhere", b"", {"Content-Length": "0"}, 404),
            ("GET", "/", None, {}, 404),
            ("GET", "/checkpoint/../../etc/passwd", None, {}, 404),
            ("GET", f"/checkpoint/{NAME}", None, {}, 404),
            ("PUT", "/add-checkpoint", b"", {"Content-Length": "0"}, 501),
        ):
            assert send(address, method, path, body, headers) == status, (method, path, headers)
        log.anchoring(w=settings(house, address)).put("w")
        assert send(address, "GET", f"/checkpoint/{NAME}", None, {}) == 200
