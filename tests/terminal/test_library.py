"""What is known of sensors and models reads well, whoever wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from geosharp.raster.sensor_file import describe_sensor
from geosharp.raster.sensors import SENSORS
from geosharp.terminal import library
from geosharp.terminal.library import format_model, format_models, format_sensors

MODEL: dict[str, Any] = {
    "name": "mine",
    "place": "user folder",
    "file": "mine.safetensors",
    "bytes": 1_250_000,
    "sha256": "ab" * 32,
    "parameters": 12_345,
    "draws": False,
    "sigma_data": None,
    "ratios": [2.0, 4.0],
    "facts": {},
}


def test_lines_of_a_sensor_break_between_bands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "find_width", lambda: 60)
    told = describe_sensor(SENSORS["worldview-2"])
    _, head, *lines = format_sensors([told]).splitlines()
    assert head == "worldview-2  WorldView-2: PAN 450-800 (0.11)"
    assert len(lines) > 2
    assert max(map(len, lines)) <= 60
    bands = ", ".join(line.strip() for line in lines).replace(",,", ",").split(", ")
    assert [band.split()[0] for band in bands] == [band["name"] for band in told["bands"]]


def test_models_are_told_in_a_line_each_and_what_is_wrong_with_one() -> None:
    damaged = {"name": "old", "place": "user folder", "file": "old.safetensors", "fault": "cut off\x1b[31m"}
    assert format_models([MODEL, damaged]).splitlines() == [
        "mine: user folder, 12,345 parameters, 1.2 MB, mean alone, ratios 2 to 4, SHA-256 abababab",
        "old: user folder, cannot be used: cut off\N{REPLACEMENT CHARACTER}[31m",
    ]


def test_a_card_that_agrees_is_told() -> None:
    lines = format_model(MODEL | {"card": "mine.md"}, whole=False).splitlines()
    assert "file         mine.safetensors, 1.2 MB; whole, and as mine.md says" in lines
    assert "-v or --json shows all that it tells" not in lines
