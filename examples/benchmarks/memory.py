"""Peak memory and time against scene size: memory must not grow with the scene.

python examples/benchmarks/memory.py --sizes 8192,32768 --method glp
python examples/benchmarks/memory.py --sizes 4096,32768 --command calibrate
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from made_pair import make_pair
from processes import run_once


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="8192,32768", help="sides of PAN in pixels")
    parser.add_argument("--command", choices=["fuse", "calibrate"], default="fuse")
    parser.add_argument("--method", default="glp", help="of fuse")
    parser.add_argument(
        "--folder", type=Path, help="where the made pairs are kept (default: a temporary folder)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out, log = Path(temporary) / "out.tif", Path(temporary) / "log.txt"
        first = None
        what = f"{options.method}, overviews and all" if options.command == "fuse" else options.command
        print(f"{what}, 4 bands uint16\n{'PAN':>16} {'MB':>8} {'ratio':>7} {'s':>8}")
        for size in map(int, options.sizes.split(",")):
            pan, ms = make_pair(options.folder or Path(temporary), size)
            command = [sys.executable, "-m", "geosharp", options.command, str(pan), str(ms)]
            wanted = {
                "fuse": ["-o", str(out), "--method", options.method],
                "calibrate": ["-o", str(out.with_suffix(".json"))],
            }[options.command]
            run = run_once([*command, *wanted, "--overwrite", "-q"], log)
            first = first or run
            ratio = run.peak_mb / first.peak_mb
            print(f"{size:7} x {size:6} {run.peak_mb:8.0f} {ratio:7.2f} {run.seconds:8.1f}", flush=True)


if __name__ == "__main__":
    main()
