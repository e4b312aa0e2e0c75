//! A home of its own without a network and without other programs, and `han-exp` in it.

#![allow(dead_code, reason = "every test program uses its own part of this")]

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_han-exp");
/// Nobody listens there.
const REFUSED: &str = "http://127.0.0.1:9";

/// A checkerboard of two runs, a choice of the rate and a full one, that end in a moment.
pub const CHECKERBOARD: &[&str] = &[
    "checkerboard", "--profile", "smoke", "--models", "hannet", "--recipe", "tuned", "--iterations", "8", "--width",
    "8", "--depth", "4", "--seeds", "1", "--learning-rates", "0.01", "--device", "cpu", "--jobs", "1",
];

/// Trainings of two small networks, and attacks on what they made, on the sample.
pub const MNIST_ATTACK: &[&str] = &[
    "mnist-attack", "--offline", "--profile", "smoke", "--width", "16,fcnet=16", "--depth", "4,fcnet=2", "--n", "10",
    "--steps", "3", "--queries", "10", "--sweep", "off", "--eps", "0.1", "--attacks", "pgd", "--checklist", "5",
    "--device", "cpu",
];

/// The home.
pub struct Sandbox(pub TempDir);

impl Sandbox {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn hub_cache(&self) -> PathBuf {
        self.path("cache/huggingface/hub")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        Command::from_std(self.process(arguments))
    }

    pub fn process(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(PROGRAM);
        command.current_dir(self.0.path()).args(arguments);
        let own = ["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN", "HAN_EXP_DATA"];
        own.iter().for_each(|name| _ = command.env_remove(name));
        for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command.env("HOME", self.0.path()).env("XDG_CACHE_HOME", self.path("cache"));
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("PATH", self.path("bin")).env("HF_ENDPOINT", REFUSED);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Assert {
        self.command(arguments).assert()
    }

    pub fn stdout(&self, arguments: &[&str]) -> String {
        text(&self.run(arguments).success().get_output().stdout)
    }

    /// Runs what must fail; returns what it told.
    pub fn error(&self, arguments: &[&str]) -> String {
        failure(&mut self.command(arguments))
    }

    /// Holds that a command leaves the same files, more than so many, with one job, with two, and with three threads.
    pub fn assert_same_however_made(&self, command: &[&str], more_than: usize) {
        let run = |out: &str, jobs: &str, threads: &str| {
            let arguments = [command, &["--out", out, "--jobs", jobs]].concat();
            self.command(&arguments).env("RAYON_NUM_THREADS", threads).assert().success();
            files(&self.path(out))
        };
        let expected = run("a", "1", "1");
        assert!(expected.len() > more_than, "only {} files", expected.len());
        assert!(expected == run("b", "2", "1"), "jobs change something");
        assert!(expected == run("c", "1", "3"), "threads change something");
    }

    /// The run directories of an arm, `experiment/arm`, whose names begin so.
    pub fn runs(&self, out: &str, arm: &str, point: &str) -> Vec<PathBuf> {
        let arm = self.path(out).join("runs").join(arm);
        let entries = fs::read_dir(arm).expect("runs").flatten().map(|entry| entry.path());
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(point));
        let mut runs: Vec<PathBuf> = entries.filter(named).collect();
        runs.sort();
        runs
    }

    /// Puts a program where the sandbox looks for them.
    #[cfg(unix)]
    pub fn install(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let program = self.path("bin").join(name);
        fs::create_dir_all(self.path("bin")).expect("a directory");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    }
}

/// Sends a signal to a child, by the shell: `kill` as a program is in no small image of a system.
#[cfg(unix)]
pub fn signal(child: &Child, name: &str) {
    let kill = ["-c", "kill \"$0\" \"$1\"", name, &child.id().to_string()].map(str::to_string);
    assert!(std::process::Command::new("/bin/sh").args(kill).status().expect("a shell").success());
}

pub fn failure(command: &mut Command) -> String {
    let told = text(&command.assert().failure().get_output().stderr);
    assert!(!told.contains("panicked") && !told.contains("backtrace"), "{told}");
    told
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first line of a file.
pub fn header(path: &Path) -> String {
    read(path).lines().next().unwrap_or_default().to_string()
}

/// The fields of the rows of a table, by column.
pub fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).expect("a table");
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every CSV, weights and PNG file below a directory with its bytes, but for the lists of runs, which hold times.
pub fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a readable directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.to_string_lossy().ends_with("-runs.csv") {
                continue;
            } else if path.extension().is_some_and(|end| ["csv", "safetensors", "png"].iter().any(|e| end == *e)) {
                let relative = path.strip_prefix(root).expect("a path below the root").to_path_buf();
                files.insert(relative, fs::read(&path).expect("a readable file"));
            }
        }
    }
    files
}

/// A command and its flags with these arguments over its own.
pub fn over<'a>(command: &[&'a str], arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![command[0]];
    let mut rest = command[1..].iter().peekable();
    while let Some(flag) = rest.next() {
        let value = rest.next_if(|word| !word.starts_with("--"));
        if !arguments.contains(flag) {
            all.extend([flag].into_iter().chain(value));
        }
    }
    all.extend(arguments);
    all
}
