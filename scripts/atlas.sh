#!/usr/bin/env bash
# Makes results/atlas: an atlas of Fashion-MNIST, and one of the same data with 600 training labels changed on purpose,
# which says how well suspects are found. Given again, it resumes.
#
#   scripts/atlas.sh [RUNS [CHANGED RUNS]]      100 and 40 runs of 5 epochs [default]
#
# The runs themselves go to results/atlas-runs and results/atlas-runs-changed, which git ignores. FM_EXP names another binary
# than the release build, JOBS the number of runs at once, DATA a directory with the four IDX files.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
runs=${1:-100} changed_runs=${2:-40} jobs=${JOBS:-2}
. scripts/lib/program.sh
data=${DATA:-}
for dir in data/fashion-mnist "${XDG_CACHE_HOME:-${HOME:-}/.cache}/fm-exp/fashion-mnist" /usr/share/datasets/fashion-mnist; do
  if [ -z "$data" ] && { [ -e "$dir/train-labels-idx1-ubyte" ] || [ -e "$dir/train-labels-idx1-ubyte.gz" ]; }; then data=$dir; fi
done
[ -n "$data" ] || { echo "atlas: error: Fashion-MNIST is nowhere to be found: scripts/setup.sh, or DATA=DIR" >&2; exit 1; }

# The network and recipe of results/records/seconds-5, with one epoch more.
keys=(--arch 16C3-MP2-48C3-MP2--96 --epochs 5 --batch-size 64 --lr 0.007 --optimizer adamw --weight-decay 0.05
  --schedule cosine --warmup 0.5 --device cpu)
out=results/atlas
mkdir -p "$out"
# All runs, then what they took.
start=$SECONDS
"$FM_EXP" atlas "${keys[@]}" --data-dir "$data" --runs "$runs" --jobs "$jobs" --out results/atlas-runs --to "$out"
echo "atlas: $runs runs in $((SECONDS - start)) s (of this call)" >&2

mislabelled=results/atlas-runs-changed/data
first=$(find results/atlas-runs -mindepth 2 -maxdepth 2 -name confusion.csv | sort | head -n 1)
scripts/atlas/relabel.py "$data" "$first" "$mislabelled"
"$FM_EXP" atlas "${keys[@]}" --dataset "$mislabelled" --runs "$changed_runs" --jobs "$jobs" --out results/atlas-runs-changed \
  --to results/atlas-runs-changed/atlas --quiet
scripts/atlas/suspects.py "$mislabelled/changed.csv" results/atlas-runs-changed/atlas "$out" | tee "$out/changed.txt"
