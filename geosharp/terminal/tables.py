"""How findings read as text: scores, calibrations, what a pair is, and where the time went."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from geosharp.engine.clock import COMPUTE, PARTS
from geosharp.quality.scores import METRICS, Metric, find_best, format_value

if TYPE_CHECKING:
    from geosharp.engine.clock import Profile
    from geosharp.evaluation import Evaluation
    from geosharp.padm.calibration import Calibration
    from geosharp.raster.scene import Scene

_PIPE_WIDTH = 160  # columns of a table in a pipe


def format_scores(evaluation: Evaluation) -> str:
    """Tables of all scores, and the calibration that they are from."""
    return f"{format_protocols(evaluation.protocols)}\ncalibration {evaluation.learnt.summary}"


def format_protocols(
    protocols: Mapping[str, Mapping[str, Mapping[str, float]]],
    columns: Mapping[str, Collection[str]] | None = None,
) -> str:
    """Tables of scores, the best of each column starred; who leads by less than the noise does not lead.

    protocols: scores by protocol, by contestant and by metric; columns: metrics to show of each protocol, all
    unless given.
    """
    shown = Console()
    # Rendered into a text: what cannot be printed is told where it is printed.
    text = io.StringIO()
    width = shown.width if shown.is_terminal else _PIPE_WIDTH
    console = Console(file=text, highlight=False, width=width, force_terminal=shown.is_terminal)
    for protocol, results in protocols.items():
        reference = "against the MS" if protocol == "reduced" else "without a reference"
        metrics = {
            name: metric
            for name, metric in METRICS[protocol].items()
            if columns is None or name in columns[protocol]
        }
        console.print(_score_table(f"{protocol} resolution, {reference}", metrics, results))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _score_table(
    title: str, metrics: Mapping[str, Metric], results: Mapping[str, Mapping[str, float]]
) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    columns = []
    for name, metric in metrics.items():
        heading = "\n".join([*metric.title.split(" ", 1), metric.unit or metric.better][:3])
        table.add_column(heading, justify="right", no_wrap=True)
        values = [scores[name] for scores in results.values()]
        best = find_best(values, metric)
        texts = [format_value(value, metric) for value in values]
        columns.append(
            [Text(f"{text}*", "bold") if row in best else Text(f"{text} ") for row, text in enumerate(texts)]
        )
    for row, name in enumerate(results):
        table.add_row(Text(name), *(column[row] for column in columns))
    return table


def format_calibration(calibration: Calibration, scene: Scene) -> str:
    """What was learnt of the scene, beside what its sensor is said to do."""
    if not calibration.usable:
        reasons = "; ".join(calibration.reasons)
        return f"nothing could be learnt: {reasons}\nfuse takes the values published of {scene.sensor.title}"
    operator, errors = calibration.operator, calibration.errors
    text = io.StringIO()
    console = Console(file=text, highlight=False, width=_PIPE_WIDTH)
    table = Table(title=f"Nyquist gains, {scene.sensor.title}", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("band", "rows", "columns", "published", "part in PAN", "DN per DN of PAN", "explained"):
        table.add_column(heading, justify="left" if heading == "band" else "right")
    for band, known in zip(calibration.bands, scene.bands, strict=True):
        table.add_row(
            Text(band.name),
            *(f"{gain:.3f}" for gain in band.gains),
            f"{known.optics.gain:.3f}",
            *(_or_dash(value, ".3g") for value in (band.weight, band.injection)),
            _or_dash(band.explained, ".1%"),
        )
    rows, cols = operator.gains
    table.add_row("all together", f"{rows:.3f}", f"{cols:.3f}", "", "", "", f"{calibration.explained:.1%}")
    console.print(table)
    down, right = (
        f"{shift:+.2f}" + ("" if error is None else f" (+-{error:.2f})")
        for shift, error in zip(operator.shift, (errors or (None,) * 4)[2:], strict=True)
    )
    table_explained = f"{calibration.table_explained:.1%} with the published values and no shift"
    lines = {
        "verdict": calibration.verdict,
        "MS on PAN": f"{down} rows, {right} columns in PAN pixels from where the geotransforms put it",
        "explained": f"{calibration.explained:.1%} of PAN's detail at MS resolution; {table_explained}",
        "learnt from": f"{calibration.count} MS pixels",
    }
    told = "\n".join(f"{name:<12} {value}" for name, value in lines.items())
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n" + told


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def format_info(seen: dict[str, Any]) -> str:
    """`preflight.inspect`'s findings, a line each."""
    plan, common = seen["plan"], seen["common_area"]
    (ry, rx), (dy, dx) = seen["ratio"], seen["shift_pan_px"]
    ratio = f"{ry:.7g}" if ry == rx else f"{ry:.7g} x {rx:.7g}"
    rect, part = common["pan_pixels"], plan["pan_pixels"]
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
        ("bands", ", ".join(f"{band['name']} ({band['nyquist_gain']:g})" for band in seen["bands"])),
        ("ratio", f"{ratio}, MS grid shifted by {dy:+.3g}, {dx:+.3g} PAN pixels (row, col)"),
        (
            "common area",
            f"{_place(rect)}: {common['share_of_pan']:.1%} of PAN, {common['share_of_ms']:.1%} of MS",
        ),
        ("bounds", ", ".join(f"{value:.9g}" for value in common["bounds"])),
        *([("part", _place(part))] if part != rect else []),
        ("plan", work),
        ("output", f"{size}{nodata}, {plan['output_mb_raw']} MB before compression"),
    ]
    return "\n".join(f"{name:<12} {text}" for name, text in lines)


def format_origin(told: dict[str, Any]) -> str:
    """`provenance.trace`'s findings: how a result was made, and the command."""
    lines = [f"made by geosharp {told['version']} with {told['method']}"]
    lines += [f"  {label:<16} {value}" for label, value in told["facts"].items() if label != "Version"]
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
    pixel = "" if file["pixel_size"] is None else f", {file['pixel_size'][0]:.6g} per pixel"
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
    hands = f"{profile.readers} reading, {profile.threads} computing, one writing"
    lines += [
        f"{'all':<20} {profile.wall:>8.2f}  of which {profile.tiles:.2f} over tiles: {hands}",
        profile.bound,
    ]
    return "\n".join(lines)
