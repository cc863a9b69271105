#!/usr/bin/env bash
# Times a sweep of 24 short runs at one thread each, one at a time and two at a time, alternating.
#
#   scripts/bench/sweep_jobs.sh [ROUNDS]      3 by default; FM_EXP names another binary than the release build
#
# Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/lib/program.sh
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$FM_EXP" sweep plan --arch cnn --epochs 1 --seeds 0..23 --set device=cpu --set threads=1 >"$place/plan.json"
seconds() { # jobs
  local start=$EPOCHREALTIME
  rm -rf "$place/out"
  "$FM_EXP" sweep run --plan "$place/plan.json" --out "$place/out" --jobs "$1" --quiet >/dev/null
  awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f\n", b - a }'
}
for ((round = 1; round <= ${1:-3}; round++)); do
  one=$(seconds 1)
  two=$(seconds 2)
  awk -v one="$one" -v two="$two" 'BEGIN { printf "--jobs 1: %.1f s, --jobs 2: %.1f s, ratio %.3f\n", one, two, two / one }'
done
