#!/usr/bin/env bash
# Shows whether the program works on this machine's GPU; prints a table and fails when a line of it does.
#
#   scripts/gpu/check.sh --binary target/release/fm-exp --torch-lib .libtorch/torch/lib [--data-dir DIR]
#   scripts/gpu/check.sh --device cpu …      rehearses on a machine without a GPU what can be rehearsed there
#
# Needs Python 3, the binary, the data and a libtorch 2.11.0 with CUDA, such as the `lib` folder of an
# installed PyTorch; no Rust. About five minutes.
set -euo pipefail
exec python3 "$(dirname "$0")/check.py" "$@"
