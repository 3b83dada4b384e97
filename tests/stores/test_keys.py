"""Keys: only their owner reads them, none is ever overwritten, and a rotation that a crash cut short goes on."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from esaa.errors import ConfigError, NotFound, UsageError
from esaa.kernel.checkpoint import parse_vkey
from esaa.stores.disk import Disk
from esaa.stores.keys import KeyStore, refuse_inside, verify_ed25519
from esaa.stores.origin import make_origin, read_origin

NAME = "esaa.local/5e551000-0000-4000-8000-000000000001"


def test_a_key_signs_and_is_trusted(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "config")
    assert keys.load(NAME) is None
    assert not keys.has(NAME)
    made = keys.create(NAME)
    again = KeyStore(tmp_path / "config").load(NAME)
    assert again is not None
    assert again.verifier == made.verifier
    assert keys.known(NAME) == (made.verifier,)
    assert keys.names() == [NAME]
    signature = again.sign(b"message")
    assert verify_ed25519(made.verifier.public, b"message", signature)
    assert not verify_ed25519(made.verifier.public, b"another", signature)
    assert not verify_ed25519(made.verifier.public, b"message", signature[:-1])
    assert not verify_ed25519(b"short", b"message", signature)


def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "config")
    keys.create(NAME)
    keys.rotate(NAME)
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.folder.iterdir()} == {0o600}
    assert sorted(path.suffix for path in keys.folder.iterdir()) == [".key", ".next", ".trusted"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
@pytest.mark.parametrize("suffix", ["key", "trusted"])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int, suffix: str) -> None:
    keys = KeyStore(tmp_path / "config")
    keys.create(NAME)
    next(keys.folder.glob(f"*.{suffix}")).chmod(mode)
    with pytest.raises(ConfigError) as raised:
        keys.load(NAME) if suffix == "key" else keys.known(NAME)
    assert raised.value.code == "KEY_MODE_LOOSE"
    assert f"{mode:04o}" in raised.value.message


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777])
def test_a_folder_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    keys = KeyStore(tmp_path / "config")
    keys.create(NAME)
    keys.folder.chmod(mode)
    for act in (keys.load, keys.known, keys.rotate, keys.create):
        with pytest.raises(ConfigError) as raised:
            act(NAME if act != keys.create else "another.example")
        assert raised.value.code == "KEY_MODE_LOOSE"


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "config")
    first = keys.create(NAME)
    with pytest.raises(UsageError) as raised:
        keys.create(NAME)
    assert raised.value.code == "KEY_EXISTS"
    found = keys.load(NAME)
    assert found is not None
    assert found.verifier == first.verifier
    assert [path.name for path in keys.folder.iterdir() if path.name.startswith(".")] == []


def test_a_symbolic_link_is_no_key(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "config")
    keys.create(NAME)
    path = next(keys.folder.glob("*.key"))
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError) as raised:
        keys.load(NAME)
    assert raised.value.code == "KEY_INVALID"


@pytest.mark.parametrize("data", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_bytes_that_are_no_key_are_named(tmp_path: Path, data: bytes) -> None:
    keys = KeyStore(tmp_path / "config")
    keys.create(NAME)
    next(keys.folder.glob("*.key")).write_bytes(data)
    with pytest.raises(ConfigError) as raised:
        keys.load(NAME)
    assert raised.value.code == "KEY_INVALID"


def test_a_key_of_another_algorithm_is_refused(tmp_path: Path, need_tool: Callable[[str], str]) -> None:
    keys = KeyStore(tmp_path / "config")
    keys.create(NAME)
    path = next(keys.folder.glob("*.key"))
    subprocess.run([need_tool("openssl"), "genpkey", "-algorithm", "X25519", "-out", str(path)], check=True)
    with pytest.raises(ConfigError) as raised:
        keys.load(NAME)
    assert raised.value.code == "KEY_INVALID"


def test_openssl_reads_the_key_and_agrees(tmp_path: Path, need_tool: Callable[[str], str]) -> None:
    keys = KeyStore(tmp_path / "config")
    made = keys.create(NAME)
    path = next(keys.folder.glob("*.key"))
    der = subprocess.run(
        [need_tool("openssl"), "pkey", "-in", str(path), "-pubout", "-outform", "DER"], check=True, capture_output=True
    ).stdout
    assert der[-32:] == made.verifier.public


def test_rotation_goes_on_where_it_was_cut_short(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "config")
    first = keys.create(NAME)
    old, new = keys.rotate(NAME)
    assert old.verifier == first.verifier
    # The crash comes here: nothing is in force yet, and asking again gives the very same two.
    again = KeyStore(tmp_path / "config").rotate(NAME)
    assert [one.verifier for one in again] == [old.verifier, new.verifier]
    keys.finish_rotation(NAME)
    found = keys.load(NAME)
    assert found is not None
    assert found.verifier == new.verifier
    assert keys.known(NAME) == (old.verifier, new.verifier)
    assert old.verifier.public != new.verifier.public


def test_rotation_needs_a_key(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as raised:
        KeyStore(tmp_path / "config").rotate(NAME)
    assert raised.value.code == "KEY_NOT_FOUND"


def test_trusting_another_key_keeps_the_first(tmp_path: Path) -> None:
    keys, others = KeyStore(tmp_path / "config"), KeyStore(tmp_path / "others")
    own, foreign = keys.create(NAME), others.create(NAME)
    keys.trust(NAME, foreign.verifier)
    keys.trust(NAME, foreign.verifier)
    assert keys.known(NAME) == (own.verifier, foreign.verifier)


def test_a_list_of_trusted_keys_that_was_bent_is_named(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "config")
    keys.create(NAME)
    path = next(keys.folder.glob("*.trusted"))
    path.write_text(path.read_text().replace("+", " ", 1))
    with pytest.raises(ConfigError) as raised:
        keys.known(NAME)
    assert raised.value.code == "KEY_INVALID"


@pytest.mark.parametrize(
    "name", ["", "../x", "/etc", "a/../b", "a//b", "a b", "a+b", "a\n", "ä.example", "x" * 121, "a/"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as raised:
        KeyStore(tmp_path / "config").create(name)
    assert raised.value.code == "KEY_NAME_INVALID"
    assert not (tmp_path / "config").exists()


def test_keys_inside_the_workspace_are_refused(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "project")
    refuse_inside(tmp_path / "config", tmp_path / "project")
    for inside in (tmp_path / "project", tmp_path / "project" / "a" / "b", tmp_path / "link" / "config"):
        with pytest.raises(ConfigError) as raised:
            refuse_inside(inside, tmp_path / "project")
        assert raised.value.code == "KEY_INSIDE_WORKSPACE"


def test_a_public_key_is_written_as_others_read_it(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "config")
    made = keys.create(NAME)
    assert parse_vkey(next(keys.folder.glob("*.trusted")).read_text().strip()) == made.verifier


def test_an_origin_is_drawn_once(tmp_path: Path) -> None:
    assert read_origin(tmp_path) is None
    assert make_origin(tmp_path, Disk(), lambda: "one") == "esaa.local/one"
    assert make_origin(tmp_path, Disk(), lambda: "two") == "esaa.local/one"
    assert read_origin(tmp_path) == "esaa.local/one"
    assert [path.name for path in tmp_path.iterdir()] == ["origin"]


@pytest.mark.parametrize("data", [b"", b"\n", b"esaa.local/x", b"a b\n", b"a\nb\n", b"\xff\n", b"a" * 2000 + b"\n"])
def test_an_origin_file_that_names_nothing_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "origin").write_bytes(data)
    with pytest.raises(Exception, match=r"does not hold one line|more than 1000 bytes"):
        read_origin(tmp_path)
