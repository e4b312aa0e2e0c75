//! The real program in a home of its own, without data and without a network.

use assert_cmd::Command;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_han-exp");
/// Variables that say where data are.
const DATA_PLACES: [&str; 4] = ["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HAN_EXP_DATA"];

/// A home of its own without data, and the program in it.
pub struct Sandbox(TempDir);

impl Sandbox {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with these arguments, at home here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        Command::from_std(self.process(arguments))
    }

    fn process(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(PROGRAM);
        command.current_dir(self.0.path()).args(arguments);
        for name in DATA_PLACES {
            command.env_remove(name);
        }
        command.env("HOME", self.0.path()).env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// Runs what must succeed; returns what it told.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let assert = self.command(arguments).assert().success();
        String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
    }

    /// Runs what must fail; returns what it told.
    pub fn fail(&self, arguments: &[&str]) -> String {
        let assert = self.command(arguments).assert().failure();
        let text = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(!text.contains("panicked") && !text.contains("backtrace"), "{text}");
        text
    }

    /// Starts the program and kills it after a while.
    pub fn kill_after(&self, milliseconds: u64, arguments: &[&str]) {
        let null = std::process::Stdio::null;
        let mut child = self.process(arguments).stderr(null()).stdout(null()).spawn().expect("the program");
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
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
}

/// Every CSV, weights and PNG file below a directory with its bytes.
pub fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a readable directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|end| ["csv", "safetensors", "png"].iter().any(|e| end == *e)) {
                let relative = path.strip_prefix(root).expect("a path below the root").to_path_buf();
                files.insert(relative, fs::read(&path).expect("a readable file"));
            }
        }
    }
    files
}

/// A command and its flags, each with a value, with these arguments over its own.
pub fn over<'a>(command: &[&'a str], arguments: &[&'a str]) -> Vec<&'a str> {
    let (command, flags) = command.split_at(2);
    let kept = flags.chunks_exact(2).filter(|flag| !arguments.contains(&flag[0])).flatten();
    command.iter().chain(kept).copied().chain(arguments.iter().copied()).collect()
}
