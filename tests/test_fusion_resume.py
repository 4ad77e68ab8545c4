"""A run that was stopped goes on where it stopped, to the very file that it would have made."""

from __future__ import annotations

import fcntl
import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from geosharp import Diffusion
from geosharp.engine import compute
from geosharp.engine.journal import beside
from geosharp.engine.stream import Progress
from geosharp.errors import GeosharpError, OutputError, PairError
from geosharp.fusion import FuseResult
from tests.hfreqdiff.made_model import make_model
from tests.made import ORIGIN, make_pair
from tests.quick import fuse
from tests.raster.made_saturated import saturate

TILES = 16  # of 64 pixels


class Stopped(BaseException):
    """As sudden as Ctrl-C."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """With no-data over a corner, so that a tile is empty and others are not whole."""
    pan, ms = make_pair(tmp_path_factory.mktemp("pair"), pan_profile={"nodata": 0})
    with rasterio.open(pan, "r+") as raster:
        raster.write(np.zeros((1, 90, 100), np.uint16), window=Window(0, 0, 100, 90))
    return pan, ms


def run(pair: tuple[Path, Path], out: Path, **given: Any) -> FuseResult:
    return fuse(*pair, out, **{"tile": 64, "threads": 2, "overviews": False, "resume": True, **given})


def stop_after(count: int) -> Callable[[Progress], None]:
    def progress(done: Progress) -> None:
        if done.stage == "fuse" and done.tiles == count:
            raise Stopped

    return progress


def stop(pair: tuple[Path, Path], out: Path, count: int = 7, **given: Any) -> None:
    """Run until so many tiles are written."""
    with pytest.raises(Stopped):
        run(pair, out, progress=stop_after(count), **given)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tiles that are computed from now on."""
    tiles: list[Any] = []
    real = compute.TensorJob.compute

    def noting(self: compute.TensorJob, tile: Any, patch: Any) -> Any:
        tiles.append(tile)
        return real(self, tile, patch)

    monkeypatch.setattr(compute.TensorJob, "compute", noting)
    return tiles


@pytest.mark.parametrize("count", [1, 7, TILES])
def test_it_goes_on_to_the_same_bytes_and_computes_only_what_is_missing(
    tmp_path: Path, pair: tuple[Path, Path], computed: list[Any], count: int
) -> None:
    whole = run(pair, tmp_path / "whole.tif").path.read_bytes()
    stop(pair, out := tmp_path / "out.tif", count)
    assert not out.exists()
    assert beside(out).exists()
    computed.clear()
    result = run(pair, out)
    assert out.read_bytes() == whole
    assert len(computed) == TILES - count
    assert f"{count} tiles were there from an earlier run" in result.warnings
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tif", "whole.tif"]


def test_it_may_be_stopped_again_and_again(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    whole = run(pair, tmp_path / "whole.tif").path.read_bytes()
    for count in (2, 5, 5, 11):
        stop(pair, tmp_path / "out.tif", count)
    assert run(pair, tmp_path / "out.tif").path.read_bytes() == whole


def test_so_does_one_that_ends_where_ms_saturates(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    saturate(ms)
    whole = run((pan, ms), tmp_path / "whole.tif").path.read_bytes()
    stop((pan, ms), tmp_path / "out.tif")
    assert run((pan, ms), tmp_path / "out.tif").path.read_bytes() == whole


def test_uncertainty_goes_on_with_it(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    asked = Diffusion(model=make_model(tmp_path), device="cpu", draws=2)
    given = {"method": "hfreqdiff", "diffusion": asked}
    run(pair, tmp_path / "whole.tif", uncertainty=tmp_path / "whole_unc.tif", **given)
    stop(pair, tmp_path / "out.tif", uncertainty=tmp_path / "unc.tif", **given)
    run(pair, tmp_path / "out.tif", uncertainty=tmp_path / "unc.tif", **given)
    for one, other in (("whole", "out"), ("whole_unc", "unc")):
        assert (tmp_path / f"{one}.tif").read_bytes() == (tmp_path / f"{other}.tif").read_bytes()
    assert not beside(tmp_path / "out.tif").exists()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"method": "gsa"}, "method was glp, is gsa"),
        ({"dtype": "float32"}, "dtype was not given, is float32"),
        ({"tile": 128}, "tile was 64, is 128"),
        ({"bands": [1, 2]}, "bands was not given, is [1, 2]"),
    ],
)
def test_other_settings_are_refused_by_name(
    tmp_path: Path, pair: tuple[Path, Path], changed: dict[str, Any], named: str
) -> None:
    stop(pair, out := tmp_path / "out.tif")
    with pytest.raises(OutputError) as caught:
        run(pair, out, **changed)
    assert named in caught.value.found
    assert "leave --resume out" in caught.value.remedy
    # It is there still, for the run that it is of.
    assert "7 tiles were there from an earlier run" in run(pair, out).warnings


def test_another_model_is_refused(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    for seed in (0, 1):
        make_model(tmp_path, seed=seed).rename(tmp_path / f"{seed}.safetensors")
    model = tmp_path / "m.safetensors"
    model.write_bytes((tmp_path / "0.safetensors").read_bytes())
    given = {"method": "hfreqdiff", "diffusion": Diffusion(model=model, device="cpu")}
    stop(pair, tmp_path / "out.tif", **given)
    model.write_bytes((tmp_path / "1.safetensors").read_bytes())
    with pytest.raises(OutputError, match="the journal of a run with other model_sha256"):
        run(pair, tmp_path / "out.tif", **given)


def test_the_same_model_under_another_name_goes_on(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    model = make_model(tmp_path)
    stop(pair, tmp_path / "out.tif", method="hfreqdiff", diffusion=Diffusion(model=model, device="cpu"))
    moved = Diffusion(model=model.rename(tmp_path / "moved.safetensors"), device="cpu")
    found = run(pair, tmp_path / "out.tif", method="hfreqdiff", diffusion=moved)
    assert "7 tiles were there from an earlier run" in found.warnings


def test_a_scene_without_a_valid_pixel_leaves_nothing_to_go_on_from(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_profile={"nodata": 0})
    with rasterio.open(pan, "r+") as raster:
        raster.write(np.zeros((1, *raster.shape), np.uint16))
    heard: list[str] = []
    with pytest.raises(PairError, match="not one pixel of the result would be valid"):
        run((pan, ms), tmp_path / "out.tif", method="brovey", on_note=heard.append)
    assert not any("--resume" in note for note in heard)
    assert {path.name for path in tmp_path.iterdir()} == {pan.name, ms.name}


def test_another_runs_journal_outlives_a_pair_that_is_refused(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    """A slip, in an area of no-data, costs nothing."""
    stop(pair, tmp_path / "out.tif")
    empty = (ORIGIN[0] + 5, ORIGIN[1] - 60, ORIGIN[0] + 60, ORIGIN[1] - 5)
    with pytest.raises(PairError, match="not one pixel"):
        run(pair, tmp_path / "out.tif", area=empty, resume=False)
    assert "7 tiles were there from an earlier run" in run(pair, tmp_path / "out.tif").warnings


def test_an_input_that_has_changed_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    mine = make_pair(tmp_path / "in")
    stop(mine, tmp_path / "out.tif")
    content = bytearray(mine[0].read_bytes())
    content[len(content) // 2] ^= 1
    state = mine[0].stat()
    mine[0].write_bytes(content)
    os.utime(mine[0], ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(OutputError, match=f"other pan .pan was {mine[0].name}, "):
        run(mine, tmp_path / "out.tif")


def test_the_order_of_ms_files_counts(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    names = []
    with rasterio.open(pair[1]) as raster:
        for band in (1, 2):
            profile = {**raster.profile, "count": 1}
            names.append(tmp_path / f"b{band}.tif")
            with rasterio.open(names[-1], "w", **profile) as one:
                one.write(raster.read(band), 1)
    stop((pair[0], names), tmp_path / "out.tif")  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="a run with other bands of MS, ms 1, ms 2"):
        run((pair[0], names[::-1]), tmp_path / "out.tif")  # type: ignore[arg-type]


def test_another_shape_of_the_area_is_refused(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    x, y = ORIGIN
    area, out = tmp_path / "area.geojson", tmp_path / "out.tif"

    def write(corner: tuple[float, float]) -> None:
        ring = [(x + 5, y - 5), (x + 200, y - 5), corner, (x + 5, y - 200), (x + 5, y - 5)]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        crs = {"type": "name", "properties": {"name": "EPSG:32633"}}
        area.write_text(json.dumps({"type": "Feature", "geometry": geometry, "properties": {}, "crs": crs}))

    write((x + 200, y - 200))
    stop(pair, out, 3, area=area)
    write((x + 200, y - 100))
    with pytest.raises(OutputError, match="area_sha256"):
        run(pair, out, area=area)


def test_what_goes_wrong_with_keeping_stops_nothing(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("geosharp.engine.journal.Journal._keep", fail)
    result = run(pair, tmp_path / "out.tif")
    assert result.warnings[-1] == "tiles were no longer kept for --resume: MemoryError"


def test_another_runs_journal_is_left_alone(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    stop(pair, out := tmp_path / "out.tif")
    with beside(out).open("r+b") as held:
        fcntl.flock(held.fileno(), fcntl.LOCK_EX)
        run(pair, out, resume=False)
        assert beside(out).exists()


def test_a_refused_resume_promises_nothing(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    stop(pair, out := tmp_path / "out.tif")
    notes: list[str] = []
    with pytest.raises(OutputError):
        run(pair, out, method="gsa", on_note=notes.append)
    assert not any("--resume goes on" in note for note in notes)


def test_without_resume_it_starts_anew_and_says_so(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    stop(pair, out := tmp_path / "out.tif")
    result = run(pair, out, resume=False)
    assert any(
        note.startswith("starting anew: with --resume") and out.name in note for note in result.warnings
    )
    assert not beside(out).exists()


def test_what_nobody_means_to_resume_is_kept_only_once_it_is_worth_it(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop(pair, out := tmp_path / "out.tif", resume=False)
    assert not beside(out).exists()
    monkeypatch.setattr("geosharp.engine.journal._LATER", 0.0)
    notes: list[str] = []
    stop(pair, out, resume=False, on_note=notes.append)
    assert notes[-1] == "what is finished is kept: the same command with --resume goes on from there"
    assert "7 tiles were there from an earlier run" in run(pair, out).warnings


def test_two_at_once_are_one_too_many(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    stop(pair, out := tmp_path / "out.tif")
    told: list[GeosharpError] = []

    def start_another(done: Progress) -> None:
        if not told:
            with pytest.raises(OutputError, match="is in use: another run is writing") as caught:
                run(pair, out)
            told.append(caught.value)

    run(pair, out, progress=start_another)
    assert out.exists()
    assert told


def test_the_room_that_the_output_needs_is_left_to_it(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geosharp.fusion.RESERVE", 1e12)
    stop(pair, tmp_path / "out.tif")
    monkeypatch.undo()
    assert not any("from an earlier run" in note for note in run(pair, tmp_path / "out.tif").warnings)


def test_a_damaged_journal_is_refused_or_does_no_harm(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    whole = run(pair, tmp_path / "whole.tif").path.read_bytes()
    stop(pair, out := tmp_path / "out.tif", 12)
    good, chance = beside(out).read_bytes(), random.Random(0)
    first = good.index(b"\n", 19) + 1
    for number in range(40):
        bad = bytearray(good)
        if number % 4 == 0:
            del bad[chance.randrange(first, len(bad)) :]
        for _ in range(0 if number % 4 == 0 else chance.choice((1, 1, 20))):
            # Heads of records as often as what they hold.
            place = chance.randrange(len(bad)) if number % 2 else first + chance.randrange(64)
            bad[place] = chance.randrange(256)
        beside(out).write_bytes(bad)
        out.unlink(missing_ok=True)
        with suppress(OutputError):
            run(pair, out)
        assert not out.exists() or out.read_bytes() == whole
    out.unlink()
    # Killed before it kept anything.
    for content in (b"", good[:10], good[:19], good[:100]):
        beside(out).write_bytes(content)
        assert run(pair, out, overwrite=True).path.read_bytes() == whole
    for content in (b"geosharp journal 2\n[1]\n", os.urandom(5000)):
        beside(out).write_bytes(content)
        with pytest.raises(OutputError, match="no journal of this version of geosharp, or a damaged one"):
            run(pair, out, overwrite=True)
