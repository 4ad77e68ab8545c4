from __future__ import annotations

from pathlib import Path

import pytest

from geosharp.engine.methods import DEFAULT_METHOD, METHODS
from geosharp.fusion import prepare
from geosharp.imaging import classic
from tests.made import make_pair


def test_every_classical_method_has_its_name() -> None:
    assert {name for name, method in METHODS.items() if method.tensors} == set(classic.METHODS)
    assert DEFAULT_METHOD in METHODS


@pytest.mark.parametrize("method", METHODS)
def test_only_brovey_reads_no_halo_and_takes_weights(made_pair: tuple[Path, Path], method: str) -> None:
    setup = prepare(*made_pair, method=method)
    assert (max(setup.plan.halo) == 0) == METHODS[method].weighted == (method == "brovey")


def notes(method: str, pair: tuple[Path, Path], **given: str) -> list[str]:
    told: list[str] = []
    METHODS[method].make_job(prepare(*pair, method=method, **given), told.append)  # type: ignore[arg-type]
    return told


@pytest.mark.parametrize("dtype", ["uint32", "int32", "float64"])
def test_types_that_float32_cannot_hold_are_noted(tmp_path: Path, dtype: str) -> None:
    pair = make_pair(tmp_path, dtype=dtype)
    assert any(f"{dtype} pixels are computed in float32" in note for note in notes("glp", pair))
    assert not any("float32" in note for note in notes("brovey", pair))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_types_that_float32_holds_are_not(tmp_path: Path, dtype: str) -> None:
    assert notes("glp", make_pair(tmp_path, dtype=dtype)) == []


def test_whole_numbers_of_brovey_in_floats_are_noted(made_pair: tuple[Path, Path]) -> None:
    assert any("whole numbers" in note for note in notes("brovey", made_pair, dtype="float32"))
    assert notes("brovey", made_pair) == []


def test_few_pixels_to_learn_from_are_noted(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, pan_shape=(64, 64))
    assert any("only" in note and "uncertain" in note for note in notes("glp", pair))
