#!/usr/bin/env bash
# Shows that model files go both ways: a run's model.safetensors gives the same logits in PyTorch and in
# Keras, and one that PyTorch has written gives the same here. Fails when any logit of the test set differs
# by more than a hundred thousandth of the largest.
#
#   scripts/interop/check.sh RUN…          run directories or model.safetensors files
#   FM_EXP=PATH                            another binary than the release build
#
# Installs Keras and PyTorch into .venv-golden the first time (3 GB).
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/lib/venv.sh
make_venv
. scripts/lib/program.sh
export FM_EXP
exec "$python" scripts/interop/check.py "$@"
