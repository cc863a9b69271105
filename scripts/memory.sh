#!/usr/bin/env bash
# Measures whether training keeps its memory: resident size after epoch 3 and after epoch 30 of a real run,
# read from /proc while it trains. Fails when the two are more than 2 % apart.
#
#   scripts/memory.sh [flags of fm-exp train]     such as --arch encoder-mlp --engine eager
#   FM_EXP=PATH                                   another binary than the release build
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/lib/program.sh
out=$(mktemp -d)
pid=
# Killed at once: asked politely, it would save into a directory that is being removed.
trap '[ -z "$pid" ] || { kill -9 "$pid"; wait "$pid"; } 2>/dev/null || true; rm -rf "$out"' EXIT

# Two epochs more than are looked at: scoring and pictures at the end take memory of their own.
"$FM_EXP" --device cpu --epochs 32 --out "$out" --name run --quiet "$@" >/dev/null &
pid=$!

rows() { # of epochs.csv, without the header
  local lines=0
  [ ! -s "$out/run/epochs.csv" ] || lines=$(wc -l <"$out/run/epochs.csv")
  echo $((lines > 0 ? lines - 1 : 0))
}
resident() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$pid/status"; }
after() { # epoch: waits until it is done, then prints the resident size in KiB
  until [ "$(rows)" -ge "$1" ]; do
    kill -0 "$pid" 2>/dev/null || { echo "memory: error: the run ended before epoch $1" >&2; exit 1; }
    sleep 0.1
  done
  resident
}
early=$(after 3)
late=$(after 30)
awk -v early="$early" -v late="$late" 'BEGIN {
  ratio = late / early
  printf "resident after epoch 3: %.1f MiB, after epoch 30: %.1f MiB, ratio %.4f\n", early / 1024, late / 1024, ratio
  if (ratio > 1.02 || ratio < 0.98) { print "memory: error: more than 2 % apart" > "/dev/stderr"; exit 1 }
}'
