"""Headers tell before any work what can be fused, and how large it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rasterio.transform import from_origin

from geosharp.archive import outlook
from geosharp.archive.ledger import Row
from geosharp.archive.outlook import Outlook, look_ahead
from tests.made import ORIGIN, make_pair


def row(pan: object, *ms: object) -> Row:
    return Row("a", str(pan), tuple(map(str, ms)), "a.tif", "")


def test_a_pair_tells_its_sizes_and_what_is_asked_of_it(made_pair: tuple[Path, Path]) -> None:
    whole, part = look_ahead([row(*made_pair)] * 2, [{}, {"bands": ["3", "1"], "sensor": "ikonos"}])
    assert whole == Outlook((256, 256), (64, 64), ("band1", "band2", "band3", "band4"), (4.0, 4.0))
    assert part.bands is not None
    assert len(part.bands) == 2


def test_what_cannot_be_fused_says_why_and_stops_no_other(
    tmp_path: Path, made_pair: tuple[Path, Path]
) -> None:
    (tmp_path / "away").mkdir()
    place = from_origin(ORIGIN[0] + 41_000, ORIGIN[1], 1.0, 1.0)
    away, _ = make_pair(tmp_path / "away", pan_shape=(64, 64), pan_profile={"transform": place})
    (tmp_path / "broken.tif").write_text("broken")
    rows = [
        row(away, made_pair[1]),
        row(tmp_path / "broken.tif", made_pair[1]),
        row(*made_pair),
        row(*made_pair),
    ]
    apart, broken, fit, asked = look_ahead(rows, [{}, {}, {}, {"bands": ["9"]}])
    assert "which do not overlap" in apart.unfit
    assert f"{tmp_path / 'broken.tif'}: GDAL cannot read it" in broken.unfit
    assert fit.unfit == ""
    assert "9" in asked.unfit
    assert (apart.pan_size, apart.ms_size, apart.bands, apart.ratio) == (None,) * 4


def test_servers_and_archives_are_not_asked_and_time_is_bounded(
    made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    afar = [
        row("https://a.invalid/p.tif", made_pair[1]),
        row(made_pair[0], "/vsicurl/x"),
        row("s3://a/b", "m"),
    ]
    assert look_ahead(afar, [{}] * 3) == (Outlook(),) * 3
    monkeypatch.setattr(outlook, "_WHOLE_S", -1.0)
    assert look_ahead([row(*made_pair)], [{}]) == (Outlook(),)


def test_no_pixel_is_read(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    """A file that is cut off after its header is one that can be related."""
    pan = Path(shutil.copy(made_pair[0], tmp_path / "cut.tif"))
    pan.write_bytes(pan.read_bytes()[: pan.stat().st_size // 2])
    (found,) = look_ahead([row(pan, made_pair[1])], [{}])
    assert found.pan_size == (256, 256)
