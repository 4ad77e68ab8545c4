"""Is a planted degradation found again? Scenes made of real imagery by known kernels, shifts and noise.

    python examples/experiments/padm_planted.py --data FOLDER --cases 100 --markdown padm_planted.md
        --svg padm_planted.svg

FOLDER holds .npz files with `ms` (chip, band, row, col), as in pretrain/. Chips in a mosaic are the truth on
PAN's grid; MS is the truth through an anisotropic Gaussian, moved and decimated; PAN a random mix of its
bands; both get white noise of the same signal-to-noise ratio. PAN is nodata along the seams between chips, so
that no kernel meets an edge that is none of the imagery's. --jitter: by how much (standard deviation of the
log) bands differ in sharpness; one table for each.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from panels import BLUE, GREEN, ORANGE, Axis, Dot, Line, Panel, to_svg
from rasterio.transform import from_origin

from geosharp.padm.calibrate import calibrate
from geosharp.padm.calibration import Calibration
from geosharp.raster.scene import open_scene

DATA = Path(os.environ.get("GEOSHARP_DATA", Path(__file__).parents[3] / "shared" / "data")) / "pretrain"
SOURCES = ("naip_urban_native", "s2_oscd_10m", "naip_urban_2x", "landsat_tm_6band", "s2_eotdl_10m")
SIDE = 768  # PAN pixels of a scene
COLOURS = {2: BLUE, 3: ORANGE, 4: GREEN}  # of ratios
NOISES = (40.0, 30.0, 20.0)
MOST_ERROR = (0.02, 0.1)  # of a gain, of a shift in PAN pixels


@dataclass(frozen=True)
class Case:
    """gains: per band at MS Nyquist (rows, cols); shift: PAN pixels (down, right); noise: in dB."""

    source: str
    ratio: int
    gains: tuple[tuple[float, float], ...]
    shift: tuple[float, float]
    weights: tuple[float, ...]
    noise: float


@dataclass(frozen=True)
class Outcome:
    """What was found of a case. gain_error: of the bands as PAN mixes them; band_error: of the worst band."""

    case: Case
    gains: tuple[float, float]
    gain_error: float
    band_error: float
    shift_error: float
    explained: float
    verdict: str
    seconds: float

    @property
    def found(self) -> bool:
        return self.gain_error <= MOST_ERROR[0] and self.shift_error <= MOST_ERROR[1]


def draw_cases(count: int, bands: dict[str, int], jitter: float) -> list[Case]:
    """Every combination of ratio and noise in turn, the rest by chance; bands: of each source."""
    cases = []
    for number in range(count):
        rng = np.random.default_rng(number)
        source = list(bands)[number % len(bands)]
        noise = NOISES[number // 3 % 3]
        base = np.exp(rng.uniform(math.log(0.07), math.log(0.5), 2))
        own = np.exp(jitter * rng.normal(size=(bands[source], 1)))
        gains = tuple((float(rows), float(cols)) for rows, cols in np.clip(base * own, 0.03, 0.65))
        down, right = rng.uniform(-3, 3, 2).tolist()
        weights = tuple(rng.dirichlet(np.full(bands[source], 3.0)).tolist())
        ratio = 2 + number % 3
        cases.append(Case(source, ratio, gains, (down, right), weights, noise))
    return cases


def make_mosaic(chips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(band, row, col) float64 of SIDE pixels a side, of chips chosen by chance."""
    side = min(chips.shape[2:])
    across = math.ceil(SIDE / side)
    chosen = rng.choice(len(chips), across * across, replace=len(chips) < across * across)
    grid = chips[np.sort(chosen)][:, :, :side, :side].astype(np.float64)
    grid = grid.reshape(across, across, -1, side, side).transpose(2, 0, 3, 1, 4)
    return grid.reshape(-1, across * side, across * side)[:, :SIDE, :SIDE]


def cut_seams(pan: np.ndarray, chips: np.ndarray) -> np.ndarray:
    """(1, row, col) made nodata in the first row and column of every chip."""
    side, cut = min(chips.shape[2:]), pan.copy()
    cut[:, ::side], cut[:, :, ::side] = np.nan, np.nan
    return cut


def degrade(truth: np.ndarray, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """PAN (1, row, col) and MS (band, row, col) that `case` makes of the truth, without noise."""
    pan = np.einsum("b,brc->rc", case.weights, truth)[None]
    ms = []
    for band, gains in zip(truth, case.gains, strict=True):
        rows, cols = (
            _gaussian_rows(size, case.ratio, gain, shift)
            for size, gain, shift in zip(band.shape, gains, case.shift, strict=True)
        )
        ms.append(rows @ band @ cols.T)
    return pan, np.stack(ms)


def measure(chips: np.ndarray, case: Case, rng: np.random.Generator, folder: Path) -> Outcome:
    """Plant `case` in a mosaic, write PAN and MS to `folder`, calibrate, compare."""
    pan, ms = degrade(make_mosaic(chips, rng), case)
    pan, ms = cut_seams(add_noise(pan, case.noise, rng), chips), add_noise(ms, case.noise, rng)
    scene = open_scene(
        write_float(folder / "pan.tif", pan, 1), write_float(folder / "ms.tif", ms, case.ratio)
    )
    start = time.perf_counter()
    calibration = calibrate(scene)
    return compare(case, calibration, time.perf_counter() - start)


def compare(case: Case, calibration: Calibration, seconds: float) -> Outcome:
    gains, found = np.array(case.gains), calibration.operator
    mixed = np.array(mix_gains(case))
    bands = np.array([band.gains for band in calibration.bands])
    return Outcome(
        case,
        found.gains,
        float(np.abs(mixed - found.gains).max()),
        float(np.abs(bands - gains).max()),
        float(np.abs(np.subtract(found.shift, case.shift)).max()),
        calibration.explained,
        calibration.verdict,
        seconds,
    )


def mix_gains(case: Case) -> tuple[float, float]:
    """The bands' gains on the whole: of PAN degraded each band is a part, and counts by as much."""
    rows, cols = np.exp(np.array(case.weights) @ np.log(case.gains)).tolist()
    return rows, cols


def run(data: Path, count: int, jitter: float = 0.0) -> Iterator[Outcome]:
    chips = {}
    for name in SOURCES:
        with np.load(data / f"{name}.npz", allow_pickle=False) as archive:
            chips[name] = archive["ms"]
    cases = draw_cases(count, {name: each.shape[1] for name, each in chips.items()}, jitter)
    for number, case in enumerate(cases):
        rng = np.random.default_rng([number, 1])
        with tempfile.TemporaryDirectory() as folder:
            yield measure(chips[case.source], case, rng, Path(folder))


def to_markdown(outcomes: list[Outcome]) -> str:
    """Errors by ratio and noise, then every failure by name."""
    lines = ["| ratio | SNR dB | cases | found | gain error: median, largest | shift error: the same |"]
    lines.append("|---|---|---|---|---|---|")
    groups: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda each: (each.case.ratio, -each.case.noise)):
        groups.setdefault(f"{outcome.case.ratio} | {outcome.case.noise:.0f}", []).append(outcome)
    for name, own in [*groups.items(), ("all |", outcomes)]:
        gains, shifts = [each.gain_error for each in own], [each.shift_error for each in own]
        lines.append(
            f"| {name} | {len(own)} | {sum(each.found for each in own)} | {np.median(gains):.4f}, "
            f"{max(gains):.4f} | {np.median(shifts):.4f}, {max(shifts):.4f} |"
        )
    bands, seconds = [each.band_error for each in outcomes], [each.seconds for each in outcomes]
    lines.append(
        f"\nGain error of the worst band: median {np.median(bands):.4f}, largest {max(bands):.4f}. "
        f"Seconds: median {np.median(seconds):.1f}, most {max(seconds):.1f}.\n"
    )
    return "\n".join([*lines, *(_describe_miss(each) for each in outcomes if not each.found)])


def draw(tables: Mapping[float, Sequence[Outcome]]) -> str:
    """An SVG, a row for each jitter: found against planted gains, and errors by noise."""
    panels = []
    for jitter, outcomes in tables.items():
        errors = [
            _plot_errors("gain error", [each.gain_error for each in outcomes], MOST_ERROR[0], outcomes),
            _plot_errors(
                "shift error, PAN pixels", [each.shift_error for each in outcomes], MOST_ERROR[1], outcomes
            ),
        ]
        panels += [_plot_gains(f"Bands' sharpness apart by {jitter:.0%}", outcomes), *errors]
    captions = [
        "Gains at MS Nyquist along rows and columns, planted and found; of errors the larger of the two.",
        "Solid: found as planted; dashed: what counts as found.",
    ]
    legend = {colour: f"ratio {ratio}" for ratio, colour in COLOURS.items()}
    return to_svg(panels, 3, (210, 210), captions, legend)


def _plot_gains(title: str, outcomes: Sequence[Outcome]) -> Panel:
    ticks = {tenth / 10: f"0.{tenth}" for tenth in range(0, 7, 2)}
    marks: list[Line | Dot] = [Line([(0, 0), (0.6, 0.6)])]
    for each in outcomes:
        pairs = zip(mix_gains(each.case), each.gains, strict=True)
        marks += [Dot(planted, found, COLOURS[each.case.ratio]) for planted, found in pairs]
    return Panel(title, Axis("planted gain", 0, 0.6, ticks), Axis("found gain", 0, 0.6, ticks), marks)


def _plot_errors(label: str, errors: Sequence[float], most: float, outcomes: Sequence[Outcome]) -> Panel:
    """By SNR, in which cases are spread to be told apart: ratios side by side, in each by their order."""
    powers: dict[float, str] = {-5: "1e-5", -4: "1e-4", -3: "0.001", -2: "0.01", -1: "0.1", 0: "1"}
    bound = math.log10(most)
    marks: list[Line | Dot] = [Line([(0, bound), (len(NOISES), bound)], dashed=True)]
    marks += [Line([(number, -5), (number, 0)]) for number in range(1, len(NOISES))]
    for number, (error, outcome) in enumerate(zip(errors, outcomes, strict=True)):
        case = outcome.case
        within = (case.ratio - 1.5 + 0.6 * (number / len(errors) - 0.5)) / len(COLOURS)
        height = math.log10(max(error, 1e-5))
        marks.append(Dot(NOISES.index(case.noise) + within, height, COLOURS[case.ratio]))
    noises = Axis("SNR, dB", 0, len(NOISES), {n + 0.5: f"{noise:.0f}" for n, noise in enumerate(NOISES)})
    return Panel("", noises, Axis(label, -5, 0, powers), marks)


def _describe_miss(outcome: Outcome) -> str:
    case = outcome.case
    planted = mix_gains(case)
    return (
        f"- missed: {case.source}, ratio {case.ratio}, {case.noise} dB, gains {planted[0]:.3f}, "
        f"{planted[1]:.3f}, found {outcome.gains[0]:.3f}, {outcome.gains[1]:.3f}, shift off by "
        f"{outcome.shift_error:.3f}, R2 {outcome.explained:.3f}, {outcome.verdict}"
    )


def _gaussian_rows(size: int, ratio: int, gain: float, shift: float) -> np.ndarray:
    """(MS pixel, PAN pixel) weights along an axis."""
    centres = shift + ratio * (np.arange(size // ratio) + 0.5)
    sigma = ratio / math.pi * math.sqrt(-2 * math.log(gain))
    weights = np.exp(-0.5 * ((np.arange(size) + 0.5 - centres[:, None]) / sigma) ** 2)
    return weights / weights.sum(1, keepdims=True)


def add_noise(image: np.ndarray, decibel: float, rng: np.random.Generator) -> np.ndarray:
    stds = image.std((1, 2), keepdims=True) * 10 ** (-decibel / 20)
    return image + stds * rng.normal(size=image.shape)


def write_float(path: Path, image: np.ndarray, pixel: int) -> Path:
    count, height, width = image.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype="float32",
        crs="EPSG:32631",
        transform=from_origin(5e5, 5e6, pixel, pixel),
        nodata=math.nan,
    ) as raster:
        raster.write(image.astype(np.float32))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the .npz files")
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--jitter", type=float, nargs="+", default=[0.0, 0.12], help="bands' own sharpness")
    parser.add_argument("--markdown", type=Path, help="also write the tables there")
    parser.add_argument("--svg", type=Path, help="draw what was found there")
    options = parser.parse_args()
    outcomes = {jitter: list(run(options.data, options.cases, jitter)) for jitter in options.jitter}
    tables = [
        f"Bands' sharpness apart by {jitter:.0%}:\n\n{to_markdown(own)}" for jitter, own in outcomes.items()
    ]
    text = "# Is a planted degradation found again?\n\n" + "\n\n".join(tables)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    if options.svg is not None:
        options.svg.write_text(draw(outcomes) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
