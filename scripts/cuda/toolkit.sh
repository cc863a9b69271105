# Sourced by scripts of this directory: sets `toolkit` to NVIDIA's compiler, which comes as wheels, 280 MB, into
# .cuda-toolkit. Needs Python 3 with pip.
toolkit=.cuda-toolkit/nvidia/cu13/bin
if [ ! -x $toolkit/nvcc ] || [ ! -x $toolkit/cuobjdump ]; then
  echo "cuda: installing NVIDIA's compiler into .cuda-toolkit" >&2
  python3 -m pip install --quiet --no-deps --require-hashes --upgrade --target .cuda-toolkit -r scripts/lib/cuda-compiler.txt
fi
