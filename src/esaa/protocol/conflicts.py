"""Two tasks that write the same file: what is kept of both, by the strategy that the policy chose.

`serialise` lets no two tasks whose write sets may meet be in flight together; `reject` and `merge` do. Under every
strategy a file is only replaced by who has seen what lies there: no accepted write of another task is ever lost.
"""

from __future__ import annotations

import msgspec

from esaa.kernel.decider import Rejected
from esaa.protocol.rejections import reject


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """A file was written by somebody else after the agent had seen it.

    - `writer`: the task that wrote it last, or None where no task did.
    - `base_sha256`: what the agent had seen; None where there was no file.
    - `proposed`: the content that the agent wants, made from what it had seen.
    - `merged`: both changes in one content; None where that is not allowed, or not possible.
    - `fault`: why it was not possible, completing the sentence "the two changes ...".
    """

    writer: str | None
    base_sha256: str | None
    proposed: bytes
    merged: bytes | None = None
    fault: str | None = None


def refuse_meeting(path: str, meeting: Meeting, bytes_max: int) -> Rejected | None:
    """Why a file that was changed meanwhile is not written, or None where both changes go together.

    It costs no attempt: the agent did nothing wrong, and each refusal means that another task got on.
    """
    if meeting.merged is not None:
        if len(meeting.merged) <= bytes_max:
            return None
        fault = f"make more than {bytes_max} bytes together"
    else:
        fault = "" if meeting.fault is None else meeting.fault
    who = "somebody" if meeting.writer is None else meeting.writer
    return reject(
        "WRITE_CONFLICT",
        f"`{path}` was changed by {who} after it had been read for this task"
        f"{f', and the two changes {fault}' if fault else ''}.",
        "Look at the file as it is now, and make the change again. This costs no attempt.",
        counts=False,
    )
