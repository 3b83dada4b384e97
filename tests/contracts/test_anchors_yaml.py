"""`anchors.yaml`: every kind, and what is refused before anything is opened."""

from __future__ import annotations

import pytest

from esaa.contracts.anchors import (
    DirectoryAnchor,
    GitNoteAnchor,
    GitTagAnchor,
    Rfc3161Anchor,
    WitnessAnchor,
    parse_anchors,
)
from esaa.errors import ContractError

ALL = b"""
anchors:
  backup: {kind: directory, path: ../elsewhere}
  team: {kind: git_tag, remote: origin}
  here: {kind: git_tag}
  commits: {kind: git_note, remote: up-stream.2}
  tsa: {kind: rfc3161, url: "https://tsa.example.org/tsr", ca_file: root.pem}
  w1: {kind: witness, url: "http://127.0.0.1:8780", key: "w1+00000000+AAAA"}
"""


def test_every_kind_is_read_in_the_order_of_the_file() -> None:
    assert parse_anchors(ALL, "anchors.yaml") == {
        "backup": DirectoryAnchor(path="../elsewhere"),
        "team": GitTagAnchor(remote="origin"),
        "here": GitTagAnchor(remote=""),
        "commits": GitNoteAnchor(remote="up-stream.2"),
        "tsa": Rfc3161Anchor(url="https://tsa.example.org/tsr", ca_file="root.pem"),
        "w1": WitnessAnchor(url="http://127.0.0.1:8780", key="w1+00000000+AAAA"),
    }


@pytest.mark.parametrize("data", [b"{}", b"anchors: {}"])
def test_no_anchor_is_an_answer(data: bytes) -> None:
    assert parse_anchors(data, "anchors.yaml") == {}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("{kind: pigeon}", "pigeon"),
        ("{path: x}", "kind"),
        ("{kind: directory}", "path"),
        ("{kind: directory, path: ''}", "length"),
        ("{kind: directory, path: x, remote: origin}", "remote"),
        ("{kind: git_tag, remote: '-x'}", "regex|pattern"),
        ("{kind: git_tag, remote: 'ext::sh -c true'}", "regex|pattern"),
        ("{kind: git_tag, remote: 'https://host/x'}", "regex|pattern"),
        ("{kind: git_note, remote: 'a b'}", "regex|pattern"),
        ("{kind: rfc3161, url: 'file:///etc/passwd', ca_file: x}", "regex|pattern"),
        ('{kind: rfc3161, url: "http://host/a\\nb", ca_file: x}', "regex|pattern"),
        ("{kind: rfc3161, url: 'http://host'}", "ca_file"),
        ('{kind: rfc3161, url: "http://host\\n", ca_file: x}', "regex|pattern"),
        ('{kind: git_tag, remote: "origin\\n"}', "regex|pattern"),
        ("{kind: witness, url: 'ftp://host', key: x}", "regex|pattern"),
        ("[]", "Expected"),
    ],
)
def test_wrong_setting_names_its_place(setting: str, said: str) -> None:
    with pytest.raises(ContractError, match=said) as raised:
        parse_anchors(f"anchors:\n  a: {setting}\n".encode(), "somewhere/anchors.yaml")
    assert raised.value.message.startswith("somewhere/anchors.yaml: ")
    assert raised.value.code == "ANCHORS_INVALID"


@pytest.mark.parametrize("name", ["A", "a b", "../x", "-a", "a" * 41, "é", "a_b", "a.b"])
def test_name_that_could_not_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(ContractError, match="is no name"):
        parse_anchors(f'anchors:\n  "{name}": {{kind: directory, path: x}}\n'.encode(), "anchors.yaml")


def test_more_than_can_be_asked_are_refused() -> None:
    many = "".join(f"  a{number}: {{kind: directory, path: x}}\n" for number in range(33))
    with pytest.raises(ContractError, match="more than 32"):
        parse_anchors(f"anchors:\n{many}".encode(), "anchors.yaml")


@pytest.mark.parametrize("data", [b"[", b"\xff", b"anchors: &a {}\nother: *a\n", b"a: 1\n", b"x" * 70_000])
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(ContractError, match=r"anchors\.yaml: "):
        parse_anchors(data, "anchors.yaml")
