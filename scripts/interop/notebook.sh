#!/usr/bin/env bash
# Executes examples/results.ipynb on the published sweep, and fails where a cell fails or prints other things than are
# committed. With --write, the outputs are put into the notebook.
#
#   scripts/interop/notebook.sh [--write]
#
# Installs pandas, matplotlib and a Jupyter kernel into .venv-notebook the first time (250 MB).
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/lib/wheels.sh
wheels .venv-notebook scripts/interop/requirements-notebook.txt
# The kernel must be the environment's own, whatever others the user has.
export JUPYTER_PATH="$PWD/.venv-notebook/share/jupyter" JUPYTER_PREFER_ENV_PATH=1 PATH="$PWD/.venv-notebook/bin:$PATH"
exec .venv-notebook/bin/python scripts/interop/notebook.py "$@"
