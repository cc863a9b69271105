#!/usr/bin/env bash
# Shows what works on this machine's GPU, and how fast: one command, at most ten minutes, one folder to keep.
#
#   scripts/gpu/check.sh                              target/release/fm-exp, all steps, into results/gpu-<date>-<gpu>
#   scripts/gpu/check.sh --pack .gpu-pack             the program and data that scripts/gpu/pack.sh packed
#   scripts/gpu/check.sh --list                       the steps
#   scripts/gpu/check.sh --only agreement --only oom  some of them, by the beginning of their names
#   scripts/gpu/check.sh --profile                    Nsight Compute on the training kernels instead: a second call
#   scripts/gpu/check.sh --device cpu --images 2000 --epochs 2     rehearses without a GPU what can be
#
# Needs Python 3 and an NVIDIA driver; a libtorch 2.11.0 with CUDA, such as the installed PyTorch's; no Rust. A step
# that fails, or takes longer than it may, stops no other. Exits with 1 when one failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} exec python3 -m check "$@"
