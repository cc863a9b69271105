#!/usr/bin/env bash
# Makes results/observatory: what chance does to the accuracy of cnn and encoder-mlp after five epochs. Very many seeds, each
# also scored with averaged weights; the same with a decaying rate; and for cnn initial weights crossed with batch order.
# On two cores a seed of cnn takes about 6 s, one of encoder-mlp about 8 s; on a GPU many train side by side. It resumes
# where it stopped.
#
#   scripts/observatory.sh [--seeds 0..999] [--decayed 0..99] [--crossed 0..29] [--runs DIR] [--jobs 2] [--device cpu]
#
# FM_EXP names another binary than the release build. Runs stay in --runs (results/observatory/runs, which Git ignores).
set -euo pipefail
cd "$(dirname "$0")/.."

out=results/observatory seeds=0..999 decayed=0..99 crossed=0..29 jobs=2 device=cpu
runs=$out/runs
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --seeds | --decayed | --crossed | --runs | --jobs | --device) declare "${1#--}=${2:?observatory: error: $1 needs a value}"; shift 2 ;;
    *) echo "observatory: error: unknown flag '$1'" >&2; exit 2 ;;
  esac
done
case $device in cpu) engine=fused ;; *) engine=cuda ;; esac
. scripts/lib/program.sh
sweep() { # name, then the grid's flags
  "$FM_EXP" sweep --device "$device" --engine "$engine" --jobs "$jobs" --out "$runs/$1" "${@:2}"
}
averages=ema:0.999,mean:3
for arch in cnn encoder-mlp; do
  sweep "$arch" --arch "$arch" --epochs 5 --seeds "$seeds" --average "$averages"
  sweep "$arch-cosine" --arch "$arch" --epochs 5 --schedule cosine --seeds "$decayed" --average "$averages"
done
sweep cnn-crossed --arch cnn --epochs 3,4,5 --seed-init "$crossed" --seed-order "$crossed"
"$FM_EXP" observe "$runs"/* --out "$out" | tee "$out/observed.txt"
