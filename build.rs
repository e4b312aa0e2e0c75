//! Tells the program what it was built from: git commit, compiler and candle version, for the manifest of every run.

#[path = "build/commit.rs"]
mod commit;

use commit::Repository;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let directory = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let repository = Repository::at(&directory);
    let commit = repository.as_ref().and_then(Repository::commit).unwrap_or_default();
    println!("cargo::rustc-env=HAN_EXP_GIT_COMMIT={commit}");

    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    println!("cargo::rustc-env=HAN_EXP_RUSTC={}", version(&rustc).unwrap_or_default());
    println!("cargo::rustc-env=HAN_EXP_CANDLE={}", locked_version("candle-core").unwrap_or_default());

    // src and experiments are watched for the dirty mark.
    for path in ["build.rs", "build", "Cargo.lock", "Cargo.toml", "src", "experiments"] {
        println!("cargo::rerun-if-changed={path}");
    }
    for path in repository.iter().flat_map(Repository::watched) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn locked_version(package: &str) -> Option<String> {
    let lock = std::fs::read_to_string("Cargo.lock").ok()?;
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{package}\"")))?;
    let line = entry.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(line.trim_matches('"').to_string())
}
