"""How near the truth at native resolution? Every method on imagery of places that no weights were trained on.

    python examples/experiments/native.py --data FOLDER --cases 12 [--model NAME|FILE] [--markdown native.md]

FOLDER holds pretrain/'s .npz files. Mosaics of the held-out chips are the truth on PAN's grid; PAN and MS are
made from them as padm_planted.py does, with kernels, a shift and noise of which no method is told: each
calibrates by itself, as `geosharp fuse` does. PSNR is over all bands, 8 PAN pixels from the edges.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from padm_planted import DATA, Case, add_noise, cut_seams, degrade, make_mosaic, write_float
from simulate import HELD_OUT

from geosharp.fusion import fuse
from geosharp.hfreqdiff.settings import DEFAULT_MODEL, Diffusion
from geosharp.quality.metrics import ergas, psnr, sam

SOURCES = ("naip_urban_native", "naip_urban_2x")
METHODS = ("exp", "gsa", "glp", "glp-hpm", "hfreqdiff")
RATIOS = (2, 4)
_BORDER = 8


def load_held_out(folder: Path) -> dict[str, np.ndarray]:
    """(chip, band, row, col) of each source's held-out places."""
    found = {}
    for name in SOURCES:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as data:
            places = [str(each).split("/")[0].split("_")[0] for each in data["name"]]
            found[name] = data["ms"][[place in HELD_OUT for place in places]]
    return found


def draw_case(number: int, source: str, bands: int) -> Case:
    rng = np.random.default_rng([number, 7])
    base = np.exp(rng.uniform(math.log(0.05), math.log(0.5), 2))
    gains = np.clip(base * np.exp(0.1 * rng.normal(size=(bands, 1))), 0.03, 0.65)
    return Case(
        source,
        RATIOS[number % len(RATIOS)],
        tuple((float(rows), float(cols)) for rows, cols in gains),
        tuple(rng.uniform(-1, 1, 2).tolist()),
        tuple(rng.dirichlet(np.full(bands, 3.0)).tolist()),
        float(rng.choice([30.0, 35.0, 40.0])),
    )


def score(chips: np.ndarray, case: Case, seed: int, model: str) -> dict[str, tuple[float, float, float]]:
    """PSNR, ERGAS and SAM of every method."""
    rng = np.random.default_rng([seed, 8])
    truth = make_mosaic(chips, rng)
    pan, ms = degrade(truth, case)
    pan, ms = cut_seams(add_noise(pan, case.noise, rng), chips), add_noise(ms, case.noise, rng)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            write_float(Path(folder) / "pan.tif", pan, 1),
            write_float(Path(folder) / "ms.tif", ms, case.ratio),
        ]
        for method in METHODS:
            out = Path(folder) / f"{method}.tif"
            diffusion = Diffusion(model=model) if method == "hfreqdiff" else None
            fuse(*paths, out, method=method, diffusion=diffusion, overviews=False)
            with rasterio.open(out) as raster:
                fused = raster.read().astype(np.float64)
            inner = np.s_[:, _BORDER:-_BORDER, _BORDER:-_BORDER]
            valid = np.isfinite(fused).all(0)[inner[1:]]
            one, two = truth[inner], np.nan_to_num(fused)[inner]
            found[method] = (
                psnr(one, two, valid), ergas(one, two, case.ratio, valid), sam(one, two, valid)
            )  # fmt: skip
    return found


def to_markdown(rows: list[tuple[Case, dict[str, tuple[float, float, float]]]]) -> str:
    """A line per case, then the means; the last column against the best of the classical methods."""
    lines = [
        f"| source | ratio | SNR dB | {' | '.join(METHODS)} | over the best classical, dB |",
        "|---|---|---|" + "---|" * (len(METHODS) + 1),
    ]
    leads = []
    for case, found in rows:
        leads.append(found["hfreqdiff"][0] - max(found[name][0] for name in METHODS if name != "hfreqdiff"))
        cells = " | ".join(f"{found[name][0]:.2f}" for name in METHODS)
        lines.append(f"| {case.source} | {case.ratio} | {case.noise:.0f} | {cells} | {leads[-1]:+.2f} |")
    means = [np.mean([found[name] for _, found in rows], axis=0) for name in METHODS]
    lines.append(f"| mean |  |  | {' | '.join(f'{mean[0]:.2f}' for mean in means)} | {np.mean(leads):+.2f} |")
    for column, title in ((1, "ERGAS"), (2, "SAM")):
        lines.append(f"| {title} |  |  | {' | '.join(f'{mean[column]:.3f}' for mean in means)} | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the .npz files")
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="of hfreqdiff: a name or a file")
    parser.add_argument("--markdown", type=Path, help="also write the table there")
    options = parser.parse_args()
    chips, rows = load_held_out(options.data), []
    for number in range(options.cases):
        source = SOURCES[number // len(RATIOS) % len(SOURCES)]
        case = draw_case(number, source, chips[source].shape[1])
        rows.append((case, score(chips[source], case, number, options.model)))
    text = to_markdown(rows)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
