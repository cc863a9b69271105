#!/usr/bin/env bash
# Opens an atlas' page in headless Chromium and fails when it logs an error, asks for anything, is wider than the window,
# or says something of an image that its images.csv does not: looks up images, searches by class, file, difficulty and
# suspicion, changes axes and colours. Takes screenshots at 390 and 1,280 pixels, light and dark.
#
#   scripts/atlas_check.sh DIRECTORY OF THE ATLAS [DIRECTORY OF SCREENSHOTS]
#
# Installs Debian's chromium where there is none (as root), and playwright-core into .venv-report/.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 1 ] || { echo "atlas-check: error: which atlas?" >&2; exit 2; }
. scripts/lib/browser.sh
NODE_PATH=$place/node_modules exec node scripts/atlas_check.cjs "$@"
