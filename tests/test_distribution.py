"""A scene fused by a cluster's workers is the file that one computer makes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from geosharp import Cluster, Diffusion, distribution
from geosharp.cluster import connection
from geosharp.cluster.tasks import Lost
from geosharp.engine import parts, preparation
from geosharp.engine.parts import RUN
from geosharp.errors import InputError, OutputError, PairError, ResourceError, UsageError
from geosharp.fusion import FuseResult
from geosharp.raster.ceiling import find_ceiling
from geosharp.raster.output import target
from geosharp.raster.output.target import Temporary
from geosharp.raster.scene import Scene
from tests.cluster.local import address, workers
from tests.hfreqdiff.made_model import make_model
from tests.made import make_pair
from tests.quick import fuse
from tests.raster.made_saturated import saturate


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with workers(count=2, threads=1) as made:
        yield address(made)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """With no-data over a corner, so that a tile is empty and others are not whole."""
    pan, ms = make_pair(tmp_path_factory.mktemp("pair"), pan_profile={"nodata": 0})
    with rasterio.open(pan, "r+") as raster:
        raster.write(np.zeros((1, 90, 100), np.uint16), window=Window(0, 0, 100, 90))
    return pan, ms


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_LEAST", 1)


def run(pair: tuple[Path, Path], out: Path, **given: Any) -> FuseResult:
    return fuse(*pair, out, **{"tile": 64, "method": "glp", **given})


@pytest.mark.parametrize(
    "given",
    [
        {"method": "glp"},
        {"method": "brovey", "cog": True},
        {"method": "gsa", "calibration": "auto", "dtype": "float32", "extent": "pan"},
        {"method": "exp", "bands": [2, 1], "overviews": False, "mask": False},
        {"area": (500100.0, 4649700.0, 500400.0, 4649950.0)},
    ],
    ids=str,
)
def test_the_bytes_are_those_of_one_computer(
    tmp_path: Path, pair: tuple[Path, Path], cluster: Cluster, given: dict[str, Any]
) -> None:
    if "area" in given:
        with rasterio.open(pair[0]) as raster:
            left, bottom, right, top = raster.bounds
        given = {"area": (left + 20, bottom + 10, right - 30, top - 33)}
    alone = run(pair, tmp_path / "alone.tif", **given)
    spread = run(pair, tmp_path / "spread.tif", cluster=cluster, **given)
    assert spread.path.read_bytes() == alone.path.read_bytes()
    assert spread.tiles == alone.tiles
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.tif", "spread.tif"]


@pytest.mark.parametrize("method", ["brovey", "glp"])
def test_all_computers_end_where_ms_saturates(tmp_path: Path, cluster: Cluster, method: str) -> None:
    """Also those that make parts in which it does not."""
    pan, ms = make_pair(tmp_path)
    for path in (pan, ms):
        saturate(path, share=0.003)
    alone = run((pan, ms), tmp_path / "alone.tif", method=method)
    spread = run((pan, ms), tmp_path / "spread.tif", method=method, cluster=cluster)
    with rasterio.open(alone.path) as raster:
        assert raster.read().max() == 2047
    assert spread.path.read_bytes() == alone.path.read_bytes()


def test_draws_and_their_deviations_are_the_same(
    tmp_path: Path, pair: tuple[Path, Path], cluster: Cluster
) -> None:
    model = make_model(tmp_path, sigma_data=0.5)
    given = {"method": "hfreqdiff", "diffusion": Diffusion(model=model, steps=2, draws=2, device="cpu")}
    for name, where in (("alone", None), ("spread", cluster)):
        beside = tmp_path / f"{name}-deviation.tif"
        run(pair, tmp_path / f"{name}.tif", uncertainty=beside, cluster=where, **given)
    for ending in (".tif", "-deviation.tif"):
        alone, spread = (tmp_path / f"{name}{ending}" for name in ("alone", "spread"))
        assert spread.read_bytes() == alone.read_bytes()


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int) -> list[int]:
    """From now on as many parts are made, then Ctrl-C; their rows as they are made."""
    made: list[int] = []
    real = distribution.make_part

    def make(folder: str, band: Any, threads: int) -> int:
        filled = real(folder, band, threads)
        made.append(band.row)
        return filled

    def run_some(cluster: Cluster, function: Any, bands: Any, tell: Any) -> Any:
        for number, band in enumerate(bands):
            if number == count:
                raise KeyboardInterrupt
            yield band, function(band, 1)

    monkeypatch.setattr(distribution, "make_part", make)
    monkeypatch.setattr(distribution, "run_tasks", run_some)
    return made


def test_an_interrupted_run_goes_on_with_the_parts_that_are_there(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, out = Cluster(kind="local"), tmp_path / "out.tif"
    alone = run(pair, tmp_path / "alone.tif").path.read_bytes()
    heard: list[str] = []
    stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        run(pair, out, cluster=cluster, on_note=heard.append)
    assert heard[-1] == "what is finished is kept: the same command with --resume goes on from there"
    assert not out.exists()
    with pytest.raises(OutputError, match="parts of a run with other bands"):
        run(pair, out, cluster=cluster, resume=True, bands=[1])
    made = stop_after(monkeypatch, 99)
    told = run(pair, out, cluster=cluster, resume=True)
    assert "2 of 4 parts were there from an earlier run" in told.warnings
    assert made == [128, 192]
    assert out.read_bytes() == alone
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.tif", "out.tif"]


def test_without_resume_it_starts_anew(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, out = Cluster(kind="local"), tmp_path / "out.tif"
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(pair, out, cluster=cluster)
    made = stop_after(monkeypatch, 99)
    told = run(pair, out, cluster=cluster, bands=[1])
    assert made == [0, 64, 128, 192]
    assert any(note.startswith("starting anew: with --resume") for note in told.warnings)


def test_one_run_at_a_time_has_the_parts(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.tif"
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(pair, out, cluster=Cluster(kind="local"))
    with (tmp_path / ".out.tif.parts" / RUN).open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="is in use: another run is writing there"):
            run(pair, out, cluster=Cluster(kind="local"), resume=True)


def test_workers_are_told_where_ms_saturates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks has looked, once for all."""
    looks: list[str] = []

    def look(scene: Scene) -> int | None:
        looks.append(scene.ms[0].name)
        return find_ceiling(scene)

    def make_here(cluster: Cluster, function: Any, bands: Any, tell: Any) -> Any:
        return ((band, function(band, 1)) for band in bands)

    monkeypatch.setattr(preparation, "find_ceiling", look)
    monkeypatch.setattr(distribution, "run_tasks", make_here)
    pan, ms = make_pair(tmp_path)
    saturate(ms)
    run((pan, ms), tmp_path / "out.tif", cluster=Cluster(kind="local"))
    assert looks == [str(ms)]


@pytest.mark.parametrize("name", ["torch", "model", "tile", "pan"])
def test_a_worker_that_would_make_other_pixels_refuses(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def disguise(cluster: Cluster, function: Any, bands: Any, tell: Any) -> Any:
        orders = tmp_path / ".out.tif.parts" / RUN
        run = json.loads(orders.read_text())
        run["same"][name] = "another"
        orders.write_text(json.dumps(run))
        yield bands[0], function(bands[0], 1)

    monkeypatch.setattr(distribution, "run_tasks", disguise)
    with pytest.raises(ResourceError, match=rf"the worker on .*: other {name} \({name} was another, is "):
        run(pair, tmp_path / "out.tif", cluster=Cluster(kind="local"))


def test_workers_that_die_and_disks_they_do_not_see_are_told(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "run_tasks", lambda cluster, work, bands, tell: [(bands[0], Lost())])
    with pytest.raises(ResourceError, match="rows 0 to 64: each worker that made them died"):
        run(pair, tmp_path / "out.tif", cluster=Cluster(kind="local"))
    with pytest.raises(InputError, match=r"is not seen by the worker on .*; needed: a folder on a disk"):
        distribution.make_part(str(tmp_path / "elsewhere"), parts.Rect(0, 0, 1, 1), 1)


def test_a_result_without_a_valid_pixel_is_refused(tmp_path: Path, cluster: Cluster) -> None:
    pan, ms = make_pair(tmp_path, pan_profile={"nodata": 0})
    with rasterio.open(pan, "r+") as raster:
        raster.write(np.zeros((1, *raster.shape), np.uint16))
    heard: list[str] = []
    with pytest.raises(PairError, match="not one pixel of the result would be valid"):
        run((pan, ms), tmp_path / "out.tif", cluster=cluster, method="brovey", on_note=heard.append)
    assert not any("--resume" in note for note in heard)
    assert {path.name for path in tmp_path.iterdir()} == {pan.name, ms.name}


def test_what_other_computers_do_is_not_profiled(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="--profile: the time of what other computers do"):
        run(pair, tmp_path / "out.tif", cluster=Cluster(kind="local"), profile=True)


@pytest.mark.parametrize(
    ("name", "value", "there"),
    [
        ("pan", "pan.tif", "{}/pan.tif"),
        ("ms", ["/vsicurl/x.tif", "pan.tif"], ["/vsicurl/x.tif", "{}/pan.tif"]),
        ("pan", "no.tif", "no.tif"),
        ("pan", "/vsizip/in/rel.zip/a.tif", "/vsizip/{}/in/rel.zip/a.tif"),
        ("pan", "/vsigzip/vsi.gz", "/vsigzip/{}/vsi.gz"),
        ("pan", "/vsitar//vsigzip/a.tar.gz/a.tif", "/vsitar//vsigzip/{}/a.tar.gz/a.tif"),
        ("pan", "zip://rel.zip!a.tif", "zip://{}/rel.zip!a.tif"),
        ("pan", "file://pan.tif", "file://{}/pan.tif"),
        ("pan", "/vsizip//abs/a.zip/a.tif", "/vsizip//abs/a.zip/a.tif"),
        ("pan", "zip+https://h.invalid/a.zip!a.tif", "zip+https://h.invalid/a.zip!a.tif"),
        ("pan", "s3://bucket/a.tif", "s3://bucket/a.tif"),
        ("pan", "GTIFF_DIR:1:/abs/a.tif", "GTIFF_DIR:1:/abs/a.tif"),
        ("method", "glp", "glp"),
        ("sensor", "worldview-2", "worldview-2"),
        ("sensor", "mine.toml", "{}/mine.toml"),
        ("sensor", None, None),
        ("calibration", "sensor", "sensor"),
        ("calibration", "auto", "auto"),
        ("calibration", "c.json", "{}/c.json"),
        ("calibration", "folder", "folder"),
        ("area", "c.json", "{}/c.json"),
        ("area", "folder", "folder"),
        ("area", (0, 1, 2, 3), (0, 1, 2, 3)),
    ],
    ids=str,
)
def test_files_are_named_from_the_root_and_words_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: Any, there: Any
) -> None:
    """Whatever else is called like a word."""
    monkeypatch.chdir(tmp_path)
    for file in ("pan.tif", "glp", "sensor", "c.json", "mine.toml"):
        (tmp_path / file).touch()
    for folder in ("worldview-2", "auto", "folder"):
        (tmp_path / folder).mkdir()

    def fill(text: Any) -> Any:
        return text.format(tmp_path) if isinstance(text, str) else text

    meant = [fill(each) for each in there] if isinstance(there, list) else fill(there)
    assert distribution.reach({name: value}) == {name: meant}


@pytest.mark.parametrize("name", ["GTIFF_DIR:1:a.tif", 'NETCDF:"a.nc":x', "/vsizip/{a.zip}/a.tif"])
def test_a_name_that_counts_from_here_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="counts from this computer's folder"):
        distribution.reach({"pan": name})


@pytest.mark.parametrize("name", ["/vsizip/in/pair.zip/{}.tif", "zip://in/pair.zip!{}.tif"])
def test_an_archive_that_is_named_from_here_is_read_there(
    tmp_path: Path, pair: tuple[Path, Path], cluster: Cluster, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "pair.zip", "w") as file:
        for path in pair:
            file.write(path, path.name)
    monkeypatch.chdir(tmp_path)
    given = {"method": "exp", "cluster": cluster, "tile": 64, "overviews": False}
    result = fuse(name.format("pan"), name.format("ms"), tmp_path / "out.tif", **given)  # type: ignore[arg-type]
    alone = fuse(name.format("pan"), name.format("ms"), tmp_path / "a.tif", **{**given, "cluster": None})  # type: ignore[arg-type]
    assert result.path.read_bytes() == alone.path.read_bytes()


def test_without_a_part_nothing_stays(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_ANSWER_S", 0.5)
    heard: list[str] = []
    with pytest.raises(ResourceError, match="no scheduler answers"):
        run(pair, tmp_path / "out.tif", cluster=Cluster("tcp://127.0.0.1:1"), on_note=heard.append)
    assert (heard, list(tmp_path.iterdir())) == ([], [])


def test_a_part_that_another_worker_still_makes_is_waited_for(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, held = distribution.make_part, list[int]()

    def make(folder: str, band: Any, threads: int) -> int:
        place = parts.Folder(Path(folder), (0, 0), json.loads((Path(folder) / RUN).read_text())["identity"])
        other = Temporary(place.name(band))
        timer = threading.Timer(0.2, other.discard)
        timer.start()
        held.append(band.row)
        return real(folder, band, threads)

    def run_here(cluster: Cluster, function: Any, bands: Any, tell: Any) -> Any:
        for band in bands:
            yield band, function(band, 1)

    monkeypatch.setattr(target, "_LOOK_S", 0.05)
    monkeypatch.setattr(distribution, "make_part", make)
    monkeypatch.setattr(distribution, "run_tasks", run_here)
    run(pair, tmp_path / "out.tif", cluster=Cluster(kind="local"))
    assert held == [0, 64, 128, 192]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"identity": {}}', '{"identity": 5}'])
def test_parts_of_an_unknown_run_are_refused(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(pair, tmp_path / "out.tif", cluster=Cluster(kind="local"))
    (tmp_path / ".out.tif.parts" / RUN).write_text(text)
    with pytest.raises(OutputError, match=r"parts of which run.json tells nothing"):
        run(pair, tmp_path / "out.tif", cluster=Cluster(kind="local"), resume=True)


def test_a_full_disk_is_told(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"parts: cannot be used \(No space left on device\)"):
        run(pair, tmp_path / "out.tif", cluster=Cluster(kind="local"))
