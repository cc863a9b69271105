#!/usr/bin/env bash
# Writes model cards and reads them with huggingface_hub: of a short run on Fashion-MNIST, and of one on a data set whose
# directory and class names YAML would take for something else. Given runs, it does so for those, in copies.
#
#   scripts/interop/card.sh [RUN…]
#   FM_EXP=PATH            another binary than the release build
#
# Installs huggingface_hub into .venv-card the first time (30 MB).
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/lib/wheels.sh
wheels .venv-card scripts/interop/requirements-card.txt
. scripts/lib/program.sh
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
if [ $# -eq 0 ]; then
  "$FM_EXP" --arch cnn --epochs 1 --out "$out/runs" --name cnn --quiet >/dev/null
  data="$out/no: [1] #'\"x"
  python3 - "$data" <<'PY'
import pathlib, struct, sys
place = pathlib.Path(sys.argv[1])
place.mkdir()
for half, n in [("train", 90), ("t10k", 30)]:
    labels = bytes(i % 3 for i in range(n))
    images = b"".join(bytes(200 * (p // 262 == label) + (p * 7 + i) % 40 for p in range(784)) for i, label in enumerate(labels))
    (place / f"{half}-images-idx3-ubyte").write_bytes(struct.pack(">BBBBIII", 0, 0, 8, 3, n, 28, 28) + images)
    (place / f"{half}-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, n) + labels)
(place / "classes.txt").write_text("yes\n- no: |\n'#5\n")
PY
  "$FM_EXP" --arch 8C3-MP2-GAP --epochs 2 --dataset "$data" --out "$out/runs" --name "~" --quiet >/dev/null
  set -- "$out/runs"/*/
fi
copies=()
for run in "$@"; do
  copy="$out/$(basename "$run").copy"
  cp -r "$run" "$copy"
  "$FM_EXP" export "$copy" --card "$copy/README.md" --quiet >/dev/null
  copies+=("$copy")
done
.venv-card/bin/python scripts/interop/card_check.py "${copies[@]}"
