#!/usr/bin/env bash
# Compiles the CUDA kernels and packs what comes out into crates/fm-cuda/kernels/built. Needs Python 3 with pip and g++,
# no GPU: see toolkit.sh. About three minutes on two cores.
#
#   scripts/cuda/build.sh            compile, and print registers and spills of each kernel
#   scripts/cuda/build.sh --check    compile, and compare with what is committed
set -euo pipefail
cd "$(dirname "$0")/../.."

source scripts/cuda/toolkit.sh
cargo run --quiet --locked -p fm-cuda --example shapes >crates/fm-cuda/kernels/shapes.h.new
mv crates/fm-cuda/kernels/shapes.h.new crates/fm-cuda/kernels/shapes.h
exec python3 scripts/cuda/build.py --nvcc "$toolkit/nvcc" "$@"
