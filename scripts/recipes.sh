#!/usr/bin/env bash
# Makes the studies of results/recipes: what the recipe `strong` reaches, what each of its parts is worth, and
# several lengths from one training. Goes on where it stopped.
#
#   scripts/recipes.sh strong         both networks, 10 seeds: about 30 minutes on two cores
#   scripts/recipes.sh ablation       without each part, 10 seeds: about two hours
#   scripts/recipes.sh lengths        four lengths by branches, and each length by itself: about 20 minutes
#
# FM_EXP names another binary than the release build, JOBS the number of runs at once.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-}
case $what in
  strong | ablation | lengths) ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
if [ -z "${FM_EXP:-}" ]; then
  scripts/setup.sh
  cargo build --release --quiet -p fm-exp
  FM_EXP=target/release/fm-exp
fi

# grid, directory, further flags of `sweep plan`
study() {
  local grid=$1 out=$2
  shift 2
  mkdir -p "$out"
  "$FM_EXP" sweep plan "$grid" "$@" >"$out/plan.json.new"
  mv "$out/plan.json.new" "$out/plan.json"
  "$FM_EXP" sweep run --plan "$out/plan.json" --out "$out" --jobs "${JOBS:-2}" --quiet
  "$FM_EXP" sweep merge --plan "$out/plan.json" --out "$out"
}

study "results/recipes/$what.toml" "results/recipes/$what" --device cpu
if [ "$what" = lengths ]; then
  for epochs in 5 10 20 40; do
    study results/recipes/lengths.toml "results/recipes/lengths/alone-$epochs" --device cpu --epochs "$epochs"
  done
fi
