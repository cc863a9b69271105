#!/usr/bin/env bash
# Makes the pictures of the README again: trains two runs of the published sweep (results/sweep-cpu), sees that they score
# what is published, and takes their pictures.
#
#   scripts/docs_images.sh
#   FM_EXP=PATH            another binary than the release build
#
# Scores are the same on a CPU with AVX-512; others differ in the last bits, and are refused.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/lib/program.sh
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
picture() {
  "$FM_EXP" --arch "$1" --epochs 20 --seed 0 --device cpu --out "$out" --name "$1" --quiet >/dev/null
  python3 - "$1" "$out/$1/summary.json" <<'PY'
import csv, json, sys
rows = csv.DictReader(open("results/sweep-cpu/runs.csv"))
published = next(row["test_acc"] for row in rows if row["name"] == f"{sys.argv[1]}-20ep-seed0")
here = json.load(open(sys.argv[2]))["test"]["accuracy"]
if float(published) != here:
    sys.exit(f"docs-images: error: {sys.argv[1]} has {here}, published is {published}")
print(f"docs-images: {sys.argv[1]}: test accuracy {here}, as published")
PY
  cp "$out/$1/$2.png" docs/images/
}
picture cnn curves
picture encoder-mlp confusion
