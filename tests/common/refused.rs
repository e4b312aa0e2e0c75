//! Commands on bad files, and what they say.

#![allow(dead_code, reason = "every test program uses its own part of this")]

use super::sandbox::{Sandbox, text};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A command on bad files, and what it says.
pub struct Case {
    pub name: &'static str,
    pub files: Vec<(String, Vec<u8>)>,
    pub arguments: Vec<String>,
    pub code: i32,
    pub says: &'static str,
}

/// A failure with exit code 1.
pub fn case(name: &'static str, arguments: &str, says: &'static str, files: &[(&str, &[u8])]) -> Case {
    let files = files.iter().map(|(name, bytes)| ((*name).to_string(), bytes.to_vec())).collect();
    Case { name, files, arguments: arguments.split_whitespace().map(str::to_string).collect(), code: 1, says }
}

impl Case {
    /// The same with arguments that have no place in a line.
    pub fn with(mut self, more: &[String]) -> Self {
        self.arguments.extend_from_slice(more);
        self
    }
}

/// Words of a program that came to an end by itself.
const CRASHES: [&str; 5] = ["panicked", "backtrace", "overflowed its stack", "memory allocation of", "RUST_BACKTRACE"];

/// The program with limits: 6 GB of addresses, which its allocator and its threads ask for in part, and half a minute of a
/// processor, of which every case needs a moment.
fn limited(sandbox: &Sandbox, arguments: &[String]) -> Command {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let process = sandbox.process(&arguments);
    if !cfg!(target_os = "linux") {
        return process;
    }
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "ulimit -v 6291456; ulimit -t 30; exec \"$0\" \"$@\""]);
    limited.arg(process.get_program()).args(process.get_args()).current_dir(sandbox.0.path());
    for (name, value) in process.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

/// Runs every case in a sandbox of its own.
pub fn check(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for Case { name, files, arguments, code, says } in cases {
        let sandbox = Sandbox::new();
        for (file, bytes) in &files {
            assert!(bytes.len() < 5_000_000, "{name}: {file} is large");
            write(&sandbox.path(file), bytes);
        }
        let output = limited(&sandbox, &arguments).output().expect("the program");
        let (told, answered) = (text(&output.stderr), text(&output.stdout));
        let shown = |text: &str| text.chars().take(600).collect::<String>();
        let ended = output.status.code();
        if ended != Some(code) {
            wrong.push(format!("{name}: {ended:?} instead of {code}: {}", shown(&told)));
        } else if !told.contains(says) && !answered.contains(says) {
            wrong.push(format!("{name}: {says:?} is missing in {}", shown(&told)));
        }
        let crash = CRASHES.iter().find(|crash| told.contains(**crash));
        let steers = |text: &str| text.contains(|c: char| c.is_control() && c != '\n' && c != '\t');
        if crash.is_some() || steers(&told) || steers(&answered) || told.len() > 20_000 {
            wrong.push(format!("{name}: {crash:?}, {} bytes: {:?}", told.len(), shown(&told)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, bytes).expect("a file");
}
