"""One door under atheris, a fuzzer that follows the branches: `python -m assure.fuzz_target DOOR [libFuzzer options]`.

Ends with 77 where the door raises what it may not, 70 where an input takes longer than libFuzzer's `-timeout`.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


def main() -> None:
    """Feeds the door until libFuzzer has enough. Never returns."""
    atheris: Any = importlib.import_module("atheris")  # which is there on some machines only

    with atheris.instrument_imports(include=["esaa"]):
        from assure.doors import doors, named

    name, folder, *options = sys.argv[1:]
    door = named(name, doors())
    for number, seed in enumerate(door.seeds):
        (Path(folder) / f"seed-{number}").write_bytes(seed)

    def take(data: bytes) -> None:
        with suppress(*door.refusals):
            door.take(data)

    atheris.Setup([sys.argv[0], *options, folder], take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
