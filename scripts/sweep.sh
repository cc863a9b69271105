#!/usr/bin/env bash
# Trains every architecture for every number of epochs and every seed, and puts the results into one table.
# Given again, it resumes; runs that are done are not trained again. After set-up and build it is fm-exp sweep.
#
#   scripts/sweep.sh                                             cnn and encoder-mlp, 5 and 10 epochs, seeds 0 to 2
#   scripts/sweep.sh --arch cnn --epochs 1,2,5,10,20 --seeds 0..9
#   OUT=results/mine JOBS=2 scripts/sweep.sh --lr 1e-3,3e-4      any flags of fm-exp sweep
#
# FM_EXP names another binary than the release build. For Slurm see scripts/slurm.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${OUT:-results/sweep}
. scripts/lib/program.sh
if [ $# = 0 ]; then set -- --arch cnn,encoder-mlp --epochs 5,10 --seeds 0..2; fi
"$FM_EXP" sweep --out "$out" --jobs "${JOBS:-1}" "$@"
