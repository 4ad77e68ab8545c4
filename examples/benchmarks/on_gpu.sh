#!/usr/bin/env bash
# All that a GPU has to show, in one command: bash examples/benchmarks/on_gpu.sh [FOLDER]
#
# FOLDER, gpu by default, gets a log of each: the tests that need a GPU; the bare network, the engine and the whole
# at fp32 and bf16; whether its pixels can be told from the CPU's (on real scenes, where GEOSHARP_DATA holds them);
# and training: resumed to the same weights, steps a second and the data path's share. DEVICE=cpu rehearses it.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-gpu} device=${DEVICE:-cuda} tiles=${TILES:-8} failed=0
mkdir -p "$out"
cd "$here/../.."
export PYTHONPATH=$PWD

step() { # NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    if "$@" > "$out/$name.log" 2>&1; then
        echo "$name: $((SECONDS - start)) s"
    else
        echo "$name: FAILED after $((SECONDS - start)) s, see $out/$name.log"
        failed=1
    fi
}

[ "$device" = cpu ] || step tests python -m pytest -q -p no:randomly tests/test_cuda.py
for precision in fp32 bf16; do
    step "throughput-$precision" python examples/benchmarks/throughput.py \
        --device "$device" --precision "$precision" --tiles "$tiles" ${TILE:+--tile "$TILE"}
done
if [ -n "${GEOSHARP_DATA:-}" ]; then
    step precision python examples/benchmarks/precision.py --ways "$device:fp32,$device:bf16" ${SCENES:+--scenes "$SCENES"}
fi
step training python examples/experiments/train_resume.py --device "$device" --kills "${KILLS:-3}"
exit "$failed"
