"""Good bytes made bad: seeded mutations, from a flipped bit to a spliced, repeated or nested whole."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

BYTES_MAX = 1 << 16

TOKENS: tuple[bytes, ...] = tuple(
    token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")
    for token in (
        "{", "}", "[", "]", ":", ",", '"', "\\", "'", "null", "true", "NaN", "Infinity", "-", "0", "-0",
        "1e400", "1e-400", "0.1", "9" * 20, "9" * 400, "9" * 5000, "18446744073709551616",
        "-9223372036854775809", "1.0", "01", "\\u0000", "\\ud800", "\\udfff\\ud800", "\\ud83d\\ude00",
        "\\u202e", '"a":1,', '"a":1,"a":2', "[" * 200, '{"a":' * 200, "&a", "*a", "!!x", "<<:", "---",
        "...", "%YAML 1.1\n", "|", ">", "?", "- ", "\t", "\n", "\r", "\0", "\x1b[2J", "\x7f", "\x85",
        "\u2028", "\u202e", "\u200b", "\ufeff", "\ufffe", "\ud800", "é", "e\u0301", "中", "😀", "..", "../",
        "/", "\\..\\", "~", "$HOME", ".git/", ".roadmap/", "con", "a\0b", "\uff0e\uff0e/", "%2e%2e", "— ",
        "\n\n", "+", "=", "==", "====", "A" * 100, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
        "2026-13-45", "@{999999999w}", "HEAD~999999999999999999", "#0", '"__proto__"', "AND", "OR", "NOT",
        "*", "(", ")", "x" * 1000, "<script>", "=cmd", "```", "-->", "index ", "old ",
        "c2sp.org/tlog-proof@v1", "PROJ-1", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
        b"\xef\xbb\xbf", b"\x80" * 50, b"\0" * 50,
    )
)  # fmt: skip
"""What readers stumble over."""


def mutated(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """The bytes after one to five mutations; other seeds lend their parts."""
    for _ in range(chance.randint(1, 5)):
        data = chance.choice(_MUTATIONS)(data, others, chance)[:BYTES_MAX]
    return data


def _flip(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    if not data:
        return b"\0"
    at = chance.randrange(len(data))
    return data[:at] + bytes((data[at] ^ (1 << chance.randrange(8)),)) + data[at + 1 :]


def _set(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes((chance.randrange(256),)) + data[at + 1 :]


def _delete(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    first, last = _range(data, chance)
    return data[:first] + data[last:]


def _double(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    first, last = _range(data, chance)
    times = chance.choice((1, 1, 1, 2, 10, 300))
    return data[:first] + data[first:last] * times + data[first:]


def _insert(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(TOKENS) * chance.choice((1, 1, 1, 1, 2, 50)) + data[at:]


def _overwrite(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    token = chance.choice(TOKENS)
    return data[:at] + token + data[at + len(token) :]


def _splice(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(others)
    first, last = _range(other, chance)
    at = chance.randrange(len(data) + 1)
    return data[:at] + other[first:last] + data[chance.choice((at, len(data), min(len(data), at + last - first))) :]


def _cut(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _replace(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    """One value of JSON, or one word, by a token."""
    for mark in chance.sample((b'"', b": ", b",", b"\n", b" ", b":"), 3):
        places = data.count(mark)
        if places < 2:
            continue
        parts = data.split(mark)
        parts[chance.randrange(len(parts))] = chance.choice(TOKENS)
        return mark.join(parts)
    return chance.choice(TOKENS)


def _nest(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    depth = chance.choice((1, 10, 40, 200))
    before, after = chance.choice(
        ((b"[", b"]"), (b'{"a":', b"}"), (b"- ", b""), (b"{a: ", b"}"), (b"(", b")"), (b'"', b'"'))
    )
    return before * depth + data + after * depth


def _noise(_data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 8, 100, 3000)))


def _range(data: bytes, chance: random.Random) -> tuple[int, int]:
    first = chance.randrange(len(data) + 1)
    return first, min(len(data), first + chance.choice((1, 2, 8, 40, 400)))


_Mutation = Callable[[bytes, Sequence[bytes], random.Random], bytes]
_MUTATIONS: tuple[_Mutation, ...] = (
    _flip, _flip, _set, _delete, _double, _insert, _insert, _insert, _overwrite, _splice, _cut, _replace, _replace,
    _replace, _nest, _noise,
)  # fmt: skip
