"""Tokens of a time stamping authority (RFC 3161), made by a real `openssl ts` behind real HTTP."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from esaa.contracts.anchors import Rfc3161Anchor
from esaa.errors import ConfigError, IntegrationError
from tests.anchors.services import LOG_KEY, Authority, SignedLog

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One authority for all tests: its keys take a moment."""
    return Authority(tmp_path_factory.mktemp("tsa") / "authority")


@pytest.fixture
def address(authority: Authority) -> Iterator[str]:
    """The authority, at work."""
    with authority.serve() as found:
        yield found


def settings(authority: Authority, address: str) -> Rfc3161Anchor:
    return Rfc3161Anchor(url=address, ca_file=str(authority.ca_file))


def test_token_is_kept_and_holds_also_for_openssl(log: SignedLog, authority: Authority, address: str) -> None:
    receipt = log.anchoring(tsa=settings(authority, address)).put("tsa")
    told = datetime.strptime(receipt.detail["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - told).total_seconds()) < 60
    folder = log.roadmap / "anchors" / "tsa" / "log"
    assert sorted(path.name for path in folder.iterdir()) == ["10.json", "10.note", "10.tsq", "10.tsr"]
    command = ["openssl", "ts", "-verify", "-data", "10.note", "-in", "10.tsr", "-CAfile", str(authority.ca_file)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert "Verification: OK" in done.stdout + done.stderr
    assert log.anchoring(tsa=settings(authority, address)).compare(["tsa"], [LOG_KEY.key]).anchored_through == 10


def test_token_needs_no_authority_to_be_checked(log: SignedLog, authority: Authority) -> None:
    with authority.serve() as address:
        log.anchoring(tsa=settings(authority, address)).put("tsa")
    gone = settings(authority, "http://127.0.0.1:9")
    assert log.anchoring(tsa=gone).compare(["tsa"], [LOG_KEY.key]).anchored_through == 10
    log.rewrite()
    log.sign(10)
    assert log.anchoring(tsa=gone).compare(["tsa"], [LOG_KEY.key]).is_contradicted


@pytest.mark.parametrize("name", ["10.note", "10.tsr"])
def test_token_that_is_not_about_the_note_is_no_anchor(
    log: SignedLog, authority: Authority, address: str, name: str
) -> None:
    log.anchoring(tsa=settings(authority, address)).put("tsa")
    path = log.roadmap / "anchors" / "tsa" / "log" / name
    data = bytearray(path.read_bytes())
    data[-5] ^= 1  # of both, the signature
    path.write_bytes(bytes(data))
    assert list(log.anchor(settings(authority, address), "tsa").fetch()) == []


def test_token_for_something_else_is_not_believed(log: SignedLog, authority: Authority, address: str) -> None:
    log.anchoring(tsa=settings(authority, address)).put("tsa")
    earlier = (log.roadmap / "anchors" / "tsa" / "log" / "10.tsr").read_bytes()
    # The same bytes, stamped before: without the nonce of this request it says nothing about now.
    authority.answers += [earlier]
    with pytest.raises(IntegrationError, match="does not hold"):
        log.anchoring(tsa=settings(authority, address)).put("tsa")
    authority.answers += [b"hello"]
    with pytest.raises(IntegrationError, match="does not hold"):
        log.anchoring(tsa=settings(authority, address)).put("tsa")


def test_authority_with_another_root_is_not_believed(
    log: SignedLog, authority: Authority, address: str, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    with pytest.raises(IntegrationError, match="does not hold"):
        log.anchoring(tsa=Rfc3161Anchor(url=address, ca_file=str(other.ca_file))).put("tsa")
    assert log.receipts.all() == []


def test_wrong_setting_or_silent_authority_is_said(log: SignedLog, authority: Authority, address: str) -> None:
    with pytest.raises(ConfigError, match="There is no file"):
        log.anchoring(tsa=Rfc3161Anchor(url=address, ca_file="missing.pem")).put("tsa")
    with pytest.raises(IntegrationError, match=r"http://127\.0\.0\.1"):
        log.anchoring(tsa=settings(authority, "http://127.0.0.1:9")).put("tsa")
