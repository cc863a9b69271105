//! `fm-exp sweep emit`: scripts for schedulers. Prints text, submits nothing.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use fm_run::terminal::shell_word;

/// Flags of `sweep emit`.
#[derive(Debug, Args)]
pub(crate) struct EmitArgs {
    /// For which scheduler
    #[arg(value_enum)]
    target: Target,

    /// The plan file written by `sweep plan`, as the tasks will find it
    #[arg(long, value_name = "FILE", default_value = "plan.json")]
    plan: PathBuf,

    /// Directory of results, as the tasks will find it
    #[arg(long, default_value = "results/sweep", value_name = "DIR")]
    out: PathBuf,

    /// Tasks among which the runs are divided; each does several runs, since a run takes only seconds to minutes
    #[arg(long, default_value_t = 4)]
    shards: usize,

    /// Tasks to run at once
    #[arg(long, default_value_t = 4)]
    parallel: usize,

    /// Runs at once in each task
    #[arg(long, default_value_t = 1)]
    jobs: usize,

    /// Request one GPU per task
    #[arg(long)]
    gpu: bool,

    /// CPU cores per task [default: --jobs]
    #[arg(long, value_name = "N")]
    cpus: Option<usize>,

    /// Memory per task, such as 2G for slurm, 2Gi for k8s [default: the cluster's]
    #[arg(long, value_name = "SIZE")]
    mem: Option<String>,

    /// Time limit per task, such as 01:00:00, for slurm [default: the cluster's]
    #[arg(long, value_name = "TIME")]
    time: Option<String>,

    /// The program, as the tasks will find it
    #[arg(long, default_value = "fm-exp")]
    binary: PathBuf,

    /// Container image, for k8s
    #[arg(long, default_value = "registry.example/fm-exp:latest")]
    image: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// A job array for sbatch
    Slurm,
    /// An indexed Job for kubectl
    K8s,
    /// One line per shard, for GNU parallel or xargs
    Parallel,
}

pub(super) fn run(args: &EmitArgs) -> String {
    let (shards, jobs) = (args.shards.max(1), args.jobs.max(1));
    let word = |path: &Path| shell_word(&path.to_string_lossy());
    let (binary, plan, out) = (word(&args.binary), word(&args.plan), word(&args.out));
    let command = format!("{binary} sweep run --plan {plan} --out {out} --jobs {jobs}");
    match args.target {
        Target::Slurm => slurm(args, &command),
        Target::K8s => k8s(args, shards),
        Target::Parallel => {
            let lines: Vec<String> = (0..shards).map(|i| format!("{command} --shard {i}/{shards}")).collect();
            lines.join("\n") + "\n"
        }
    }
}

fn slurm(args: &EmitArgs, command: &str) -> String {
    let shards = args.shards.max(1);
    let last = shards - 1;
    let parallel = args.parallel.max(1);
    let gpu = if args.gpu { "#SBATCH --gpus=1\n" } else { "" };
    let cpus = args.cpus.unwrap_or(args.jobs).max(1);
    let asked = |key: &str, value: &Option<String>| {
        value.as_ref().map_or(String::new(), |value| format!("#SBATCH --{key}={value}\n"))
    };
    let (mem, time) = (asked("mem", &args.mem), asked("time", &args.time));
    format!(
        "#!/bin/bash\n\
         # Submit with: sbatch THIS_FILE; again whenever runs are missing. Afterwards: fm-exp sweep merge.\n\
         #SBATCH --job-name=fm-exp\n\
         #SBATCH --array=0-{last}%{parallel}\n\
         #SBATCH --cpus-per-task={cpus}\n\
         {mem}{time}{gpu}\
         #SBATCH --output=fm-exp-%A_%a.log\n\
         #SBATCH --requeue\n\
         #SBATCH --open-mode=append\n\
         #SBATCH --signal=B:USR1@90\n\
         # A task is the shard of its number, also if it is submitted again alone. 90 seconds before its time is\n\
         # up the program is asked to stop: it saves, and a resubmitted task resumes.\n\
         exec {command} --shard \"$SLURM_ARRAY_TASK_ID/{shards}\"\n"
    )
}

fn k8s(args: &EmitArgs, shards: usize) -> String {
    let command =
        ["sweep", "run", "--plan", &args.plan.to_string_lossy(), "--out", &args.out.to_string_lossy()]
            .map(|part| serde_json::Value::from(part).to_string())
            .join(", ");
    let (binary, image) = (serde_json::Value::from(args.binary.to_string_lossy()), &args.image);
    let (parallel, jobs) = (args.parallel.max(1), args.jobs.max(1));
    let cpus = args.cpus.unwrap_or(args.jobs).max(1);
    let mem = args.mem.as_ref().map_or(String::new(), |mem| format!("\n              memory: \"{mem}\""));
    let gpu = if args.gpu { "\n              nvidia.com/gpu: 1" } else { "" };
    format!(
        "# kubectl apply -f THIS_FILE. The plan and the results lie on a volume that all pods mount as /data; copy the\n\
         # plan there first, for instance with kubectl cp to a pod that mounts it.\n\
         apiVersion: batch/v1\n\
         kind: Job\n\
         metadata:\n  name: fm-exp\n\
         spec:\n  completionMode: Indexed\n  completions: {shards}\n  parallelism: {parallel}\n  backoffLimit: {shards}\n\
         \x20 template:\n    spec:\n      restartPolicy: OnFailure\n      terminationGracePeriodSeconds: 90\n\
         \x20     containers:\n        - name: fm-exp\n          image: {image}\n\
         \x20         command: [{binary}]\n          args: [{command}, \"--jobs\", \"{jobs}\"]\n\
         \x20         env:\n            # JOB_COMPLETION_INDEX is set by Kubernetes, how many there are is not.\n\
         \x20           - name: JOB_COMPLETIONS\n              value: \"{shards}\"\n\
         \x20         workingDir: /data\n          volumeMounts:\n            - name: data\n              mountPath: /data\n\
         \x20         resources:\n            limits:\n              cpu: \"{cpus}\"{mem}{gpu}\n\
         \x20     volumes:\n        - name: data\n          persistentVolumeClaim:\n            claimName: fm-exp\n"
    )
}
