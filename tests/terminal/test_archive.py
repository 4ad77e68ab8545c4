"""Tables of a batch: every scene and file by its whole name, counts and speeds that add up."""

from __future__ import annotations

from geosharp.archive.batch import BatchResult, Plan
from geosharp.archive.ledger import DONE, FAILED, SKIPPED, Row
from geosharp.raster.pairing import Listing, Stray
from geosharp.terminal.archive import format_batch, format_plan


def row(name: str, state: str, **told: object) -> Row:
    return Row(name, f"in/{name}_pan.tif", ("in/1.tif", "in/2.tif"), f"out/{name}.tif", state, **told)  # type: ignore[arg-type]


def test_a_plan_has_a_line_for_each_scene_and_each_stray() -> None:
    listing = Listing((), (Stray("x/dem.tif", "no MS of its ground is there"),))
    rows = (row("a", "", paired="by name"), row("longer", "", paired="by footprint and time"))
    assert format_plan(Plan(rows, (), (), listing)).splitlines() == [
        "result          paired                 PAN                MS",
        "out/a.tif       by name                in/a_pan.tif       in/1.tif, in/2.tif",
        "out/longer.tif  by footprint and time  in/longer_pan.tif  in/1.tif, in/2.tif",
        "",
        "left out   because",
        "x/dem.tif  no MS of its ground is there",
    ]
    assert "left out" not in format_plan(Plan(rows, (), (), Listing(())))


def test_a_summary_counts_adds_up_and_names_what_failed() -> None:
    rows = (
        row("a", DONE, seconds=4.0, pixels=10.0, scores={"hqnr": 0.9}),
        row("b", DONE, seconds=6.0, pixels=20.0, scores={"hqnr": 0.8}),
        row("c", SKIPPED),
        row("d", FAILED, seconds=0.5, error="no room"),
    )
    assert format_batch(BatchResult(rows, (), 6.0)).splitlines() == [
        "4 scenes in 6 s: 2 done, 1 skipped, 1 failed, 5 MPix/s",
        "         scenes  seconds  MPix  MPix/s",
        "done          2     10.0  30.0       3",
        "skipped       1",
        "failed        1      0.5",
        "HQNR 0.850 on average of 2",
        "  d: no room",
        "--retry-failed tries these again",
    ]
    assert "retry" not in format_batch(BatchResult(rows[:2], (), 6.0))
