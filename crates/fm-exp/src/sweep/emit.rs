//! `fm-exp sweep emit`: scripts for schedulers. Prints text, submits nothing.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Flags of `sweep emit`.
#[derive(Debug, Args)]
pub(crate) struct EmitArgs {
    /// For which scheduler
    #[arg(value_enum)]
    target: Target,

    /// What `sweep plan` printed, as the tasks will find it
    #[arg(long, value_name = "FILE", default_value = "plan.json")]
    plan: PathBuf,

    /// Directory of results, as the tasks will find it
    #[arg(long, default_value = "results/sweep", value_name = "DIR")]
    out: PathBuf,

    /// Tasks among which the runs are divided; each takes many, for runs take seconds to minutes
    #[arg(long, default_value_t = 4)]
    shards: usize,

    /// Tasks at the same time
    #[arg(long, default_value_t = 4)]
    parallel: usize,

    /// Runs at the same time in each task
    #[arg(long, default_value_t = 1)]
    jobs: usize,

    /// Ask for a GPU a task
    #[arg(long)]
    gpu: bool,

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
    /// A line a shard, for GNU parallel or xargs
    Parallel,
}

/// A word of a POSIX shell.
fn word(path: &std::path::Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

pub(super) fn run(args: &EmitArgs) -> String {
    let (shards, jobs) = (args.shards.max(1), args.jobs.max(1));
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
    let cpus = args.jobs.max(1);
    format!(
        "#!/bin/bash\n\
         # Submit with: sbatch THIS_FILE; again whenever runs are missing. Afterwards: fm-exp sweep merge.\n\
         #SBATCH --job-name=fm-exp\n\
         #SBATCH --array=0-{last}%{parallel}\n\
         #SBATCH --cpus-per-task={cpus}\n\
         {gpu}\
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
    let gpu = if args.gpu { "\n              nvidia.com/gpu: 1" } else { "" };
    format!(
        "# kubectl apply -f THIS_FILE. The plan and the results lie on a volume that all pods mount as /data.\n\
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
         \x20         resources:\n            limits:\n              cpu: \"{jobs}\"{gpu}\n\
         \x20     volumes:\n        - name: data\n          persistentVolumeClaim:\n            claimName: fm-exp\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        let word = |text: &str| word(std::path::Path::new(text));
        assert_eq!(word("a/b-1.json"), "a/b-1.json");
        assert_eq!(word("my plan's.json"), r"'my plan'\''s.json'");
    }
}
