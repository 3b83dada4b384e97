"""Settings of this machine and user: flags, then `ESAA_*`, then the user's `config.toml`, then defaults.

Governance (the contracts in `.roadmap/`) is not configuration: it is versioned with the project.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from esaa.errors import ConfigError

if TYPE_CHECKING:
    from esaa.trail.settings import TrailSettings

_PLATFORM: str = sys.platform


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set. `config_dir` holds the key of the state snapshots; `event_sourcing` is the user's part of the
    trail's settings, which the project's own stand above."""

    config_dir: str = ""
    lock_timeout_s: float = 10.0
    event_sourcing: dict[str, Any] = {}


def load_config(environ: Mapping[str, str] | None = None) -> Config:
    """The settings in force. Raises `ConfigError` naming the source of a wrong value."""
    variables = os.environ if environ is None else environ
    directory = Path(variables.get("ESAA_CONFIG_DIR") or _user_config_dir(variables))
    values: dict[str, object] = {"config_dir": str(directory)} | _user_file(directory / "config.toml")
    timeout = variables.get("ESAA_LOCK_TIMEOUT_S")
    if timeout is not None:
        try:
            values["lock_timeout_s"] = float(timeout)
        except ValueError as error:
            raise ConfigError(
                "CONFIG_INVALID", f"ESAA_LOCK_TIMEOUT_S is {timeout!r}, which is no number.", "Give seconds: 10."
            ) from error
    try:
        config = msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise ConfigError("CONFIG_INVALID", f"{directory / 'config.toml'}: {error}.", "See docs/reference.") from error
    if not 0 <= config.lock_timeout_s <= 3600:
        raise ConfigError("CONFIG_INVALID", "lock_timeout_s must be between 0 and 3600.", "Give seconds: 10.")
    return config


def load_trail_settings(root: Path, config: Config, environ: Mapping[str, str] | None = None) -> TrailSettings:
    """The settings of the trail in `root`: `ESAA_*`, `.roadmap/event-sourcing.yaml`, the user's, defaults.

    Raises `ConfigError` naming the source of a wrong value.
    """
    from esaa.kernel.ingest import SETTINGS, NotIngested
    from esaa.stores.outside import read_placed
    from esaa.trail.settings import read_settings

    path = root / ".roadmap" / "event-sourcing.yaml"
    try:
        data: bytes | None = read_placed(path, SETTINGS)
    except FileNotFoundError:
        data = None
    except NotIngested as error:
        raise ConfigError("CONFIG_INVALID", f"{path} cannot be taken: {error}.", "Mend or remove the file.") from error
    return read_settings(
        data, str(path), user=config.event_sourcing, environ=os.environ if environ is None else environ
    )


def _user_file(path: Path) -> dict[str, object]:
    if not path.exists():
        return {}
    import tomllib

    from esaa.kernel.ingest import USER_CONFIG, NotIngested, text_of
    from esaa.stores.outside import NotReadable, read_placed

    try:
        return dict(tomllib.loads(text_of(read_placed(path.resolve(), USER_CONFIG), USER_CONFIG)))
    except (OSError, NotReadable):
        return {}
    except (tomllib.TOMLDecodeError, NotIngested, RecursionError) as error:
        raise ConfigError("CONFIG_INVALID", f"{path} is no TOML: {error}.", "Mend or remove the file.") from error


def _user_config_dir(variables: Mapping[str, str]) -> str:
    # platformdirs decides; on Linux its answer is known without importing it.
    if _PLATFORM == "linux":
        base = variables.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        return str(Path(base) / "esaa")
    from platformdirs import user_config_dir

    return user_config_dir("esaa")
