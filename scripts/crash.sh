#!/usr/bin/env bash
# Kills short runs with SIGKILL at random moments and resumes each until it is done. It then has to hold what
# an uninterrupted run holds: every tensor of the last checkpoint, the model, and every CSV but its columns of
# times, byte for byte, with no temporary file left.
#
#   scripts/crash.sh [N [flags of fm-exp train]]   N kills, 50 by default; flags replace the run's own
#   FM_EXP=PATH          another binary than the release build
#   FM_CRASH_DATA=DIR    another data set than a made one
#   FM_CRASH_SEED=N      the seed of the moments, to repeat a failure
set -euo pipefail
start_dir=$PWD
cd "$(dirname "$0")/.."

kills=${1:-50}
shift || true
if [ $# = 0 ]; then
  # Three phases: an autoencoder, the head on its frozen encoder, then both.
  set -- --arch encoder-mlp --pretrain autoencoder --pretrain-epochs 6 --unfreeze-at 16 --epochs 32 \
    --patience 40 --batch-size 8 --threads 1 --seed 3
fi
if [ -z "${FM_EXP:-}" ]; then
  scripts/setup.sh
  cargo build --release --quiet -p fm-exp
  FM_EXP=target/release/fm-exp
fi
out=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; rm -rf "$out"' EXIT
data=${FM_CRASH_DATA:-}
if [ -z "$data" ]; then
  data=$out/data
  cargo run --quiet -p fm-images --example made -- "$data"
else
  data=$(cd "$start_dir" && realpath "$data")
fi
seed=${FM_CRASH_SEED:-$$}
RANDOM=$seed
die() { echo "crash: error: $* (FM_CRASH_SEED=$seed)" >&2; exit 1; }

start() { # name, flags...: in the background, as $pid
  local name=$1
  shift
  "$FM_EXP" --device cpu --dataset "$data" --out "$out/results" --name "$name" --resume --quiet "$@" >/dev/null &
  pid=$!
}
finish() { # waits for $pid; how it ended is in $ended
  local status=0
  wait "$pid" 2>/dev/null || status=$?
  pid=
  ended=$status
}
untimed() { # file: a table without its columns of times and the run's name
  awk -F, '{ sub(/\r$/, "") }
    NR == 1 { for (i = 1; i <= NF; i++) drop[i] = $i ~ /(seconds|per_second|^finished|^name)$/ }
    { line = ""; for (i = 1; i <= NF; i++) if (!drop[i]) line = line "," $i; print line }' "$1"
}
newest() { ls "$1"/checkpoint/*.safetensors | sort -V | tail -1; }
compare() { # of the killed run with the whole one
  local file a=$out/results/whole b=$out/results/killed
  [ -e "$b/DONE" ] || die "the run ended without DONE"
  cmp "$(newest "$a")" "$(newest "$b")" || die "the last checkpoints differ"
  cmp "$a/model.safetensors" "$b/model.safetensors" || die "the models differ"
  for file in "$a"/*.csv; do
    cmp <(untimed "$file") <(untimed "$b/${file##*/}") || die "${file##*/} differs"
  done
  [ "$(untimed "$out/results/runs.csv" | sed 1d | sort -u | wc -l)" = 1 ] || die "runs.csv differs"
  file=$(find "$out/results" -name '.tmp-*')
  [ -z "$file" ] || die "left behind: $file"
}

before=$(date +%s%N)
start whole "$@"
finish
[ "$ended" = 0 ] || die "the uninterrupted run ended with $ended"
millis=$((($(date +%s%N) - before) / 1000000))

killed=0 runs=0
while [ "$killed" -lt "$kills" ]; do
  rm -rf "$out/results/killed"
  runs=$((runs + 1)) ended=137
  while [ "$ended" = 137 ]; do
    start killed "$@"
    if [ "$killed" -lt "$kills" ]; then
      sleep "$(awk -v ms="$millis" -v r="$RANDOM" 'BEGIN { print ms / 1000 * r / 32768 }')"
      kill -9 "$pid" 2>/dev/null || true
    fi
    finish
    if [ "$ended" = 137 ]; then killed=$((killed + 1)); fi
  done
  [ "$ended" = 0 ] || die "a resumed run ended with $ended"
  compare
done
echo "$killed kills in $runs runs of $millis ms: every resumed run is the uninterrupted one"
