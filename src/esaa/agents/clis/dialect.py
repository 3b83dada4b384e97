"""What one command line has to say of itself: how it is called, and what its stream of output means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from esaa.agents.base import Prompt, Usage


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One call, before it has the words of a command line.

    - `tree`: where it works; `home`, `asked`: its own folder and the one for what is said to it in files.
    - `is_editing`: whether it may change files in the tree; else its tools only read.
    - `has_shell`: whether it may run commands; `is_confined`: whether a sandbox of ours is around it.
    - `variables`: what it gets of this process's environment, by name; `has_key`: whether a credential is among it.
      Without one, it uses the login of the person whose machine this is, and so that person's home.
    """

    prompt: Prompt
    schema: bytes
    tree: Path
    home: Path
    asked: Path
    variables: Mapping[str, str]
    has_key: bool
    model: str | None = None
    tokens_out_max: int | None = None
    is_editing: bool = False
    has_shell: bool = False
    is_confined: bool = False


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """A call in the words of a command line: arguments after the program, standard input, variables beside those of
    the ask, and files to be written in the folders `asked`, `home` and `tree` by the name of the folder and a path."""

    arguments: tuple[str, ...]
    given: bytes
    environment: Mapping[str, str] = {}
    files: Mapping[tuple[Literal["asked", "home", "tree"], str], bytes] = {}


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer: `unavailable` where a person must act first (log in, renew a key), else `failed`."""

    kind: Literal["unavailable", "failed"]
    message: str


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream of output holds: the answer as bytes or the trouble, and what the call used in any case."""

    result: bytes | None = None
    usage: Usage = Usage()
    trouble: Trouble | None = None


class Dialect(Protocol):
    """One command line.

    `versions` are those that the tests drive; what is older than `oldest` has other options, and is not asked.
    `package` is what npm calls it. `credentials` are the variables that hold a key, `variables` all others that steer
    where it calls; `login` are the folders in a home where it keeps a login, and `log_in` is what a person does to get
    one.
    """

    name: str
    program: str
    package: str
    versions: tuple[str, ...]
    oldest: str
    credentials: tuple[str, ...]
    variables: tuple[str, ...]
    login: tuple[str, ...]
    log_in: str

    def invocation(self, ask: Ask) -> Invocation:
        """The call for an ask."""
        ...

    def heard(self, output: bytes, exit_code: int) -> Heard:
        """What the output means; never raises, whatever was printed."""
        ...
