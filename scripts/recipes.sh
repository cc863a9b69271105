#!/usr/bin/env bash
# Makes the studies of results/recipes-cpu, each from the grid in its directory there. Goes on where it stopped.
#
#   scripts/recipes.sh strong         what the recipe `strong` reaches: both networks, ten seeds
#   scripts/recipes.sh lengths        four lengths by branches of one training, and each length by itself
#   scripts/recipes.sh ablation       `strong` without each of its parts, ten seeds
#   scripts/recipes.sh halving        choices of `sweep halve` against a grid that is run whole
#
# FM_EXP names another binary than the release build, JOBS the number of runs at once.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-}
case $what in
  strong | lengths | ablation | halving) ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
. scripts/lib/program.sh
out=results/recipes-cpu/$what
jobs=${JOBS:-2}

# directory, further flags of `sweep plan`
study() {
  local to=$1
  shift
  mkdir -p "$to"
  "$FM_EXP" sweep plan "$out/grid.toml" "$@" >"$to/plan.json.new"
  mv "$to/plan.json.new" "$to/plan.json"
  "$FM_EXP" sweep run --plan "$to/plan.json" --out "$to" --jobs "$jobs" --quiet
  "$FM_EXP" sweep merge --plan "$to/plan.json" --out "$to"
}

case $what in
  strong) study "$out" ;;
  ablation) study "$out" ;;
  lengths)
    # The longest length by itself is the trunk: branching changes nothing of it.
    study "$out"
    for epochs in 5 10 20; do
      alone=$out/alone-$epochs
      study "$alone" --epochs "$epochs"
      "$FM_EXP" compare "$out" "$alone" --epochs "$epochs" --margin 0.2 --csv >"$alone/compare.csv"
    done
    ;;
  halving)
    halving() { scripts/halving.py "$out/grid.toml" "$out" --seeds 0..5 --each "$1" --jobs "$jobs" -- --risk 0.2; }
    {
      halving 4
      printf '\nWith five of the seeds:\n\n'
      halving 5 | tail -n +3
    } | tee "$out/choices.md.new"
    mv "$out/choices.md.new" "$out/choices.md"
    ;;
esac
case $what in
  strong) "$FM_EXP" compare "$out" --csv >"$out/compare.csv" ;;
  ablation)
    whole="cnn, optimizer adamw, weight-decay 0.02, schedule cosine, warmup 1, augment flip,shift1"
    "$FM_EXP" compare "$out" --reference "$whole" --csv >"$out/compare.csv"
    ;;
esac
