"""JSON from outside: by class, the bytes and whether the door has to take them, or what the refusal has to say.

Whatever two readers could read in two ways is refused; what merely looks odd is read as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

TAKEN = ""
"""In the place of a reason: the bytes are one strict value."""


class Case(NamedTuple):
    """Bytes of a class; `why` is part of the refusal, or `TAKEN`."""

    kind: str
    data: bytes
    why: str


TABLE: dict[str, tuple[tuple[bytes, str], ...]] = {
    "plain": (
        (b"{}", TAKEN), (b"[]", TAKEN), (b"null", TAKEN), (b"0", TAKEN), (b'""', TAKEN), (b"-0", TAKEN), (b"1e5", TAKEN),
        (b' \t\r\n{"a" : [1 , 2.5 , "x" , true , null]} \n', TAKEN), (b'"\\u00e9\\n\\/"', TAKEN), ("é中😀".join('""').encode(), TAKEN),
    ),
    "duplicate keys": (
        (b'{"a":1,"a":2}', "stands twice"), (b'{"a":1,"a":1}', "stands twice"), (b'{"a":{"b":1,"b":2}}', "stands twice"),
        (b'{"a":1,"\\u0061":2}', "stands twice"), (b'[{"a":1},{"a":1,"b":2,"a":3}]', "stands twice"),
        (b'{"":1,"":2}', "stands twice"), (b'{"a":1 , "a" : 1}', "stands twice"), (b'{"__proto__":1,"__proto__":2}', "stands twice"),
        (b'{"a":1,"A":2}', TAKEN), ('{"é":1,"e\u0301":2}'.encode(), TAKEN), (b'[{"a":1},{"a":2}]', TAKEN),
    ),
    "no numbers": (
        (b"NaN", "NaN is not JSON"), (b"Infinity", "Infinity is not JSON"), (b"[-Infinity]", "-Infinity is not JSON"),
        (b'{"a":NaN}', "NaN is not JSON"), (b"nan", "line 1"), (b"inf", "line 1"), (b"1.#INF", "line 1"),
    ),
    "numbers out of range": (
        (b"1e400", "out of range"), (b"-1e400", "out of range"), (b"[1e999999999]", "out of range"),
        (b"9" * 5000, "out of range"), (b"-" + b"9" * 4300, "out of range"), (b"1" + b"0" * 400 + b".0", "out of range"),
        (b"1e-400", TAKEN), (b"18446744073709551616", TAKEN), (b"-9223372036854775809", TAKEN), (b"9007199254740993", TAKEN),
        (b"9" * 400, TAKEN), (b"1e308", TAKEN), (b"0." + b"1" * 5000, TAKEN),
    ),
    "numbers badly written": (
        (b"01", "line 1"), (b"+1", "line 1"), (b".5", "line 1"), (b"1.", "line 1"), (b"0x1F", "line 1"), (b"1e", "line 1"),
        (b"1_000", "line 1"), (b"--1", "line 1"), (b"1,5", "line 1"), (b"0b1", "line 1"), (b"1e+", "line 1"), (b"-", "line 1"),
        ("１".encode(), "line 1"), ("٣".encode(), "line 1"), (b"00", "line 1"), (b"1 2", "line 1"),
    ),
    "not UTF-8": (
        (b'"\xff"', "is not UTF-8"), (b'"\xc0\xaf"', "is not UTF-8"), (b'"\xed\xa0\x80"', "is not UTF-8"),
        (b'"\xf4\x90\x80\x80"', "is not UTF-8"), (b'"\xe2\x82"', "is not UTF-8"), (b'{"\xfe":1}', "is not UTF-8"),
        (b'"\x80"', "is not UTF-8"), (b'"\xf8\x88\x80\x80\x80"', "is not UTF-8"), (b'"\xc1\xbf"', "is not UTF-8"),
        (b'"caf\xe9"', "is not UTF-8"),
    ),
    "other encodings": (
        ("{}".encode("utf-16"), "not UTF-8"), ("{}".encode("utf-16-le"), "line 1"), ("{}".encode("utf-16-be"), "line 1"),
        ("{}".encode("utf-32"), "not UTF-8"), (b"\xef\xbb\xbf{}", "byte order mark"), (b"\xfe\xff", "not UTF-8"),
        (b"+AHs-+AH0-", "line 1"), (b"{}\xef\xbb\xbf", "line 1"),
    ),
    "lone surrogates": (
        (b'"\\ud800"', "lone surrogate"), (b'"\\udfff"', "lone surrogate"), (b'{"\\ud83d":1}', "lone surrogate"),
        (b'"\\ude00\\ud83d"', "lone surrogate"), (b'["\\ud800\\ud800\\udc00"]', "lone surrogate"), (b'"\\uD800x"', "lone surrogate"),
        (b'"\\ud83d\\ude00"', TAKEN), (b'"\\\\ud800"', TAKEN), (b'"\\udbff\\udfff"', TAKEN),
    ),
    "control characters": (
        (b'"a\nb"', "line 1"), (b'"a\tb"', "line 1"), (b'"\x00"', "line 1"), (b'"\x1f"', "line 1"), (b'{"a\rb":1}', "line 1"),
        (b'\x00{}', "line 1"), (b"{}\x00", "line 1"), (b'"\\u0000"', TAKEN), (b'"\x7f"', TAKEN), (b'"\\u001b[31m"', TAKEN),
    ),
    "bad escapes": (
        (b'"\\x41"', "line 1"), (b'"\\u12"', "line 1"), (b'"\\u{41}"', "line 1"), (b'"\\a"', "line 1"), (b'"\\', "line 1"),
        (b'"\\u+123"', "line 1"), (b'"\\u 123"', "line 1"), (b'"\\U00000041"', "line 1"), (b'"\\u12_3"', "line 1"),
    ),
    "other languages": (
        (b"{a:1}", "line 1"), (b"{'a':1}", "line 1"), (b"[1,]", "line 1"), (b'{"a":1,}', "line 1"), (b"// c\n{}", "line 1"),
        (b"{}/* c */", "line 1"), (b"# c\n{}", "line 1"), (b"True", "line 1"), (b"None", "line 1"), (b"undefined", "line 1"),
        (b"```json\n{}\n```", "line 1"), (b")]}',\n{}", "line 1"), (b"a: 1", "line 1"), (b"<a/>", "line 1"), (b"[1 2]", "line 1"),
        (b"[,1]", "line 1"), (b'{"a" 1}', "line 1"), (b'{1:"a"}', "line 1"), (b"TRUE", "line 1"), (b'{"a":}', "line 1"),
    ),
    "more than one value": (
        (b"{}{}", "line 1"), (b"{}\n{}", "line 2"), (b"[] x", "line 1"), (b"1 1", "line 1"), (b'""""', "line 1"),
        (b"\x1e{}", "line 1"), (b"{} \x0c", "line 1"),
    ),
    "cut or empty": (
        (b"", "no JSON value"), (b" \n", "no JSON value"), (b"{", "line 1"), (b"[", "line 1"), (b'"', "line 1"), (b'{"a"', "line 1"),
        (b'{"a":', "line 1"), (b"[1", "line 1"), (b"tru", "line 1"), (b'"\\ud83d', "line 1"), (b"]", "line 1"), (b"}", "line 1"),
        (b"[1}", "line 1"), (b'{"a":1]', "line 1"), (b"{]", "line 1"),
    ),
    "odd blanks": (
        ("\u00a0{}".encode(), "line 1"), ("\u2003{}".encode(), "line 1"), (b"\x0b{}", "line 1"), (b"\x0c{}", "line 1"),
        ("{}\u2028".encode(), "line 1"), ('"\u2028\u2029"'.encode(), TAKEN), ("\u200b{}".encode(), "line 1"),
    ),
    "deep": (
        (b"[" * 64 + b"]" * 64, TAKEN), (b"[" * 65 + b"]" * 65, "nested"), (b'{"a":' * 65 + b"1" + b"}" * 65, "nested"),
        (b"[" * 1000 + b"]" * 1000, "nested"), (b"[" * 100_000, "nested"), (b'{"a":' * 100_000, "nested"),
        (b"[" * 100_000 + b"]" * 100_000, "nested"), (b'[{"a":' * 40 + b"1" + b"}]" * 40, "nested"),
        (b'"' + b"[" * 1000 + b'"', TAKEN), (b"[[],[],[]," + b"[]," * 1000 + b"[]]", TAKEN),
    ),
    "large": (
        (b'"' + b"a" * (4 << 20) + b'"', "more than"), (b"[" + b"1," * (2 << 20) + b"1]", "more than"), (b" " * ((4 << 20) + 1), "more than"),
        (b'"' + b"a" * (1 << 20) + b'"', TAKEN), (b"[" + b"{}, " * (1 << 18) + b"{}]", TAKEN),
        (b"{" + b",".join(b'"k%d": 1' % number for number in range(100_000)) + b"}", TAKEN),
    ),
    "words of other languages": (
        (b'{"__proto__":{"a":1}}', TAKEN), (b'{"constructor":{"prototype":{}}}', TAKEN), (b'{"$ref":"#/a"}', TAKEN),
        (b'{"__class__":"os.system"}', TAKEN), (b'{"@type":"java.lang.Runtime"}', TAKEN), (b'{"$where":"sleep(1)"}', TAKEN),
    ),
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Every case, class by class."""
    for kind, rows in TABLE.items():
        for data, why in rows:
            yield Case(kind, data, why)
