#!/usr/bin/env bash
# Compiles the CUDA kernels and packs what comes out into crates/fm-cuda/kernels/built. Needs Python 3 with pip and g++,
# no GPU: NVIDIA's compiler comes as wheels, 280 MB, into .cuda-toolkit. About three minutes on two cores.
#
#   scripts/cuda/build.sh            compile, and print registers and spills of each kernel
#   scripts/cuda/build.sh --check    compile, and compare with what is committed
set -euo pipefail
cd "$(dirname "$0")/../.."

toolkit=.cuda-toolkit
if [ ! -x "$toolkit/nvidia/cu13/bin/nvcc" ]; then
  echo "build: installing NVIDIA's compiler into $toolkit" >&2
  python3 -m pip install --quiet --no-deps --require-hashes --target "$toolkit" -r scripts/lib/cuda-compiler.txt
fi
cargo run --quiet --locked -p fm-cuda --example shapes >crates/fm-cuda/kernels/shapes.h.new
mv crates/fm-cuda/kernels/shapes.h.new crates/fm-cuda/kernels/shapes.h
exec python3 scripts/cuda/build.py --nvcc "$toolkit/nvidia/cu13/bin/nvcc" "$@"
