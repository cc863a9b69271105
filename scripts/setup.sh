#!/usr/bin/env bash
# Installs what the build needs: libtorch 2.11.0 into .libtorch and the Fashion-MNIST data set.
# Does nothing that is already done.
#
#   scripts/setup.sh          CPU libtorch (1.2 GB, about 20 s), CUDA's if an NVIDIA driver is found
#   scripts/setup.sh --cuda   CUDA 13 libtorch (4.7 GB, about 70 s), driver or not
#   scripts/setup.sh --cpu    CPU libtorch, driver or not
#
# An environment variable LIBTORCH that names another libtorch 2.11.0 is respected.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "setup: $*" >&2; }
die() { printf '%s\n' "setup: error: $1" >&2; shift; for line in "$@"; do printf '%s\n' "  help: $line" >&2; done; exit 1; }

version=2.11.0
kind=auto
for arg in "$@"; do
  case $arg in
    --cpu) kind=cpu ;;
    --cuda) kind=cuda ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "unknown flag '$arg'" "known are --cpu, --cuda and --help" ;;
  esac
done

as_root_install() { # package...: with apt-get when we may, otherwise says what to type
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing $* (apt-get)"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >/dev/null 2>&1 ||
      { apt-get update -q >/dev/null 2>&1 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >/dev/null 2>&1; }
  else
    return 1
  fi
}

# --- toolchain ---------------------------------------------------------------------------------------
command -v cargo >/dev/null || die "cargo is not installed" "install Rust: https://rustup.rs"
wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
# A distribution's cargo does not read rust-toolchain.toml; anything at least as new will do.
have=$(cargo --version 2>/dev/null | cut -d' ' -f2)
[ "$(printf '%s\n' "$wanted" "${have:-0}" | sort -V | head -n 1)" = "$wanted" ] ||
  die "cargo is ${have:-not working}, $wanted or newer is needed" "install Rust with rustup: https://rustup.rs"
command -v c++ >/dev/null || as_root_install g++ || die "no C++ compiler" "apt-get install g++"

# --- libtorch ----------------------------------------------------------------------------------------
if [ "$kind" = auto ]; then
  kind=cpu
  libraries=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null || true)
  case $libraries in *libcuda.so.1*) kind=cuda ;; esac
  if [ -e /proc/driver/nvidia/version ]; then kind=cuda; fi
fi

# One at a time: two would remove each other's half-made .libtorch.new. The lock is on the checkout itself and ends
# with this process; where the file system has none, nobody waits.
exec 9<.
flock -n 9 2>/dev/null || { say "waiting for another setup.sh in this checkout"; flock 9 2>/dev/null || true; }

if [ -n "${LIBTORCH:-}" ]; then
  [ -e "$LIBTORCH/lib/libtorch_cpu.so" ] || die "LIBTORCH=$LIBTORCH has no lib/libtorch_cpu.so" "unset LIBTORCH to use .libtorch"
  say "libtorch: LIBTORCH=$LIBTORCH"
elif have=$(cat .libtorch/.installed 2>/dev/null) && { [ "$have" = "$version $kind" ] || [ "$have" = "$version cuda" ]; }; then
  say "libtorch: $have is in .libtorch"
else
  command -v python3 >/dev/null || as_root_install python3 || die "python3 is not installed" "apt-get install python3"
  python3 -m pip --version >/dev/null 2>&1 || as_root_install python3-pip || die "python3 has no pip" "apt-get install python3-pip"
  # The Python wheel is a complete libtorch with headers. Exactly the files with the hashes in scripts/lib are taken.
  case $kind in
    cuda) say "libtorch: installing $version with CUDA 13 into .libtorch (4.7 GB, about a minute)" ;;
    *) say "libtorch: installing $version for CPU into .libtorch (1.2 GB, about 20 seconds)" ;;
  esac
  wheels=scripts/lib/libtorch-$kind.txt
  # Beside its place first: an interrupted install is never taken for a whole one.
  rm -rf .libtorch.new
  PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check \
    --require-hashes --no-deps --only-binary=:all: --target .libtorch.new -r "$wheels" ||
    die "pip could not install what $wheels lists" "is the network there, and a Python from 3.10 to 3.14? ($(python3 --version))"
  echo "$version $kind" >.libtorch.new/.installed
  rm -rf .libtorch
  mv .libtorch.new .libtorch
fi

# --- data --------------------------------------------------------------------------------------------
package=dataset-fashion-mnist
has() {
  for file in {train,t10k}-{images-idx3,labels-idx1}-ubyte; do
    [ -e "$1/$file" ] || [ -e "$1/$file.gz" ] || return 1
  done
}
found=
for dir in "${FM_DATA_DIR:-}" data/fashion-mnist "${XDG_CACHE_HOME:-${HOME:-}/.cache}/fm-exp/fashion-mnist" /usr/share/datasets/fashion-mnist; do
  if [ -n "$dir" ] && has "$dir"; then found=$dir; break; fi
done
if [ -n "$found" ]; then
  say "data: Fashion-MNIST is in $found"
elif as_root_install "$package" && has /usr/share/datasets/fashion-mnist; then
  say "data: Fashion-MNIST is in /usr/share/datasets/fashion-mnist"
else
  say "data: Fashion-MNIST is not here; the first run downloads it (30 MB). By hand: apt-get install $package"
fi
