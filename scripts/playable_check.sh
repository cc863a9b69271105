#!/usr/bin/env bash
# Opens a playable page in headless Chromium and compares what it says with what the runs and `predict` say: 100 test
# images by their bytes, pictures of several sizes and kinds, chosen and dropped as files, and something drawn with the mouse.
# Takes screenshots at 390 and 1,280 pixels.
#
#   scripts/playable_check.sh PAGE IDX-DIRECTORY RUN…      runs in the order of the page
#   FM_EXP=PATH   the binary [default: target/release/fm-exp]      SHOTS=DIR   where screenshots go
#
# Installs Debian's chromium where there is none (as root), and playwright-core into .venv-report/.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 3 ] || { echo "playable-check: error: which page, data and runs?" >&2; exit 2; }
export FM_EXP=${FM_EXP:-target/release/fm-exp}
. scripts/lib/browser.sh
NODE_PATH=$place/node_modules exec node scripts/playable_check.cjs "$@"
