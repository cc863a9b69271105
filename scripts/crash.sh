#!/usr/bin/env bash
# Kills runs and sweeps with SIGKILL at random moments, gives each the same command again until it is done, and
# compares what it leaves with what an uninterrupted one leaves: every tensor of the last checkpoint, models,
# every CSV and summary but for times, byte for byte, with nothing half written or half removed beside it.
#
#   scripts/crash.sh [N [flags of fm-exp train]]   N kills, 50 by default; with flags, of such runs alone
#   FM_EXP=PATH          another binary than the release build
#   FM_CRASH_DATA=DIR    another data set than a made one
#   FM_CRASH_SEED=N      the seed of the moments, to repeat a failure
#   FM_CRASH_CASES=...   only these cases, of: phases score-at overwrite sweep
set -euo pipefail
start_dir=$PWD
cd "$(dirname "$0")/.."

kills=${1:-50}
shift || true
read -ra cases <<<"${FM_CRASH_CASES:-phases score-at overwrite sweep}"
# An autoencoder, the head on its frozen encoder, then both.
three=(--arch encoder-mlp --pretrain autoencoder --pretrain-epochs 6 --unfreeze-at 16 --epochs 32
  --batch-size 8 --threads 1 --seed 3)
if [ $# != 0 ]; then
  cases=(given)
  given=("$@")
fi
. scripts/lib/program.sh
out=$(mktemp -d)
pid=
# A group of its own: a sweep is killed with its children.
trap '[ -z "$pid" ] || kill -9 -- "-$pid" 2>/dev/null || true; rm -rf "$out"' EXIT
data=${FM_CRASH_DATA:-}
if [ -z "$data" ]; then
  data=$out/data
  cargo run --quiet -p fm-images --example made -- "$data"
else
  data=$(cd "$start_dir" && realpath "$data")
fi
seed=${FM_CRASH_SEED:-$$}
RANDOM=$seed
log=$out/stderr
die() {
  echo "crash: error: $* (FM_CRASH_SEED=$seed)" >&2
  sed 's/^/crash: the last words: /' "$log" | tail -5 >&2
  exit 1
}

launch() { # command...: in the background, as $pid
  setsid "$@" >/dev/null 2>"$log" &
  pid=$!
}
train() { # directory of results, flags...
  launch "$FM_EXP" --device cpu --dataset "$data" --out "$1" --name run --quiet "${@:2}"
}
sweep() { # directory of results, plan
  launch "$FM_EXP" sweep run --plan "$2" --out "$1" --jobs 2 --threads 1 --no-progress
}
finish() { # waits for $pid; how it ended is in $ended
  ended=0
  wait "$pid" 2>/dev/null || ended=$?
  pid=
}
whole() { # command...: uninterrupted; its time is in $millis
  local before
  before=$(date +%s%N)
  "$@"
  finish
  [ "$ended" = 0 ] || die "the uninterrupted one ended with $ended"
  millis=$((($(date +%s%N) - before) / 1000000))
}
nap() { # up to so many milliseconds
  sleep "$(awk -v ms="$1" -v r="$RANDOM" 'BEGIN { print ms / 1000 * r / 32768 }')"
}

declare -A where=()
note() { # run directories...: counts in which phase each running one is killed
  local dir phase
  for dir in "$@"; do
    [ -d "$dir" ] && [ ! -e "$dir/DONE" ] || continue
    phase=$(tail -n +2 "$dir/epochs.csv" 2>/dev/null | tail -n 1 | cut -d, -f4) || true
    [ ! -e "$dir/.clearing" ] || phase=removal
    phase=${phase:-start}
    where[$phase]=$((${where[$phase]:-0} + 1))
  done
}

killed=0 ends=0
killed_train() { # flags of the first attempt, --, flags of all: killed and given again until it ends
  local first=()
  while [ "$1" != -- ]; do first+=("$1"); shift; done
  shift
  local attempt=("${first[@]}")
  while :; do
    train "$out/killed" "${attempt[@]}" "$@"
    if [ "$killed" -lt "$kills" ]; then
      nap "$millis"
      note "$out/killed/run"
      kill -9 -- "-$pid" 2>/dev/null || true
    fi
    finish
    [ "$ended" = 137 ] || break
    killed=$((killed + 1))
    # A removal that has begun is finished on resume, so a removed file does not come back.
    if [ "${first[0]}" != --overwrite ] || [ ! -e "$out/killed/run/DONE" ]; then attempt=(--resume); fi
  done
  [ "$ended" = 0 ] || die "a resumed run ended with $ended"
}
killed_sweep() { # plan
  local how child expected
  while :; do
    sweep "$out/killed" "$1"
    expected="0 75"
    if [ "$killed" -lt "$kills" ]; then
      nap "$millis"
      note "$out"/killed/*-seed*
      how=$((RANDOM % 3))
      child=$(pgrep -P "$pid" | head -n 1) || true
      if [ "$how" = 0 ] && [ -n "$child" ]; then
        if kill -9 "$child" 2>/dev/null; then killed=$((killed + 1)); fi
        expected="0 9 75"
      elif [ "$how" = 1 ]; then
        kill -9 "$pid" 2>/dev/null || true
      else
        kill -9 -- "-$pid" 2>/dev/null || true
      fi
    fi
    finish
    [ "$ended" != 0 ] || break
    if [ "$ended" = 137 ]; then
      killed=$((killed + 1))
    else
      # Children of a killed sweep save and end by themselves; until then they have their runs.
      [[ " $expected " == *" $ended "* ]] || die "a sweep ended with $ended"
      sleep 0.2
    fi
  done
}

untimed() { # file: a table without its columns of times and the run's name
  awk -F, '{ sub(/\r$/, "") }
    NR == 1 { for (i = 1; i <= NF; i++) drop[i] = $i ~ /(seconds|per_second|^finished|^name)$/ }
    { line = ""; for (i = 1; i <= NF; i++) if (!drop[i]) line = line "," $i; print line }' "$1"
}
newest() { ls "$1"/checkpoint/*.safetensors | sort -V | tail -1; }
names() { # every file's but checkpoints', which are counted from a run's first
  (cd "$1" && find . -type f ! -path '*/checkpoint/[0-9]*' ! -name '.runs.lock' | LC_ALL=C sort)
}
compare() { # what is in whole and in killed
  local a=$out/whole b=$out/killed file run
  diff <(names "$a") <(names "$b") || die "other files"
  file=$(find "$b" -name '.tmp-*' -o -name '.old-*' -o -name .clearing -o -name 'epochs-edited.csv' -o -name '*.failed')
  [ -z "$file" ] || die "left behind: $file"
  while read -r file; do
    case $file in
    *.safetensors | */DONE) cmp "$a/$file" "$b/$file" || die "$file differs" ;;
    *timings.csv) ;;
    *.csv) cmp <(untimed "$a/$file") <(untimed "$b/$file") || die "$file differs" ;;
    */summary.json) diff <(grep -v _seconds "$a/$file") <(grep -v _seconds "$b/$file") || die "$file differs" ;;
    esac
  done < <(names "$a")
  for run in "$a"/*/checkpoint; do
    run=${run%/checkpoint}
    run=${run##*/}
    cmp "$(newest "$a/$run")" "$(newest "$b/$run")" || die "the last checkpoints of $run differ"
  done
  ends=$((ends + 1))
}

plan() { # file, epochs
  "$FM_EXP" sweep plan --dataset "$data" --set device=cpu --batch-size 8 --seeds 0..1 \
    --arch encoder-mlp --set pretrain=none,autoencoder --epochs "$2" >"$1" 2>"$log" || die "no plan"
}
merge() { "$FM_EXP" sweep merge --plan "$2" --out "$1" >/dev/null 2>"$log" || die "a sweep cannot be merged"; }

one_case() { # name: an uninterrupted one, and one that is killed until it ends
  rm -rf "$out/whole" "$out/killed"
  local flags=() lengths
  case $1 in
  given) flags=("${given[@]}") ;;
  phases) flags=("${three[@]}" --patience 40) ;;
  score-at) flags=("${three[@]}" --score-at 17,24,31) ;;
  overwrite) flags=("${three[@]}" --epochs 18) ;;
  sweep)
    # The runs of the second plan take the place of the first one's, which were not scored after 3 epochs.
    for lengths in 2,6,9 2,3,9; do
      plan "$out/plan.json" "$lengths"
      whole sweep "$out/whole" "$out/plan.json"
      merge "$out/whole" "$out/plan.json"
      killed_sweep "$out/plan.json"
      merge "$out/killed" "$out/plan.json"
      compare
    done
    return
    ;;
  *) die "no such case: $1" ;;
  esac
  whole train "$out/whole" "${flags[@]}"
  if [ "$1" = overwrite ]; then
    # Something to remove, and moments that fall into the removal.
    train "$out/killed" "${three[@]}" --epochs 20 --score-at 17,18,19
    finish
    [ "$ended" = 0 ] || die "the run to remove ended with $ended"
    killed_train --overwrite -- "${flags[@]}"
  else
    killed_train --resume -- "${flags[@]}"
  fi
  compare
}

turn=0
while [ "$killed" -lt "$kills" ]; do
  one_case "${cases[turn % ${#cases[@]}]}"
  turn=$((turn + 1))
done
phases=$(for phase in "${!where[@]}"; do echo "${where[$phase]} $phase"; done | sort -k2 | paste -sd, | sed 's/,/, /g')
echo "$killed kills, $ends ends (${cases[*]}; runs killed in phase: $phases): every one is the uninterrupted one"
