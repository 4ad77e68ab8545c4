"""How fit a pair is, as far as headers and the disk tell: overlap, times, room. No pixel is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from geosharp.engine.computer import available_room, tell_size
from geosharp.engine.setup import Setup
from geosharp.finding import LEVELS, Finding
from geosharp.raster.footprints import find_time
from geosharp.raster.scene import Scene
from geosharp.raster.source import Source
from geosharp.raster.vendors import read_name

# Of the result's pixels: what the disk must have left for it while a journal is kept.
RESERVE = 1.5
# Of them too: below this compression hardly saves a run, and what a result with overviews may take.
_HOPELESS, _WHOLE = 0.25, 1.4
# Of the smaller footprint: shared.
_MOSTLY, _HALF = 0.9, 0.5
# PAN and MS of one pass, as times in headers go.
_ONE_PASS = timedelta(seconds=60)
# Some software writes into it when the file was made.
_FILE_TIME = "TIFFTAG_DATETIME"


def tell_cautions(setup: Setup, out: Path) -> tuple[str, ...]:
    """What a user should hear of before a fusion into `out`."""
    found = (check_overlap(setup.scene), check_times(setup.scene), check_disk(out.parent, raw_size(setup)))
    return tuple(each.told for each in found if LEVELS.index(each.level) >= LEVELS.index("warning"))


def raw_size(setup: Setup) -> int:
    """Bytes of the result's pixels without compression."""
    size = np.dtype(setup.pixels.dtype).itemsize
    return setup.plan.area.rect.area * len(setup.scene.bands) * size


def check_overlap(scene: Scene) -> Finding:
    """How much of PAN and of MS the other covers."""
    area = scene.area
    of_pan = area.area / scene.grid.rect.area
    of_ms = min(1.0, area.area / scene.placed.footprint(scene.ms_grid.shape).area)
    facts = {"share_of_pan": of_pan, "share_of_ms": of_ms, "ratio": list(scene.placed.ratio)}
    ry, rx = (f"{ratio:.6g}" for ratio in scene.placed.ratio)
    shared = f"{area.width} x {area.height} PAN pixels, {of_pan:.0%} of PAN and {of_ms:.0%} of MS"
    text = f"PAN and MS share {shared}; an MS pixel is {ry if ry == rx else f'{ry} x {rx}'} PAN pixels"
    if max(of_pan, of_ms) >= _MOSTLY:
        return Finding("overlap", "ok", text, facts=facts)
    advice = "fuse gives what both cover alone; check that both files are of one scene"
    return Finding("overlap", "note" if max(of_pan, of_ms) >= _HALF else "warning", text, advice, facts)


def check_georeference(scene: Scene) -> Finding:
    """Whether the result will lie on a map."""
    grid = scene.grid
    if grid.transform is None:
        advice = "give both files theirs if the result is to lie on a map"
        return Finding("georeference", "note", "none: PAN and MS are taken to cover the same ground", advice)
    size = f"PAN pixels of {abs(grid.transform.a):.6g} x {abs(grid.transform.e):.6g}"
    if (crs := grid.crs or scene.ms_grid.crs) is None:
        advice = "name it (gdal_edit.py -a_srs) if the result is to lie on a map"
        return Finding("georeference", "note", f"no CRS, {size} in unknown units", advice)
    return Finding("georeference", "ok", f"{crs.to_string()}, {size}")


def check_times(scene: Scene) -> Finding:
    """How far apart PAN and MS were taken, as metadata and names tell."""
    pan, ms = (_vendors_time(source) for source in (scene.pan, scene.ms[0]))
    if pan is not None and ms is not None:
        return _judge_gap(pan, ms)
    pan, ms = (find_time(source.tags, _named_time(source)) for source in (scene.pan, scene.ms[0]))
    advice = "compare the times in the deliveries' metadata, as moving things leave ghosts"
    if pan is None or ms is None:
        which = " and ".join(name for name, time in (("PAN", pan), ("MS", ms)) if time is None)
        text = f"not known: nothing tells when {which} {'was' if ' ' not in which else 'were'} taken"
        return Finding("time gap", "note", text, advice)
    gap = abs(pan - ms)
    facts = {"pan": pan.isoformat(), "ms": ms.isoformat(), "seconds": gap.total_seconds()}
    text = f"the files' own times are {_tell_gap(gap)} apart, which may be when they were written"
    if gap <= _ONE_PASS:
        return Finding("time gap", "ok", text, facts=facts)
    return Finding("time gap", "note", text, advice, facts)


def _judge_gap(pan: datetime, ms: datetime) -> Finding:
    gap = abs(pan - ms)
    facts = {"pan": pan.isoformat(), "ms": ms.isoformat(), "seconds": gap.total_seconds()}
    text = f"PAN was taken {pan:%Y-%m-%d %H:%M:%S} and MS {ms:%Y-%m-%d %H:%M:%S} UTC, {_tell_gap(gap)} apart"
    if gap <= _ONE_PASS:
        return Finding("time gap", "ok", text, facts=facts)
    advice = "pair images of one pass, or expect ghosts where clouds, cars, waves and shadows have moved"
    return Finding("time gap", "warning", text, advice, facts)


def _vendors_time(source: Source) -> datetime | None:
    """When it was taken, without what may be the file's own time."""
    tags: dict[str, Mapping[str, str]] = {
        domain: {name: value for name, value in items.items() if name.upper() != _FILE_TIME}
        for domain, items in source.tags.items()
    }
    return find_time(tags, _named_time(source))


def _named_time(source: Source) -> datetime | None:
    name = Path(source.name).name
    return read_name(Path(name)).time if name else None


def _tell_gap(gap: timedelta) -> str:
    seconds = gap.total_seconds()
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def check_disk(folder: Path, raw: int) -> Finding:
    """Room in `folder` for a result of `raw` bytes without compression, and for its journal."""
    free = available_room(folder)
    where = str(folder)
    if free is None:
        text = f"nobody can say how much room there is in {where}"
        return Finding("disk", "note", text, "see that there is enough for the result")
    facts = {"free": free, "result": round(_WHOLE * raw), "with_journal": round((RESERVE + 1) * raw)}
    text = f"{tell_size(free)} free in {where}; the result takes up to {tell_size(_WHOLE * raw)}"
    if free >= (RESERVE + 1) * raw:
        return Finding(
            "disk", "ok", f"{text}, and its journal {tell_size(raw)} while it is made", facts=facts
        )
    if free >= _WHOLE * raw:
        advice = (
            f"free {tell_size((RESERVE + 1) * raw - free)} more if a killed run is to go on with --resume"
        )
        return Finding("disk", "note", f"{text}, which leaves none for a journal", advice, facts)
    advice = f"free {tell_size(_WHOLE * raw - free)}, write to another disk, or fuse parts with --area"
    if free >= _HOPELESS * raw:
        return Finding("disk", "warning", f"{text}, less what compression saves", advice, facts)
    return Finding("disk", "stop", text, advice, facts)
