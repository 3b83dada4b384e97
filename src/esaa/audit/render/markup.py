"""Elements of HTML and SVG. What is not markup already is escaped here: by default, everywhere, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from esaa.audit.render.visible import visible

_VOID = frozenset({"br", "hr", "input", "meta", "wbr"})


class Markup(str):
    """Text that is markup already. Only `element`, `joined` and constants of this package make any."""

    __slots__ = ()


def text(value: str) -> Markup:
    """A text from anywhere as text of a page, on one line."""
    return Markup(escape(visible(value), quote=True))


def element(tag: str, *content: str, **attributes: str | float | bool | None) -> Markup:
    """An element with its content. `class_` is the attribute `class`, `data_order` is `data-order`.

    An attribute that is True has no value; one that is None or False is left out.
    """
    inside = "".join(one if isinstance(one, Markup) else text(one) for one in content)
    opening = "".join([tag, *(_attribute(name, value) for name, value in attributes.items())])
    return Markup(f"<{opening}>" if tag in _VOID else f"<{opening}>{inside}</{tag}>")


def joined(parts: Iterable[Markup]) -> Markup:
    """Markup one after the other."""
    return Markup("".join(parts))


def _attribute(name: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    # `viewBox` keeps its capital: SVG has names of both kinds.
    shown = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {shown}"
    return f' {shown}="{text(value if isinstance(value, str) else f"{value:g}")}"'
