"""Four verifiers that share no code with the package judge what it proves, and what was spoilt: do they agree?

The standalone file, Go's x/mod/sumdb, pymerkle and openssl. The first two judge everything; pymerkle knows trees,
openssl signatures. One that is not on this machine makes the figure fail, with what to install.
"""

from __future__ import annotations

import base64
import importlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from assure.figure import Figure, Scope
from assure.proof_cases import LEAVES_MAX, Case, draw_cases, split_note
from esaa.kernel.checkpoint import CheckpointInvalid, parse_note, parse_vkey, signed_by
from esaa.kernel.merkle import root, verify_consistency, verify_inclusion
from esaa.stores.keys import verify_ed25519
from tools import verify_standalone

GO_SOURCE = Path(__file__).with_name("go") / "judge.go"
GO_PATH = Path("/usr/share/gocode")
_GO_LIBRARY = GO_PATH / "src/golang.org/x/mod/sumdb/tlog"
# SubjectPublicKeyInfo of an Ed25519 key, up to its 32 bytes (RFC 8410).
_SPKI = bytes.fromhex("302a300506032b6570032100")

Answers = list[bool | None]
"""What a verifier says of each case; None where it has no opinion."""


class Missing(Exception):
    """A verifier is not on this machine; the text says what to install."""


def measure(scope: Scope) -> list[Figure]:
    """How many of the four give the package's answer on every case that they can judge, and on the spoilt ones no."""
    trees, notes = (40, 8) if scope.is_short else (1500, 150)
    cases = draw_cases(scope.seed, trees, notes)
    ours = [judge_ours(case) for case in cases]
    detail: dict[str, float | int | str] = {
        "cases": len(cases),
        "spoilt": sum(case.truth is not True for case in cases),
    }
    wrong = [case for case, said in zip(cases, ours, strict=True) if case.truth is not None and said != case.truth]
    if wrong:
        detail["the package is wrong on"] = f"{wrong[0].kind}: {wrong[0].spoilt}"
    agreeing = 0
    for name, judge in VERIFIERS.items():
        try:
            answers = judge(cases, scope.scratch)
        except Missing as missing:
            detail[name] = f"skipped: {missing}"
            continue
        judged = Counter(case.kind for case, said in zip(cases, answers, strict=True) if said is not None)
        differing = [
            f"{case.kind} ({case.spoilt or 'true'}): {said}, the package {own}"
            for case, said, own in zip(cases, answers, ours, strict=True)
            if said is not None and said != own
        ]
        detail[name] = (
            f"differs {len(differing)} times, first on {differing[0]}" if differing else f"{judged.total()} agree"
        )
        agreeing += not differing and judged.total() > 0
    holds = agreeing == len(VERIFIERS) and not wrong
    return [
        Figure(
            name="independent verifiers that agree, also on bad proofs",
            value=agreeing,
            target=f"{len(VERIFIERS)} of {len(VERIFIERS)}",
            holds=holds,
            detail=detail,
        )
    ]


def judge_ours(case: Case) -> bool:
    """The package's own answer."""
    match case.kind:
        case "root":
            return root(verify_standalone.leaf_hash(bytes.fromhex(one)).hex() for one in case.entries) == case.root
        case "inclusion":
            return verify_inclusion(case.leaf, case.index, case.size, case.proof, case.root)
        case "consistency":
            return verify_consistency(case.first, case.old, case.size, case.root, case.proof)
        case "note":
            try:
                note = parse_note(bytes.fromhex(case.note))
                return signed_by(note, parse_vkey(case.key), verify_ed25519) is not None
            except CheckpointInvalid:
                return False


def judge_standalone(cases: Sequence[Case], _: Path) -> Answers:
    """The standalone file's answers."""
    return [_standalone(case) for case in cases]


def _standalone(case: Case) -> bool:
    proof = [bytes.fromhex(step) for step in case.proof]
    wanted = bytes.fromhex(case.root)
    match case.kind:
        case "root":
            tree = verify_standalone.Tree()
            for entry in case.entries:
                tree.append(verify_standalone.leaf_hash(bytes.fromhex(entry)))
            return tree.root() == wanted
        case "inclusion":
            return verify_standalone.includes(bytes.fromhex(case.leaf), case.index, case.size, proof, wanted)
        case "consistency":
            return verify_standalone.consistent(case.first, bytes.fromhex(case.old), case.size, wanted, proof)
        case "note":
            try:
                note = verify_standalone.parse_note(bytes.fromhex(case.note))
                return bool(verify_standalone.signers(note, [verify_standalone.parse_key(case.key)]))
            except verify_standalone.Invalid:
                return False


def judge_go(cases: Sequence[Case], scratch: Path) -> Answers:
    """The answers of Go's x/mod/sumdb, by a small program that is built here."""
    go = shutil.which("go")
    if go is None or not _GO_LIBRARY.is_dir():
        raise Missing("Go and its x/mod (Debian: apt install golang-go golang-golang-x-mod-dev)")
    program = scratch / "judge"
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": str(GO_PATH), "GOFLAGS": "", "HOME": str(scratch)}
    environment["GOCACHE"] = str(scratch / "go-cache")
    subprocess.run([go, "build", "-o", str(program), str(GO_SOURCE)], env=environment, check=True)
    lines = b"".join(msgspec.json.encode(case) + b"\n" for case in cases)
    done = subprocess.run([str(program)], input=lines, stdout=subprocess.PIPE, check=True)
    answers = done.stdout.decode().split()
    assert len(answers) == len(cases), "one answer for each case"
    return [answer == "true" for answer in answers]


def judge_pymerkle(cases: Sequence[Case], _: Path) -> Answers:
    """The answers of pymerkle, which knows no signatures."""
    if importlib.util.find_spec("pymerkle") is None:
        raise Missing("pymerkle (pip install pymerkle)")
    tree = _pymerkle_tree([b"%d" % number for number in range(LEAVES_MAX + 1)])
    return [None if case.kind == "note" else _pymerkle(case, tree) for case in cases]


def _pymerkle_package() -> Any:  # it has no types
    return importlib.import_module("pymerkle")


def _pymerkle_tree(entries: Sequence[bytes]) -> Any:
    tree = _pymerkle_package().InmemoryTree(algorithm="sha256")
    for entry in entries:
        tree.append_entry(entry)
    return tree


def _pymerkle(case: Case, layouts: Any) -> bool | None:
    pymerkle = _pymerkle_package()
    wanted = bytes.fromhex(case.root)
    if case.kind == "root":
        return bool(_pymerkle_tree([bytes.fromhex(one) for one in case.entries]).get_root() == wanted)
    if case.kind == "inclusion":
        # RFC paths have no shape of their own; pymerkle's have. It is asked for the shape, which follows from the
        # numbers alone, and the path of the case is put into it.
        shape = layouts.prove_inclusion(case.index + 1, case.size).serialize()
        base = bytes.fromhex(case.leaf)
        try:
            proof = pymerkle.MerkleProof.deserialize(shape | {"path": [case.leaf, *case.proof]})
            pymerkle.verify_inclusion(base, wanted, proof, index=case.index + 1, size=case.size, algorithm="sha256")
        except pymerkle.InvalidProof:
            return False
        return True
    # Its consistency paths go down to a leaf where those of RFC 9162 stop, so it can't read ours. It proves from the
    # entries whether the statement is true; that the given hashes show it is for the others to say.
    if case.size != len(case.entries):
        return None
    tree = _pymerkle_tree([bytes.fromhex(one) for one in case.entries])
    try:
        pymerkle.verify_consistency(bytes.fromhex(case.old), wanted, tree.prove_consistency(case.first, case.size))
    except pymerkle.InvalidProof:
        return False
    return None if case.spoilt else True


def judge_openssl(cases: Sequence[Case], scratch: Path) -> Answers:
    """The answers of `openssl pkeyutl`, which knows nothing but signatures: names and ids are looked up for it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise Missing("openssl (Debian: apt install openssl)")
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        return [_openssl(case, openssl, Path(folder)) if case.kind == "note" else None for case in cases]


def _openssl(case: Case, openssl: str, folder: Path) -> bool | None:
    name, identity, key = case.key.split("+", 2)
    if case.spoilt == "key id":
        return None  # an id is nothing that openssl knows
    text, signatures = split_note(bytes.fromhex(case.note))
    by_key = [blob for signer, key_id, blob in signatures if (signer, key_id.hex()) == (name, identity)]
    (folder / "key").write_bytes(_SPKI + base64.b64decode(key)[1:])
    (folder / "text").write_bytes(text)
    for blob in by_key:
        (folder / "signature").write_bytes(blob)
        files = ["-inkey", "key", "-in", "text", "-sigfile", "signature"]
        command = [openssl, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin", *files]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            return False
    return bool(by_key)


VERIFIERS: dict[str, Callable[[Sequence[Case], Path], Answers]] = {
    "standalone": judge_standalone,
    "go x/mod/sumdb": judge_go,
    "pymerkle": judge_pymerkle,
    "openssl": judge_openssl,
}
"""The four, by name."""
