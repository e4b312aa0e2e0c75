//! Output that nobody reads, or that cannot be written: work goes on, and nothing that is missing passes for success.

#![cfg(feature = "program")]
#![cfg(target_os = "linux")]

#[path = "common/sandbox.rs"]
mod sandbox;

use sandbox::{CHECKERBOARD, Sandbox, text};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::process::{Output, Stdio};

/// A device without room.
fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").expect("Linux has it").into()
}

/// A pipe whose reader has gone.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn runs(sandbox: &Sandbox) -> usize {
    sandbox.runs("results/smoke", "checkerboard/hannet", "tuned").len()
}

fn output(sandbox: &Sandbox, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Output {
    let mut process = sandbox.process(arguments);
    let child = process.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn().expect("the program");
    child.wait_with_output().expect("it ends")
}

#[test]
fn runs_go_on_when_nobody_reads_their_progress() {
    for broken in [closed, full] {
        let sandbox = Sandbox::new();
        let ended = output(&sandbox, CHECKERBOARD, Stdio::piped(), broken());
        assert_eq!((ended.status.code(), runs(&sandbox)), (Some(0), 2));
        assert!(text(&ended.stdout).contains("test accuracy"), "{}", text(&ended.stdout));
    }
}

#[test]
fn a_closed_pipe_is_no_error_and_a_full_device_is_one() {
    let sandbox = Sandbox::new();
    assert_eq!(output(&sandbox, CHECKERBOARD, closed(), Stdio::piped()).status.code(), Some(0));
    let weights = sandbox.runs("results/smoke", "checkerboard/hannet", "tuned")[0].join("weights.safetensors");
    let weights = weights.to_str().expect("a path in UTF-8");
    let evaluate =
        ["evaluate", "checkerboard", "--model", "hannet", "--width", "8", "--depth", "4", "--weights", weights];
    let commands: [&[&str]; 7] = [
        CHECKERBOARD,
        &["plan", "checkerboard"],
        &["report", "--out", "results/smoke"],
        &evaluate,
        &["data", "status", "--dataset", "mnist"],
        &["--help"],
        &["--version"],
    ];
    for command in commands {
        assert_eq!(output(&sandbox, command, closed(), Stdio::piped()).status.code(), Some(0), "{command:?}");
        let ended = output(&sandbox, command, full(), Stdio::piped());
        let told = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{command:?}: {told}");
        assert!(told.contains("No space left on device") && !told.contains("panicked"), "{command:?}: {told}");
        // Nobody can read it, and yet it is said.
        assert_eq!(output(&sandbox, command, full(), full()).status.code(), Some(1), "{command:?}");
    }
    assert_eq!(output(&sandbox, &["--no-such-flag"], closed(), closed()).status.code(), Some(2));
}

#[test]
fn paths_that_are_not_utf_8_are_paths_or_errors() {
    let sandbox = Sandbox::new();
    let name = OsStr::from_bytes(b"r\xe9sultats");
    let ended = sandbox.command(CHECKERBOARD).arg("--out").arg(name).output().expect("the program");
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    assert!(sandbox.0.path().join(name).join("tables/checkerboard.csv").exists());
    let file = OsStr::from_bytes(b"no\xff.toml");
    let ended = sandbox.command(CHECKERBOARD).arg("--experiment").arg(file).output().expect("the program");
    let told = text(&ended.stderr);
    assert!(ended.status.code() == Some(1) && !told.contains("panicked"), "{told}");
}

#[test]
fn a_chart_that_cannot_be_written_is_an_error_and_the_tables_are_there() {
    let sandbox = Sandbox::new();
    let charts = sandbox.path("results/smoke/figures");
    fs::create_dir_all(charts.join("checkerboard-test-accuracy.png/in-the-way")).expect("a directory");
    let names = |out: &str| fs::read_dir(sandbox.path(out).join("figures")).expect("charts").count();
    sandbox.command(CHECKERBOARD).args(["--out", "whole"]).assert().success();
    let ended = sandbox.command(CHECKERBOARD).assert();
    let output = ended.get_output();
    let told = text(&output.stderr);
    assert!(output.status.code() == Some(1) && told.contains("error: cannot write"), "{told}");
    assert!(sandbox.path("results/smoke/tables/checkerboard.csv").exists());
    assert_eq!(names("results/smoke"), names("whole"), "the other charts are missing");
}

#[test]
fn a_terminal_that_cannot_redraw_gets_lines() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        return;
    }
    for terminal in [Some("dumb"), None, Some("xterm")] {
        let sandbox = Sandbox::new();
        let program = format!("'{}' {}", env!("CARGO_BIN_EXE_han-exp"), CHECKERBOARD.join(" "));
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &program, "/dev/null"]).current_dir(sandbox.0.path()).stdin(Stdio::null());
        match terminal {
            Some(kind) => script.env("TERM", kind),
            None => script.env_remove("TERM"),
        };
        let shown = text(&script.output().expect("script").stdout);
        let redrawn = shown.contains("\u{1b}[");
        assert_eq!(redrawn, terminal == Some("xterm"), "{terminal:?}: {shown:?}");
    }
}

#[test]
fn files_that_are_streams_are_refused() {
    let sandbox = Sandbox::new();
    for device in ["/dev/zero", "/dev", "/dev/stdin"] {
        let told = sandbox.error(&["checkerboard", "--experiment", device]);
        assert!(told.contains(device) && told.contains("it is"), "{told}");
    }
}
