"""The short form of the full disk: it needs a tmpfs of its own."""

from __future__ import annotations

import pytest

from assure import full_disk
from assure.figure import Scope


def test_full_disk_refuses_cleanly_and_loses_nothing(short_scope: Scope) -> None:
    (figure,) = full_disk.measure(short_scope)
    if "skipped" in figure.detail:
        pytest.skip(f"no tmpfs can be mounted here: {figure.detail['skipped']}")
    assert figure.holds, figure.detail
    assert int(figure.detail["sizes that were too small"]) > 1
    assert int(figure.detail["sizes that were too small"]) < int(figure.detail["sizes"])


def test_what_cannot_be_mounted_is_no_figure(short_scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_disk, "_enter_namespace", lambda: "no namespace of its own: not permitted")
    (figure,) = full_disk.measure(short_scope)
    assert not figure.holds
    assert "not permitted" in str(figure.detail["skipped"])
