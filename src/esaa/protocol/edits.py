"""Edits to a text, applied in order to exactly the bytes that the agent saw (`base_sha256`)."""

from __future__ import annotations

from msgspec import UNSET

from esaa.kernel.decider import Rejected
from esaa.protocol.commands import FileOnDisk
from esaa.protocol.intentions import FileUpdate
from esaa.protocol.rejections import reject

_READ_AGAIN = "Read the file again (`esaa dispatch-context` gives its digest) and send new edits."


def new_content(update: FileUpdate, found: FileOnDisk, bytes_max: int) -> bytes | Rejected:
    """The bytes that an update leads to (at most `bytes_max`), or why it cannot be applied."""
    path = update.path
    if update.edits is UNSET:
        return b"" if update.content is UNSET else update.content.encode()
    if found.sha256 is None or found.content is None:
        return reject("EDIT_BASE_MISMATCH", f"`{path}` does not exist, so there is nothing to edit.", _READ_AGAIN)
    if found.sha256 != update.base_sha256:
        return reject(
            "EDIT_BASE_MISMATCH",
            f"`{path}` is {found.sha256[:12]}..., the edits were made for {str(update.base_sha256)[:12]}...",
            _READ_AGAIN,
        )
    try:
        text = found.content.decode()
    except UnicodeDecodeError:
        return reject("EDIT_INVALID", f"`{path}` is not UTF-8 text.", "Send its whole content instead.")
    for number, edit in enumerate(update.edits, start=1):
        if not edit.old_string or edit.old_string == edit.new_string:
            return reject(
                "EDIT_INVALID",
                f"Edit {number} of `{path}` has an empty old_string or changes nothing.",
                "Give the text to replace, and another one.",
            )
        count = text.count(edit.old_string)
        if count == 0:
            return reject("EDIT_TARGET_NOT_FOUND", f"Edit {number} of `{path}`: old_string is not there.", _READ_AGAIN)
        if count > 1 and not edit.replace_all:
            return reject(
                "EDIT_AMBIGUOUS",
                f"Edit {number} of `{path}`: old_string stands {count} times.",
                "Give more of the surrounding text, or set replace_all.",
            )
        # Asked before the text is made: a few edits that double it would fill the memory.
        if len(text) + count * (len(edit.new_string) - len(edit.old_string)) > bytes_max:
            return _too_large(path, bytes_max)
        text = text.replace(edit.old_string, edit.new_string)
    content = text.encode()
    return content if len(content) <= bytes_max else _too_large(path, bytes_max)


def _too_large(path: str, bytes_max: int) -> Rejected:
    return reject(
        "RESOURCE_LIMIT_EXCEEDED",
        f"`{path}` would be larger than {bytes_max} bytes after the edits.",
        "Split the file.",
        layer="boundary",
    )
