"""The contract files as files: what is missing, damaged, too large or contradictory; and the cached form."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from esaa.contracts.load import (
    FILE_BYTES_MAX,
    GOVERNANCE_FILES,
    PROFILES_MAX,
    decode_governance,
    encode_governance,
    is_governance_file,
    parse_governance,
)
from esaa.errors import ContractError
from esaa.stores.contracts import has_governance, read_files, read_governance, shipped_files

RESULT_SCHEMA = "agent_result.schema.json"


@pytest.fixture
def roadmap(tmp_path: Path, files: dict[str, bytes]) -> Path:
    """A `.roadmap` folder as it is right after `esaa init`."""
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("protocol", ["0.4.0", "0.4.1"])
def test_shipped_contracts_are_in_force_as_they_are(protocol: str) -> None:
    governance = parse_governance(shipped_files(protocol))  # type: ignore[arg-type]  # a parameter is a plain str
    assert governance.agent.version == protocol
    assert {profile.version for profile in governance.profiles.values()} == {protocol}
    assert set(governance.profiles) == {"agent-spec", "agent-impl", "agent-qa", "orchestrator-runtime"}


def test_shipped_files_are_those_of_the_specification() -> None:
    extra = {"PROJECTION_SPEC.md", "roadmap.schema.json", "issues.schema.json", "lessons.schema.json"}
    assert set(shipped_files("0.4.0")) == set(GOVERNANCE_FILES) | extra
    assert not any(b"0.4.0" in data for name, data in shipped_files("0.4.1").items() if name.endswith(".yaml"))


def test_shipped_text_is_plain_and_fits_the_page() -> None:
    for name, data in shipped_files("0.4.1").items():
        text = data.decode("ascii")
        assert text.endswith("\n")
        assert "\t" not in text
        assert not [line for line in text.splitlines() if len(line) > 120 or line != line.rstrip()], name


@pytest.mark.parametrize("name", GOVERNANCE_FILES)
def test_missing_file_is_named(files: dict[str, bytes], name: str) -> None:
    del files[name]
    with pytest.raises(ContractError) as caught:
        parse_governance(files)
    assert caught.value.code == "CONTRACT_MISSING"
    assert caught.value.message == f"Contract file {name} is missing from .roadmap."
    assert "esaa doctor" in caught.value.hint
    assert "esaa init" in caught.value.hint
    assert caught.value.context == {"files": (name,)}


def test_all_missing_files_are_named() -> None:
    with pytest.raises(ContractError) as caught:
        parse_governance({})
    assert caught.value.context == {"files": GOVERNANCE_FILES}
    assert "are missing" in caught.value.message


@pytest.mark.parametrize("name", [name for name in GOVERNANCE_FILES if name != "AGENT_CONTRACT.yaml"])
def test_contract_of_another_version_is_refused(files: dict[str, bytes], name: str) -> None:
    if name == RESULT_SCHEMA:
        return  # the schema carries no version
    files[name] = shipped_files("0.4.1")[name]
    with pytest.raises(ContractError) as caught:
        parse_governance(files)
    assert caught.value.code == "CONTRACT_VERSIONS_DIFFER"
    assert caught.value.message == f"{name}: `version` is '0.4.1', but AGENT_CONTRACT.yaml has '0.4.0'."


@pytest.mark.parametrize("name", GOVERNANCE_FILES)
@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"a: \xff\n", "CONTRACT_MALFORMED", "byte 3 is not UTF-8"),
        (b"\xff\xfea\x00", "CONTRACT_MALFORMED", "byte 0 is not UTF-8"),
        (b"#" * (FILE_BYTES_MAX + 1), "CONTRACT_TOO_LARGE", "the file is larger than 256 KiB"),
    ],
)
def test_damaged_file_is_refused_and_named(
    files: dict[str, bytes], name: str, data: bytes, code: str, message: str
) -> None:
    files[name] = data
    with pytest.raises(ContractError) as caught:
        parse_governance(files)
    assert caught.value.code == code
    assert caught.value.message == f"{name}: {message}."
    assert caught.value.context["file"] == name


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("contract: again", "the key 'contract' stands twice"),
        ("x: &a [1]\ny: *a", "anchors and aliases are not allowed"),
        ("x: !!python/name:os.system", "tags are not allowed"),
        ("--- {}", "a second document begins here"),
        ("x: [", "not YAML"),
    ],
)
def test_yaml_with_surprises_is_refused_and_named(files: dict[str, bytes], addition: str, message: str) -> None:
    files["RUNTIME_POLICY.yaml"] += addition.encode()
    with pytest.raises(ContractError) as caught:
        parse_governance(files)
    assert caught.value.code == "CONTRACT_MALFORMED"
    assert caught.value.message.startswith("RUNTIME_POLICY.yaml: ")
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (b"", "not strict JSON"),
        (b"[]", "the schema must be a JSON object"),
        (b'{"type": "object", "type": "object"}', "the key 'type' stands twice"),
        (b'{"minLength": NaN}', "NaN is not JSON"),
        (b'{"type": "thing"}', "not a usable JSON Schema"),
        (b'{"pattern": "("}', "not a usable JSON Schema"),
        (b'{"$ref": "https://example.com/schema.json"}', "not a usable JSON Schema"),
        (b'{"$ref": "#/$defs/absent"}', "not a usable JSON Schema"),
        (b'{"not": ' * 70 + b"{}" + b"}" * 70, "nested more than 64 deep"),
        (b"[" * 200_000, "not strict JSON"),
        (b'{"type": "string"}', "PARCER_PROFILE.agent-impl.yaml: response.valid_examples[0]: refused"),
    ],
)
def test_unusable_result_schema_is_refused(files: dict[str, bytes], schema: bytes, message: str) -> None:
    files[RESULT_SCHEMA] = schema
    with pytest.raises(ContractError) as caught:
        parse_governance(files)
    assert caught.value.code == "CONTRACT_INVALID"
    assert message in caught.value.message


def test_further_profile_is_read(files: dict[str, bytes]) -> None:
    own = files["PARCER_PROFILE.agent-impl.yaml"].replace(b"profile: agent-impl", b"profile: claude-code")
    files["PARCER_PROFILE.claude-code.yaml"] = own
    assert "claude-code" in parse_governance(files).profiles


def test_profile_under_the_name_of_another_is_refused(files: dict[str, bytes]) -> None:
    files["PARCER_PROFILE.claude-code.yaml"] = files["PARCER_PROFILE.agent-impl.yaml"]
    with pytest.raises(ContractError, match="is not the name in the file's name"):
        parse_governance(files)


def test_crowd_of_profiles_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    crowd = {f"PARCER_PROFILE.agent-{number}.yaml": b"" for number in range(PROFILES_MAX)}
    with pytest.raises(ContractError, match="at most 64 are read"):
        parse_governance({**files, **crowd})
    for number in range(PROFILES_MAX + len(GOVERNANCE_FILES) + 1):
        (tmp_path / f"PARCER_PROFILE.agent-{number}.yaml").touch()
    with pytest.raises(ContractError) as caught:
        read_files(tmp_path)
    assert caught.value.code == "CONTRACT_TOO_LARGE"


@pytest.mark.parametrize(
    "name", ["activity.jsonl", "roadmap.schema.json", "PARCER_PROFILE.X.yaml", "a/AGENT_CONTRACT.yaml"]
)
def test_other_files_are_no_contracts(files: dict[str, bytes], name: str) -> None:
    assert not is_governance_file(name)
    files[name] = b"\xff"
    parse_governance(files)


def test_cached_form_gives_the_same_governance(files: dict[str, bytes]) -> None:
    governance = parse_governance(files)
    encoded = encode_governance(governance)
    assert decode_governance(encoded) == governance
    assert encode_governance(decode_governance(encoded)) == encoded


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"{", b"\xff", b'{"agent": 1}', b"[" * 100_000])
def test_damaged_cache_is_refused(data: bytes) -> None:
    with pytest.raises(ContractError) as caught:
        decode_governance(data)
    assert caught.value.code == "CONTRACT_CACHE_INVALID"


def test_cached_contracts_need_neither_yaml_nor_validator(files: dict[str, bytes]) -> None:
    program = (
        "import sys; from esaa.contracts.load import decode_governance;"
        "decode_governance(sys.stdin.buffer.read());"
        "sys.exit(bool({'yaml', 'jsonschema_rs'} & set(sys.modules)))"
    )
    encoded = encode_governance(parse_governance(files))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], input=encoded, check=False, env=environment)
    assert done.returncode == 0


def test_governance_of_a_workspace_is_read(roadmap: Path, files: dict[str, bytes]) -> None:
    assert has_governance(roadmap)
    assert read_files(roadmap) == {name: data for name, data in files.items() if is_governance_file(name)}
    assert read_governance(roadmap) == parse_governance(files)


def test_bare_log_has_no_governance(tmp_path: Path) -> None:
    (tmp_path / "activity.jsonl").touch()
    for folder in (tmp_path, tmp_path / "absent", tmp_path / "activity.jsonl"):
        assert not has_governance(folder)
        assert read_files(folder) == {}
        with pytest.raises(ContractError, match="are missing from"):
            read_governance(folder)


def test_one_contract_is_governance_that_has_to_be_completed(tmp_path: Path, files: dict[str, bytes]) -> None:
    (tmp_path / "AGENT_CONTRACT.yaml").write_bytes(files["AGENT_CONTRACT.yaml"])
    assert has_governance(tmp_path)
    with pytest.raises(ContractError) as caught:
        read_governance(tmp_path)
    assert caught.value.code == "CONTRACT_MISSING"


def test_linked_contract_is_refused(roadmap: Path) -> None:
    contract = roadmap / "AGENT_CONTRACT.yaml"
    contract.rename(roadmap / "elsewhere.yaml")
    contract.symlink_to(roadmap / "elsewhere.yaml")
    with pytest.raises(ContractError) as caught:
        read_governance(roadmap)
    assert caught.value.code == "CONTRACT_UNREADABLE"
    assert caught.value.message == "AGENT_CONTRACT.yaml: cannot be read, it is a symbolic link."


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_contract_that_is_no_file_is_refused(roadmap: Path, kind: str) -> None:
    contract = roadmap / "AGENT_CONTRACT.yaml"
    contract.unlink()
    if kind == "directory":
        contract.mkdir()
    else:
        os.mkfifo(contract)
    with pytest.raises(ContractError) as caught:
        read_governance(roadmap)
    assert caught.value.code == "CONTRACT_UNREADABLE"


def test_huge_contract_is_not_read_to_its_end(roadmap: Path) -> None:
    with (roadmap / "AGENT_CONTRACT.yaml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ContractError) as caught:
        read_governance(roadmap)
    assert caught.value.code == "CONTRACT_TOO_LARGE"


def test_folder_that_cannot_be_listed_is_an_error(roadmap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def listdir(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", listdir)
    with pytest.raises(ContractError, match="cannot be read, Permission denied"):
        has_governance(roadmap)


def test_contract_that_cannot_be_opened_is_an_error(roadmap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, _flags: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ContractError, match=r"AGENT_CONTRACT\.yaml: cannot be read, Permission denied"):
        read_files(roadmap)


def test_contract_that_cannot_be_read_is_an_error(roadmap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> os.stat_result:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fail)  # for a moment only: the test runner needs it too
        with pytest.raises(ContractError) as caught:
            read_files(roadmap)
    assert caught.value.message == "AGENT_CONTRACT.yaml: cannot be read, Input/output error."
