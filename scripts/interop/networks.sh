#!/usr/bin/env bash
# Compares random networks with their generated PyTorch and Keras code: parameter and multiply-add counts, every
# layer's shape, outputs in inference and in training, gradients of every parameter, and running statistics after
# a step. Fails when a value differs by more than a hundred thousandth of the largest of its tensor.
#
#   scripts/interop/networks.sh [N] [SEED]     200 networks, seeds from 0, unless said
#   KERAS=N                                    how many of them in Keras too, 20 unless said
#
# Installs Keras and PyTorch into .venv-golden the first time (3 GB).
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/lib/venv.sh
make_venv
scripts/setup.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo run --quiet -p fm-models --example networks -- "$folder" "${1:-200}" "${2:-0}"
"$python" scripts/interop/networks.py "$folder" "${KERAS:-20}"
