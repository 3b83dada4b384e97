"""Conditions and watched values over a state: JMESPath, and which parts of the state an expression can see.

An expression is compiled once. What it reads is known from its text, so that a condition on one task of a hundred
thousand reads one task.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from esaa.errors import UsageError
from esaa.history.past import Past
from esaa.history.pointers import pointer_of

LENGTH_MAX = 4_000
MOMENTS_MAX = 200
_SHOWN = 80
_FORMS = "Write JMESPath, such as tasks.\"T-1000\".status == 'done'; a name with a hyphen stands in double quotes."

# fmt: off
_TO_ALL = frozenset((
    "comparator", "or_expression", "and_expression", "not_expression", "function_expression", "multi_select_list",
    "multi_select_dict", "key_val_pair",
))
"""What hands the value that it is given on to all that it consists of."""
_TO_FIRST = frozenset((
    "pipe", "projection", "value_projection", "filter_projection", "flatten", "index_expression", "subexpression",
))
"""What hands its value on to its first part only; the others see what came of it."""
# fmt: on
_TO_NONE = frozenset(("literal", "expref"))
"""What sees nothing of it: an `&expression` is asked about the items of another argument."""


class Predicate:
    """A JMESPath expression over a state document.

    It holds where its value counts as true: not null, not false, and no empty text, list or object.
    `reads` names the members and parts that it can see, as the names on the way to them; None where it sees all.
    """

    def __init__(self, expression: str) -> None:
        """Raises `UsageError` for a text that is no JMESPath expression."""
        from jmespath import compile as compiled
        from jmespath.exceptions import JMESPathError
        from jmespath.functions import Functions

        if len(expression) > LENGTH_MAX:
            raise UsageError(
                "EXPRESSION_INVALID", f"The expression has {len(expression)} characters.", f"{LENGTH_MAX} are allowed."
            )
        self.expression = expression
        try:
            self._compiled = compiled(expression)
        except (JMESPathError, RecursionError) as error:
            raise _invalid(expression, str(error)) from error
        tree: Any = self._compiled.parsed
        known: Any = Functions.FUNCTION_TABLE  # a table of the library's own making
        unknown = next((name for name in _functions(tree) if name not in known), None)
        if unknown is not None:
            raise _invalid(expression, f"there is no function {unknown[:_SHOWN]}()")
        found: set[tuple[str, ...]] = set()
        self.reads = frozenset(found) if _gather(tree, found) else None

    def value(self, document: Any) -> Any:
        """What the expression gives for a document; null where it names nothing. Raises `UsageError` where it fails,
        such as a function that is given what it does not take."""
        try:
            return self._compiled.search(document)
        except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
            # The library's own errors are among them, and what it overlooks: a step of 0, a text beside a number.
            raise _invalid(self.expression, str(error)) from error

    def holds(self, document: Any) -> bool:
        """True where the condition holds for a document."""
        return is_truth(self.value(document))

    def value_at(self, past: Past, seq: int) -> Any:
        """What the expression gives for the state after an event; read is only what it can see."""
        return self.value(self._document(past, seq))

    def holds_at(self, past: Past, seq: int) -> bool:
        """True where the condition holds after an event."""
        return is_truth(self.value_at(past, seq))

    def is_met_at(self, past: Past, seq: int) -> bool:
        """True where the condition holds after an event; False too where it cannot be asked, such as for the length of
        a list that is not there yet."""
        try:
            return self.holds_at(past, seq)
        except UsageError:
            return False

    def seen_parts(self, past: Past, seq: int) -> tuple[str, ...] | None:
        """Pointers into the parts that alone decide over its value; None where it sees more than single parts."""
        if self.reads is None:
            return None
        pointers = {names: pointer_of(names) for names in self.reads}
        if any(len(names) == 1 and past.part(seq, pointer) is UNSET for names, pointer in pointers.items()):
            return None
        return tuple(sorted(pointers.values()))

    def moments(self, past: Past, after: int, until: int, *, count: int = MOMENTS_MAX) -> tuple[int, ...] | None:
        """The events after `after` up to `until` at which alone its value can change; None where that is not known, or
        where there are more than `count`."""
        pointers = self.seen_parts(past, until)
        if pointers is None:
            return None
        changed = {seq for pointer in pointers for seq in past.part_changes(pointer, until) if seq > after}
        return tuple(sorted(changed)) if len(changed) <= count else None

    def _document(self, past: Past, seq: int) -> dict[str, Any]:
        """The document as far as the expression can see it."""
        if self.reads is None:
            return past.document(seq)
        document: dict[str, Any] = {}
        for names in sorted(self.reads):
            member = names[0]
            part = past.part(seq, pointer_of((member,)))
            if part is not UNSET:
                document[member] = part
            elif len(names) == 1:
                members = dict(past.parts(seq, member))
                if not members:
                    return past.document(seq)
                document[member] = members
            else:
                part = past.part(seq, pointer_of(names))
                document.setdefault(member, {})
                if part is not UNSET:
                    document[member].setdefault(names[1], part)
        return document


def is_truth(value: Any) -> bool:
    """What JMESPath takes for true: not null, not false, and no empty text, list or object. 0 counts as true."""
    return not (value is None or value is False or value in ("", [], {}))


def _gather(node: dict[str, Any], found: set[tuple[str, ...]]) -> bool:
    """Collects what a node reads of the document; False where that may be all of it."""
    kind: str = node["type"]
    children: list[Any] = node["children"]
    if kind == "field":
        found.add((node["value"],))
        return True
    if kind == "subexpression" and [child["type"] for child in children[:2]] == ["field", "field"]:
        found.add((children[0]["value"], children[1]["value"]))
        return True
    if kind in _TO_NONE:
        return True
    if kind in _TO_FIRST:
        return _gather(children[0], found)
    if kind in _TO_ALL:
        return all(_gather(child, found) for child in children)
    # The document itself (`@`, `*`), or what is not known here.
    return False


def _functions(node: Any) -> Iterator[str]:
    """The names of the functions that an expression calls."""
    if isinstance(node, dict):
        if node["type"] == "function_expression":
            yield node["value"]
        for child in node["children"]:
            yield from _functions(child)


def _invalid(expression: str, why: str) -> UsageError:
    text = " ".join(why.split())[:200].rstrip(".")
    return UsageError("EXPRESSION_INVALID", f"{expression[:_SHOWN]!r}: {text}.", _FORMS, expression=expression)
