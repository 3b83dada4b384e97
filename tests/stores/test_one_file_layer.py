"""All writes go through `stores.disk`: nothing else in the package opens for writing, renames, links or removes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "esaa"

WRITING = re.compile(
    r"os\.(write|pwrite|fsync|fdatasync|replace|rename|renames|unlink|remove|link|symlink|mkdir|makedirs|rmdir"
    r"|removedirs|ftruncate|truncate)"
    r"|shutil\.(rmtree|copy|copy2|copyfile|copytree|move)"
    r"|.*\.(write_bytes|write_text|unlink|touch|rename|hardlink_to|symlink_to|mkdir|rmdir)"
)
MEANT = {
    ("stores/blobs.py", "unlink"): "tidies up after a failed write: the disk has just refused one",
    ("stores/refused.py", "unlink"): "lets go of refused outputs that the bound has no room for: nothing rests on them",
    ("stores/erasables.py", "unlink"): "tidies up after a failed write",
    ("stores/keys.py", "unlink"): "tidies up after a failed write",
    ("runtime/trail/retention.py", "rmdir"): "a folder that is empty; the next retention finds it again",
    ("stores/lock.py", "mkdir"): "a lock is no content, and flock needs its file",
    ("stores/lock.py", "open"): "a lock is no content, and flock needs its file",
    ("stores/lock.py", "pwrite"): "the holder's number is a courtesy",
    ("runtime/initialise.py", "unlink"): "tidies up after a failed write",
    ("runtime/audit/report.py", "unlink"): "tidies up after a failed write",
    ("stores/trail_changes.py", "open"): "the reader's empty file, so that it has something to follow",
    ("query/index_file.py", "replace"): "SQLite writes the index, which may be thrown away at any time",
    ("query/index_file.py", "fsync"): "SQLite writes the index, which may be thrown away at any time",
    ("query/index_file.py", "unlink"): "SQLite writes the index, which may be thrown away at any time",
    ("agents/cassette.py", "mkdir"): "a recording of answers, beside the workspace and not part of it",
    ("agents/cassette.py", "write_bytes"): "a recording of answers, beside the workspace and not part of it",
    ("cli/app.py", "open"): "/dev/null in the place of a closed output",
    ("cli/progress.py", "open"): "/dev/null in the place of a closed output",
    ("cli/proofs.py", "write_bytes"): "a receipt, written where its reader asked for it; it can be made again",
    ("runtime/trust/anchors/rfc3161.py", "write_bytes"): "what openssl is handed, in a temporary folder",
    ("cli/inbox.py", "mkdir"): "the user's own folder; a file that is left there is taken again under the same id",
    ("cli/inbox.py", "replace"): "the user's own folder; a file that is left there is taken again under the same id",
    (
        "agents/acp/tree.py",
        "fdopen",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/acp/tree.py",
        "mkdir",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/acp/tree.py",
        "unlink",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/clis/agent.py",
        "mkdir",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/clis/agent.py",
        "write_bytes",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/private_tree.py",
        "mkdir",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/private_tree.py",
        "open",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/private_tree.py",
        "rename",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/private_tree.py",
        "rmdir",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/private_tree.py",
        "unlink",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/private_tree.py",
        "write_bytes",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/sandbox/base.py",
        "mkdir",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/sandbox/enclosure.py",
        "rmtree",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    (
        "agents/sandbox/enclosure.py",
        "unlink",
    ): "what an agent works in: a folder of its own outside the project, gone with the call",
    ("agents/sandbox/planted.py", "mkdir"): "what a canary lays out and takes away again: nothing of it is kept",
    ("agents/sandbox/planted.py", "rmdir"): "what a canary lays out and takes away again: nothing of it is kept",
    ("agents/sandbox/planted.py", "unlink"): "what a canary lays out and takes away again: nothing of it is kept",
    ("agents/sandbox/canary.py", "unlink"): "what a canary lays out and takes away again: nothing of it is kept",
    ("agents/sandbox/planted.py", "write_text"): "what a canary lays out and takes away again: nothing of it is kept",
    ("agents/sandbox/control_groups.py", "mkdir"): "the kernel's control files are no files on a disk",
    ("agents/sandbox/control_groups.py", "rmdir"): "the kernel's control files are no files on a disk",
    ("agents/sandbox/control_groups.py", "write_text"): "the kernel's control files are no files on a disk",
    ("agents/sandbox/launcher.py", "open"): "the last program before a confined one knows nothing of this package",
    ("runtime/check_runs.py", "copyfile"): "a copy in a temporary folder, on which the commands of checks run",
    ("runtime/check_runs.py", "mkdir"): "a copy in a temporary folder, on which the commands of checks run",
    ("runtime/check_runs.py", "symlink_to"): "a copy in a temporary folder, on which the commands of checks run",
    ("runtime/check_runs.py", "unlink"): "a copy in a temporary folder, on which the commands of checks run",
    ("runtime/check_runs.py", "write_bytes"): "a copy in a temporary folder, on which the commands of checks run",
    ("open.py", "symlink_to"): "a name in a temporary folder for a log that lies alone",
    ("runtime/merging.py", "write_bytes"): "what git merges, in a temporary folder",
}
"""What writes past the layer, and why it may."""


def writes_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        arguments = " ".join(ast.unparse(one) for one in (*node.args, *(key.value for key in node.keywords)))
        if "disk" in name.lower():
            continue
        if (
            WRITING.fullmatch(name)
            or (name == "os.open" and _opens_for_writing(path, arguments))
            or (name.endswith(".replace") and len(node.args) == 1 and not node.keywords)
            or (name.endswith("open") and re.search(r"'[wax]b?\+?'|'r\+b?'", arguments))
        ):
            found.add(name.rpartition(".")[2])
    return found


def _opens_for_writing(path: Path, arguments: str) -> bool:
    """Flags in the call, or in a constant of the module that it names."""
    text = path.read_text("utf-8")
    constants = re.findall(r"^(\w+) = (os\.O_.*)$", text, re.MULTILINE)
    arguments += " ".join(value for name, value in constants if re.search(rf"\b{name}\b", arguments))
    return re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", arguments) is not None


def test_nothing_writes_past_the_layer_but_what_is_named_here() -> None:
    found = {
        (str(path.relative_to(PACKAGE)), write)
        for path in PACKAGE.rglob("*.py")
        if path.name != "disk.py"
        for write in writes_of(path)
    }
    assert found - MEANT.keys() == set()
