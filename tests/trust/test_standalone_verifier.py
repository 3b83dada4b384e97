"""The second verifier: it stands alone, and on every real log it gives the answer of `esaa verify`."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from esaa.runtime.verification.verify import find_target, verify
from tests.trust.answers import answer_of_package, answer_of_standalone
from tools import verify_standalone

FILE = Path(verify_standalone.__file__)
LOGS = (
    "esaa-0.3.0-legacy",
    "esaa-0.4.0-initial",
    "esaa-0.4.1-147-events",
    "esaa-0.4.1-1821-events",
    "esaa-core-290-false-checkpoint",
    "esaa-mixed-0.4.0-0.4.1",
)


def test_file_imports_the_standard_library_alone() -> None:
    tree = ast.parse(FILE.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", LOGS)
def test_both_verifiers_agree_on_a_real_log(real_logs: Path, name: str, strict: bool) -> None:
    folder = real_logs / name

    assert answer_of_standalone(folder, strict=strict) == answer_of_package(folder, strict=strict)


@pytest.mark.parametrize("name", LOGS)
def test_both_verifiers_see_the_same_projection(real_logs: Path, name: str) -> None:
    ours, other = verify(find_target(real_logs / name)), verify_standalone.verify(real_logs / name)

    assert (other.projection_hash, other.events, other.hashes) == (
        ours.projection_hash_sha256,
        ours.events,
        ours.hashes,
    )


def test_no_real_log_is_missing_here(real_logs: Path) -> None:
    assert {folder.name for folder in real_logs.iterdir()} == set(LOGS)


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [("esaa-0.4.0-initial", 0, "ok"), ("esaa-0.3.0-legacy", 3, "mismatch")],
)
def test_file_runs_in_an_empty_interpreter(real_logs: Path, name: str, code: int, status: str) -> None:
    # -I and -S: no environment, no user or site packages, so nothing of the project can be reached.
    command = [sys.executable, "-I", "-S", str(FILE), str(real_logs / name), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (code, "")
    assert json.loads(done.stdout)["verify_status"] == status


def test_missing_log_ends_with_7_and_a_wrong_key_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_standalone.main([str(tmp_path)]) == 7
    assert verify_standalone.main([str(tmp_path), "--key", "nonsense"]) == 2
    assert verify_standalone.main([]) == 2
    assert "Traceback" not in capsys.readouterr().err
