#!/usr/bin/env bash
# From nothing to a result that was looked at, in a minute and a folder of its own:
#
#     bash examples/quickstart.sh [FOLDER]
#
# The scene is made by code. With your own, begin at `geosharp info pan.tif ms.tif`.
set -euo pipefail

folder=${1:-$(mktemp -d -t geosharp-XXXXXX)}
mkdir -p "$folder"
cd "$folder"

# A PAN and an MS of a town that does not exist; fused once, and held against the truth, which is known here.
geosharp demo scene --size 256

# What geosharp sees in the pair, and what it would do.
geosharp info scene/pan.tif scene/ms.tif

# MS's bands at PAN's resolution, and a picture of them.
geosharp fuse scene/pan.tif scene/ms.tif -o sharp.tif --preview sharp.png

# How good that is beside simple methods, without the truth.
geosharp evaluate scene/pan.tif scene/ms.tif --fused sharp.tif --method exp,glp --protocol full

# The same to look at: one page, which needs no network.
geosharp report sharp.tif scene/pan.tif scene/ms.tif -o report.html

printf 'look at %s, %s and %s\n' "$PWD/scene/before_after.png" "$PWD/sharp.png" "$PWD/report.html"
