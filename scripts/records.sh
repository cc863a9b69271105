#!/usr/bin/env bash
# Trains a row of results/records on two threads, one run after the other, all 60,000 training images, the last epoch scored
# once. Resumes where it stopped. What counts as seconds is the whole process: data, training, scores and files.
#
#   scripts/records.sh ROW [--seeds 0..9]      ROW.toml is the recipe; runs go to results/records/ROW
#
# FM_EXP names another binary than the release build. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

row=${1:-}
recipe=results/records/$row.toml
if [ -z "$row" ] || [ ! -f "$recipe" ] || [ "$row" = lines ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
seeds=0..9
[ "${2:-}" != --seeds ] || seeds=${3:?seeds such as 0..9}
[[ $seeds =~ ^([0-9]+)(\.\.([0-9]+))?$ ]] || { echo "records: error: --seeds $seeds: give 0..9 or 3" >&2; exit 2; }
first=${BASH_REMATCH[1]} last=${BASH_REMATCH[3]:-${BASH_REMATCH[1]}}
. scripts/lib/program.sh
out=results/records/$row
mkdir -p "$out"
seconds=$out/seconds.csv
[ -f "$seconds" ] || printf 'seed,seconds\r\n' >"$seconds"
for seed in $(seq "$first" "$last"); do
  grep -q "^$seed," "$seconds" && continue
  start=$EPOCHREALTIME
  "$FM_EXP" train --config "$recipe" --protocol notebook --device cpu --threads 2 --seed "$seed" --out "$out" --name "seed$seed" \
    --overwrite --quiet
  end=$EPOCHREALTIME
  awk -v seed="$seed" -v start="$start" -v end="$end" 'BEGIN { printf "%d,%.4f\r\n", seed, end - start }' >>"$seconds"
done
"$FM_EXP" pack "$out"
"$FM_EXP" compare "$out" --csv >"$out/compare.csv"
