"""Sensor files made by code."""

from __future__ import annotations

from pathlib import Path


def write_sensor(folder: Path, *bands: str, head: str = "", name: str = "newsat") -> Path:
    """A file NAME.toml of bands of these names. head: lines besides, before the bands."""
    path = folder / f"{name}.toml"
    tables = "".join(f'[[bands]]\nname = "{band}"\n' for band in bands)
    path.write_text(f'name = "{name}"\n{head}\n{tables}', encoding="utf-8")
    return path
