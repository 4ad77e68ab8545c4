"""What it costs to fuse a scene in parts on a cluster: startup, the parts, and the last pass into one file.

    python examples/benchmarks/parts.py --size 8192 --workers 2 [--method glp] [--cog]

On this computer, whose cores the workers share: what is shown is the cost, not what more computers bring.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from made_pair import make_pair

import geosharp
from geosharp.engine.stream import Progress


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=8192, help="side of PAN in pixels")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--method", default="glp")
    parser.add_argument("--cog", action="store_true")
    options = parser.parse_args()
    given = {"method": options.method, "cog": options.cog}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pan, ms = make_pair(folder, options.size)
        alone = geosharp.fuse(pan, ms, folder / "alone.tif", **given)
        start = time.perf_counter()
        moments: dict[str, float] = {}

        def progress(done: Progress) -> None:
            moments.setdefault(done.stage, time.perf_counter() - start)

        def note(text: str) -> None:
            if text.startswith("all parts are there"):
                moments["parts"] = time.perf_counter() - start

        cluster = geosharp.Cluster(kind="local", workers=options.workers)
        out = folder / "parts.tif"
        spread = geosharp.fuse(pan, ms, out, cluster=cluster, progress=progress, on_note=note, **given)
        same = out.read_bytes() == alone.path.read_bytes()
        size = alone.path.stat().st_size / 1e6
        last = spread.seconds - moments["parts"]
        print(f"{options.method}, 4 bands uint16, {options.size}^2, {options.workers} workers, {size:.0f} MB")
        print(
            "| alone, s | first part after, s | all parts after, s | last pass, s | of alone | same bytes |"
        )
        print("|---|---|---|---|---|---|")
        print(
            f"| {alone.seconds:.1f} | {moments['fuse']:.1f} | {moments['parts']:.1f} | {last:.1f} "
            f"| {last / alone.seconds:.2f} | {'yes' if same else 'NO'} |"
        )


if __name__ == "__main__":
    main()
