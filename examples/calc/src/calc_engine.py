"""The engine: text in, a decimal number out. It parses by itself and runs nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)

from calc_config import Config

PRECISION = 34
EXPONENT_MAX = 9_999
FACTORIAL_MAX = 1_000
PLACES_MAX = 30

CONSTANTS = {
    "pi": Decimal("3.141592653589793238462643383279503"),
    "e": Decimal("2.718281828459045235360287471352662"),
}


class CalcError(Exception):
    """A mistake in an expression: what is wrong, and where, counted from zero."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def evaluate(text: str, ans: Decimal = Decimal(0), config: Config = Config()) -> Decimal:
    """The value of the expression; raises CalcError and nothing else."""
    if len(text) > config.length_max:
        raise CalcError(f"the expression is longer than {config.length_max} characters", config.length_max)
    with localcontext(_context()):
        return _Parser(_tokens(text), ans, config.depth_max).parse()


def format_number(value: Decimal, digits: int) -> str:
    """The number as a person writes it, rounded to `digits` significant digits."""
    with localcontext(_context()) as context:
        context.prec = digits
        rounded = (+value).normalize()
    if not rounded:
        return "0"
    if -6 <= rounded.adjusted() < 15:
        return f"{rounded:f}"
    mantissa = rounded.scaleb(-rounded.adjusted())
    return f"{mantissa:f}e{rounded.adjusted()}"


def _context() -> Context:
    return Context(
        prec=PRECISION,
        rounding=ROUND_HALF_EVEN,
        Emin=-EXPONENT_MAX,
        Emax=EXPONENT_MAX,
        traps=[DivisionByZero, InvalidOperation, Overflow],
    )


# Reading: characters to tokens


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # "number", "name", "end", or the sign itself
    text: str
    position: int


_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z]+)"
    r"|(?P<sign>\*\*|[-+*/^!%(),×·÷−])"
)
_SAME = {"×": "*", "·": "*", "÷": "/", "−": "-", "**": "^"}


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            raise CalcError(f"unknown character {text[position]!r}", position)
        found = match.group()
        kind = match.lastgroup or ""
        tokens.append(_Token(_SAME.get(found, found) if kind == "sign" else kind, found, position))
        position = match.end()
    tokens.append(_Token("end", "", len(text)))
    return tokens


# Computing: tokens to a value, one method for each line of the grammar


class _Parser:
    def __init__(self, tokens: list[_Token], ans: Decimal, depth_max: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._names = {**CONSTANTS, "ans": ans}
        self._depth = 0
        self._depth_max = depth_max

    def parse(self) -> Decimal:
        if self._token.kind == "end":
            raise CalcError("nothing to compute", 0)
        value = self._expression()
        if self._token.kind == ")":
            raise CalcError("this parenthesis was never opened", self._token.position)
        if self._token.kind != "end":
            raise CalcError(f"an operator is missing before {self._token.text!r}", self._token.position)
        return value

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _expression(self) -> Decimal:
        value = self._term()
        while self._token.kind in ("+", "-"):
            sign = self._take()
            right = self._term()
            value = _guarded(sign, lambda a=value, b=right: a + b if sign.kind == "+" else a - b)
        return value

    def _term(self) -> Decimal:
        value = self._unary()
        while self._token.kind in ("*", "/"):
            sign = self._take()
            right = self._unary()
            value = _guarded(sign, lambda a=value, b=right: a * b if sign.kind == "*" else a / b)
        return value

    def _unary(self) -> Decimal:
        self._depth += 1
        if self._depth > self._depth_max:
            raise CalcError(f"nested deeper than {self._depth_max} levels", self._token.position)
        if self._token.kind in ("+", "-"):
            sign = self._take()
            value = self._unary()
            value = -value if sign.kind == "-" else value
        else:
            value = self._power()
        self._depth -= 1
        return value

    def _power(self) -> Decimal:
        base = self._postfix()
        if self._token.kind != "^":
            return base
        sign = self._take()
        exponent = self._unary()
        if not base and not exponent:
            return Decimal(1)
        if not base and exponent < 0:
            raise CalcError("division by zero", sign.position)
        if base < 0 and exponent != exponent.to_integral_value():
            raise CalcError("a negative number has no fractional power", sign.position)
        return _guarded(sign, lambda: base**exponent)

    def _postfix(self) -> Decimal:
        value = self._atom()
        while self._token.kind in ("!", "%"):
            sign = self._take()
            if sign.kind == "%":
                value = _guarded(sign, lambda a=value: a / 100)
            else:
                value = _factorial(value, sign)
        return value

    def _atom(self) -> Decimal:
        token = self._take()
        if token.kind == "number":
            return _guarded(token, lambda: +Decimal(token.text))
        if token.kind == "name":
            return self._call(token) if self._token.kind == "(" else self._name(token)
        if token.kind == "(":
            value = self._expression()
            self._close(token)
            return value
        if token.kind == "end":
            raise CalcError("a number is missing at the end", token.position)
        raise CalcError(f"a number is missing before {token.text!r}", token.position)

    def _name(self, token: _Token) -> Decimal:
        if token.text in self._names:
            return self._names[token.text]
        if token.text in FUNCTIONS:
            raise CalcError(f"{token.text} needs parentheses", token.position)
        raise CalcError(f"unknown name {token.text!r}", token.position)

    def _call(self, token: _Token) -> Decimal:
        if token.text in self._names:
            raise CalcError(f"{token.text} is not a function", token.position)
        if token.text not in FUNCTIONS:
            raise CalcError(f"unknown name {token.text!r}", token.position)
        opening = self._take()
        arguments = []
        if self._token.kind != ")":
            arguments.append(self._expression())
            while self._token.kind == ",":
                self._take()
                arguments.append(self._expression())
        self._close(opening)
        function, least, most = FUNCTIONS[token.text]
        if len(arguments) < least or (most is not None and len(arguments) > most):
            raise CalcError(f"{token.text} takes {_count(least, most)}, not {len(arguments)}", token.position)
        return _guarded(token, lambda: function(*arguments))

    def _close(self, opening: _Token) -> None:
        if self._token.kind == "end":
            raise CalcError("this parenthesis is never closed", opening.position)
        if self._token.kind == ",":
            raise CalcError("a comma belongs between arguments", self._token.position)
        if self._token.kind != ")":
            raise CalcError(f"an operator is missing before {self._token.text!r}", self._token.position)
        self._take()


# What an invalid operation means where the token alone does not say it: 0/0, and a
# literal whose exponent is beyond even the decimal module.
_INVALID = {"/": "division by zero", "number": "the result is too large"}


def _guarded(token: _Token, compute: Callable[[], Decimal]) -> Decimal:
    """Run one decimal operation; its failure becomes a CalcError at the token."""
    try:
        return compute()
    except DivisionByZero:
        message = "division by zero"
    except Overflow:
        message = "the result is too large"
    except InvalidOperation:
        message = _INVALID.get(token.kind, f"{token.text} is not defined here")
    raise CalcError(message, token.position)


def _factorial(value: Decimal, sign: _Token) -> Decimal:
    if value != value.to_integral_value() or not 0 <= value <= FACTORIAL_MAX:
        raise CalcError(f"a factorial needs a whole number from 0 to {FACTORIAL_MAX}", sign.position)
    return +Decimal(math.factorial(int(value)))


# Functions: what to call, and how many arguments at least and at most


def _round(value: Decimal, places: Decimal = Decimal(0)) -> Decimal:
    if places != places.to_integral_value() or abs(places) > PLACES_MAX:
        raise InvalidOperation
    if value.as_tuple().exponent >= -places:
        return value
    return value.quantize(Decimal(1).scaleb(-int(places)), rounding=ROUND_HALF_EVEN)


def _ln(value: Decimal) -> Decimal:
    if value <= 0:
        raise InvalidOperation
    return value.ln()


def _log(value: Decimal) -> Decimal:
    if value <= 0:
        raise InvalidOperation
    return value.log10()


FUNCTIONS: dict[str, tuple[Callable[..., Decimal], int, int | None]] = {
    "abs": (abs, 1, 1),
    "ceil": (lambda value: value.to_integral_value(ROUND_CEILING), 1, 1),
    "exp": (lambda value: value.exp(), 1, 1),
    "floor": (lambda value: value.to_integral_value(ROUND_FLOOR), 1, 1),
    "ln": (_ln, 1, 1),
    "log": (_log, 1, 1),
    "max": (lambda *values: max(values), 1, None),
    "min": (lambda *values: min(values), 1, None),
    "round": (_round, 1, 2),
    "sqrt": (lambda value: value.sqrt(), 1, 1),
}


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least} argument{'s' if least > 1 else ''}"
    if least == most:
        return f"{least} argument{'s' if least > 1 else ''}"
    return f"{least} to {most} arguments"
