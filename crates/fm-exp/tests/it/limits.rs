//! Memory, threads and file sizes that end; what is no file; models that are none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fm_net::{NamedTensor, Network, init};
use fm_run::model_file;

use crate::made::{Place, Ran, command, run, write};

/// `command` under a limit of the shell's `ulimit`, such as `-v 3000000`.
fn limited(limit: &str, command: &Command) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]).arg(command.get_program());
    shell.args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    shell
}

/// What `command` leaves, or a panic when it takes more than two minutes.
fn within_two_minutes(command: &mut Command) -> Ran {
    let mut shell = Command::new("timeout");
    shell.args(["-s", "KILL", "120"]).arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    let started = Instant::now();
    let ran = run(&mut shell);
    assert!(started.elapsed() < Duration::from_secs(115), "it hangs: {}", ran.err);
    ran
}

#[test]
fn row_43_out_of_memory_on_the_cpu() {
    let place = Place::new();
    for which in ["train", "t10k"] {
        place.images(which, 12, 1024, 1024);
        place.labels(which, &[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }
    for engine in ["eager", "fused"] {
        let flags = ["--arch", "cnn@1024x1024", "--engine", engine, "--epochs", "1", "--name", engine];
        let ran = within_two_minutes(&mut limited("-v 2500000", &place.command(&flags)));
        ran.fails(5, &["out of memory", "help: "]);
    }
}

#[test]
fn row_44_no_more_threads() {
    let place = Place::new();
    // Addresses for a thousand stacks are not there.
    for engine in ["eager", "fused"] {
        let flags = ["--arch", "encoder-mlp", "--engine", engine, "--name", engine];
        let mut command = super::made::command();
        command.args(["--device", "cpu", "--threads", "1024", "--batch-size", "8", "--epochs", "1"]);
        command.arg("--dataset").arg(place.data()).arg("--out").arg(place.out()).args(flags);
        let ran = within_two_minutes(&mut limited("-v 2200000", &command));
        ran.fails(5, &["thread", "--threads"]);
    }
}

#[test]
fn row_45_files_that_may_not_grow() {
    let place = Place::new();
    let mut command = place.command(&["--arch", "encoder-mlp", "--epochs", "1", "--name", "r"]);
    // 16 kB: a configuration, and no checkpoint.
    let ran = run(&mut limited("-f 16", &command));
    ran.fails(4, &["cannot write", "file too large", "ulimit -f"]);
    run(command.arg("--resume")).succeeds();
}

fn model(place: &Place, arch: &str, classes: usize, change: impl FnOnce(&mut Vec<NamedTensor>)) -> PathBuf {
    let network = Network::new(&arch.parse().unwrap(), classes).unwrap();
    let mut weights = init::initial(&network, 0);
    change(&mut weights);
    let metadata = BTreeMap::from([("arch".to_owned(), arch.to_owned())]);
    let path = place.out().join("m.safetensors");
    std::fs::create_dir_all(place.out()).unwrap();
    write(&path, &model_file::encode(&weights, &metadata).unwrap());
    path
}

fn uses(place: &Place, model: &Path) -> Vec<Ran> {
    let picture = place.out().join("p.png");
    image::GrayImage::new(30, 30).save(&picture).unwrap();
    let of = |subcommand: &str, flags: &[&Path]| {
        let mut command = command();
        command.arg(subcommand).arg(model).args(["--device", "cpu", "--threads", "1"]).args(flags);
        run(&mut command)
    };
    let (data, dataset) = (place.data(), Path::new("--dataset"));
    let on_data = |subcommand| of(subcommand, &[dataset, &data]);
    let file = model.to_str().unwrap();
    let pretrained =
        place.run(&["--arch", "encoder-mlp", "--epochs", "1", "--pretrain", file, "--name", "p"]);
    vec![of("predict", &[&picture]), on_data("eval"), on_data("encode"), pretrained]
}

#[test]
fn row_46_a_model_that_is_no_numbers() {
    let place = Place::new();
    let broken = model(&place, "encoder-mlp", 3, |weights| weights[0].data[7] = f32::NAN);
    for ran in uses(&place, &broken) {
        ran.fails(7, &["encoder.conv1.weight: 1 of 288", "m.safetensors", "help: "]);
    }
    // Finite weights whose products are not: nobody is told `NaN %`.
    let huge = model(&place, "encoder-mlp", 3, |weights| {
        for weight in weights {
            weight.data.fill(1e30);
        }
    });
    for ran in uses(&place, &huge).iter().take(3) {
        ran.fails(7, &["infinite or not a number", "m.safetensors"]);
    }
}

#[test]
fn row_47_models_and_configurations_that_are_no_files() {
    let place = Place::new();
    std::fs::create_dir_all(place.out()).unwrap();
    let fifo = place.out().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (path, what) in [(Path::new("/dev/zero"), "a device"), (&fifo, "a FIFO")] {
        let path = path.to_str().unwrap();
        for args in [
            &["predict", path, "x.png"][..],
            &["eval", path],
            &["--pretrain", path, "--epochs", "1"],
            &["--config", path],
        ] {
            let mut command = command();
            command.args(args).args(["--device", "cpu"]);
            if args[0] != "predict" {
                command.arg("--dataset").arg(place.data());
            }
            if args[0].starts_with('-') {
                command.args(["--batch-size", "8"]).arg("--out").arg(place.out());
            }
            within_two_minutes(&mut command).fails(4, &[&format!("it is {what}, expected a file")]);
        }
    }
}

#[test]
fn one_class_trains_and_its_model_is_used() {
    let place = Place::new();
    place.labels("train", &[0; 60]);
    place.labels("t10k", &[0; 30]);
    place.run(&["--arch", "encoder-mlp", "--epochs", "1", "--name", "r"]).succeeds();
    let model = place.out().join("r/model.safetensors");
    for ran in uses(&place, &model).iter().take(3) {
        ran.succeeds();
    }
}

#[test]
fn auto_takes_what_covers_a_network_of_many_parameters() {
    let place = Place::new();
    for which in ["train", "t10k"] {
        place.images(which, 3, 1024, 1024);
        place.labels(which, &[0, 1, 2]);
    }
    let arch = ["--arch", "encoder-mlp@1024x1024", "--batch-size", "1", "--dry-run", "--json"];
    let mut all = command();
    all.args(["--device", "cpu"]).arg("--dataset").arg(place.data()).args(arch);
    let ran = run(&mut all);
    // More than the trainer for chains takes: the one for any network does.
    assert!(ran.succeeds().out.contains("\"engine\": \"fused\""), "{}", ran.out);
    run(all.args(["--engine", "eager"])).succeeds();
}
