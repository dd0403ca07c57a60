"""Where the console's own files of a user are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from engine.config.home import expanded

if TYPE_CHECKING:
    from engine.service.paths import ServicePaths

SETTINGS_VARIABLE = "CCR_CONSOLE_SETTINGS"


def settings_path() -> Path:
    """Return where the settings are: $CCR_CONSOLE_SETTINGS, or the user's ccr/console.yaml."""
    told = os.environ.get(SETTINGS_VARIABLE)
    return expanded(told) if told else platformdirs.user_config_path("ccr") / "console.yaml"


def themes_path() -> Path:
    """Return the folder of the user's own themes."""
    return platformdirs.user_config_path("ccr") / "themes"


def history_path() -> Path:
    """Return where the commands are kept that were typed."""
    return platformdirs.user_state_path("ccr") / "console-history"


def cache_path() -> Path:
    """Return the folder of what can be had again: engine.sandbox.jars.default_cache."""
    return platformdirs.user_cache_path("ccr")


def crash_log_path() -> Path:
    """Return where crashes are written down."""
    return platformdirs.user_log_path("ccr") / "crash.log"


def console_log_path(paths: ServicePaths) -> Path:
    """Return where the console of a configuration logs, next to its engine's log."""
    return paths.log.with_name(f"{paths.log.stem}-console.log")
