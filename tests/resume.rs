//! Runs that are killed, stopped, or lose their disk: what was done is kept, and the same command resumes.

#![cfg(feature = "program")]
#![cfg(target_os = "linux")]

#[path = "common/sandbox.rs"]
mod sandbox;

use han_exp::rng::Seed;
use sandbox::{CHECKERBOARD, Sandbox, files, over, read, signal, text};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The smallest run of every sort, with a checkpoint wherever there can be one.
const REGRESSION: &[&str] =
    &["regression", "--offline", "--profile", "smoke", "--dataset", "hills.csv", "--width", "8", "--epochs", "3"];
const MIXER: &[&str] = &["mixer", "--offline", "--profile", "smoke", "--channels", "8", "--train-limit", "60"];
const MNIST_ATTACK: &[&str] = &["mnist-attack", "--offline", "--profile", "smoke", "--width", "16,fcnet=16"];
const GRADIENTS: &[&str] = &["gradients", "--device", "cpu", "--profile", "smoke", "--iterations", "20"];

fn commands() -> [Vec<&'static str>; 5] {
    let cpu = ["--device", "cpu", "--jobs", "1"];
    let attack = ["--depth", "4,fcnet=2", "--n", "10", "--steps", "3", "--queries", "10", "--sweep", "0.05"];
    let attack = [&attack[..], &["--eps", "0.1", "--attacks", "pgd,fmn", "--checklist", "5", "--seeds", "1"]].concat();
    [
        over(CHECKERBOARD, &["--iterations", "30", "--batch-size", "30"]),
        [REGRESSION, &["--seeds", "1", "--batch-size", "50"], &cpu].concat(),
        [MIXER, &["--batch-size", "20", "--seeds", "1", "--epochs", "2"], &cpu].concat(),
        [MNIST_ATTACK, &attack, &cpu].concat(),
        [GRADIENTS, &["--part", "jacobian,norms,lipschitz", "--jobs", "1"]].concat(),
    ]
}

/// A home with a table, and the library that kills and fails.
fn sandbox() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let mut stream = Seed(1).stream("hills");
    let rows: String =
        (0..200).map(|_| format!("{:.4},{:.4},{:.4}\n", stream.uniform(), stream.normal(), stream.normal())).collect();
    fs::write(sandbox.path("hills.csv"), format!("east,north,height\n{rows}")).expect("a file");
    let library = sandbox.path("kill_at.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kill/kill_at.c");
    let mut compiler = Command::new("cc");
    let compiled = compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(compiled.expect("a C compiler").success());
    (sandbox, library)
}

/// A long training alone: the choice of the rate, and the full one after it.
fn long() -> Vec<&'static str> {
    over(CHECKERBOARD, &["--iterations", "400000", "--checkpoint-every", "0.05"])
}

fn start(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut process = sandbox.process(arguments);
    process.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program")
}

fn arm(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("results/smoke/runs/checkerboard/hannet")
}

/// What lies in an arm's directory and is called so.
fn beginning(directory: &Path, name: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(directory).map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>());
    let named = |path: &PathBuf| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name));
    let mut found: Vec<PathBuf> = all.unwrap_or_default().into_iter().filter(named).collect();
    found.sort();
    found
}

/// The checkpoints of the run that is under way.
fn checkpoints(sandbox: &Sandbox) -> Vec<PathBuf> {
    beginning(&arm(sandbox), ".checkpoints-").first().map(|run| beginning(run, "0")).unwrap_or_default()
}

/// Waits until something is so; the program must not end before.
fn wait_until(child: &mut Child, what: &str, is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::sleep(Duration::from_millis(10));
        assert!(child.try_wait().expect("a child").is_none(), "it ended before {what}");
    }
}

/// What the program told.
fn told(output: &Output) -> String {
    let told = text(&output.stderr);
    assert!(!told.contains("panicked"), "{told}");
    told
}

#[test]
fn every_sort_of_run_goes_on_from_where_it_was_killed() {
    for command in commands() {
        let (sandbox, library) = sandbox();
        sandbox.command(&command).args(["--out", "whole"]).assert().success();
        let every = [&command[..], &["--out", "cut", "--checkpoint-every", "0"]].concat();
        let mut kills = 0;
        loop {
            let at = 45 + 30 * kills;
            let ended = sandbox.command(&every).env("LD_PRELOAD", &library).env("KILL_AT", at.to_string()).output();
            let ended = ended.expect("the program");
            if ended.status.code().is_some() {
                assert!(ended.status.success(), "{command:?}: {}", told(&ended));
                break;
            }
            kills += 1;
            assert!(kills < 500, "{command:?} begins anew every time");
        }
        assert!(kills >= 3, "{command:?} was killed {kills} times alone");
        let [whole, cut] = ["whole", "cut"].map(|out| files(&sandbox.path(out)));
        let names = |files: &std::collections::BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&whole), names(&cut), "{command:?}");
        let differs = whole.keys().find(|path| whole[*path] != cut[*path]);
        assert!(differs.is_none(), "{command:?}: {differs:?} differs after {kills} kills");
        println!("{}: {kills} kills", command[0]);
    }
}

#[test]
fn a_polite_kill_saves_the_state_and_status_tells_it() {
    let sandbox = Sandbox::new();
    sandbox.stdout(CHECKERBOARD);
    let shown = || ["tables", "figures"].map(|part| files(&sandbox.path("results/smoke").join(part)));
    let earlier = shown();
    let mut child = start(&sandbox, &long());
    let rows = || beginning(&arm(&sandbox), ".running-").first().map(|run| run.join("epochs.csv"));
    let is_logged = || rows().is_some_and(|rows| rows.exists());
    wait_until(&mut child, "its second checkpoint", || checkpoints(&sandbox).len() == 2 && is_logged());
    // What comes while it runs can be read.
    let live = read(&rows().expect("a run"));
    assert!(live.starts_with("experiment,arm,") && live.lines().count() > 1 && live.ends_with('\n'), "{live}");
    let status = sandbox.stdout(&["status", "--out", "results/smoke"]);
    let by = format!("running hannet tuned-lr0.01-selection seed 100 by process {}", child.id());
    assert!(status.contains("checkerboard: 0 of 2 runs finished, 1 running") && status.contains(&by), "{status}");
    signal(&child, "-TERM");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(143), "{}", told(&ended));
    let status = sandbox.stdout(&["status", "--out", "results/smoke"]);
    assert!(status.contains("1 begun") && status.contains("goes on from step "), "{status}");

    let before = checkpoints(&sandbox);
    let mut child = start(&sandbox, &long());
    wait_until(&mut child, "another checkpoint", || checkpoints(&sandbox).last() != before.last());
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(shown() == earlier, "nothing was finished, and tables or charts of the command before it are others now");
}

#[test]
fn who_stops_a_forced_command_is_told_that_it_begins_anew() {
    let sandbox = Sandbox::new();
    sandbox.stdout(CHECKERBOARD);
    let many = over(CHECKERBOARD, &["--seeds", "500", "--force"]);
    let mut child = start(&sandbox, &many);
    wait_until(&mut child, "the first run", || beginning(&arm(&sandbox), "tuned-").len() > 4);
    signal(&child, "-INT");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(130));
    assert!(told(&ended).contains("kept; --force starts every run anew"), "{}", told(&ended));
}

#[test]
fn who_stops_a_forced_command_is_told_how_to_make_again_what_it_did_not() {
    let sandbox = Sandbox::new();
    let few = over(&long(), &["--iterations", "20000"]);
    sandbox.command(&few).assert().success();
    let ends = || {
        let runs = beginning(&arm(&sandbox), "tuned-").into_iter();
        runs.map(|run| read(&run.join("manifest.json"))).collect::<Vec<_>>()
    };
    let before = ends();
    let mut child = start(&sandbox, &[&few[..], &["--force"]].concat());
    wait_until(&mut child, "the first run", || !beginning(&arm(&sandbox), ".running-").is_empty());
    signal(&child, "-INT");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(130));
    let told = told(&ended);
    let (_, after) = told.split_once("; --force --run ").expect("a cure");
    let runs = after.split(' ').next().expect("names");
    let old = || ends().iter().filter(|end| before.contains(end)).count();
    assert!(old() == runs.split(',').count() && old() > 0, "{told}");
    // Without the cure they stay as they are.
    sandbox.command(&few).assert().success();
    assert_eq!(old(), runs.split(',').count());
    sandbox.command(&few).args(["--force", "--run", runs]).assert().success();
    assert_eq!(old(), 0, "a run was not made again");
}

/// `status` has the lock of a run for a moment too: whoever has it need not be making the run.
#[test]
fn what_an_earlier_command_noted_is_no_failure_of_who_has_the_lock_now() {
    let sandbox = Sandbox::new();
    sandbox.stdout(CHECKERBOARD);
    for run in beginning(&arm(&sandbox), "tuned-") {
        let name = run.file_name().expect("a name").to_string_lossy().into_owned();
        let begun = run.with_file_name(format!(".running-{name}"));
        fs::create_dir(&begun).expect("a directory");
        fs::write(begun.join("error.txt"), "of an earlier command\n").expect("a file");
        fs::remove_dir_all(run).expect("a run");
    }
    let locks = fs::read_dir(sandbox.path("results/smoke/runs/checkerboard/.locks")).expect("locks").flatten();
    let held: Vec<fs::File> = locks.map(|lock| fs::File::open(lock.path()).expect("a lock")).collect();
    held.iter().for_each(|lock| lock.lock_shared().expect("a lock that nobody holds"));
    let mut child = start(&sandbox, CHECKERBOARD);
    let mut lines = BufReader::new(child.stderr.take().expect("its messages")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("waiting for it")), "it did not wait");
    drop(held);
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().expect("it ends").success(), "{rest:?}");
    assert!(!rest.iter().any(|line| line.contains("of an earlier command")), "{rest:?}");
}

#[test]
fn what_nohup_has_started_outlives_its_terminal() {
    let sandbox = Sandbox::new();
    let program = sandbox.process(&long());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args());
    shell.current_dir(sandbox.0.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = shell.spawn().expect("a shell");
    wait_until(&mut child, "a checkpoint", || !checkpoints(&sandbox).is_empty());
    signal(&child, "-HUP");
    let before = checkpoints(&sandbox);
    wait_until(&mut child, "other checkpoints", || checkpoints(&sandbox).iter().all(|path| !before.contains(path)));
    signal(&child, "-TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
    // Where nobody ignores it, it stops a command as politely. What began this test may ignore it: then its children do.
    let status = read(Path::new("/proc/self/status"));
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("signals that are ignored");
    if u64::from_str_radix(ignored.trim(), 16).expect("a set of signals") & 1 == 0 {
        let before = checkpoints(&sandbox);
        let mut child = start(&sandbox, &long());
        wait_until(&mut child, "more checkpoints", || checkpoints(&sandbox).iter().all(|path| !before.contains(path)));
        signal(&child, "-HUP");
        assert_eq!(child.wait().expect("it ends").code(), Some(129));
    }
}

#[test]
fn a_damaged_checkpoint_is_set_aside_and_the_one_before_it_used() {
    let whole = Sandbox::new();
    let few = over(&long(), &["--iterations", "3000", "--checkpoint-every", "0.01"]);
    whole.command(&few).assert().success();
    for damaged in [1, 2] {
        let sandbox = Sandbox::new();
        let mut child = start(&sandbox, &few);
        wait_until(&mut child, "its second checkpoint", || checkpoints(&sandbox).len() == 2);
        child.kill().expect("a child to kill");
        child.wait().expect("it ends");
        let mut paths: Vec<PathBuf> = checkpoints(&sandbox);
        paths.retain(|path| path.extension().is_some_and(|end| end == "safetensors"));
        for path in paths.iter().rev().take(damaged) {
            let mut bytes = fs::read(path).expect("a checkpoint");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).expect("a checkpoint");
        }
        let ended = sandbox.command(&few).output().expect("the program");
        let told = told(&ended);
        assert_eq!(told.matches("it was set aside").count(), damaged.min(paths.len()), "{told}");
        assert!(ended.status.success(), "{told}");
        assert!(files(&whole.path("results/smoke")) == files(&sandbox.path("results/smoke")), "a file differs");
        assert!(beginning(&arm(&sandbox), ".").is_empty(), "something is left");
    }
}

/// As if the runs under way had been begun with another instruction set, but for the name that its hash gives a checkpoint.
fn mark_as_of_another_machine(sandbox: &Sandbox) {
    for path in beginning(&arm(sandbox), ".checkpoints-").iter().flat_map(|run| beginning(run, "0")) {
        let bytes = fs::read(&path).expect("a checkpoint");
        let mark: &[u8] = br#"\"simd\":\""#;
        let place = bytes.windows(mark.len()).position(|window| window == mark).expect("an instruction set");
        let mut changed = bytes.clone();
        changed[place + mark.len()] = b'X';
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let hash = &han_exp::files::sha256(&changed)[..16];
        fs::write(path.with_file_name(format!("{}-{hash}.safetensors", &name[..6])), changed).expect("a file");
        fs::remove_file(&path).expect("a file");
    }
}

#[test]
fn a_checkpoint_of_another_machine_is_refused_and_the_other_runs_are_made() {
    let sandbox = Sandbox::new();
    let few = ["--iterations", "3000", "--learning-rates", "0.01,0.02", "--checkpoint-every", "0.01"];
    let few = over(&long(), &few);
    let mut child = start(&sandbox, &few);
    wait_until(&mut child, "its second checkpoint", || checkpoints(&sandbox).len() == 2);
    signal(&child, "-TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
    mark_as_of_another_machine(&sandbox);
    let ended = sandbox.command(&few).args(["--quiet"]).output().expect("the program");
    let told = told(&ended);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("belongs to another run: instruction set X"), "{told}");
    assert!(told.contains("could not be made"), "{told}");
    let (_, after) = told.split_once("start it anew with --run ").expect("a cure");
    let run = after.split(' ').next().expect("a name").to_string();
    let status = sandbox.stdout(&["status", "--out", "results/smoke"]);
    assert!(status.contains("1 failed") && status.contains("instruction set X"), "{status}");
    let runs = read(&sandbox.path("results/smoke/tables/checkerboard-runs.csv"));
    let outcomes = ["finished", "failed"].map(|outcome| runs.matches(&format!(",{outcome},")).count());
    assert_eq!(outcomes, [3, 1], "{runs}");
    // The cure makes that run alone again.
    let times = |name: &str| read(&arm(&sandbox).join(name).join("manifest.json"));
    let others =
        beginning(&arm(&sandbox), "tuned").into_iter().map(|path| path.file_name().expect("a name").to_owned());
    let others: Vec<(String, String)> =
        others.map(|name| name.to_string_lossy().into_owned()).map(|name| (times(&name), name)).collect();
    assert_eq!(others.len(), 3);
    sandbox.command(&few).args(["--force", "--run", &run]).assert().success();
    assert!(others.iter().all(|(before, name)| times(name) == *before), "another run was made again");
    sandbox.command(&few).assert().success();
}

#[test]
fn a_command_that_cannot_make_a_run_leaves_the_tables_and_charts_of_the_one_before_it() {
    let sandbox = Sandbox::new();
    sandbox.stdout(CHECKERBOARD);
    let shown = || ["tables", "figures"].map(|part| files(&sandbox.path("results/smoke").join(part)));
    let before = shown();
    let both = over(&long(), &["--jobs", "2"]);
    let mut child = start(&sandbox, &both);
    let begun =
        || beginning(&arm(&sandbox), ".checkpoints-").iter().filter(|run| !beginning(run, "0").is_empty()).count();
    wait_until(&mut child, "two checkpoints", || begun() == 2);
    signal(&child, "-TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
    mark_as_of_another_machine(&sandbox);
    let told = sandbox.error(&both);
    assert!(told.contains("2 of 2 runs could not be made"), "{told}");
    assert!(shown() == before, "tables or charts are others now");
}

#[test]
fn a_polite_kill_waits_for_a_checkpoint_that_takes_long() {
    let (sandbox, library) = sandbox();
    let seldom = over(&long(), &["--checkpoint-every", "3600"]);
    let mut slow = sandbox.process(&seldom);
    slow.env("LD_PRELOAD", &library).env("SLOW_MS", "1200").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = slow.spawn().expect("the program");
    let rows = || beginning(&arm(&sandbox), ".running-").first().is_some_and(|run| run.join("epochs.csv").exists());
    wait_until(&mut child, "its first row", rows);
    signal(&child, "-TERM");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(143), "{}", told(&ended));
    assert_eq!(checkpoints(&sandbox).len(), 1, "the state was not saved");
}

#[test]
fn a_file_that_another_program_changes_during_a_run_is_an_error_of_that_run() {
    let sandbox = Sandbox::new();
    let few = over(&long(), &["--iterations", "30000", "--checkpoint-every", "3600"]);
    let mut child = start(&sandbox, &few);
    let rows = || {
        let run = beginning(&arm(&sandbox), ".running-").pop()?.join("epochs.csv");
        (fs::metadata(&run).ok()?.len() > 400).then_some(run)
    };
    wait_until(&mut child, "its first rows", || rows().is_some());
    let file = fs::OpenOptions::new().write(true).open(rows().expect("rows")).expect("a file");
    file.set_len(200).expect("a file that can be cut");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(1), "{}", told(&ended));
    assert!(told(&ended).contains("another program has changed "), "{}", told(&ended));
    sandbox.command(&few).assert().success();
}

#[test]
fn a_rerun_that_is_killed_goes_on_from_its_checkpoint() {
    let sandbox = Sandbox::new();
    let few = over(&long(), &["--iterations", "20000"]);
    sandbox.command(&few).assert().success();
    let run = beginning(&arm(&sandbox), "tuned").pop().expect("a run");
    let config = run.join("config.toml").display().to_string();
    let whole = files(&run);
    let again = ["rerun", &config, "--device", "cpu", "--out", "again"];
    let mut child = start(&sandbox, &again);
    let begun = sandbox.path("again/runs/checkerboard/hannet");
    let has_rows = |run: &PathBuf| fs::metadata(run.join("epochs.csv")).is_ok_and(|file| file.len() > 400);
    wait_until(&mut child, "its first rows", || beginning(&begun, ".running-").iter().any(has_rows));
    signal(&child, "-TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
    let ended = sandbox.command(&again).output().expect("the program");
    assert!(ended.status.success(), "{}", told(&ended));
    assert!(told(&ended).contains(" on\n"), "{}", told(&ended));
    let made = sandbox.path("again").join(run.strip_prefix(sandbox.path("results/smoke")).expect("a run"));
    assert!(files(&made) == whole, "a file differs");
}

#[test]
fn a_disk_that_is_full_or_read_only_is_one_line_and_damages_nothing() {
    let (sandbox, library) = sandbox();
    let command = over(CHECKERBOARD, &["--checkpoint-every", "0"]);
    sandbox.command(&command).args(["--out", "whole"]).assert().success();
    for (code, words) in [("28", "No space left on device"), ("30", "Read-only file system")] {
        let mut failures = 0;
        for at in (1..).step_by(9) {
            let ended = sandbox
                .command(&command)
                .env("LD_PRELOAD", &library)
                .env("FAIL_AT", at.to_string())
                .env("FAIL_ERRNO", code)
                .args(["--quiet"])
                .output()
                .expect("the program");
            if ended.status.success() {
                break;
            }
            failures += 1;
            let told = told(&ended);
            assert_eq!(ended.status.code(), Some(1), "at {at}: {told}");
            assert!(told.contains(words) && told.contains("--out"), "at {at}: {told}");
            assert!(told.lines().filter(|line| line.starts_with("error:")).count() >= 1, "at {at}: {told}");
        }
        assert!(failures >= 5, "{failures} failures alone");
        sandbox.command(&command).assert().success();
        let [whole, failed] = ["whole", "results/smoke"].map(|out| files(&sandbox.path(out)));
        assert!(whole == failed, "a file differs");
        fs::remove_dir_all(sandbox.path("results")).expect("results");
    }
}

#[test]
fn a_directory_that_is_removed_during_a_run_is_an_error() {
    let sandbox = Sandbox::new();
    let few = over(&long(), &["--iterations", "20000"]);
    let mut child = start(&sandbox, &few);
    wait_until(&mut child, "its first checkpoint", || !checkpoints(&sandbox).is_empty());
    while fs::remove_dir_all(sandbox.path("results")).is_err() {}
    let ended = child.wait_with_output().expect("it ends");
    let told = told(&ended);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("error: ") && told.contains("cannot write results/smoke/runs/"), "{told}");
    sandbox.command(&few).assert().success();
}

#[test]
fn a_file_in_the_place_of_a_directory_is_an_error() {
    for place in ["results", "results/smoke", "results/smoke/runs", "results/smoke/runs/checkerboard/hannet"] {
        let sandbox = Sandbox::new();
        fs::create_dir_all(sandbox.path(place).parent().expect("a parent")).expect("a directory");
        fs::write(sandbox.path(place), "in the way").expect("a file");
        let told = sandbox.error(CHECKERBOARD);
        assert!(told.contains("error: ") && told.contains("results"), "{place}: {told}");
        assert_eq!(read(&sandbox.path(place)), "in the way");
    }
}
