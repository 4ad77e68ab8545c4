"""How fast geosharp fuses, beside gdal_pansharpen and beside a bare read-and-write loop.

Whole processes on one made pair, in turn, with the same compression and neither overviews nor
masks:  python examples/benchmarks/speed.py --size 16384 --rounds 3
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from made_pair import make_pair
from processes import interleave, print_table

HERE = Path(__file__).parent
CREATION = ("TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=ZSTD", "ZSTD_LEVEL=1", "PREDICTOR=2")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=16384, help="side of PAN in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--methods", default="brovey,exp,glp,gsa,glp-hpm")
    parser.add_argument(
        "--folder", type=Path, help="where the made pair is kept (default: a temporary folder)"
    )
    parser.add_argument("--skip-engine", action="store_true", help="leave out the copying engine")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        pan, ms = make_pair(folder, options.size)
        out, log = Path(temporary) / "out.tif", Path(temporary) / "log.txt"
        print(f"{options.size} x {options.size} x 4 bands, {options.rounds} rounds, medians\n")
        commands = {}
        if oracle := shutil.which("gdal_pansharpen.py") or shutil.which("gdal_pansharpen"):
            # Its default, and the layout of ours, which is compressed faster.
            for name, layout in (("gdal_pansharpen", "PIXEL"), ("gdal_pansharpen, by band", "BAND")):
                chosen = (*CREATION, "NUM_THREADS=ALL_CPUS", "BIGTIFF=YES", f"INTERLEAVE={layout}")
                flags = [flag for option in chosen for flag in ("-co", option)]
                base = [oracle, str(pan), str(ms), str(out), "-q", "-threads", "ALL_CPUS"]
                commands[name] = [*base, *flags]
        else:
            print("gdal_pansharpen is not installed: ratios are to brovey")
        for method in options.methods.split(","):
            files = [str(pan), str(ms), "-o", str(out), "--overwrite", "-q"]
            plain = ["--no-overviews", "--no-mask", "--method", method]
            fuse = [sys.executable, "-m", "geosharp", "fuse", *files, *plain]
            commands[method] = [*fuse, "--calibration", "sensor"]
            if method == "glp":
                commands["glp, calibrating"] = fuse
        print_table(interleave(commands, options.rounds, log), next(iter(commands)))
        if not options.skip_engine:
            print()
            copies = {
                name: [sys.executable, str(HERE / "copying.py"), kind, str(pan), str(ms), str(out)]
                for name, kind in (("bare loop", "bare"), ("engine that copies", "engine"))
            }
            print_table(interleave(copies, options.rounds, log), "bare loop")


if __name__ == "__main__":
    main()
