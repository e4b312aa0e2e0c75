//! A home of its own without a network and without other programs, and `han-exp` in it.

#![allow(dead_code, reason = "every test program uses its own part of this")]

use assert_cmd::Command;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_han-exp");
/// Nobody listens there.
const REFUSED: &str = "http://127.0.0.1:9";

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
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.0.path()).args(arguments);
        for name in ["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HAN_EXP_DATA"] {
            command.env_remove(name);
        }
        for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command.env("HOME", self.0.path()).env("XDG_CACHE_HOME", self.path("cache"));
        command.env("PATH", self.path("bin")).env("HF_ENDPOINT", REFUSED);
        command
    }

    pub fn stdout(&self, arguments: &[&str]) -> String {
        text(&self.command(arguments).assert().success().get_output().stdout)
    }

    /// Runs what must fail; returns what it told.
    pub fn error(&self, arguments: &[&str]) -> String {
        failure(&mut self.command(arguments))
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

pub fn failure(command: &mut Command) -> String {
    let told = text(&command.assert().code(1).get_output().stderr);
    assert!(!told.contains("backtrace"), "{told}");
    told
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
