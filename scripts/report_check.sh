#!/usr/bin/env bash
# Opens a report in headless Chromium and fails when it logs an error, asks for anything, lacks a plot, cannot
# sort, is wider than the window or has text of plots below 10 pixels; where a part scrolls, it must say so. Prints it,
# and fails above 5 pages (10 for more than 4 groups). Takes screenshots at 390 and 1,280 pixels, light and dark.
#
#   scripts/report_check.sh results/sweep-cpu/report/report.html [DIRECTORY OF SCREENSHOTS]
#
# Installs Debian's chromium where there is none (as root), and playwright-core into .venv-report/.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 1 ] || { echo "report-check: error: which report?" >&2; exit 2; }
. scripts/lib/browser.sh
NODE_PATH=$place/node_modules exec node scripts/report_check.cjs "$@"
