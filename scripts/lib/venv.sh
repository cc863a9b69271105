# Sourced by scripts that need Keras and PyTorch: `make_venv` puts a Python environment with both, pinned,
# into .venv-golden, unless it is there, and sets $python. Call it from the repository's root.
#
# PyTorch for the CPU alone is not on PyPI: the wheel there needs more than 3 GB of CUDA libraries to be
# imported at all. Nothing calls them without a GPU, so cuda_standins.py puts empty ones in their place.
# FM_FULL_CUDA=1 installs the real ones instead.

make_venv() {
  local venv=.venv-golden lib=scripts/lib want
  python=$PWD/$venv/bin/python
  want="$(cat $lib/requirements.txt $lib/libtorch-*.txt $lib/torchvision.txt $lib/venv.sh $lib/cuda_standins.py | sha256sum) ${FM_FULL_CUDA:-0}"
  if [ -x "$python" ] && [ "$(cat $venv/.installed 2>/dev/null)" = "$want" ]; then return; fi
  local base candidate
  for candidate in python3.11 python3.12 python3.13 python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then base=$candidate; break; fi
  done
  [ -n "${base:-}" ] || { echo "venv: error: no Python 3.11, 3.12 or 3.13" >&2; return 1; }
  echo "venv: installing Keras, TensorFlow and PyTorch into $venv (3 GB, about a minute)" >&2
  rm -rf "$venv"
  "$base" -m venv "$venv" || return 1
  local pip=("$python" -m pip install --quiet --disable-pip-version-check --require-hashes)
  "${pip[@]}" -r $lib/requirements.txt || return 1
  if [ "${FM_FULL_CUDA:-0}" = 1 ]; then
    "${pip[@]}" --no-deps -r $lib/libtorch-cuda.txt -r $lib/torchvision.txt || return 1
  else
    "${pip[@]}" --no-deps -r $lib/libtorch-cpu.txt -r $lib/torchvision.txt || return 1
    "$python" $lib/cuda_standins.py >&2 || return 1
  fi
  "$python" -c 'import torch, torchvision' || return 1
  echo "$want" >"$venv/.installed"
}
