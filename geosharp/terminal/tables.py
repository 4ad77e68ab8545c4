"""How findings read as text: scores, calibrations, what a pair is, and where the time went."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from geosharp.engine.clock import COMPUTE, PARTS
from geosharp.quality.scores import METRICS, find_best, format_value
from geosharp.terminal.text import find_width, wrap

if TYPE_CHECKING:
    from geosharp.engine.clock import Profile
    from geosharp.evaluation import Evaluation
    from geosharp.padm.calibration import Calibration
    from geosharp.quality.scores import Metric
    from geosharp.raster.scene import Scene

# Of the columns left of what findings say.
_LABELS = 13
# No table is as wide: how wide one is, its cells alone decide.
_ANY = 9999


@dataclass(frozen=True)
class Column:
    """heading: of several lines where wanted; cells: from the first row to the last."""

    heading: str
    cells: Sequence[str | Text]


def format_scores(evaluation: Evaluation) -> str:
    """Tables of all scores, and the calibration that they are from."""
    calibration = wrap(f"calibration {evaluation.learnt.summary}", width=find_width())
    return "\n".join([format_protocols(evaluation.protocols), "", *calibration])


def format_protocols(
    protocols: Mapping[str, Mapping[str, Mapping[str, float]]],
    columns: Mapping[str, Collection[str]] | None = None,
) -> str:
    """Tables of scores, the best of each column starred; who leads by less than the noise does not lead.

    protocols: scores by protocol, by contestant and by metric; columns: metrics to show of each protocol, all
    unless given.
    """
    told = []
    for protocol, results in protocols.items():
        reference = "against the MS" if protocol == "reduced" else "without a reference"
        metrics = [
            _score_column(metric, [scores[name] for scores in results.values()])
            for name, metric in METRICS[protocol].items()
            if columns is None or name in columns[protocol]
        ]
        title = f"{protocol} resolution, {reference}"
        told.append(format_table(title, Column("", [Text(name) for name in results]), metrics))
    return "\n\n".join(told)


def _score_column(metric: Metric, values: Sequence[float]) -> Column:
    best = find_best(values, metric)
    texts = [format_value(value, metric) for value in values]
    return Column(
        "\n".join([*metric.title.split(" ", 1), metric.unit or metric.better][:3]),
        [Text(f"{text}*", "bold") if row in best else Text(f"{text} ") for row, text in enumerate(texts)],
    )


def format_table(title: str, names: Column, columns: Sequence[Column]) -> str:
    """A table with `names` on the left; where the terminal is too narrow for all columns, several below one
    another, each with the names. Nothing in it is broken or cut."""
    shown = Console()
    # Rendered into a text: what cannot be printed is told where it is printed.
    text = io.StringIO()
    console = Console(file=text, highlight=False, width=_ANY, force_terminal=shown.is_terminal)
    console.print(Text(title, "italic"))
    for part in _split(names, columns, console):
        console.print(_draw(names, part))
        console.print()
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())


def _split(names: Column, columns: Sequence[Column], console: Console) -> Iterator[list[Column]]:
    """The columns that fit beside the names, and those that fit then; one at least."""
    part: list[Column] = []
    for column in columns:
        if part and console.measure(_draw(names, [*part, column])).maximum > find_width():
            yield part
            part = []
        part.append(column)
    yield part


def _draw(names: Column, columns: Sequence[Column]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for column in (names, *columns):
        table.add_column(column.heading, justify="left" if column is names else "right", no_wrap=True)
    for cells in zip(names.cells, *(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table


def format_calibration(calibration: Calibration, scene: Scene) -> str:
    """What was learnt of the scene, beside what its sensor is said to do."""
    if not calibration.usable:
        reasons = "; ".join(calibration.reasons)
        return f"nothing could be learnt: {reasons}\nfuse takes what is known of {scene.sensor.title}"
    operator, errors = calibration.operator, calibration.errors
    known = [band.optics.gain for band in scene.bands]
    origin = "assumed" if all(band.optics.assumed for band in scene.bands) else "published"
    bands, (rows, cols) = calibration.bands, operator.gains
    names = Column("band", [*(Text(band.name) for band in bands), "all together"])
    columns = [
        Column("rows", [f"{gain:.3f}" for gain in (*(band.gains[0] for band in bands), rows)]),
        Column("columns", [f"{gain:.3f}" for gain in (*(band.gains[1] for band in bands), cols)]),
        Column(origin, [*(f"{gain:.3f}" for gain in known), ""]),
        Column("part\nin PAN", [*(_or_dash(band.weight, ".3g") for band in bands), ""]),
        Column("DN per\nDN of PAN", [*(_or_dash(band.injection, ".3g") for band in bands), ""]),
        Column(
            "explained",
            [_or_dash(part, ".1%") for part in (*(band.explained for band in bands), calibration.explained)],
        ),
    ]
    down, right = (
        f"{shift:+.2f}" + ("" if error is None else f" (+-{error:.2f})")
        for shift, error in zip(operator.shift, (errors or (None,) * 4)[2:], strict=True)
    )
    table_explained = f"{calibration.table_explained:.1%} with the {origin} values and no shift"
    lines = [
        ("verdict", calibration.verdict),
        ("MS on PAN", f"{down} rows, {right} columns in PAN pixels from where the geotransforms put it"),
        ("explained", f"{calibration.explained:.1%} of PAN's detail at MS resolution; {table_explained}"),
        ("learnt from", f"{calibration.count} MS pixels"),
    ]
    return "\n".join(
        [format_table(f"Nyquist gains, {scene.sensor.title}", names, columns), "", *label(lines)]
    )


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def format_info(seen: dict[str, Any]) -> str:
    """`preflight.inspect`'s findings, a line each."""
    plan, common = seen["plan"], seen["common_area"]
    (ry, rx), (dy, dx) = seen["ratio"], seen["shift_pan_px"]
    ratio = f"{ry:.7g}" if ry == rx else f"{ry:.7g} x {rx:.7g}"
    rect, part = common["pan_pixels"], plan["pan_pixels"]
    bands_told = [f"{band['name']} {band['nyquist_gain']:g}" for band in seen["bands"]]
    bands, height, width = plan["output_shape"]
    nodata = "" if plan["output_nodata"] is None else f", no-data {plan['output_nodata']}"
    work = (
        f"{plan['method']}: {plan['tiles']} tiles of {plan['tile']} with a halo of {max(plan['halo'])}, "
        f"{plan['threads']} threads, about {plan['memory_mb']} MB of memory"
    )
    size = f"{width} x {height} x {bands} {plan['output_dtype']}"
    lines = [
        ("sensor", f"{seen['sensor']['name']} ({seen['sensor']['told_by']})"),
        ("PAN", _file_line(seen["pan"])),
        *(("MS", _file_line(source)) for source in seen["ms"]),
        ("bands", f"{', '.join(bands_told)} (MTF gains at Nyquist)"),
        ("ratio", f"{ratio}, MS shifted by {dy:+.3g}, {dx:+.3g} PAN pixels (row, col) by the geotransforms"),
        (
            "common area",
            f"{_place(rect)}: {common['share_of_pan']:.1%} of PAN, {common['share_of_ms']:.1%} of MS",
        ),
        ("bounds", ", ".join(f"{value:.9g}" for value in common["bounds"])),
        *([("part", _place(part))] if part != rect else []),
        ("plan", work),
        ("output", f"{size}{nodata}, {plan['output_mb_raw']} MB before compression"),
    ]
    return "\n".join(label(lines))


def label(lines: Iterable[tuple[str, str]], margin: int = _LABELS, indent: str = "") -> Iterator[str]:
    """Texts beside their labels, broken between words where the terminal ends; names of files stay whole."""
    for name, text in lines:
        head = f"{indent}{name:<{margin - 1}} "
        yield from wrap(text, head, " " * len(head), find_width()) or [head.rstrip()]


def format_origin(told: dict[str, Any]) -> str:
    """`provenance.trace`'s findings: how a result was made, and the command."""
    lines = [f"made by geosharp {told['version']} with {told['method']}"]
    facts = [(name, value) for name, value in told["facts"].items() if name != "Version"]
    lines += label(facts, 17, "  ")
    return "\n".join([*lines, "again, beside it:", f"  {told['command']}"])


def _place(rect: dict[str, int]) -> str:
    size = f"{rect['width']} x {rect['height']}"
    return f"{size} PAN pixels from row {rect['row']}, column {rect['col']}"


def _file_line(file: dict[str, Any]) -> str:
    size = f"{file['size'][0]} x {file['size'][1]}"
    bits = f", {file['bits_used']} bits used" if file["bits_used"] else ""
    declared = f" (NBITS {file['bits_declared']})" if file["bits_declared"] else ""
    values = sorted({f"{float(n):g}" for n in file["nodata"] if n is not None})
    nodata = f"no-data {', '.join(values)}" if values else f"invalid pixels: {file['invalid_told_by']}"
    crs = file["crs"] or "no CRS"
    pixel = ""
    if (sides := file["pixel_size"]) is not None:
        pixel = f", pixels of {sides[0]:.6g} x {sides[1]:.6g} (units of the CRS)"
    return f"{file['file']}: {size}, {file['dtype']}{declared}{bits}, {nodata}, {crs}{pixel}"


def format_profile(profile: Profile) -> str:
    """Seconds of each stage over all threads, its share of the time of tiles, and what is the bound."""
    shares = profile.shares
    lines = [f"{'stage':<20} {'seconds':>8}  at work"]
    for stage, seconds in profile.seconds.items():
        if stage not in PARTS:
            share = f"  {shares[stage]:>6.0%}" if stage in shares else ""
            lines.append(f"{stage:<20} {seconds:>8.2f}{share}")
        if stage == COMPUTE:
            lines += [
                f"  {part:<18} {profile.seconds[part]:>8.2f}" for part in PARTS if part in profile.seconds
            ]
    lines += [
        f"{'all':<20} {profile.wall:>8.2f}  of which {profile.tiles:.2f} over tiles",
        f"{profile.readers} reading, {profile.threads} computing, one writing",
        *wrap(profile.bound, width=find_width()),
    ]
    return "\n".join(lines)
