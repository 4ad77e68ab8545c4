"""Whether another device or precision can be told from the result: each way against fp32 on the CPU.

    python examples/benchmarks/precision.py --data FOLDER [--ways cpu:bf16,cuda:fp32,cuda:bf16]

FOLDER holds one folder per scene with pan.tif and ms.tif. Scores: PSNR at reduced resolution and HQNR.
Pixels: those of the whole scene at full resolution; DN are counted in steps of an 11-bit sensor, with 2048
of them up to the 99.9th percentile. A way is as good as fp32 on the CPU where it loses at most 0.02 dB and
at most 0.01 % of its pixels lie more than 2 such steps away.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from quality import DATA, TABLE, score

from geosharp import Diffusion, fuse

STEPS, MOST_STEPS, MOST_LOSS, MOST_SHARE = 2048, 2, 0.02, 1e-4


def fused(folder: Path, out: Path, diffusion: Diffusion) -> np.ndarray:
    fuse(
        folder / "pan.tif",
        folder / "ms.tif",
        out,
        method="hfreqdiff",
        diffusion=diffusion,
        overviews=False,
        overwrite=True,
    )
    with rasterio.open(out) as raster:
        return raster.read().astype(np.int64)


def compare(folder: Path, way: Diffusion, exact: Diffusion, place: Path) -> tuple[str, bool]:
    """A line of the table, and whether the way is as good."""
    one, other = (fused(folder, place / "out.tif", each) for each in (exact, way))
    step = np.percentile(one, 99.9) / STEPS
    far = np.abs(other - one)
    share = float((far > MOST_STEPS * max(step, 1.0)).mean())
    scores = [score(folder, ["hfreqdiff"], diffusion=each).protocols for each in (exact, way)]
    psnr = [each["reduced"]["hfreqdiff"]["psnr"] for each in scores]
    hqnr = [each["full"]["hfreqdiff"]["hqnr"] for each in scores]
    good = psnr[0] - psnr[1] <= MOST_LOSS and share <= MOST_SHARE
    line = (
        f"| {folder.name} | {way.device}, {way.precision} | {psnr[1] - psnr[0]:+.4f} | "
        f"{hqnr[1] - hqnr[0]:+.5f} | "
        f"{far.max() / step:.1f} | {share:.5%} | {'yes' if good else 'no'} |"
    )
    return line, good


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the scenes")
    parser.add_argument("--scenes", help="names of scenes, separated by commas; all of the bench by default")
    parser.add_argument("--ways", default="cpu:bf16", help="device:precision, separated by commas")
    parser.add_argument("--model", default="base")
    options = parser.parse_args()
    names = options.scenes.split(",") if options.scenes else json.loads(TABLE.read_text(encoding="utf-8"))
    exact = Diffusion(model=options.model, device="cpu")
    print("| scene | way | PSNR, dB | HQNR | furthest, steps | pixels beyond 2 steps | as good |")
    print("|---|---|---|---|---|---|---|")
    good = True
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            for way in options.ways.split(","):
                device, precision = way.rsplit(":", 1)
                asked = Diffusion(model=options.model, device=device, precision=precision)
                line, as_good = compare(options.data / name, asked, exact, Path(place))
                print(line, flush=True)
                good = good and as_good
    print(f"\n{'every' if good else 'not every'} way is as good as fp32 on the CPU")


if __name__ == "__main__":
    main()
