#!/usr/bin/env bash
# Shows that tables and workbooks mean the same in a spreadsheet whose language writes decimals with a point and in one
# that writes them with a comma: LibreOffice opens each as English and as German, and every cell is compared. In CSV a
# cell must be the same number or stay the text that it is; in a workbook it must be the same number.
#
#   scripts/interop/spreadsheets.sh [DIR]     results/sweep-cpu unless said, merged and compared again elsewhere
#   FM_EXP=PATH                               another binary than the release build
#
# Needs LibreOffice Calc (Debian: libreoffice-calc) and Python 3.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/lib/program.sh
command -v soffice >/dev/null || { echo "spreadsheets: error: no soffice; help: apt-get install libreoffice-calc" >&2; exit 1; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
from=${1:-results/sweep-cpu}
cp "$from/plan.json" "$from/runs.npz" "$place/"
"$FM_EXP" sweep merge --plan "$place/plan.json" --out "$place" --xlsx --quiet
"$FM_EXP" compare "$place" --csv --xlsx "$place/compare.xlsx" --quiet >"$place/compare.csv"
"$FM_EXP" compare "$place" --on val --csv --xlsx "$place/validation.xlsx" --quiet >"$place/validation.csv"
"$FM_EXP" report "$place" --xlsx --quiet >/dev/null
mv "$place/report/report.xlsx" "$place/"
"$FM_EXP" --arch cnn --epochs 1 --fast-dev-run --device cpu --out "$place/single" --name run --quiet >/dev/null
for table in epochs confusion confusion_normalized per_class predictions; do cp "$place/single/run/$table.csv" "$place/run-$table.csv"; done
cp "$place/single/runs.csv" "$place/single-runs.csv"
python3 scripts/interop/spreadsheets.py "$place"
