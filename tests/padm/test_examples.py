"""The scripts under examples/experiments that show what PADM finds, on made data."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from math import nan
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest

from geosharp.padm.iterate import Operator
from tests.padm.planted import make_ground, plant

EXPERIMENTS = Path(__file__).parents[2] / "examples" / "experiments"
SVG = "{http://www.w3.org/2000/svg}"
Load = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Import an experiment by name."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module


def read_panels(figure: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(figure).findall(SVG + "g")


def save_chips(folder: Path, sources: tuple[str, ...]) -> None:
    chips = np.stack([100 + 20 * make_ground(128, 3, seed) for seed in range(4)])
    for name in sources:
        np.savez(folder / f"{name}.npz", ms=np.rint(chips).astype(np.uint8))


@pytest.fixture
def planted(script: Load, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = script("padm_planted")
    monkeypatch.setattr(module, "SIDE", 256)
    return module


def test_planted_finds_what_it_plants_and_writes_a_table(
    tmp_path: Path, planted: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_chips(tmp_path, planted.SOURCES)
    table = tmp_path / "planted.md"
    figure = tmp_path / "planted.svg"
    arguments = ["--data", tmp_path, "--cases", 3, "--jitter", 0, "--markdown", table, "--svg", figure]
    monkeypatch.setattr("sys.argv", ["padm_planted.py", *map(str, arguments)])
    planted.main()
    assert "| all | | 3 | 3 |" in table.read_text()
    assert capsys.readouterr().out == table.read_text()
    colours = [dot.get("fill") for dot in ElementTree.parse(figure).iter(SVG + "circle")]
    # Two axes of gains, an error of gain and one of shift.
    assert sorted(colours) == sorted(4 * list(planted.COLOURS.values()))


def test_planted_names_what_is_missed(tmp_path: Path, planted: ModuleType) -> None:
    save_chips(tmp_path, planted.SOURCES)
    (outcome,) = planted.run(tmp_path, 1)
    assert outcome.found
    missed = replace(outcome, gain_error=0.03)
    assert not missed.found
    assert not replace(outcome, shift_error=0.2).found
    assert f"missed: {planted.SOURCES[0]}, ratio 2, 40.0 dB" in planted.to_markdown([outcome, missed])
    assert "missed" not in planted.to_markdown([outcome])


def test_planted_draws_every_ratio_and_noise(planted: ModuleType) -> None:
    cases = planted.draw_cases(18, {"one": 4, "two": 3}, 0.12)
    assert {(case.ratio, case.noise) for case in cases} == {(r, n) for r in (2, 3, 4) for n in (40, 30, 20)}
    assert all(len(case.gains) == len(case.weights) for case in cases)
    rows, cols = np.array([case.gains[0] for case in cases]).T
    assert (np.abs(np.log(rows / cols)) > 0.05).any()


def test_planted_hides_the_seams(planted: ModuleType) -> None:
    chips = np.zeros((4, 1, 128, 128))
    cut = planted.cut_seams(np.zeros((1, 256, 256)), chips)
    hidden = np.isnan(cut[0])
    assert hidden[[0, 128]].all()
    assert hidden[:, [0, 128]].all()
    assert hidden.sum() == 2 * (256 + 256) - 4


def test_convergence_tells_who_ends_elsewhere(tmp_path: Path, script: Load) -> None:
    convergence = script("padm_convergence")
    outcome = convergence.measure("planted", plant(tmp_path, gains=(0.2, 0.3), noise=30))
    starts = len(convergence.GAINS) * len(convergence.SHIFTS)
    assert starts >= 8
    assert len(outcome.reached) == len(outcome.told.starts) == starts
    assert outcome.spread[0] < 0.01
    runs = outcome.told.starts
    strayed = replace(runs[0], end=Operator((0.2, 0.3), (3.0, 0.0)), explained=0.1)
    broken = replace(outcome, told=replace(outcome.told, starts=(strayed, *runs[1:])))
    assert len(broken.reached) == starts - 1
    table = convergence.to_markdown([outcome, broken])
    assert f"{starts} of {starts}" in table
    assert f"{starts - 1} of {starts}" in table
    assert table.count("- planted: from") == 1
    drawn = ElementTree.fromstring(convergence.draw([outcome, broken]))
    lines = list(drawn.iter(SVG + "polyline"))
    assert len(lines) == 2 * starts
    assert len({line.get("stroke") for line in lines}) == 2


@pytest.mark.parametrize("kind", ["rows", "noise"])
def test_what_breaks_single_starts_is_mended_by_calibrates_own(
    tmp_path: Path, script: Load, kind: str
) -> None:
    convergence = script("padm_convergence")
    outcome = convergence.measure(kind, convergence.plant_texture(kind, tmp_path, side=256))
    assert len(outcome.reached) < len(outcome.told.starts)
    assert outcome.own.operator.apart(Operator((0.3, 0.3), convergence.PLANTED.shift))[1] < 0.05


def test_convergence_writes_its_table_and_figure(
    tmp_path: Path, script: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    convergence = script("padm_convergence")
    monkeypatch.setattr(convergence, "TEXTURES", ())
    (tmp_path / "made").mkdir()
    plant(tmp_path / "made")
    table, figure = tmp_path / "c.md", tmp_path / "c.svg"
    arguments = ["--data", tmp_path, "--scenes", "made", "--markdown", table, "--svg", figure]
    monkeypatch.setattr("sys.argv", ["padm_convergence.py", *map(str, arguments)])
    convergence.main()
    assert "| made | 12 of 12 |" in table.read_text()
    assert capsys.readouterr().out == table.read_text()
    assert ElementTree.parse(figure).getroot().tag.endswith("svg")


def test_a_panel_places_marks_between_its_ends(script: Load) -> None:
    panels = script("panels")
    across = panels.Axis("a < b", 0, 10, {0: "none", 10: "all"})
    marks = [panels.Dot(x, y) for x, y in ((0, 0), (10, 5), (99, 10))]
    panel = panels.Panel("one & all", across, panels.Axis("y", 0, 10, {}), marks)
    drawn = ElementTree.fromstring(panels.to_svg([panel], 1, (200, 100), ["caption"]))
    places = [(dot.get("cx"), dot.get("cy")) for dot in drawn.iter(SVG + "circle")]
    assert places == [("0.0", "100.0"), ("200.0", "50.0"), ("200.0", "0.0")]
    assert {"one & all", "a < b", "caption", "none"} <= {text.text for text in drawn.iter(SVG + "text")}


def test_panels_do_not_overlap(script: Load) -> None:
    panels = script("panels")
    name = "a long name of a scene"
    named = panels.Axis("", 0, 1, {0: name})
    plots = [panels.Panel("", panels.Axis("x", 0, 1, {}), named, []) for _ in range(3)]
    drawn = ElementTree.fromstring(panels.to_svg(plots, 2, (200, 100), []))
    places = [group.get("transform", "")[10:-1].split() for group in drawn.iter(SVG + "g")]
    (x1, y1), (x2, y2), (x3, y3) = [(float(x), float(y)) for x, y in places]
    room = panels.LETTER * len(name)
    assert x1 > room
    assert x2 - x1 > 200 + room
    assert y3 - y1 > 100
    assert (y2, x3) == (y1, x1)
    width, height = (float(each) for each in drawn.get("viewBox", "").split()[2:])
    assert x2 + 200 <= width
    assert y3 + 100 <= height


def test_worth_tells_who_wins_by_the_same_judge(
    script: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worth = script("padm_worth")
    monkeypatch.delitem(worth.VARIANTS, "PADM, not aligned")
    scene = plant(tmp_path, ratio=2, gains=(0.1, 0.4), shift=(0.75, -0.5), size=192)
    judge = worth.find_judge("not of the bench", scene)
    assert judge.shift == (0.75, -0.5)
    rows = list(worth.measure("planted", scene, judge, ["glp"]))
    assert [row.variant for row in rows] == list(worth.VARIANTS)
    table, padm = (row.scores for row in rows)
    for judged in ("full", "own"):
        assert padm[judged]["reprojection_ergas"] < 0.8 * table[judged]["reprojection_ergas"]
    told = worth.to_markdown(rows)
    assert f"| planted | glp | PADM | {padm['wrong']['psnr']:.3f} |" in told
    gain = padm["wrong"]["psnr"] - table["wrong"]["psnr"]
    assert f"table wrong: PADM less table {gain:+.2f} dB" in told
    # Where the table is right, PADM finds the same.
    change = padm["right, full"]["hqnr"] - table["right, full"]["hqnr"]
    assert abs(change) < 0.003
    assert f"table right: HQNR of PADM less table {change:+.4f}" in told
    assert "1 of 1 scenes" in told
    small = [replace(row, scene="small", scores=row.scores | {"right, full": {"hqnr": nan}}) for row in rows]
    both = worth.to_markdown([*rows, *small])
    assert f"HQNR of PADM less table {change:+.4f}" in both
    assert "1 of 2 scenes" in both
    assert both.count("| - |") == len(small)
    dots = [
        len(list(panel.iter(SVG + "circle"))) for panel in read_panels(worth.draw([*rows, *small], "glp"))
    ]
    assert dots == [2, 2, 1, 2]
