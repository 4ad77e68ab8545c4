"""Scoring a scene: at reduced resolution against its MS, at full resolution without a reference.

Both feed streamed scores with windows, so that nothing grows with the scene, and can be given a scene in
parts, such as windows chosen from a large one.
"""

from __future__ import annotations

import math

import numpy as np

from geosharp.errors import PairError
from geosharp.imaging.degradation import Degradation
from geosharp.imaging.resample import Axis
from geosharp.quality.blocks import Q2n, Uqi
from geosharp.quality.coarsening import Coarsening, Read
from geosharp.quality.consistency import Unexplained, coarse_block, correlation_side, hqnr, q_distance
from geosharp.quality.neighbourhood import LocalCorrelation, Scc, Ssim
from geosharp.quality.pixelwise import Ergas, Psnr, Sam
from geosharp.quality.windows import BLOCK, Score, cut_pan_window, cut_window, walk
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader
from geosharp.raster.source import Mask

_SIDE = 512  # pixels of a window's core


class ReducedScoring:
    """A result at reduced resolution against the MS of `scene`, by every metric that has a reference."""

    def __init__(self, scene: Scene, peak: float) -> None:
        """peak: the largest DN of the MS where it is scored, which sets the scale of SSIM; see find_peak."""
        self._scores: dict[str, Score] = {
            "psnr": Psnr(),
            "psnr_per_band": Psnr(pooled=False),
            "ssim": Ssim(peak),
            "sam": Sam(),
            "ergas": Ergas(float(np.mean(scene.relation.ratio))),
            "scc": Scc(),
            "q2n": Q2n(),
        }

    def add(self, reader: SceneReader, fused: Read, area: Rect) -> None:
        """Score MS pixels `area`; `fused` reads MS pixels of the result."""
        for outer, core in walk(area.shape, _SIDE):
            rect = outer.move(area.row, area.col)
            (ms, ms_valid), (data, valid) = reader.read_ms(rect), fused(rect)
            window = cut_window(ms, data, _all(ms_valid, valid), core)
            for score in self._scores.values():
                score.add(window)

    def results(self) -> dict[str, float]:
        return {name: score.result() for name, score in self._scores.items()}


class FullScoring:
    """A result at full resolution: what it makes of the MS, and of PAN's detail.

    seen: PAN pixels, but for the rim that the kernels need, so far; counted: those of them that are valid.
    """

    def __init__(self, scene: Scene, degradation: Degradation) -> None:
        self.seen = self.counted = 0
        self._coarsening = Coarsening(scene, degradation)
        self._scene = self._coarsening.scene
        ratio = math.sqrt(math.prod(self._scene.relation.ratio))
        self._q2n, self._sam, self._ergas = Q2n(), Sam(), Ergas(ratio)
        self._fine, self._coarse = Uqi(), Uqi(coarse_block(ratio))
        self._block = math.lcm(BLOCK, coarse_block(ratio))
        self._rho, self._unexplained = LocalCorrelation(correlation_side(ratio)), Unexplained()

    def add(self, reader: SceneReader, fused: Read, area: Rect) -> None:
        """Score PAN pixels `area`, which `fused` reads; nothing beyond them is looked at."""
        coarse = self._ms_within(area)
        for outer, core in walk(coarse.shape, max(_SIDE // 4, self._block), self._block):
            self._add_coarse(reader, fused, outer.move(coarse.row, coarse.col), core)
        fine = self._scene.relation.pan_rect(coarse).intersect(area)
        for outer, core in walk(fine.shape, _SIDE):
            rect = outer.move(fine.row, fine.col)
            (pan, pan_valid), (data, valid) = reader.read_pan(rect), fused(rect)
            window = cut_pan_window(pan, data, _all(pan_valid, valid), core)
            self.seen += core.area
            self.counted += window.pixels()[2]
            for score in (self._fine, self._rho, self._unexplained):
                score.add(window)

    def results(self) -> dict[str, float]:
        d_lambda, d_s = 1 - self._q2n.result(), q_distance(self._fine, self._coarse)
        return {
            "hqnr": hqnr(d_lambda, d_s),
            "d_lambda": d_lambda,
            "d_s": d_s,
            "d_s_regression": self._unexplained.result(),
            "d_rho": 1 - self._rho.result(),
            "reprojection_sam": self._sam.result(),
            "reprojection_ergas": self._ergas.result(),
        }

    def _add_coarse(self, reader: SceneReader, fused: Read, rect: Rect, core: Rect) -> None:
        """MS pixels `rect` of MS, of the degraded result and of degraded PAN."""
        ms, ms_valid = reader.read_ms(rect)
        low, seen = self._coarsening.bands(fused, rect)
        pan, met = self._coarsening.pan(reader, rect)
        window = cut_window(ms, low, _all(ms_valid, seen), core)
        for score in (self._q2n, self._sam, self._ergas):
            score.add(window)
        self._coarse.add(cut_pan_window(pan, ms, _all(ms_valid, seen, met), core))

    def _ms_within(self, area: Rect) -> Rect:
        """MS pixels whose kernels lie in PAN pixels `area`."""
        axes, reach = self._coarsening.axes, self._coarsening.reach
        starts, stops = (area.row, area.col), (area.stop_row, area.stop_col)
        rows, cols = (_inside(*along) for along in zip(starts, stops, axes, reach, strict=True))
        inside = Rect(rows[0], cols[0], rows[1] - rows[0], cols[1] - cols[0])
        inside = inside.intersect(self._scene.ms_grid.rect)
        if inside.empty:
            raise PairError(
                f"the {area.width} x {area.height} PAN pixels to be scored",
                "not one MS pixel whose surroundings lie in them",
                f"{2 * max(reach) + 2 * math.ceil(axes[0].ratio)} PAN pixels a side or more",
                "score a larger part of the scene",
            )
        return inside


def check_counted(results: dict[str, float]) -> dict[str, float]:
    """The results, unless nothing was there to be scored."""
    if not all(math.isnan(value) for value in results.values()):
        return results
    raise PairError(
        "the pixels to be scored",
        "none that is valid in all images",
        "some common valid pixels",
        "check the no-data values (geosharp info shows them), or score another part",
    )


def _inside(start: int, stop: int, axis: Axis, reach: int) -> tuple[int, int]:
    """MS pixels [first, end) along an axis whose centres are `reach` PAN pixels inside [start, stop)."""
    first = math.ceil((start + reach - axis.offset) / axis.ratio - 0.5 - 1e-6)
    last = math.floor((stop - reach - axis.offset) / axis.ratio - 0.5 + 1e-6)
    return first, max(last + 1, first)


def find_peak(scene: Scene, area: Rect) -> float:
    """The largest valid DN of the MS in MS pixels `area`."""
    peak = 0.0
    with SceneReader(scene) as reader:
        for outer, _ in walk(area.shape, _SIDE):
            ms, valid = reader.read_ms(outer.move(area.row, area.col))
            kept = ms if valid is None else ms[:, valid.all(0)]
            peak = max(peak, float(kept.max(initial=0)))
    return peak


def _all(*masks: Mask | None) -> Mask | None:
    """(row, col) where all bands of all masks are valid."""
    there = [mask.all(0) for mask in masks if mask is not None]
    return np.logical_and.reduce(there) if there else None
