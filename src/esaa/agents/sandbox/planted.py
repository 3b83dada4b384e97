"""Secrets of one use, laid where nobody may find them, and gone afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def planted(path: Path, text: str) -> Generator[None, None, None]:
    """A file with this text for as long as the block runs; so are the folders that were missing for it."""
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "ascii")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()
