# Sets FM_EXP to the release build, made first, unless it names a program already.
if [ -z "${FM_EXP:-}" ]; then
  scripts/setup.sh
  cargo build --release --quiet -p fm-exp
  export FM_EXP=target/release/fm-exp
fi
