#!/usr/bin/env bash
# Puts what a bare machine with a GPU needs, besides this checkout, into one folder that git ignores: the program,
# stripped and compressed, and the data set. `scripts/gpu/check.sh --pack DIR` unpacks and uses it there.
#
#   scripts/gpu/pack.sh                        target/release/fm-exp and the data, into .gpu-pack
#   scripts/gpu/pack.sh --out DIR --binary PATH --data-dir DIR
#   scripts/gpu/pack.sh --limit 60             fails when folder and tracked files exceed so many MiB [60]
#
# The machine there needs a libtorch 2.11.0, such as an installed PyTorch's, and an NVIDIA driver.
set -euo pipefail
cd "$(dirname "$0")/../.."

die() { printf 'pack: error: %s\n  help: %s\n' "$1" "$2" >&2; exit 1; }

out=.gpu-pack binary=target/release/fm-exp data= limit=60
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --out | --binary | --data-dir | --limit) [ $# -gt 1 ] || die "$1 needs a value" "see --help" ;;&
    --out) out=$2 ;;
    --binary) binary=$2 ;;
    --data-dir) data=$2 ;;
    --limit) limit=$2 ;;
    *) die "unknown flag '$1'" "known are --out, --binary, --data-dir, --limit and --help" ;;
  esac
  shift 2
done
case $limit in '' | *[!0-9]*) die "--limit must be a whole number of MiB, got '$limit'" "leave it out for 60" ;; esac
[ -f "$binary" ] || die "no $binary" "cargo build --release -p fm-exp, or --binary PATH"

files=({train,t10k}-{images-idx3,labels-idx1}-ubyte)
for dir in ${data:+"$data"} ${data:-data/fashion-mnist "${XDG_CACHE_HOME:-${HOME:-}/.cache}/fm-exp/fashion-mnist" /usr/share/datasets/fashion-mnist}; do
  if [ -e "$dir/${files[0]}.gz" ] || [ -e "$dir/${files[0]}" ]; then found=$dir; break; fi
done
[ -n "${found:-}" ] || die "Fashion-MNIST is nowhere to be found" "scripts/setup.sh, or --data-dir DIR"

# Beside its place first: an interrupted pack is never taken for a whole one.
new=$out.new
rm -rf "$new"
mkdir -p "$new/data"
trap 'rm -rf "$new"' EXIT
cp "$binary" "$new/fm-exp"
strip "$new/fm-exp"
plain=$(sha256sum <"$new/fm-exp" | cut -d' ' -f1)
xz -9e -T0 "$new/fm-exp"
for file in "${files[@]}"; do
  if [ -e "$found/$file.gz" ]; then cp -L "$found/$file.gz" "$new/data/"; else gzip -9nc "$found/$file" >"$new/data/$file.gz"; fi
done
{
  echo "commit $(git describe --always --dirty --abbrev=40 2>/dev/null || echo unknown)"
  echo "fm-exp $plain"
  (cd "$new" && find fm-exp.xz data -type f -printf '%s %p\n' | sort -k2)
} >"$new/manifest.txt"
rm -rf "$out"
mv "$new" "$out"

bytes() { tr '\n' '\0' | xargs -0r stat -Lc %s 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }'; }
packed=$(find "$out" -type f | bytes)
tracked=$(git ls-files 2>/dev/null | bytes)
sed 's/^/  /' "$out/manifest.txt"
awk -v p="$packed" -v t="$tracked" -v l="$limit" 'BEGIN {
  m = 1024 * 1024
  printf "pack: %.1f MiB packed + %.1f MiB of tracked files = %.1f MiB (limit %d)\n", p / m, t / m, (p + t) / m, l
  exit (p + t) / m > l
}' || die "$out and the tracked files are larger than $limit MiB" "a smaller binary, or --limit"
