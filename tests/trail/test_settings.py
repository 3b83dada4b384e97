"""The settings of the trail: where they come from, which stands above which, and every wrong one named."""

from __future__ import annotations

import pytest

from esaa.errors import ConfigError
from esaa.trail.settings import TrailSettings, read_settings

WHERE = ".roadmap/event-sourcing.yaml"


def test_without_any_source_the_defaults_hold() -> None:
    assert read_settings(None, WHERE) == TrailSettings()
    for empty in (b"", b"# only a comment\n", b"~\n", b"event_sourcing:\n", b"event_sourcing:\n  storage:\n"):
        assert read_settings(empty, WHERE) == TrailSettings()


def test_environment_stands_above_the_file_and_the_file_above_the_users() -> None:
    user = {"storage": {"partition_by": "session", "compression": True}, "cleanup": {"enabled": False}}
    data = b"event_sourcing:\n  storage: {partition_by: issue, format: json}\n"
    environ = {"ESAA_STORAGE_FORMAT": "parquet", "ESAA_CLEANUP_ARCHIVE_AFTER_DAYS": "7", "ESAA_OTHER": "x"}

    found = read_settings(data, WHERE, user=user, environ=environ)

    assert (found.storage.partition_by, found.storage.format, found.storage.compression) == ("issue", "parquet", True)
    assert (found.cleanup.enabled, found.cleanup.archive_after_days) == (False, 7)


def test_texts_of_the_environment_are_taken_as_they_are_and_the_rest_as_yaml() -> None:
    environ = {
        "ESAA_STORAGE_WRITER_ID": "1",
        "ESAA_INDEXING_INDEX_FIELDS": "[phase, actor_id]",
        "ESAA_SNAPSHOTS_ENABLED": "false",
    }
    found = read_settings(None, WHERE, environ=environ)
    assert found.storage.writer_id == "1"
    assert found.indexing.index_fields == ("phase", "actor_id")
    assert found.snapshots.enabled is False


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff", "is not UTF-8"),
        (b"a: 1\na: 2\n", WHERE),
        (b"[1]", "must hold one map named `event_sourcing`"),
        (b"storage: {}\n", "must hold one map named `event_sourcing`"),
        (b"event_sourcing: 1\n", "event_sourcing must be a map"),
        (b"event_sourcing:\n  storage: 1\n", "storage must be a map"),
        (b"event_sourcing:\n  storage: {partition_by: moon}\n", "partition_by"),
        (b"event_sourcing:\n  storage: {surplus: 1}\n", "surplus"),
        (b"event_sourcing:\n  validation: {schema_version: 2.0.0}\n", "this esaa writes 1.0.0"),
        (b"event_sourcing:\n  cleanup: {delete_after_days: 1}\n", "must not be less than cleanup.archive_after_days"),
    ],
)
def test_wrong_file_is_refused_with_its_name_and_what_is_wrong(data: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(data, WHERE)
    assert caught.value.code == "CONFIG_INVALID"
    assert WHERE in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["[", "moon", "-1"])
def test_wrong_environment_is_named_as_such(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(None, WHERE, environ={"ESAA_SNAPSHOTS_FREQUENCY": text})
    assert "ESAA_SNAPSHOTS_FREQUENCY" in caught.value.message or "the environment" in caught.value.message


def test_wrong_value_of_the_user_is_named_as_the_users() -> None:
    with pytest.raises(ConfigError, match=r"config\.toml: event_sourcing: storage must be a map"):
        read_settings(None, WHERE, user={"storage": 1})
