#!/usr/bin/env bash
# Tries a sweep on a real Slurm of one host: installs it, starts it, submits an array of shards, requeues one
# task, sends a signal to another, submits again what that one left, merges, and compares the table with that of
# a sweep without Slurm. Then stops Slurm.
#
#   scripts/slurm/test.sh                 FM_EXP names another binary than the release build
#
# For Debian, as root; systemd is not needed. Takes about two minutes. Not for a host that runs Slurm already.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() { echo "slurm-test: error: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "needs root, to install and start Slurm"
if pgrep -x slurmctld >/dev/null; then fail "a Slurm runs here already"; fi
. scripts/lib/program.sh
FM_EXP=$(realpath "$FM_EXP")
if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null; then
  apt-get install -y -qq slurm-wlm munge >/dev/null || fail "cannot install slurm-wlm and munge; apt-get update first"
fi

place=$(mktemp -d)
host=$(hostname -s)
pids=()
finish() {
  scancel --user root >/dev/null 2>&1 || true
  [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
  rm -rf "$place"
}
trap finish EXIT

mkdir -p "$place"/{state,spool,log,results} /run/munge /var/log/munge /var/lib/munge
chown munge: /run/munge /var/log/munge /var/lib/munge
chmod 755 "$place"
[ -s /etc/munge/munge.key ] || mungekey
if ! munge -n 2>/dev/null | unmunge >/dev/null 2>&1; then
  setpriv --reuid=munge --regid=munge --init-groups munged --force --foreground & pids+=($!)
fi
for _ in {1..50}; do if munge -n | unmunge >/dev/null 2>&1; then break; fi; sleep 0.1; done
munge -n | unmunge >/dev/null || fail "munge does not work"

mkdir -p /etc/slurm
cat >"$place/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
StateSaveLocation=$place/state
SlurmdSpoolDir=$place/spool
SlurmctldLogFile=$place/log/slurmctld
SlurmdLogFile=$place/log/slurmd
SlurmctldPidFile=$place/slurmctld.pid
SlurmdPidFile=$place/slurmd.pid
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
# A requeued task starts again at once instead of after two minutes.
SchedulerParameters=sched_interval=1,batch_sched_delay=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$place/slurm.conf
echo 'CgroupPlugin=cgroup/v1' >"$place/cgroup.conf"
slurmctld -D & pids+=($!)
slurmd -D & pids+=($!)
for _ in {1..100}; do if sinfo -h -o %t 2>/dev/null | grep -q idle; then break; fi; sleep 0.3; done
sinfo -h -o %t | grep -q idle || { cat "$place"/log/* >&2; fail "the node does not become idle"; }

out=$place/results
"$FM_EXP" sweep plan --arch cnn,encoder-mlp --seeds 0..3 --epochs 1,3 --set device=cpu --set engine=fused >"$place/plan.json"
export FM_EXP PLAN=$place/plan.json OUT=$out
submit() { sbatch --parsable --export=ALL --array="$1" --output="$place/log/task-%a.txt" scripts/slurm/sweep.sbatch; }
waits() { # job: until no task of it is queued or runs
  for _ in {1..600}; do if [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]; then return; fi; sleep 0.5; done
  fail "job $1 does not end"
}
begun() { # task: until it has started its first run
  for _ in {1..400}; do if [ "$(squeue -h -j "$1" -o %t 2>/dev/null)" = R ] && sleep 1; then return; fi; sleep 0.1; done
  fail "task $1 does not start"
}

job=$(submit '0-3%2')
begun "${job}_0"
scontrol requeue "${job}_0"
echo "slurm-test: task 0 requeued" >&2
begun "${job}_1"
scancel --signal=USR1 --batch "${job}_1"
echo "slurm-test: task 1 signalled" >&2
waits "$job"
if "$FM_EXP" sweep merge --plan "$PLAN" --out "$out" --quiet >/dev/null 2>&1; then
  fail "nothing is missing: the signal came too late to show anything"
fi
grep -h "stopped by SIGUSR1" "$place/log/task-1.txt" || fail "task 1 did not say that it was stopped"
# A task that is sent again alone is still that shard, if it is told of how many.
export SHARDS=4
again=$(submit 1)
waits "$again"
"$FM_EXP" sweep merge --plan "$PLAN" --out "$out"

local=$place/local
"$FM_EXP" sweep run --plan "$PLAN" --out "$local" --quiet
"$FM_EXP" sweep merge --plan "$PLAN" --out "$local" >/dev/null
cmp "$out/runs.csv" "$local/runs.csv" || fail "the tables differ"
echo "slurm-test: 8 runs in 4 shards, one requeued, one signalled: the table is that of a sweep without Slurm"
