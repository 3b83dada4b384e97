"""No sandbox: the program has the user's rights. Limits hold, and the environment is as small as in the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from esaa.agents.sandbox.base import Confinement, Launch, environment_of, launcher_arguments


class NoSandbox:
    """Confines nothing but time, memory, processes and the environment."""

    level: Literal["none"] = "none"

    def launch(self, arguments: Sequence[str], confinement: Confinement) -> Launch:
        """The program through the launcher, which sets the limits."""
        return Launch(
            arguments=launcher_arguments(arguments, confinement),
            environment=environment_of(confinement),
            directory=confinement.directory,
            level=self.level,
        )
