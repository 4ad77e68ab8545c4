"""An archive in text: every scene and file by its whole name, counts and speeds that add up."""

from __future__ import annotations

from pathlib import Path

from geosharp.archive.batch import BatchResult, Plan
from geosharp.archive.ledger import DONE, FAILED, SKIPPED, Row
from geosharp.archive.outlook import Outlook
from geosharp.raster.pairing import Listing, Stray
from geosharp.terminal.archive import format_batch, format_plan

RECORD = Path("out/batch.jsonl")
FIT = Outlook((2000, 1000), (500, 250), ("b", "g", "r"), (4.0, 4.0))


def row(name: str, state: str, **told: object) -> Row:
    return Row(name, f"in/{name}_pan.tif", ("in/1.tif", "in/2.tif"), f"out/{name}.tif", state, **told)  # type: ignore[arg-type]


def test_a_plan_tells_each_scene_with_its_size_those_that_are_unfit_and_how_many() -> None:
    listing = Listing((), (Stray("x/dem.tif", "no MS of its ground is there"),))
    rows = (
        row("unfit", "", paired="by name"),
        row("a", "", paired="by footprint"),
        row("far", "", paired="as given"),
    )
    outlooks = (Outlook(unfit="41 km apart"), FIT, Outlook())
    assert format_plan(Plan(rows, (), (), listing, outlooks)).splitlines() == [
        "a",
        "  by footprint; PAN 2000 x 1000, MS 500 x 250, 3 bands, ratio 4",
        "  PAN in/a_pan.tif",
        "  MS  in/1.tif",
        "  MS  in/2.tif",
        "  ->  out/a.tif",
        "",
        "far",
        "  as given; not looked at",
        "  PAN in/far_pan.tif",
        "  MS  in/1.tif",
        "  MS  in/2.tif",
        "  ->  out/far.tif",
        "",
        "cannot be fused:",
        "",
        "unfit",
        "  by name",
        "  PAN in/unfit_pan.tif",
        "  MS  in/1.tif",
        "  MS  in/2.tif",
        "  why 41 km apart",
        "",
        "left out:",
        "  x/dem.tif: no MS of its ground is there",
        "",
        "3 scenes, 2 MPix of PAN, 1 cannot be fused, 1 not looked at, 1 file left out",
    ]
    told = format_plan(Plan(rows[1:2], (), (), Listing(()), (FIT,)))
    assert told.endswith("\n1 scene, 2 MPix of PAN")
    assert "left out" not in told


def test_lines_of_a_plan_and_a_summary_fit_the_terminal(columns: int) -> None:
    rows = tuple(row(f"scene_{number}_of_this_archive", FAILED, error="why " * 99) for number in range(9))
    listing = Listing((), (Stray("x.tif", "because " * 30),))
    plan = Plan(rows, (), (), listing, (Outlook(unfit="why " * 99),) * 5 + (FIT,) * 4)
    for text in (format_plan(plan), format_batch(BatchResult(rows, (), 6.0), RECORD)):
        assert all(len(line) <= columns for line in text.splitlines())
        assert all(each.name in text for each in rows)


def test_a_summary_counts_adds_up_and_names_what_failed() -> None:
    rows = (
        row("a", DONE, seconds=4.0, pixels=100.0, scores={"hqnr": 0.9}, warnings=("x", "y")),
        row("b", DONE, seconds=6.0, pixels=20.0, scores={"hqnr": 0.8}),
        row("c", SKIPPED),
        row("d", FAILED, seconds=0.5, error="no room"),
        row("e", FAILED, error="no room", warnings=("not tried",)),
    )
    assert format_batch(BatchResult(rows, (), 6.0), RECORD).splitlines() == [
        "5 scenes in 6 s: 2 done, 1 skipped, 2 failed, 20 MPix/s",
        "         scenes  seconds  MPix",
        "done          2     10.0   120  12 MPix/s",
        "skipped       1",
        "failed        2      0.5",
        "HQNR 0.850 on average of 2",
        "failed: d, e",
        "--retry-failed tries these again; so does the same command where a file or option has changed",
        "notes on 1 scene are in out/batch.jsonl",
    ]
    quiet = format_batch(BatchResult(rows[1:2], (), 6.0), RECORD)
    assert "retry" not in quiet
    assert "notes" not in quiet
