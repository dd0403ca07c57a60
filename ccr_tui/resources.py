"""Where the folders are that ship with ccr: inside the package in a wheel, else at the top."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def themes_dir() -> Path:
    """Return the folder of the YAML themes."""
    return _folder("themes")


def sample_configs_dir() -> Path:
    """Return the folder of the sample configurations and their JSON Schema."""
    return _folder("sample_configs")


def _folder(name: str) -> Path:
    in_wheel = _PACKAGE / "data" / name
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / name
