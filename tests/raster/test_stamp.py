"""Inputs are told apart by what is in them and by their roles."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from geosharp.raster.stamp import stamp, stamp_inputs


def test_a_file_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    small, large = tmp_path / "small.tif", tmp_path / "large.tif"
    small.write_bytes(bytes(1_000_000))
    large.write_bytes(bytes(10_000_000))
    before = [stamp(str(path)) for path in (small, large)]
    assert "changed" not in before[0]
    assert "changed" in before[1]
    small.write_bytes(small.read_bytes())
    assert stamp(str(small)) == before[0]
    for path, old in zip((small, large), before, strict=True):
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2 + 12_345)
            file.write(b"other")
        assert stamp(str(path)) != old
    small.write_bytes(b"")
    assert stamp(str(small)).startswith("0 bytes")


def test_files_of_one_name_and_their_order_count(tmp_path: Path) -> None:
    for folder, content in (("pan", b"1"), ("ms", b"22")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "s.tif").write_bytes(content)
    pan, ms = (str(tmp_path / folder / "s.tif") for folder in ("pan", "ms"))
    told = stamp_inputs(pan, [ms], [pan, ms])
    assert told.keys() == {"pan", "ms 1"}
    assert told["pan"] != told["ms 1"]
    assert stamp_inputs(pan, [ms, pan], [pan, ms]) != stamp_inputs(pan, [pan, ms], [pan, ms])
    # What a VRT is made of.
    assert stamp_inputs("x.vrt", ["y.vrt"], ["x.vrt", "y.vrt", pan])["file 1"] == f"s.tif, {stamp(pan)}"


def test_what_lies_in_an_archive_is_told_by_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And by its place there, wherever the archive is named from."""
    monkeypatch.chdir(tmp_path)
    archive = tmp_path / "scene.zip"
    names = [f"/vsizip/{archive}/in/pan.tif", f"zip://{archive}!in/pan.tif"]
    names += ["/vsizip/scene.zip/in/pan.tif", "zip://scene.zip!in/pan.tif"]
    found = []
    for content in ("one", "another"):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("in/pan.tif", content)
        found.append([stamp(name) for name in names])
    assert all(old != new for old, new in zip(*found, strict=True))
    assert len({*found[0]}) == 1
    assert stamp("/vsizip/scene.zip/in/ms.tif") != found[1][0]


def test_what_lies_elsewhere_is_told_by_its_whole_name() -> None:
    assert stamp("/vsicurl/https://host/a/pan.tif") != stamp("/vsicurl/https://host/b/pan.tif")


# As GDAL writes them; the tag before is what else may be there.
_VIEWED = """<PAMDataset>{}
  <PAMRasterBand band="1">
    <Description>blue</Description>
    <Histograms>
      <HistItem><HistMin>0.5</HistMin><HistCounts>1|2|3</HistCounts></HistItem>
    </Histograms>
    <Metadata>
      <MDI key="STATISTICS_APPROXIMATE">YES</MDI>
      <MDI key="STATISTICS_MAXIMUM">2047</MDI>
    </Metadata>
  </PAMRasterBand>
</PAMDataset>
"""
_PLACED = '\n  <SRS>EPSG:32631</SRS>\n  <GCPList><GCP Pixel="31" X="5"/></GCPList>'


def test_what_a_viewer_leaves_beside_a_file_does_not_count(
    made_pair: tuple[Path, Path], tmp_path: Path
) -> None:
    pan, ms = (str(shutil.copy(path, tmp_path)) for path in made_pair)
    beside = Path(f"{ms}.aux.xml")

    def tell(sidecar: str) -> dict[str, str]:
        beside.write_text(sidecar)
        return stamp_inputs(pan, [ms], [pan, ms, str(beside)])

    alone = stamp_inputs(pan, [ms], [pan, ms])
    assert tell(_VIEWED.format("")) == alone
    placed = tell(f"<PAMDataset>{_PLACED}\n</PAMDataset>\n")
    assert placed != alone
    assert tell(_VIEWED.format(_PLACED)) == placed
    for other in (_PLACED.replace("326", "327"), _PLACED.replace('"31"', '"30"')):
        assert tell(_VIEWED.format(other)) != placed
