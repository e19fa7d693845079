//! End to end: signals, kills, and two programs in one run folder.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use common::{arg, expect, expect_error, names, noisy_data, program, rows};

/// Epochs of a run that does not end by itself.
const ENDLESS: &str = "1000000";

/// A program that trains, and what it prints.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        Running { child, out }
    }

    /// Reads up to the first line that starts so; whether there is one.
    fn wait_for(&mut self, start: &str) -> bool {
        let mut line = String::new();
        while !line.starts_with(start) {
            line.clear();
            if self.out.read_line(&mut line).expect("read") == 0 {
                return false;
            }
        }
        true
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }

    /// Its exit code, and the rest of what it prints.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("read");
        (self.child.wait().expect("ended").code(), rest)
    }
}

/// Of a test that fails no program goes on.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folders(root: &Path) -> (PathBuf, PathBuf) {
    let (data, run) = (root.join("data"), root.join("run"));
    noisy_data(&data);
    (data, run)
}

fn train<'a>(data: &'a Path, run: &'a Path, epochs: &'a str) -> Vec<&'a str> {
    let args = ["train", "--device", "cpu", "--batch-size", "8", "--schedule", "constant", "--warmup", "0"];
    [&args[..], &["--data", arg(data), "--out", arg(run), "--epochs", epochs]].concat()
}

fn started(args: &[&str]) -> Running {
    let mut command = program();
    command.args(args);
    Running::start(command)
}

#[test]
fn every_signal_that_asks_for_an_end_saves_the_run_also_when_it_comes_twice() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let root = tempfile::tempdir().expect("a folder");
        let (data, run) = folders(root.path());
        let mut running = started(&train(&data, &run, ENDLESS));
        assert!(running.wait_for("epoch 2: "));
        running.signal(signal);
        if signal != "INT" {
            running.signal(signal);
        }
        let (ended, rest) = running.end();
        assert_eq!(ended, Some(code), "{signal}: {rest}");
        assert!(rest.contains(&format!("interrupted and saved; go on with: chiaro train --resume {}", run.display())));
        let done = rows(&run).len();
        let (out, _) = expect(0, &["train", "--resume", arg(&run), "--epochs", &(done + 1).to_string()]);
        assert!(out.contains(&format!("epoch {}: ", done + 1)), "{out}");
        assert!(names(&run).iter().all(|name| !name.ends_with(".tmp")));
    }
}

#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = folders(root.path());
    let mut nohup = Command::new("nohup");
    nohup.arg(env!("CARGO_BIN_EXE_chiaro")).args(train(&data, &run, ENDLESS));
    let mut running = Running::start(nohup);
    assert!(running.wait_for("epoch 1: "));
    running.signal("HUP");
    assert!(running.wait_for("epoch "), "it goes on");
    running.signal("TERM");
    assert_eq!(running.end().0, Some(143), "the second signal is the first that it heard");
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_like_one_that_never_was() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, whole) = folders(root.path());
    let cut = root.path().join("cut");
    expect(0, &train(&data, &whole, "30"));
    let mut first = started(&train(&data, &cut, "30"));
    assert!(first.wait_for("run folder: "));
    first.signal("KILL");
    first.end();
    // Killed as soon as it has told of an epoch: in the middle of the next one, or of its files.
    let mut kills = 0;
    loop {
        let mut running = started(&["train", "--resume", arg(&cut)]);
        if !running.wait_for("epoch ") {
            assert_eq!(running.end().0, Some(0));
            break;
        }
        running.signal("KILL");
        running.end();
        kills += 1;
        assert!(kills <= 30, "each time an epoch was done");
    }
    assert!(kills > 3, "{kills}");
    for file in ["weights/best.safetensors", "weights/last.safetensors"] {
        let read = |run: &Path| fs::read(run.join(file)).expect("read");
        assert!(read(&cut) == read(&whole), "{file} differs after {kills} kills");
    }
    assert_eq!(rows(&cut), rows(&whole));
    assert!(names(&cut).iter().all(|name| !name.ends_with(".tmp")), "{:?}", names(&cut));
}

#[test]
fn a_run_killed_before_its_first_epoch_ended_starts_over() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = folders(root.path());
    let mut running = started(&train(&data, &run, ENDLESS));
    assert!(running.wait_for("run folder: "));
    running.signal("KILL");
    running.end();
    // Whatever it came to: this is what a kill before the first epoch's end leaves.
    for name in names(&run).iter().filter(|name| *name != "args.toml") {
        let path = run.join(name);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("removed");
    }
    fs::write(run.join(".checkpoint.safetensors.1.tmp"), "half").expect("written");
    expect_error(2, &["eval", arg(&run), "--device", "cpu"], &["no epoch of this run has ended yet", "--resume"]);
    expect_error(2, &train(&data, &run, "2"), &["holds a run already", "--resume"]);
    let (out, err) = expect(0, &["train", "--resume", arg(&run), "--epochs", "2"]);
    assert_eq!(err, "note: no checkpoint was saved before the run ended: it starts over\n");
    assert!(out.contains("epoch 1: ") && out.contains("epoch 2: "), "{out}");
    assert!(!run.join(".checkpoint.safetensors.1.tmp").exists());
}

#[test]
fn a_second_program_in_a_run_folder_is_refused_and_told_of_the_first() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = folders(root.path());
    let mut running = started(&train(&data, &run, ENDLESS));
    assert!(running.wait_for("epoch 1: "));
    let holder = format!("in use by process {}", running.child.id());
    expect_error(1, &["train", "--resume", arg(&run)], &[arg(&run), &holder]);
    // Reading disturbs nobody.
    expect(0, &["eval", arg(&run), "--device", "cpu"]);
    running.signal("KILL");
    running.end();
    let next = (rows(&run).len() + 2).to_string();
    expect(0, &["train", "--resume", arg(&run), "--epochs", &next]);
}

#[test]
fn run_folders_are_numbered_and_one_starts_again_by_the_settings_of_another() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, _) = folders(root.path());
    let run = |args: &[&str]| {
        let output = program().arg("train").args(args).current_dir(root.path()).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["--device", "cpu", "--data", arg(&data), "--epochs", "1", "--batch-size", "8", "--lr", "0.0123"]);
    run(&["--settings", "runs/train/args.toml"]);
    run(&["--settings", "runs/train/args.toml", "--seed", "7"]);
    let of = |name: &str| common::record(&root.path().join("runs").join(name));
    assert_eq!(of("train"), of("train2"));
    assert_eq!((&of("train3")["settings"]["seed"], &of("train3")["settings"]["lr"]), (&7.into(), &0.0123.into()));
    // Some settings, as somebody writes them; options count before them.
    fs::write(root.path().join("mine.toml"), format!("data = {:?}\nepochs = 2\nbatch = 8\n", arg(&data)))
        .expect("written");
    run(&["--settings", "mine.toml", "--device", "cpu", "--epochs", "1"]);
    assert_eq!(of("train4")["settings"]["epochs"], 1);
    assert_eq!(of("train4")["settings"]["batch_size"], 8);
    assert_eq!(names(&root.path().join("runs")), ["train", "train2", "train3", "train4"]);
    fs::write(root.path().join("mine.toml"), "epochs = 2\nlearning = 3\n").expect("written");
    expect_error(
        1,
        &["train", "--settings", arg(&root.path().join("mine.toml"))],
        &["mine.toml: there is no setting \"learning\""],
    );
}
