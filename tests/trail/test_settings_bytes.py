"""The trail's settings and lines as bytes that are no text, or too many of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from esaa.errors import ConfigError
from esaa.kernel.ingest import SETTINGS
from esaa.kernel.vocabulary import MalformedLine
from esaa.trail.settings import read_settings
from esaa.trail.wire import TrailVocabulary

LINES = (Path(__file__).resolve().parents[1] / "corpora" / "trail" / "events.jsonl").read_bytes().splitlines()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"event_sourcing: \xff", "is not UTF-8"),
        (b"#" * (SETTINGS.bytes_max + 1), "more than"),
        (b"event_sourcing: &a {}", "anchors"),
        (b"[" * 5000, "nested"),
    ],
)
def test_settings_that_are_no_strict_yaml_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        read_settings(data, "event-sourcing.yaml")


@pytest.mark.parametrize("line", LINES[:5])
def test_metadata_that_is_no_text_makes_the_line_malformed(line: bytes) -> None:
    at = line.index(b'"metadata":{') + len(b'"metadata":{')
    broken = line[:at] + b'"extra":"\xff\xfe",' + line[at:]
    with pytest.raises(MalformedLine, match="not UTF-8"):
        TrailVocabulary().decode(broken)
    assert TrailVocabulary().decode(line[:at] + '"e\u0301":"é",'.encode() + line[at:])
