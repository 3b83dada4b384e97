"""`esaa anchor`, `esaa witness` and `esaa verify --anchors`, with real git and a real witness process."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from esaa.kernel.checkpoint import Note, Signature, checkpoint_of, format_note, parse_note
from esaa.stores.keys import KeyStore
from tests.cli.workbench import Workbench


@pytest.fixture
def signed(esaa: Workbench) -> Workbench:
    """A workspace whose twelve events are signed."""
    esaa.ok("init", "--demo", "landing")
    esaa.ok("checkpoint")
    return esaa


def configure(signed: Workbench, text: str) -> None:
    (signed.roadmap / "anchors.yaml").write_text(text)


@contextmanager
def witness_process(*arguments: str) -> Iterator[str]:
    """A witness that serves in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "esaa", "witness", "serve", *arguments, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield found.group()
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_checkpoint_goes_into_a_folder_and_vouches_for_the_log(signed: Workbench, tmp_path: Path) -> None:
    configure(signed, f"anchors:\n  backup: {{kind: directory, path: {tmp_path}/elsewhere}}\n")
    put = signed.ok("anchor", "put")
    assert re.match(r"backup: event #\d+ in ", put.out)
    assert signed.ok("--json", "anchor", "list").answer[0]["anchor"] == "backup"
    assert "holds" in signed.ok("anchor", "check").out
    assert "anchored through #" in signed.ok("verify", "--anchors").out
    assert "an unanchored log" in signed.ok("verify").out


def test_rewritten_and_signed_again_is_found_by_what_lies_elsewhere(
    signed: Workbench, user: Path, tmp_path: Path
) -> None:
    configure(signed, f"anchors:\n  backup: {{kind: directory, path: {tmp_path}/elsewhere}}\n")
    signed.ok("anchor", "put")
    folder = next((tmp_path / "elsewhere").iterdir())
    kept = next(folder.iterdir())
    # What an operator with the key could do is done here to the copy: another root, signed by the same key.
    note = parse_note(kept.read_bytes())
    head = checkpoint_of(note)
    key = KeyStore(
        Path(signed.ok("--json", "key", "list").answer and __import__("os").environ["ESAA_CONFIG_DIR"])
    ).load(head.origin)
    assert key is not None
    text = note.text.replace(note.text.split(b"\n")[2], b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
    other = Signature(name=key.verifier.name, key_id=key.verifier.key_id, blob=key.sign(text))
    kept.write_bytes(format_note(Note(text=text, signatures=(other,))))
    bare = signed("verify", ".roadmap/activity.jsonl", "--anchors")
    assert (bare.code, "bare log" in bare.err) == (2, True)
    checked = signed("anchor", "check")
    assert (checked.code, "DIFFERS" in checked.out) == (4, True)
    verified = signed("verify", "--anchors")
    assert (verified.code, "CHECKPOINT_MISMATCH" in verified.out) == (4, True)


def test_git_tag_is_made_by_the_command(signed: Workbench) -> None:
    subprocess.run(["git", "init", "--quiet", str(signed.root)], check=True, capture_output=True)
    configure(signed, "anchors:\n  repo: {kind: git_tag}\n")
    assert "in tag esaa/" in signed.ok("anchor", "put", "--to", "repo").out
    assert signed.ok("anchor", "check", "--from", "repo").code == 0


def test_witness_in_a_process_of_its_own_cosigns(signed: Workbench) -> None:
    vkey = signed.ok("witness", "key", "w1.example").out.strip()
    assert signed.ok("witness", "key", "w1.example").out.strip() == vkey
    with witness_process("w1.example", "--log", signed.ok("key", "show").out.strip()) as address:
        configure(signed, f"anchors:\n  w1: {{kind: witness, url: {address}, key: {vkey}}}\n")
        assert "witness w1.example" in signed.ok("anchor", "put").out
        assert signed.ok("--json", "anchor", "check").answer["anchored_through"] > 0
        signed.ok("prove", "HEAD", "--with-event", "--out", "p")
        held = signed.ok("check-proof", "p", "--key", vkey)
        assert "seen by w1.example at 20" in held.out
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{address}/elsewhere", timeout=10)


def test_stream_of_the_trail_is_anchored_too(signed: Workbench, tmp_path: Path) -> None:
    configure(signed, f"anchors:\n  backup: {{kind: directory, path: {tmp_path}/elsewhere}}\n")
    signed.ok("record", "PhaseStarted", "--issue", "PROJ-1", "phase=PLAN", "expected_agents=2")
    signed.ok("checkpoint", "--stream", "PROJ-1")
    signed.ok("anchor", "put", "--stream", "PROJ-1")
    assert "anchored through event #" in signed.ok("anchor", "check", "--stream", "PROJ-1").out
    assert signed("anchor", "check").code == 1, "the log itself is not anchored by that"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("anchors:\n  a: {kind: pigeon}\n", "pigeon"),
        ("anchors:\n  a: {kind: directory}\n", "path"),
        ("anchors:\n  a: {kind: directory, path: x, more: 1}\n", "more"),
        ("anchors:\n  A B: {kind: directory, path: x}\n", "no name"),
        ("anchors:\n  a: {kind: git_tag, remote: 'ext::sh -c true'}\n", "regex|pattern|remote"),
        ("anchors:\n  a: {kind: git_tag, remote: --upload-pack=x}\n", "regex|pattern|remote"),
        ("anchors:\n  a: {kind: rfc3161, url: 'file:///etc/passwd', ca_file: x}\n", "url"),
        ("anchors:\n  a: {kind: witness, url: 'http://127.0.0.1:9', key: x}\n", "key of the anchor a"),
        ("anchors: []\n", "anchors"),
        ("[", "YAML"),
        ("anchors:\n" + "".join(f"  a{n}: {{kind: directory, path: x}}\n" for n in range(33)), "more than 32"),
    ],
)
def test_wrong_settings_are_said_in_one_line(signed: Workbench, text: str, said: str) -> None:
    configure(signed, text)
    done = signed("anchor", "put")
    assert done.code == 8, done
    assert re.search(said, done.err)
    assert len(done.err.splitlines()) == 1


def test_what_can_not_be_is_said(signed: Workbench, tmp_path: Path) -> None:
    assert signed("anchor", "put").code == 2
    assert "no anchor is configured" in signed("verify", "--anchors").err
    configure(signed, f"anchors:\n  a: {{kind: directory, path: {tmp_path}/x}}\n  b: {{kind: git_tag, remote: no}}\n")
    done = signed("anchor", "put")
    assert (done.code, "warning: b: " in done.err, done.out.startswith("a: event #")) == (9, True, True)
    assert signed("anchor", "check").code == 9
    assert "warning: anchor b: " in signed.ok("verify", "--anchors").err
    assert signed("anchor", "put", "--to", "c").code == 8
    assert signed("witness", "serve", "nobody", "--log", signed.ok("key", "show").out.strip()).code == 7
    assert signed("witness", "serve", "nobody", "--log", "x").code in (2, 7)
    (signed.roadmap / "anchors.yaml").unlink()
    (signed.roadmap / "anchors.yaml").symlink_to("/etc/passwd")
    assert "symbolic link" in signed("anchor", "put").err
