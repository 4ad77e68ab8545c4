"""A PAN and an MS that belong together, read piece by piece on PAN's grid."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from geosharp.errors import InputError, UsageError
from geosharp.raster.fit import check_alike, find_relation, put_onto_pan
from geosharp.raster.grid import Grid, Rect, Relation
from geosharp.raster.identity import Bands, SceneBand, identify, label_by_file
from geosharp.raster.sensors import Sensor
from geosharp.raster.source import FilePath, Mask, Source, SourceReader, describe

Array = NDArray[Any]
T = TypeVar("T")


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

    placed: where the geotransforms put MS on PAN; registration: (down, right) in PAN pixels, by how much
    further its content lies, which `aligned` is told; notes: what a user should know of the pair.
    """

    pan: Source
    ms: tuple[Source, ...]
    bands: tuple[SceneBand, ...]
    placed: Relation
    sensor: Sensor
    sensor_reason: str
    notes: tuple[str, ...]
    registration: tuple[float, float] = (0.0, 0.0)

    @property
    def grid(self) -> Grid:
        """PAN's grid."""
        return self.pan.grid

    @property
    def ms_grid(self) -> Grid:
        return self.ms[0].grid

    @property
    def relation(self) -> Relation:
        """Where the content of MS lies on PAN."""
        return self.placed.moved(self.registration)

    @property
    def area(self) -> Rect:
        """PAN pixels whose centres MS covers by the geotransforms: results have one size, however aligned."""
        return self.placed.footprint(self.ms_grid.shape).intersect(self.grid.rect)

    @property
    def files(self) -> list[str]:
        """All that is read, also behind a VRT or URI."""
        return [file for source in (self.pan, *self.ms) for file in source.files]

    def aligned(self, shift: tuple[float, float]) -> Scene:
        """The scene with MS where its content lies, (down, right) in PAN pixels from the geotransforms."""
        return replace(self, registration=shift)

    @property
    def dtype(self) -> str:
        """dtype of the MS."""
        return self.ms[0].dtype

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Smallest and largest DN that MS can hold; None for floats. Of several files the widest counts."""
        ranges = [source.value_range for source in self.ms]
        known = [each for each in ranges if each is not None]
        return (known[0][0], max(top for _, top in known)) if known else None

    @property
    def may_have_invalid(self) -> bool:
        return any(source.masking != "none" or source.warp is not None for source in (self.pan, *self.ms))

    def valid_on_pan(self, patch: Patch, rect: Rect) -> Mask | None:
        """(band, row, col) over PAN pixels `rect`: PAN is valid there and so is the MS pixel around it.

        Where alignment has moved MS away from its rim, the pixels at the rim stand for what is beyond.
        """
        if patch.pan_valid is None and patch.ms_valid is None:
            return None
        valid = np.ones((len(self.bands), *rect.shape), bool)
        if patch.pan_valid is not None:
            valid &= patch.pan_valid[:, *rect.within(patch.pan_rect)]
        if patch.ms_valid is not None:
            rows, cols = self._ms_under(patch, rect)
            valid &= patch.ms_valid[:, rows[:, None], cols[None]]
            valid[:, ~_inside(rect, self.area)] = False
        return None if valid.all() else valid

    def _ms_under(self, patch: Patch, rect: Rect) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Rows and columns of the patch's MS under those of PAN pixels `rect`, the nearest where MS ends."""
        under = []
        for axis, (start, size) in enumerate(((rect.row, rect.height), (rect.col, rect.width))):
            ratio, offset = self.relation.ratio[axis], self.relation.offset[axis]
            pixels = np.floor((np.arange(start, start + size) + 0.5 - offset) / ratio + 1e-6).astype(int)
            pixels = pixels.clip(0, self.ms_grid.shape[axis] - 1)
            first = (patch.ms_rect.row, patch.ms_rect.col)[axis]
            under.append((pixels - first).clip(0, patch.ms_rect.shape[axis] - 1))
        return under[0], under[1]


def _inside(rect: Rect, area: Rect) -> Mask:
    """(row, col) over `rect`: which of its pixels lie in `area`."""
    inside = np.zeros(rect.shape, bool)
    both = rect.intersect(area)
    if not both.empty:
        inside[both.within(rect)] = True
    return inside


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

        None where PAN or MS has no valid pixel in `rect`: nothing can be fused there.
        """
        pan_rect = rect.grow(*halo)
        pan, pan_valid = self._pan.read(pan_rect)
        if pan_valid is not None and not pan_valid[:, *rect.within(pan_rect)].any():
            return None
        ms_rect = self.scene.relation.ms_rect(pan_rect)
        ms, ms_valid = self.read_ms(ms_rect)
        if ms_valid is not None:
            under = self.scene.relation.ms_rect(rect).within(ms_rect)
            if not ms_valid[:, *under].any():
                return None
        return Patch(pan, ms, pan_rect, ms_rect, pan_valid, ms_valid)

    def read_pan(self, rect: Rect) -> tuple[Array, Mask | None]:
        """PAN pixels `rect`, and which are valid."""
        return self._pan.read(rect)

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


def name_inputs(
    pan: str | os.PathLike[str], ms: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
) -> list[str]:
    """PAN and all of MS as they are called."""
    return [os.fspath(name) for name in (pan, *([ms] if isinstance(ms, str | os.PathLike) else ms))]


def open_scene(
    pan: str | os.PathLike[str],
    ms: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    bands: Bands | None = None,
    sensor: FilePath | None = None,
) -> Scene:
    """Look at a PAN and an MS (one file or one per band) and prove that they belong together.

    bands: which MS bands in which order, by 1-based number over all MS files or by name; one, several, or
    a text such as "4,3,2".
    sensor: its name, where metadata does not tell, or a sensor file (.toml). Raises a GeosharpError that
    says why not.
    """
    names = [ms] if isinstance(ms, str | os.PathLike) else list(ms)
    if not names:
        needed = "one multi-band file or one file per band"
        raise UsageError("MS", "no file", needed, "name the MS file after PAN")
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise UsageError("MS", f"{twice} more than once", "each band file once", "leave out the repetition")
    pan_source = describe(pan, "PAN")
    if len(pan_source.bands) > 1:
        raise InputError(
            pan_source.name,
            f"{len(pan_source.bands)} bands",
            "a panchromatic image of one band as PAN",
            "check the order of the arguments (PAN comes first), or extract the band with gdal_translate -b",
        )
    sources = label_by_file(tuple(describe(name, "MS") for name in names))
    check_alike(sources)
    notes = [f"{source.name}: {note}" for source in (pan_source, *sources) for note in source.notes]
    sources = put_onto_pan(pan_source, sources, notes)
    relation = find_relation(pan_source, sources[0], notes)
    identity = identify(pan_source, sources, None if sensor is None else os.fspath(sensor), bands)
    bits, origin = identity.sensor.bits, identity.sensor.origin
    used = sorted({band.source for band in identity.bands})
    return Scene(
        pan=_declare(pan_source, bits),
        ms=tuple(
            _declare(_only(sources[i], [b.number for b in identity.bands if b.source == i]), bits)
            for i in used
        ),
        bands=tuple(replace(band, source=used.index(band.source)) for band in identity.bands),
        placed=relation,
        sensor=identity.sensor,
        sensor_reason=identity.reason if origin is None else f"sensor file {origin.name}",
        notes=(*notes, *identity.notes()),
    )


def _declare(source: Source, bits: int | None) -> Source:
    """The source with its sensor's bits as NBITS, where it does not declare its own and its type has more."""
    whole = np.issubdtype(np.dtype(source.dtype), np.integer)
    if bits is None or source.bits is not None or not whole or 2**bits > np.iinfo(source.dtype).max:
        return source
    return replace(source, bits=bits)


def _only(source: Source, numbers: list[int]) -> Source:
    """The source with only the bands `numbers`, in the file's order."""
    keep = [i for i, number in enumerate(source.bands) if number in numbers]

    def pick(values: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(values[i] for i in keep)

    return replace(
        source,
        bands=pick(source.bands),
        nodata=pick(source.nodata),
        labels=pick(source.labels),
        interps=pick(source.interps),
        scales=pick(source.scales),
        offsets=pick(source.offsets),
        units=pick(source.units),
        band_tags=pick(source.band_tags),
    )


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
