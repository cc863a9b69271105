#!/usr/bin/env bash
# Trains cnn, encoder-mlp, three networks with batch norm and residuals and one with group norm, exports each as ONNX, and
# compares ONNX Runtime with the program on all test images: scripts/interop/onnx_check.py. Given runs, it compares those.
#
#   scripts/interop/onnx.sh [RUN…]
#   FM_EXP=PATH            another binary than the release build
#
# Installs onnx and onnxruntime into .venv-onnx the first time (150 MB).
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/lib/wheels.sh
wheels .venv-onnx scripts/interop/requirements.txt
. scripts/lib/program.sh
export FM_EXP
runs=("$@")
if [ $# -eq 0 ]; then
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
  number=0
  for arch in cnn encoder-mlp 8C3.same.bn-8R3-16R3.s2-GAP 8C3.same.bn-12IR3.s2.se4-12IR3-GAP--64.gelu-D30 \
    8C3.same.s2-MP2-2x16R3.pre-24R3.s2.se4.silu-GAP 8C3.same.s2.gn4.silu-8R3-AP2-GMP--16; do
    "$FM_EXP" --arch "$arch" --epochs 1 --out "$out" --name "$number" --quiet >/dev/null
    runs+=("$out/$number")
    number=$((number + 1))
  done
fi
.venv-onnx/bin/python scripts/interop/onnx_check.py "${runs[@]}"
