//! A finished run counts as long as it is what was saved: whatever is killed, lost, cut or changed.

#![cfg(feature = "program")]

#[path = "common/sandbox.rs"]
mod sandbox;

use han_exp::cli::inspect;
use sandbox::{CHECKERBOARD, MNIST_ATTACK, Sandbox, failure, files, over, text};
use std::fs;
use std::path::{Path, PathBuf};

/// The smallest of the other experiments.
const GRADIENTS: &[&str] = &["gradients", "--device", "cpu", "--profile", "smoke", "--iterations", "20"];
const MIXER: &[&str] = &[
    "mixer", "--offline", "--profile", "smoke", "--channels", "8", "--train-limit", "60", "--batch-size", "20",
    "--seeds", "1", "--epochs", "1", "--device", "cpu",
];
/// What is on disk of a run: nothing, "whole", or what is damaged.
fn state(out: &Path, run: &Path) -> String {
    inspect(out, run).expect("a readable directory")
}

/// Every run directory of a results directory.
fn directories(out: &Path) -> Vec<PathBuf> {
    let below = |directory: PathBuf| fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut runs: Vec<PathBuf> = below(out.join("runs"))
        .filter(|path| path.is_dir())
        .flat_map(below)
        .filter(|path| path.is_dir())
        .flat_map(below)
        .filter(|path| path.is_dir())
        .collect();
    runs.sort();
    runs
}

const DAMAGES: [&str; 4] = ["missing", "empty", "truncated", "one bit"];

fn damage(path: &Path, how: &str) {
    let mut bytes = fs::read(path).expect("a file of a run");
    match how {
        "missing" => return fs::remove_file(path).expect("it can be removed"),
        "empty" => bytes.clear(),
        "truncated" => bytes.truncate(bytes.len() - 1),
        _ => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
    }
    fs::write(path, bytes).expect("it can be written");
}

/// Damages each file of each run of an experiment in each way, one at a time.
fn no_damaged_run_counts(command: &[&str]) {
    let sandbox = Sandbox::new();
    sandbox.command(command).assert().success();
    let out = sandbox.path("results/smoke");
    let mut tried = 0;
    for directory in directories(&out) {
        assert_eq!(state(&out, &directory), "whole", "{}", directory.display());
        for entry in fs::read_dir(&directory).expect("a run").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let whole = fs::read(&path).expect("a file of a run");
            for how in DAMAGES {
                damage(&path, how);
                match state(&out, &directory).as_str() {
                    "whole" => panic!("{} counts, {how}", path.display()),
                    "" => assert!(name == "manifest.json", "{}, {how}: not named", path.display()),
                    what => {
                        let named = what.contains(&name) && what.contains(&*directory.to_string_lossy());
                        assert!(named, "{}, {how}: {what}", path.display());
                    }
                }
                tried += 1;
                fs::write(&path, &whole).expect("it can be restored");
            }
        }
        assert_eq!(state(&out, &directory), "whole", "{} is not restored", directory.display());
    }
    assert!(tried > 0, "no run was found");
}

#[test]
fn no_damaged_run_of_the_checkerboard_counts() {
    no_damaged_run_counts(CHECKERBOARD);
}

#[test]
fn no_damaged_run_of_gradients_counts() {
    no_damaged_run_counts(GRADIENTS);
}

#[test]
fn no_damaged_run_of_the_mixer_counts() {
    no_damaged_run_counts(MIXER);
}

#[test]
fn no_damaged_run_of_mnist_attack_counts() {
    no_damaged_run_counts(MNIST_ATTACK);
}

/// Damages a file of every run, asks for a report, and lets the command mend them.
fn damaged_runs_are_reported_and_made_again(command: &[&str]) {
    let sandbox = Sandbox::new();
    sandbox.command(command).assert().success();
    let out = sandbox.path("results/smoke");
    let before = files(&out);
    let runs = directories(&out);
    for (place, directory) in runs.iter().enumerate() {
        let mut names: Vec<_> = fs::read_dir(directory).expect("a run").flatten().map(|entry| entry.path()).collect();
        names.sort();
        damage(&names[place % names.len()], DAMAGES[place % DAMAGES.len()]);
    }
    let told = failure(&mut sandbox.command(&["report", "--out", "results/smoke"]));
    assert!(told.contains("error: "), "{told}");
    let again = sandbox.command(command).assert().success();
    let told = text(&again.get_output().stderr);
    assert!(told.contains("the run is made again") && !told.contains("finished already"), "{told}");
    assert!(before == files(&out), "a file is not what it was");
}

#[test]
fn damaged_runs_of_the_checkerboard_are_reported_and_made_again() {
    damaged_runs_are_reported_and_made_again(CHECKERBOARD);
}

#[test]
fn damaged_runs_of_mnist_attack_are_reported_and_made_again() {
    damaged_runs_are_reported_and_made_again(MNIST_ATTACK);
}

#[test]
fn a_plan_finds_what_is_lost_or_cut_without_reading_it() {
    let sandbox = Sandbox::new();
    sandbox.command(CHECKERBOARD).assert().success();
    let plan = [&["plan"], CHECKERBOARD].concat();
    let run = directories(&sandbox.path("results/smoke")).pop().expect("a run");
    assert!(!sandbox.stdout(&plan).contains("DAMAGED"));
    let file = run.join("evaluations.csv");
    let bytes = fs::read(&file).expect("a file of a run");
    for how in ["missing", "empty", "truncated"] {
        damage(&file, how);
        assert!(sandbox.stdout(&plan).contains("DAMAGED"), "{how}");
        fs::write(&file, &bytes).expect("the file again");
    }
}

/// A results directory is often shared.
#[cfg(unix)]
#[test]
fn files_have_the_rights_of_other_new_files() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    sandbox.command(&[MIXER, &["--svg"]].concat()).assert().success();
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode();
    let other = sandbox.path("other");
    fs::write(&other, "").expect("a file");
    let mut directories = vec![sandbox.path("results")];
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()) {
            match path.is_dir() {
                true => directories.push(path),
                false => assert_eq!(mode(&path), mode(&other), "{}", path.display()),
            }
        }
    }
}

#[test]
fn a_report_of_some_of_the_runs_says_so_and_fails() {
    let sandbox = Sandbox::new();
    sandbox.command(CHECKERBOARD).assert().success();
    let out = sandbox.path("results/smoke");
    let lost = directories(&out).pop().expect("a run");
    fs::remove_dir_all(&lost).expect("it can be removed");
    fs::write(sandbox.path("text.md"), "Runs: <!-- = checkerboard-runs: {count()} -->2<!-- / -->\n").expect("a text");
    let report = sandbox.command(&["report", "--out", "results/smoke", "--splice", "text.md"]).assert().code(1);
    let told = text(&report.get_output().stderr);
    let spliced = fs::read_to_string(sandbox.path("text.md")).expect("a text");
    assert_eq!(spliced, "Runs: <!-- = checkerboard-runs: {count()} -->1<!-- / -->\n");
    let name = lost.file_name().expect("a name").to_string_lossy();
    assert!(told.contains("checkerboard: 1 of 2 runs are missing") && told.contains(&*name), "{told}");
    let readme = fs::read_to_string(out.join("tables/checkerboard.md")).expect("a report");
    assert!(readme.contains("1 of 2 runs are finished; there are no figures yet."), "{readme}");
}

#[test]
fn an_experiment_that_cannot_be_redrawn_does_not_keep_back_the_others() {
    let sandbox = Sandbox::new();
    sandbox.command(CHECKERBOARD).assert().success();
    let out = sandbox.path("results/smoke");
    let table = out.join("tables/checkerboard.csv");
    let before = fs::read(&table).expect("a table");
    for (name, contents) in [("empty", ""), ("another", "no = toml ["), ("aaa", "\u{0}")] {
        fs::create_dir_all(out.join("runs").join(name)).expect("a directory");
        fs::write(out.join("runs").join(name).join("experiment.toml"), contents).expect("a file");
    }
    fs::write(out.join("runs/checkerboard/hannet/notes.txt"), "a user's").expect("a file");
    fs::write(out.join("runs/checkerboard/notes.txt"), "a user's").expect("a file");
    fs::create_dir(out.join("runs/aaa/page.json")).expect("a directory");
    fs::write(out.join("runs/empty/page.json"), [0xff, 0xfe]).expect("a file");
    fs::remove_file(&table).expect("it can be removed");
    let told = failure(&mut sandbox.command(&["report", "--out", "results/smoke"]));
    for name in ["error: aaa: ", "error: another: ", "error: empty: ", "runs/aaa/page.json", "runs/empty/page.json"] {
        assert!(told.contains(name), "{name} is not in\n{told}");
    }
    assert!(!told.contains("checkerboard: "), "{told}");
    assert_eq!(fs::read(&table).expect("the table is there again"), before);
    assert!(out.join("runs/checkerboard/hannet/notes.txt").exists());
}

#[test]
fn what_a_kill_has_left_is_settled_by_every_command() {
    let sandbox = Sandbox::new();
    sandbox.command(CHECKERBOARD).assert().success();
    let out = sandbox.path("results/smoke");
    let before = files(&out);
    let config = directories(&out).pop().expect("a run").join("config.toml");
    let config = config.to_str().expect("a path in UTF-8");
    for command in [CHECKERBOARD, &["rerun", config, "--device", "cpu"], &["report", "--out", "results/smoke"]] {
        let (run, arm) = (directories(&out).remove(0), out.join("runs/checkerboard/hannet"));
        let aside = format!(".replaced-{}", run.file_name().expect("a name").to_string_lossy());
        fs::rename(&run, arm.join(&aside)).expect("a kill between two renames");
        fs::create_dir(arm.join(".partial-run")).expect("a kill while files are written");
        fs::write(arm.join(".partial-run/epochs.csv"), "half").expect("a file");
        fs::write(out.join("tables/.partial-table.csv"), "half").expect("a file");
        sandbox.command(command).assert().success();
        assert!(before == files(&out), "{command:?}: a file is not what it was");
        assert!(!arm.join(&aside).exists() && !arm.join(".partial-run").exists(), "{command:?}");
    }
}

#[test]
fn attacks_follow_the_weights_that_they_attacked() {
    let sandbox = Sandbox::new();
    sandbox.command(MNIST_ATTACK).assert().success();
    let out = sandbox.path("results/smoke");
    let before = files(&out);
    // Other weights under the same configuration: another processor, another commit.
    let training = sandbox.runs("results/smoke", "mnist-attack/hannet", "training")[0].clone();
    let other = sandbox.runs("results/smoke", "mnist-attack/hannet", "attack-l2")[0].clone();
    assert_eq!(state(&out, &other), "whole");
    let manifest = fs::read_to_string(training.join("manifest.json")).expect("a manifest");
    let weights = fs::read(training.join("weights.safetensors")).expect("weights");
    let hash = han_exp::files::sha256(&weights);
    reseal(&training, &manifest.replace(&hash, &han_exp::files::sha256(b"other weights")));
    assert_eq!(state(&out, &other), "");
    // The training no longer is what its manifest says either: both are made again.
    sandbox.command(MNIST_ATTACK).assert().success();
    assert!(before == files(&out), "a file is not what it was");
    assert_eq!(state(&out, &other), "whole");
}

/// Writes a manifest with a seal that fits.
fn reseal(run: &Path, manifest: &str) {
    let (head, tail) = manifest.rsplit_once("\"seal\": \"").expect("a seal");
    let unsealed = format!("{head}\"seal\": \"{}", &tail[64..]);
    let sealed = format!("{head}\"seal\": \"{}{}", han_exp::files::sha256(unsealed.as_bytes()), &tail[64..]);
    fs::write(run.join("manifest.json"), sealed).expect("it can be written");
}

#[cfg(unix)]
#[test]
fn a_lock_that_is_a_link_is_refused_and_its_target_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.command(CHECKERBOARD).assert().success();
    let (lock, target) = (sandbox.path("results/smoke/.lock"), sandbox.path("thesis.txt"));
    fs::write(&target, "four years of work").expect("a file");
    fs::remove_file(&lock).expect("a lock");
    std::os::unix::fs::symlink(&target, &lock).expect("a link");
    assert!(sandbox.error(CHECKERBOARD).contains(".lock is not a regular file; remove it"));
    assert_eq!(fs::read_to_string(&target).expect("the file"), "four years of work");
}

/// As in somebody's project, with `--out .`.
#[test]
fn a_page_that_somebody_else_wrote_is_not_overwritten() {
    let sandbox = Sandbox::new();
    let own = "# My project\n";
    fs::write(sandbox.path("README.md"), own).expect("a file");
    let reproduce = ["reproduce", "--profile", "smoke", "--offline", "--device", "cpu"];
    for command in [CHECKERBOARD, &reproduce] {
        let told = sandbox.error(&[command, &["--out", "."]].concat());
        assert!(told.contains("README.md was not written by han-exp") && told.contains("--out"), "{told}");
        assert_eq!(fs::read_dir(sandbox.0.path()).expect("a directory").count(), 1, "something was written");
    }
    sandbox.stdout(CHECKERBOARD);
    sandbox.stdout(&over(CHECKERBOARD, &["--iterations", "16", "--out", "other"]));
    let (page, table) = (sandbox.path("other/report.html"), sandbox.path("other/tables/checkerboard.csv"));
    fs::write(&page, own).expect("a file");
    fs::remove_file(&table).expect("a table");
    for command in [
        &["report", "--out", "other"][..],
        &["compare", "results/smoke", "other", "--out", "other"],
        &["compare", "results/smoke", "other", "--out", "."],
    ] {
        let told = sandbox.error(command);
        assert!(told.contains(" was not written by han-exp") && told.contains("--out"), "{told}");
    }
    assert!(!table.exists() && !sandbox.path("tables").exists(), "a table was written");
    for page in [page, sandbox.path("README.md")] {
        assert_eq!(fs::read_to_string(&page).expect("a page"), own, "{}", page.display());
    }
    // A run alone has no page.
    let run = directories(&sandbox.path("other")).pop().expect("a run");
    let run = run.to_str().expect("a path in UTF-8");
    sandbox.command(&["rerun", run, "--device", "cpu"]).assert().success();
}

/// Two commands on one directory share the runs, and both show all of them.
#[test]
fn two_commands_on_one_directory_share_the_work() {
    let (alone, shared) = (Sandbox::new(), Sandbox::new());
    let command = over(CHECKERBOARD, &["--seeds", "4", "--iterations", "200"]);
    alone.command(&command).assert().success();
    let both: Vec<_> = (0..2)
        .map(|_| {
            let mut process = shared.process(&command);
            process
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .expect("the program")
        })
        .collect();
    let mut made = 0;
    for process in both {
        let output = process.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let lines = text(&output.stderr);
        made += lines.lines().filter(|line| line.starts_with('[') && !line.contains("made by another")).count();
        assert!(!text(&output.stdout).contains("runs are finished;"), "{}", text(&output.stdout));
    }
    assert_eq!(made, directories(&shared.path("results/smoke")).len(), "a run was made twice or not at all");
    let [alone, shared] = [alone, shared].map(|sandbox| files(&sandbox.path("results/smoke")));
    assert!(alone == shared, "a file differs");
}

#[cfg(target_os = "linux")]
mod kills {
    use super::*;
    use std::process::Command;

    /// The library that kills.
    fn shim(sandbox: &Sandbox) -> PathBuf {
        let library = sandbox.path("kill_at.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kill/kill_at.c");
        let mut compiler = Command::new("cc");
        let compiled = compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").status();
        assert!(compiled.expect("a C compiler").success());
        library
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("a directory");
        for entry in fs::read_dir(from).expect("a directory").flatten() {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            if from.is_dir() {
                copy(&from, &to);
            } else {
                fs::copy(&from, &to).expect("a copy");
            }
        }
    }

    /// Kills a command at each of its operations on files. After each kill `kept` runs at least must be whole, or as many
    /// as the command had reported; every few kills the experiment's command must bring back every byte.
    fn nothing_finished_is_lost(command: &[&str], from_finished: bool) {
        let sandbox = Sandbox::new();
        let shim = shim(&sandbox);
        let whole = sandbox.path("whole");
        sandbox.command(CHECKERBOARD).args(["--out", "whole"]).assert().success();
        let runs: Vec<PathBuf> = directories(&whole);
        let (before, out) = (files(&whole), sandbox.path("results/smoke"));
        let mut kills = 0;
        for at in 1.. {
            let _ = fs::remove_dir_all(&out);
            if from_finished {
                copy(&whole, &out);
            }
            let ended = sandbox
                .command(command)
                .args(["--out", "results/smoke"])
                .env("LD_PRELOAD", &shim)
                .env("KILL_AT", at.to_string())
                .output();
            let ended = ended.expect("the program");
            if ended.status.code().is_some() {
                assert!(ended.status.success(), "{}", text(&ended.stderr));
                break;
            }
            kills += 1;
            let reported = text(&ended.stderr).lines().filter(|line| line.starts_with('[')).count();
            let place = |run: &PathBuf| out.join(run.strip_prefix(&whole).expect("a run"));
            let states: Vec<String> = runs.iter().map(|run| state(&out, &place(run))).collect();
            let finished = states.iter().filter(|state| *state == "whole").count();
            let kept = if from_finished { runs.len() } else { reported };
            assert!(finished >= kept, "killed at {at}: {finished} of {kept} runs are left: {states:?}");
            assert!(states.iter().all(|state| ["", "whole"].contains(&&**state)), "killed at {at}: {states:?}");
            if at % 16 == 0 {
                sandbox.command(CHECKERBOARD).assert().success();
                assert!(before == files(&out), "killed at {at}: a file is not what it was");
            }
        }
        assert!(kills >= 20, "only {kills} operations were seen");
        println!("{kills} kills of {command:?}");
    }

    #[test]
    fn a_first_run_that_is_killed_loses_nothing_that_it_has_reported() {
        nothing_finished_is_lost(CHECKERBOARD, false);
    }

    #[test]
    fn a_forced_run_that_is_killed_loses_nothing() {
        nothing_finished_is_lost(&[CHECKERBOARD, &["--force"]].concat(), true);
    }

    #[test]
    fn a_rerun_that_is_killed_loses_nothing() {
        let sandbox = Sandbox::new();
        sandbox.command(CHECKERBOARD).assert().success();
        let run = directories(&sandbox.path("results/smoke")).pop().expect("a run");
        let config = run.join("config.toml");
        let config = config.to_str().expect("a path in UTF-8");
        nothing_finished_is_lost(&["rerun", config, "--device", "cpu"], true);
    }
}
