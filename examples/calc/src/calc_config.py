"""Settings of the calculator: defaults, limits, and reading them from a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

DEFAULT_PATH = Path(__file__).with_name("calc.toml")

# The lowest and the highest value that each setting accepts.
RANGES = {
    "digits": (3, 30),
    "length_max": (10, 10_000),
    "depth_max": (5, 80),
    "history_size": (0, 1_000),
}


class ConfigError(Exception):
    """A settings file that cannot be used; the text says what to change."""


@dataclass(frozen=True, kw_only=True)
class Config:
    digits: int = 12
    length_max: int = 400
    depth_max: int = 60
    history_size: int = 20

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = RANGES[field.name]
            if type(value) is not int:
                raise ConfigError(f"{field.name} must be a whole number, not {value!r}")
            if not low <= value <= high:
                raise ConfigError(f"{field.name} must lie between {low} and {high}, not {value}")


def load_config(path: Path = DEFAULT_PATH) -> Config:
    """The settings in the file at `path`; an unknown key is a mistake, not a wish."""
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    unknown = sorted(set(settings) - set(RANGES))
    if unknown:
        raise ConfigError(f"{path} has unknown settings: {', '.join(unknown)}")
    return Config(**settings)
