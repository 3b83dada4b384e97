"""Which files a context shows, within how many tokens: a pure ranking, an estimate, and a reason for what is left out.

No tokenizer is asked: every vendor has another, and none is the same next year. The estimate is one token for three
bytes of UTF-8, rounded up. Prose and code have three and a half to four and a half bytes a token, so it is on the safe
side; only text in scripts like Chinese may take a little more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from esaa.protocol.task_table import Task

BYTES_PER_TOKEN = 3
RELATED_MAX = 40
"""So many files beyond those of the task and its dependencies are looked at."""

_SPEC = "docs/spec/"
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_COMMON_WORDS: frozenset[str] = frozenset().union(
    ("add", "all", "and", "any", "are", "file", "files", "for", "from", "has", "have", "into", "its", "made", "make"),
    ("must", "new", "not", "that", "the", "this", "use", "when", "with"),
    ("docs", "index", "init", "main", "spec", "src", "task", "test", "tests", "txt"),
)
_ENTRY_BYTES = 480
"""What naming a file takes, without its path: its digest, its size, and why its text is not shown."""


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A file that may be shown, and why it may matter. The order of a list of these is the order of importance."""

    path: str
    why: str


class Budget:
    """What is left of the tokens for files, as one after another is weighed. `used` is what the prompt has anyway."""

    def __init__(self, tokens_max: int, used: int) -> None:
        self._tokens_max = tokens_max
        self._left = tokens_max - used

    def refusal(self, path: str, text: str | None, size_bytes: int) -> str | None:
        """Why a file's text is not shown, or None where it fits and is taken. `text` is None where it is no UTF-8.

        A file that is only named is counted too. What does not fit leaves room for smaller files of less importance.
        """
        self._left -= tokens_of(_ENTRY_BYTES + 3 * len(path.encode()))
        if text is None:
            return "is no UTF-8 text"
        needed = tokens_of(len(json.dumps(text, ensure_ascii=False).encode()))
        if needed <= self._left:
            self._left -= needed
            return None
        return (
            f"its {size_bytes} bytes take about {needed} tokens; of {self._tokens_max} there are"
            f" {max(self._left, 0)} left"
        )

    def has_room(self) -> bool:
        """True while another file could at least be named."""
        return self._left > tokens_of(_ENTRY_BYTES)


def tokens_of(size_bytes: int) -> int:
    """The estimate for so many bytes of text."""
    return -(-size_bytes // BYTES_PER_TOKEN)


def text_tokens(*texts: str) -> int:
    """The estimate for texts, each counted by itself."""
    return sum(tokens_of(len(text.encode("utf-8", "surrogatepass"))) for text in texts)


def ranked(
    task: Task, wanted: Sequence[str], others: Iterable[str], may_show: Callable[[str], bool] | None = None
) -> list[Ranked]:
    """The files in the order in which they matter: the task's own, its specifications, what it rests on, the rest.

    `wanted` are those of `wanted_files`, `others` what lies around them. Of these, those count whose path shares words
    with the title, the description and the outputs: most words first, then the shorter path. `may_show` is asked of
    those alone.
    """
    own = set(task.output_files)
    specs = [path for path in wanted if path not in own and path.startswith(_SPEC)]
    bases = [path for path in wanted if path not in own and not path.startswith(_SPEC)]
    found = [Ranked(path=path, why="the task's own") for path in wanted if path in own]
    found += [Ranked(path=path, why="a specification") for path in specs]
    found += [Ranked(path=path, why="what the task rests on") for path in bases]
    return found + _related(task, set(wanted), others, may_show)


def _related(
    task: Task, taken: set[str], others: Iterable[str], may_show: Callable[[str], bool] | None
) -> list[Ranked]:
    words = words_of(" ".join((task.title, task.description, *task.output_files)))
    scored: list[tuple[int, int, str, set[str]]] = []
    for path in others:
        shared = words & words_of(path)
        if shared and path not in taken and (may_show is None or may_show(path)):
            scored.append((-len(shared), len(path), path, shared))
    scored.sort(key=lambda one: one[:3])
    return [
        Ranked(path=path, why=f"shares {', '.join(sorted(shared))} with the task")
        for _, _, path, shared in scored[:RELATED_MAX]
    ]


def words_of(text: str) -> set[str]:
    """The words of a text that tell something, in lower case; names in camel case or with underscores fall apart."""
    return {word for found in _WORD.findall(text) if len(word := found.lower()) > 2 and word not in _COMMON_WORDS}
