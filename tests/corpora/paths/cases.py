"""Paths that an agent may send: by class, with the answer that each has to get.

The agent works on an `impl` task, which may write below `src` and `tests`. Where something has to lie on the disk
first, `stage` names what `stages.py` puts there. The generators spell every class out at several places of a path.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple


class Case(NamedTuple):
    """A path, or several in one result, and whether the result has to be taken. In a race it may be, or may not."""

    kind: str
    path: str
    is_valid: bool = False
    stage: str = ""
    beside: tuple[str, ...] = ()


PLACES = ("{}", "src/{}", "src/{}/a.py", "src/deep/er/{}/a.py", "{}/a.py", "tests/{}")
"""Where a bad component stands."""

COMPONENTS: dict[str, tuple[str, ...]] = {
    "reserved names": (
        "CON", "con", "NUL", "nul.txt", "AUX.py", "PRN", "COM1", "com9.log", "LPT1", "lpt9.a.b", "COM\u00b9", "CONIN$",
        "CONOUT$", "CLOCK$", "Nul",
    ),
    "alternate streams": ("f:stream", "f::$DATA", "a.py:$DATA", ":a", "a:", "$MFT:x", "a.py::$INDEX_ALLOCATION"),
    "short names": ("GIT~1", "PROGRA~1", "a~1", "ROADMA~1.TXT", "SRC~2"),
    "trailing dot or space": ("a.", "a ", "a..", "a. .", "...", "a.py.", " ", ".git.", ".git "),
    "leading dash, tilde, space": ("-rf", "--exec=sh", "-", "~", "~root", "~/.ssh", " a", "~1"),
    "NUL": ("a\0b", "\0", "a.py\0.png", "a\0/../b"),
    "control characters": ("a\nb", "a\rb", "a\tb", "\x1b[31m", "a\x07", "\x7f", "a\x85b", "\x9b31m", "\x01"),
    "direction overrides": ("\u202egnp.py", "a\u202db", "\u2066a\u2069", "\u200fa", "\u061ca"),
    "ignorable characters": (
        ".g\u200cit", "a\u200b", ".\u200dgit", "\ufeffa", "a\u2060b", "\u00ada", "a\u180e", "\U000e0041", "a\u206a",
        "a\u3164", "\u115fa",
    ),
    "compatibility spellings": (
        "\uff0e\uff0e", "\u2025", "\u2024\u2024", "a\uff0fb", "a\uff3cb", "\uff0egit", ".\uff47it", ".\u24e1oadmap",
        "\uff23\uff2f\uff2e", "a\uff1ab", "a\u00a0", "\uff5eroot", "\uff0fetc",
    ),
    "decomposed Unicode": tuple(unicodedata.normalize("NFD", name) for name in ("é", "ñ.py", "Å", "ü", "가", "ṩ")),
    "glob metacharacters": ("*", "a*b", "?", "a?.py", "**", "*.py", "a|b", "<a", ">a", 'a"b'),
    "long components": ("a" * 256, "é" * 128, "中" * 86, "a" * 1000, "😀" * 64),
    "surrogates": ("\udcff", "a\udc80b", "\ud800", "a\udfff"),
    "backslashes": ("..\\a", "a\\b", "\\", "\\\\server\\share", "..\\..\\a", "C:\\a", "a\\..\\b"),
}  # fmt: skip
"""Components that are bad wherever they stand."""

WHOLE: dict[str, tuple[str, ...]] = {
    "parents in front": (
        "../a", "../../a", "..", "../", "../src/a.py", "../../../../../../etc/passwd", "../.git/config", "../project/a",
    ),
    "parents in the middle": (
        "src/../a", "src/../../a", "src/a/../../../b", "src/..", "src/../.git/config", "src/a/..", "tests/../src/a.py",
        "src/../.roadmap/activity.jsonl", "src/x/../../../../etc/passwd", "src/../src/../../a",
    ),
    "parents encoded": (
        "%2e%2e/a", "%2e%2e%2fa", "..%2fa", "..;/a", "....//a", "%252e%252e/a", "..%c0%af..", "%uff0e%uff0e/a",
        "..%5ca", "src/..;/a/../../b", "src/....//a", "0x2e0x2e/a", "..%00/a", ".%2e/a",
    ),
    "absolute": (
        "/etc/passwd", "/", "/tmp/a", "/src/a.py", "/proc/self/environ", "/dev/null", "/root/.ssh/authorized_keys",
        "/etc/cron.d/a", "///etc/passwd",
    ),
    "hosts and schemes": (
        "//server/share/a", "//./a", "//?/C:/a", "file:///etc/passwd", "http://a/b", "\\\\?\\C:\\a", "//localhost/c$/a",
        "smb://server/a", "data:text/plain,a",
    ),
    "drive letters": ("C:/a", "c:a", "C:", "Z:/src/a.py", "C:../a", "src/C:/a", "c:\\windows\\a", "1:/a"),
    "other spellings of the boundary": (
        "SRC/a.py", "Src/a.py", "srC/a", "src-evil/a.py", "srcs/a", "sr/a", "src.evil/a", "src", "tests", "test/a",
        "TESTS/a.py", "\u017frc/a.py", "\u0455rc/a.py", "s/rc/a", "src_/a", "xsrc/a", "testsx/a",
    ),
    "version control": (
        ".git/config", ".git/hooks/post-checkout", ".git/HEAD", ".git/modules/a/config", ".git/worktrees/a/gitdir",
        ".git", ".GIT/config", ".Git/hooks/pre-commit", ".git/objects/info/alternates", ".git/info/attributes",
        "src/.git/config", "src/.git", "src/a/.GIT/hooks/pre-push", "tests/.git/modules/b/HEAD", ".git/index",
        ".git/refs/heads/main", ".git/packed-refs", ".gitattributes", ".gitmodules", ".gitignore", ".gitconfig",
    ),
    "the trail": (
        ".roadmap/activity.jsonl", ".roadmap/AGENT_CONTRACT.yaml", ".roadmap/roadmap.json", ".ROADMAP/activity.jsonl",
        ".roadmap/blobs/aa/x", ".roadmap/.esaa/cursors.json", ".roadmap", ".roadmap/inbox/agent-qa__1.json",
        ".roadmap/events/global/events.jsonl", ".Roadmap/a", "src/.roadmap/activity.jsonl",
        ".roadmap/checkpoints/latest", ".roadmap/origin", ".roadmap/event-sourcing.yaml", ".roadmap/anchors.yaml",
    ),
    "agents' settings": (
        ".claude/settings.json", ".codex/config.toml", ".gemini/settings.json", ".husky/pre-commit", ".CLAUDE/a",
        ".githooks/pre-push", "src/.claude/settings.json", "src/a/.codex/a", "tests/.gemini/a", "src/.husky/_/h",
        "CLAUDE.md", "AGENTS.md", ".mcp.json", ".vscode/tasks.json", ".idea/workspace.xml", ".cursor/rules/a",
    ),
    "builds and pipelines": (
        ".github/workflows/ci.yml", ".gitlab-ci.yml", "Makefile", "pyproject.toml", "setup.py", "package.json",
        "conftest.py", ".pre-commit-config.yaml", "Dockerfile", ".circleci/config.yml", "Jenkinsfile", ".envrc",
        ".npmrc",
        "sitecustomize.py", ".pth",
    ),
    "kernel's own folders": (
        "proc/self/root/etc/passwd", "proc/self/cwd/a", "proc/self/fd/3", "dev/fd/1", "dev/stdout", "sys/a",
        "/proc/self/root/tmp/a", "/dev/fd/2", "/proc/1/environ",
    ),
    "variables and home": ("$HOME/a", "${HOME}/a", "%USERPROFILE%/a", "~/a", "$(id)/a", "`id`/a", "~+/a", "~-/a"),
    "empty and dots": ("", ".", "./a", "src/./a", "src//a", "src/", "/", "src/.", "././src/a", "src///a", ".//a"),
    "long paths": ("src/" + "a/" * 510 + "abcd", "a" * 1025, "src/" + "ab/" * 400 + "a", "src/" + "x" * 5000),
    "deep paths": ("src/" + "/".join("a" * 64), "src/" + "/".join("a" * 1000), "/".join("a" * 65),
                   "tests/" + "b/" * 200 + "c"),
    "names from archives": (
        "a/../../../../tmp/a", "/a", "C:/a", "src/../a", "./../a", "src\\..\\..\\a", "foo/../../.git/config",
        "..\\..\\a",
        "././../a", "src/a/../../..//a", "tmp/../../a",
    ),
    "overlong and broken UTF-8": ("\u00c0\u00ae\u00c0\u00ae/a", "src/\ufffd\udcfe", "\udcc0\udcaf",
                                  "src/a\udced\udca0\udc80"),
}  # fmt: skip
"""Paths that are bad as they stand."""

STAGED: tuple[Case, ...] = (
    *(Case("link at the end", path, stage="link at the end") for path in
      ("src/link-in.py", "src/link-out.py", "src/link-up.py", "src/link-etc", "src/link-git", "src/link-log",
       "src/link-folder", "tests/link-out.py")),
    *(Case("link on the way", f"src/{link}/a.py", stage="link on the way") for link in
      ("link-in", "link-out", "link-up", "link-root", "link-git", "link-roadmap", "link-proc", "link-self")),
    *(Case("link on the way", f"src/{link}/new/deep/a.py", stage="link on the way") for link in
      ("link-in", "link-out", "link-up", "link-root", "link-git", "link-roadmap")),
    *(Case("links in a loop", path, stage="links in a loop") for path in
      ("src/one", "src/two", "src/one/a", "src/two/b/c", "src/own", "src/own/a", "src/chain0", "src/chain0/a")),
    *(Case("links to nothing", path, stage="links to nothing") for path in
      ("src/nothing", "src/nothing/a", "src/outside-nothing", "src/outside-nothing/a", "src/absolute-nothing",
       "src/absolute-nothing/a/b")),
    *(Case("hard links", path, stage="hard links") for path in
      ("src/twin.py", "src/secret.py", "src/log.py", "src/config.py", "tests/twin.py")),
    *(Case("no plain files", path, stage="no plain files") for path in
      ("src/pipe", "src/pipe/a", "src/socket", "src/socket/a", "src/folder", "tests/folder", "src/file/a",
       "src/file/a/b", "src/null", "src/zero", "src/null/a")),
    *(Case("modes", path, is_valid=True, stage="modes") for path in
      ("src/setuid", "src/executable.sh", "src/read-only.py", "src/setgid", "src/sticky")),
    *(Case("holes", path, stage="holes") for path in ("src/sparse", "src/larger", "tests/sparse")),
    *(Case("swapped in a race", path, stage="swapped in a race") for path in
      ("src/swapped/a.py", "src/swapped/b/c.py", "src/flicker.py", "tests/swapped/a.py")),
    *(Case("twice in one result", first, beside=(second,)) for first, second in (
      ("src/a.py", "src/a.py"), ("src/a.py", "src/A.py"), ("src/a.py", "SRC/a.py"), ("src/straße", "src/strasse"),
      ("src/é", "src/É"), ("src/ﬁ", "src/fi"), ("src/K.py", "src/k.py"), ("src/a/b", "src/A/b"),
      ("src/ǆ", "src/Ǆ"), ("src/Σ", "src/ς"))),
    *(Case("file and folder in one result", first, beside=(second,)) for first, second in (
      ("src/a", "src/a/b"), ("src/a/b", "src/a"), ("src/a", "src/A/b"), ("src/a/b/c/d", "src/a/b"),
      ("src/x", "src/x/y/z"), ("tests/q/r", "tests/Q"))),
    *(Case("one bad among good ones", "src/good.py", beside=(bad,)) for bad in
      ("../a", "/etc/passwd", ".git/config", "src/../a", "src/a\0", "CON", "SRC/a", "src/link/../../a")),
)  # fmt: skip
"""Paths that are bad for what lies there, or for what comes with them."""

VALID: tuple[str, ...] = (
    "src/a.py", "src/a", "src/.a", "src/.hidden/a", "src/a.b.c", "src/A.PY", "src/a-b_c.py", "src/a+b", "src/a b.py",
    "src/a,b", "src/a;b", "src/a=b", "src/a@b", "src/a#b", "src/a&b", "src/a'b", "src/(a)", "src/[a]", "src/{a}",
    "src/a!b", "src/a^b", "src/a`b", "src/a$b", "src/$HOME", "src/%2e%2e/a", "src/a%00b", "src/..a", "src/a..b",
    "src/...a", "src/_", "src/0", "src/1/2/3", "src/deep/er/and/deep/er/still/a.py", "src/é.py", "src/中文/文件.py",
    "src/日本語", "src/Ж", "src/λ.hs", "src/א", "src/ع", "src/가", "src/😀.py", "src/ñ/é/ü", "src/Straße", "src/ß",
    "src/İ", "src/\u0131", "src/Æ", "src/œ", "src/ø", "tests/test_a.py", "tests/a/b/conftest.py", "tests/data/a.json",
    "src/Makefile", "src/console.py", "src/contact.py", "src/nullable.py", "src/auxiliary", "src/com10", "src/com",
    "src/lpt", "src/prnt", "src/conf/a", "src/.github/a.yml", "src/.gitignore", "src/.gitattributes", "src/git/config",
    "src/roadmap/a", "src/claude/a.py", "src/a~", "src/a~b", "src/proc/self/a", "src/etc/passwd", "src/dev/null",
    "src/" + "a" * 255, "src/" + "é" * 127, "src/" + "/".join("a" * 63), "src/a.tar.gz", "src/C", "src/http/a",
    "src/node_modules/.bin/a", "src/__pycache__/a.pyc", "src/a.lnk", "src/desktop.ini", "src/x.y-z/a.b",
    "src/½", "src/№",
)  # fmt: skip
"""Paths that no rule has anything against."""


def cases() -> Iterator[Case]:
    """Every case, each once."""
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    for case in (*_written_out(), *STAGED, *(Case("valid", path, is_valid=True) for path in VALID)):
        key = (case.stage, case.path, case.beside)
        if key not in seen:
            seen.add(key)
            yield case


def _written_out() -> Iterator[Case]:
    for kind, components in COMPONENTS.items():
        for number, component in enumerate(components):
            for place in (PLACES[number % len(PLACES)], PLACES[(number + 1) % len(PLACES)], "src/{}"):
                yield Case(kind, place.format(component))
    for kind, paths in WHOLE.items():
        for path in paths:
            yield Case(kind, path)
