"""The window: a keypad model that can be tested anywhere, and its drawing in tkinter."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from calc_config import Config
from calc_engine import CalcError, evaluate, format_number

ROWS = (
    ("C", "(", ")", "⌫"),
    ("7", "8", "9", "÷"),
    ("4", "5", "6", "×"),
    ("1", "2", "3", "−"),
    ("0", ".", "^", "+"),
    ("ans", "%", "√", "="),
)

# What a key adds to the entry, where that is not the key itself.
INSERTS = {"√": "sqrt("}

# Keys that continue from the last result.
CONTINUING = frozenset("+−×÷^%!")

# Keyboard characters and key names, and the key that each one presses.
KEYBOARD = {
    **{character: character for character in "0123456789.()^%+!"},
    "-": "−",
    "*": "×",
    "/": "÷",
    "=": "=",
    "Return": "=",
    "KP_Enter": "=",
    "BackSpace": "⌫",
    "Escape": "C",
}

COLOURS = {
    "background": "#14212b",
    "text": "#f2f6f8",
    "quiet": "#a9bcc8",
    "alarm": "#ffb4a6",
    "key": "#22333f",
    "key_operator": "#2d4a5b",
    "key_equals": "#8fd3c8",
    "text_equals": "#0d2420",
}


class WindowUnavailable(Exception):
    """No window can be opened here; the text says why in one sentence."""


class Keypad:
    """What the calculator shows and remembers; `press` is the only way to change it."""

    def __init__(self, config: Config = Config()) -> None:
        self.entry = ""
        self.result = ""
        self.message = ""
        self.history: list[tuple[str, str]] = []
        self._config = config
        self._ans = Decimal(0)
        self._is_answered = False

    def press(self, key: str) -> None:
        self.message = ""
        if key == "C":
            self.entry, self.result, self._is_answered = "", "", False
        elif key == "⌫":
            self._remove_last()
        elif key == "=":
            self._compute()
        else:
            self._insert(key)

    def _insert(self, key: str) -> None:
        if self._is_answered:
            self.entry = "ans" if key in CONTINUING else ""
            self.result, self._is_answered = "", False
        self.entry += INSERTS.get(key, key)

    def _remove_last(self) -> None:
        self.result, self._is_answered = "", False
        for whole in ("sqrt(", "ans"):
            if self.entry.endswith(whole):
                self.entry = self.entry.removesuffix(whole)
                return
        self.entry = self.entry[:-1]

    def _compute(self) -> None:
        if not self.entry.strip():
            return
        try:
            value = evaluate(self.entry, self._ans, self._config)
        except CalcError as error:
            self.result, self.message = "", error.message
            return
        self._ans = value
        self.result = format_number(value, self._config.digits)
        self._is_answered = True
        self.history.append((self.entry, self.result))
        del self.history[: max(0, len(self.history) - self._config.history_size)]


def open_window(config: Config = Config()) -> None:
    """Open the window and stay until it is closed."""
    try:
        import tkinter
    except ImportError as error:
        raise WindowUnavailable("This Python has no tkinter, so no window can be opened.") from error
    try:
        root = tkinter.Tk()
    except tkinter.TclError as error:
        raise WindowUnavailable("There is no display to open a window on.") from error
    _draw(tkinter, root, Keypad(config))
    root.mainloop()


def _draw(tkinter: Any, root: Any, keypad: Keypad) -> None:
    root.title("Calculator")
    root.minsize(320, 460)
    root.configure(background=COLOURS["background"], padx=12, pady=12)

    def label(size: int, colour: str) -> Any:
        return tkinter.Label(
            root, anchor="e", font=("TkDefaultFont", size), background=COLOURS["background"],
            foreground=COLOURS[colour], height=1,
        )

    above, below = label(14, "quiet"), label(30, "text")
    above.grid(row=0, column=0, columnspan=4, sticky="ew")
    below.grid(row=1, column=0, columnspan=4, sticky="ew", pady=(0, 12))

    def show() -> None:
        if keypad.message:
            above.configure(text=keypad.message, foreground=COLOURS["alarm"])
            below.configure(text=keypad.entry)
        elif keypad.result:
            above.configure(text=f"{keypad.entry} =", foreground=COLOURS["quiet"])
            below.configure(text=keypad.result)
        else:
            above.configure(text="")
            below.configure(text=keypad.entry or "0")

    def press(key: str) -> None:
        keypad.press(key)
        show()

    for row, keys in enumerate(ROWS, start=2):
        root.rowconfigure(row, weight=1, uniform="keys")
        for column, key in enumerate(keys):
            background, foreground = _key_colours(key)
            button = tkinter.Button(
                root, text=key, command=lambda key=key: press(key), font=("TkDefaultFont", 16), width=3,
                relief="flat", borderwidth=0, highlightbackground=COLOURS["background"],
                background=COLOURS[background], foreground=COLOURS[foreground],
                activebackground=COLOURS["quiet"], activeforeground=COLOURS["text_equals"],
            )
            button.grid(row=row, column=column, sticky="nsew", padx=3, pady=3)
    for column in range(4):
        root.columnconfigure(column, weight=1, uniform="keys")

    def typed(event: Any) -> str | None:
        key = KEYBOARD.get(event.keysym) or KEYBOARD.get(event.char)
        if key is None:
            return None
        press(key)
        return "break"

    root.bind_all("<Key>", typed)
    show()


def _key_colours(key: str) -> tuple[str, str]:
    if key == "=":
        return "key_equals", "text_equals"
    if key.isdigit() or key == ".":
        return "key", "text"
    return "key_operator", "text"
