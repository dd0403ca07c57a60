"""Where the configuration file is looked for.

1. what `--config FILE` names;
2. what the environment variable CCR_CONFIG names;
3. ccr.yaml in the working directory;
4. ccr/ccr.yaml in the user's configuration folder ($XDG_CONFIG_HOME, by default ~/.config).

The first that applies is taken: a file that `--config` or CCR_CONFIG names must be there.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from engine.config.home import expanded
from engine.errors import ConfigError


class NoConfigError(ConfigError):
    """None is named, and none is at the usual places."""

    def __init__(self, cause: str, next_step: str) -> None:
        super().__init__("", "", cause, next_step)


VARIABLE = "CCR_CONFIG"
FILE_NAME = "ccr.yaml"


def find(named: str | None) -> Path:
    """Return the file to read; `named` is what --config says.

    Raises ConfigError when the file that is named is not there, NoConfigError when none is named
    and none found.
    """
    if named:
        return _existing(named, "", "Correct it, or run `ccr config init` for a starter")
    from_environment = os.environ.get(VARIABLE)
    if from_environment:
        return _existing(from_environment, f"{VARIABLE}=", f"Correct or unset {VARIABLE}")
    for path in usual_places():
        if path.is_file():
            return path
    looked = " or ".join(str(path) for path in usual_places())
    raise NoConfigError(
        f"there is no configuration: no --config, no {VARIABLE}, no {looked}",
        "Run `ccr config init` to write a starter, or `ccr demo` to see ccr at work",
    )


def usual_places() -> tuple[Path, ...]:
    """Return the files that are looked for when none is named, in order."""
    return Path(FILE_NAME), platformdirs.user_config_path("ccr") / FILE_NAME


def _existing(named: str, source: str, next_step: str) -> Path:
    path = expanded(named)
    if not path.exists():
        raise ConfigError("", f"{source}{path}", "there is no such file", next_step)
    return path
