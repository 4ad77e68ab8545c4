"""A PAN and an MS that belong together, read piece by piece on PAN's grid."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import calculate_default_transform, transform_bounds
from rasterio.warp import transform as transform_points

from geosharp.errors import GeosharpError, InputError, PairError, UsageError
from geosharp.raster.grid import MAX_RATIO, MIN_RATIO, Grid, Rect, Relation, relate
from geosharp.raster.sensors import Band, Sensor, find_sensor, match_bands, recognise, unseen_by_pan
from geosharp.raster.source import Mask, Source, SourceReader, describe, flip_rows, warp_to

Array = NDArray[Any]

# Two CRS that agree to this many PAN pixels at the corners of MS are the same for our purpose.
_SAME_CRS = 0.01
# MS pixels kept around PAN when MS is warped: as much as any method's halo asks for.
_WARP_MARGIN = 32


@dataclass(frozen=True)
class SceneBand:
    """One MS band of a scene: the file and band it is read from, and what is known of it."""

    source: int
    number: int
    name: str
    optics: Band


@dataclass(frozen=True)
class Patch:
    """Pixels around a tile.

    pan: (1, row, col) of `pan_rect`; ms: (band, row, col) of `ms_rect`, which covers pan_rect;
    both in their files' dtype. Masks are of the same shapes, None where all is valid.
    """

    pan: Array
    ms: Array
    pan_rect: Rect
    ms_rect: Rect
    pan_valid: Mask | None
    ms_valid: Mask | None


@dataclass(frozen=True)
class Scene:
    """PAN and MS of one ground, proved to fit.

    relation: where MS lies on PAN; area: PAN pixels whose centres MS covers; notes: what a user
    should know of the pair.
    """

    pan: Source
    ms: tuple[Source, ...]
    bands: tuple[SceneBand, ...]
    relation: Relation
    sensor: Sensor
    sensor_reason: str
    notes: tuple[str, ...]

    @property
    def grid(self) -> Grid:
        """PAN's grid."""
        return self.pan.grid

    @property
    def ms_grid(self) -> Grid:
        return self.ms[0].grid

    @property
    def area(self) -> Rect:
        return self.relation.footprint(self.ms_grid.shape).intersect(self.grid.rect)

    @property
    def dtype(self) -> str:
        """dtype of the MS."""
        return self.ms[0].dtype

    @property
    def may_have_invalid(self) -> bool:
        return any(source.masking != "none" or source.warp is not None for source in (self.pan, *self.ms))

    def valid_on_pan(self, patch: Patch, rect: Rect) -> Mask | None:
        """(band, row, col) over PAN pixels `rect`: PAN is valid there and so is the MS pixel around it."""
        if patch.pan_valid is None and patch.ms_valid is None:
            return None
        valid = np.ones((len(self.bands), *rect.shape), bool)
        if patch.pan_valid is not None:
            valid &= patch.pan_valid[:, *rect.within(patch.pan_rect)]
        if patch.ms_valid is not None:
            (ry, rx), (oy, ox) = self.relation.ratio, self.relation.offset
            rows = np.floor((np.arange(rect.row, rect.stop_row) + 0.5 - oy) / ry + 1e-6).astype(int)
            cols = np.floor((np.arange(rect.col, rect.stop_col) + 0.5 - ox) / rx + 1e-6).astype(int)
            rows, cols = rows - patch.ms_rect.row, cols - patch.ms_rect.col
            valid &= patch.ms_valid[:, rows[:, None], cols[None]]
        return None if valid.all() else valid


class SceneReader:
    """Open handles on a scene's files, for one thread."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._pan = SourceReader(scene.pan)
        self._ms = [SourceReader(source) for source in scene.ms]
        self._order = _read_order(scene)

    def close(self) -> None:
        for reader in (self._pan, *self._ms):
            reader.close()

    def __enter__(self) -> SceneReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, rect: Rect, halo: tuple[int, int]) -> Patch | None:
        """The pixels of PAN rectangle `rect` and `halo` (rows, cols) more on each side.

        None where PAN has no valid pixel in `rect`.
        """
        pan_rect = rect.grow(*halo)
        pan, pan_valid = self._pan.read(pan_rect)
        if pan_valid is not None and not pan_valid[:, *rect.within(pan_rect)].any():
            return None
        ms_rect = self.scene.relation.ms_rect(pan_rect)
        ms, ms_valid = self.read_ms(ms_rect)
        return Patch(pan, ms, pan_rect, ms_rect, pan_valid, ms_valid)

    def read_ms(self, rect: Rect) -> tuple[Array, Mask | None]:
        """MS pixels `rect`, the scene's bands in their order, and which are valid."""
        read = [reader.read(rect) for reader in self._ms]
        if len(read) == 1 and self._order is None:
            return read[0]
        order = self._order or list(range(len(self.scene.bands)))
        data = np.concatenate([pixels for pixels, _ in read])[order]
        if all(valid is None for _, valid in read):
            return data, None
        masks = [np.ones(pixels.shape, bool) if valid is None else valid for pixels, valid in read]
        return data, np.concatenate(masks)[order]


def open_scene(
    pan: str | os.PathLike[str],
    ms: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    bands: Sequence[int | str] | None = None,
    sensor: str | None = None,
) -> Scene:
    """Look at a PAN and an MS (one file or one per band) and prove that they belong together.

    bands: which MS bands in which order, by 1-based number over all MS files or by name.
    sensor: its name, where metadata does not tell. Raises a GeosharpError that says why not.
    """
    names = [ms] if isinstance(ms, str | os.PathLike) else list(ms)
    if not names:
        raise UsageError("MS", "no file", "one multi-band file or one file per band", "name the MS file after PAN")
    pan_source = describe(pan, "PAN")
    if len(pan_source.bands) > 1:
        raise InputError(
            pan_source.name,
            f"{len(pan_source.bands)} bands",
            "a panchromatic image of one band as PAN",
            "check the order of the arguments (PAN comes first), or extract the band with gdal_translate -b",
        )
    sources = tuple(describe(name, "MS") for name in names)
    _check_alike(sources)
    notes = [f"{source.name}: {note}" for source in (pan_source, *sources) for note in source.notes]
    sources = tuple(_onto_pan(pan_source, source, notes) for source in sources)
    relation = _relate(pan_source, sources[0], notes)
    chosen_sensor, reason, scene_bands = _identify(pan_source, sources, sensor, bands)
    notes += _unseen_notes(chosen_sensor, scene_bands)
    used = sorted({band.source for band in scene_bands})
    return Scene(
        pan=pan_source,
        ms=tuple(_only(sources[i], [b.number for b in scene_bands if b.source == i]) for i in used),
        bands=tuple(SceneBand(used.index(b.source), b.number, b.name, b.optics) for b in scene_bands),
        relation=relation,
        sensor=chosen_sensor,
        sensor_reason=reason,
        notes=tuple(notes),
    )


def _only(source: Source, numbers: list[int]) -> Source:
    """The source with only the bands `numbers`, in the file's order."""
    from dataclasses import replace

    keep = [i for i, number in enumerate(source.bands) if number in numbers]
    per_band = ("bands", "nodata", "labels", "interps", "scales", "offsets", "units", "band_tags")
    return replace(source, **{name: tuple(getattr(source, name)[i] for i in keep) for name in per_band})


def _read_order(scene: Scene) -> list[int] | None:
    """Position of each scene band in the concatenated sources; None where it is the identity."""
    at = {
        (index, number): position
        for position, (index, number) in enumerate(
            (index, number) for index, source in enumerate(scene.ms) for number in source.bands
        )
    }
    order = [at[band.source, band.number] for band in scene.bands]
    return None if order == list(range(len(at))) else order


def _check_alike(sources: tuple[Source, ...]) -> None:
    first = sources[0]
    for other in sources[1:]:
        for what, mine, theirs in (
            ("size", _size(first), _size(other)),
            ("pixel type", first.dtype, other.dtype),
            ("CRS", str(first.grid.crs), str(other.grid.crs)),
            ("origin and pixel size", _place(first), _place(other)),
        ):
            if mine != theirs:
                raise PairError(
                    f"{first.name} and {other.name}",
                    f"{what} {mine} and {theirs}",
                    "MS band files on one grid and of one pixel type",
                    "resample the odd one with gdalwarp -te -tr, or fuse the groups separately",
                )


def _size(source: Source) -> str:
    return f"{source.grid.shape[1]} x {source.grid.shape[0]}"


def _place(source: Source) -> str:
    transform = source.grid.transform
    return "none" if transform is None else ", ".join(f"{value:.9g}" for value in tuple(transform)[:6])


def _onto_pan(pan: Source, ms: Source, notes: list[str]) -> Source:
    """`ms` made comparable with PAN: its rows the same way up, its CRS the same."""
    if pan.grid.transform is None or ms.grid.transform is None:
        return ms
    for source, role in ((pan, "PAN"), (ms, "MS")):
        if reason := source.grid.rotation_reason():
            raise PairError(
                source.name, reason, f"a north-up or south-up {role}", "make it north-up with gdalwarp"
            )
    if pan.grid.crs is not None and ms.grid.crs is not None and not _same_crs(pan.grid, ms.grid):
        grid = _nested_grid(pan, ms)
        notes.append(
            f"{ms.name}: MS is in {_crs_name(ms.grid.crs)} and PAN in {_crs_name(pan.grid.crs)}: "
            "MS is warped (cubic) onto a grid nested in PAN's"
        )
        return warp_to(ms, grid)
    if (pan.grid.crs is None) != (ms.grid.crs is None):
        without = ms if ms.grid.crs is None else pan
        notes.append(f"{without.name}: no CRS; taken to be in the other file's, since both have coordinates")
    return flip_rows(ms) if pan.grid.south_up != ms.grid.south_up else ms


def _same_crs(pan: Grid, ms: Grid) -> bool:
    if pan.crs == ms.crs:
        return True
    assert pan.transform is not None
    left, bottom, right, top = ms.bounds()
    xs, ys = [left, left, right, right], [bottom, top, bottom, top]
    try:
        there = transform_points(ms.crs, pan.crs, xs, ys)
    except Exception:
        return False
    limit = _SAME_CRS * min(abs(pan.transform.a), abs(pan.transform.e))
    return bool(np.hypot(np.subtract(there[0], xs), np.subtract(there[1], ys)).max() < limit)


def _nested_grid(pan: Source, ms: Source) -> Grid:
    """A grid in PAN's CRS whose pixels are whole blocks of PAN pixels about the size of MS's."""
    assert pan.grid.transform is not None
    height, width = ms.grid.shape
    try:
        native, _, _ = calculate_default_transform(ms.grid.crs, pan.grid.crs, width, height, *ms.grid.bounds())
        bounds = transform_bounds(ms.grid.crs, pan.grid.crs, *ms.grid.bounds(), densify_pts=51)
    except Exception as error:
        raise PairError(
            ms.name,
            f"its CRS {_crs_name(ms.grid.crs)} cannot be transformed to PAN's {_crs_name(pan.grid.crs)} ({error})",
            "two CRS that PROJ relates over the scene",
            "reproject MS with gdalwarp -t_srs",
        ) from error
    a, e = pan.grid.transform.a, pan.grid.transform.e
    ratio_x, ratio_y = abs(native.a / a), abs(native.e / e)
    if min(ratio_x, ratio_y) < MIN_RATIO or max(ratio_x, ratio_y) > MAX_RATIO:
        raise _ratio_error(pan, ms, f"MS pixels of {ratio_y:.3g} x {ratio_x:.3g} PAN pixels")
    rows, cols = max(2, round(ratio_y)), max(2, round(ratio_x))
    to_pan = ~pan.grid.transform
    corners = [to_pan @ (x, y) for x in bounds[::2] for y in bounds[1::2]]
    start_row, stop_row = _nested_span([c[1] for c in corners], rows, pan.grid.shape[0])
    start_col, stop_col = _nested_span([c[0] for c in corners], cols, pan.grid.shape[1])
    if stop_row <= start_row or stop_col <= start_col:
        raise _overlap_error(pan, ms, "PAN and MS, once in one CRS, do not overlap")
    place = pan.grid.transform @ Affine.translation(start_col * cols, start_row * rows)
    return Grid(
        (stop_row - start_row, stop_col - start_col), place @ Affine.scale(cols, rows), pan.grid.crs
    )


def _nested_span(pan_positions: list[float], ratio: int, pan_size: int) -> tuple[int, int]:
    """MS pixels [start, stop) that cover those PAN positions, at most _WARP_MARGIN beyond PAN."""
    start = max(math.floor(min(pan_positions) / ratio), -_WARP_MARGIN)
    stop = min(math.ceil(max(pan_positions) / ratio), math.ceil(pan_size / ratio) + _WARP_MARGIN)
    return start, stop


def _relate(pan: Source, ms: Source, notes: list[str]) -> Relation:
    relation = relate(pan.grid, ms.grid)
    if isinstance(relation, str):
        raise _refusal(pan, ms, relation)
    if pan.grid.transform is None:
        _check_nominal_overlap(pan, ms)
        carried = [kind for kind, there in (("GCPs", pan.gcps), ("RPCs", pan.rpcs)) if there]
        kept = f"; PAN's {' and '.join(carried)} go to the output" if carried else ""
        notes.append(
            "neither PAN nor MS has a geotransform: taken to cover the same ground from corner to "
            f"corner, ratio {relation.ratio[0]:.6g} x {relation.ratio[1]:.6g}{kept}"
        )
    if max(relation.ratio) > 8.5:
        notes.append(f"the ratio is {max(relation.ratio):.3g}; results beyond 8 are mostly PAN's detail")
    return relation


def _refusal(pan: Source, ms: Source, reason: str) -> GeosharpError:
    if "overlap" in reason:
        return _overlap_error(pan, ms, reason)
    if "times" in reason:
        return _ratio_error(pan, ms, reason)
    return PairError(
        f"{pan.name} and {ms.name}",
        reason,
        "both with a geotransform, or both without",
        "give both their georeference, or take it from both (gdal_translate -a_ullr sets one)",
    )


def _ratio_error(pan: Source, ms: Source, found: str) -> PairError:
    return PairError(
        f"{pan.name} and {ms.name}",
        found,
        f"PAN {MIN_RATIO:g} to {MAX_RATIO:g} times finer than MS",
        "check the order of the arguments (PAN comes first) and that both are of one scene",
    )


def _overlap_error(pan: Source, ms: Source, found: str) -> PairError:
    return PairError(
        f"{pan.name} and {ms.name}", found, "a common area", "check that both files are of one scene"
    )


def _check_nominal_overlap(pan: Source, ms: Source) -> None:
    """Refuse images whose GCPs or RPCs say that they are of different places."""
    boxes = [box for box in (_nominal_box(pan), _nominal_box(ms)) if box]
    if len(boxes) == 2 and not (
        boxes[0][0] <= boxes[1][2]
        and boxes[1][0] <= boxes[0][2]
        and boxes[0][1] <= boxes[1][3]
        and boxes[1][1] <= boxes[0][3]
    ):
        raise _overlap_error(pan, ms, "the GCPs or RPCs of PAN and MS are of different places")


def _nominal_box(source: Source) -> tuple[float, float, float, float] | None:
    """(left, bottom, right, top) in degrees by RPCs, else by geographic GCPs."""
    rpcs = source.rpcs
    if rpcs is not None:
        return (
            rpcs.long_off - rpcs.long_scale,
            rpcs.lat_off - rpcs.lat_scale,
            rpcs.long_off + rpcs.long_scale,
            rpcs.lat_off + rpcs.lat_scale,
        )
    if source.gcps and source.gcps_crs is not None:
        xs, ys = [p.x for p in source.gcps], [p.y for p in source.gcps]
        box = (min(xs), min(ys), max(xs), max(ys))
        if source.gcps_crs.is_geographic:
            return box
        left, bottom, right, top = transform_bounds(source.gcps_crs, CRS.from_epsg(4326), *box)
        return left, bottom, right, top
    return None


def _identify(
    pan: Source, sources: tuple[Source, ...], sensor: str | None, wanted: Sequence[int | str] | None
) -> tuple[Sensor, str, tuple[SceneBand, ...]]:
    """The sensor, how it was told, and the chosen bands."""
    labels = [label for source in sources for label in source.labels]
    files = [pan.name, *(source.name for source in sources)]
    if sensor is not None:
        chosen, reason = find_sensor(sensor), "--sensor"
    else:
        tags: dict[str, dict[str, str]] = {}
        for source in (pan, *sources):
            for space, items in source.tags.items():
                tags.setdefault(space, {}).update(items)
        chosen, reason = recognise(tags, [label or "" for label in labels], files, len(labels))
    optics = match_bands(chosen, labels, len(labels))
    everything = [
        SceneBand(index, number, label or band.name, band)
        for (index, number, label), band in zip(
            (
                (index, number, label)
                for index, source in enumerate(sources)
                for number, label in zip(source.bands, source.labels, strict=True)
            ),
            optics,
            strict=True,
        )
    ]
    if wanted is None:
        return chosen, reason, tuple(everything)
    return chosen, reason, tuple(_pick_band(everything, want) for want in wanted)


def _pick_band(bands: list[SceneBand], want: int | str) -> SceneBand:
    text = str(want).strip()
    if text.isdigit() and 1 <= int(text) <= len(bands):
        return bands[int(text) - 1]
    for band in bands:
        if text.casefold() in (band.name.casefold(), band.optics.name.casefold()):
            return band
    listed = ", ".join(f"{number} ({band.name})" for number, band in enumerate(bands, 1))
    raise UsageError("--bands", f"no band '{text}' in MS", f"bands among {listed}", "name them by number or name")


def _unseen_notes(sensor: Sensor, bands: tuple[SceneBand, ...]) -> list[str]:
    unseen = unseen_by_pan(sensor, tuple(band.optics for band in bands))
    if not unseen:
        return []
    names = ", ".join(bands[i].name for i in unseen)
    return [f"{names}: largely outside what {sensor.title}'s PAN sees, so they get less detail"]
