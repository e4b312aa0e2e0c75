//! A plan in parts, made one after the other as many machines would make them at once.

#![cfg(all(unix, feature = "program"))]

#[path = "common/sandbox.rs"]
mod sandbox;

use sandbox::{CHECKERBOARD, MNIST_ATTACK, Sandbox, files, over, read};
use std::fs;
use std::process::Command;

/// Eight runs of a moment.
fn board() -> Vec<&'static str> {
    over(CHECKERBOARD, &["--seeds", "4", "--learning-rates", "0.01,0.02", "--recipe", "tuned"])
}

/// Two stages: trainings, then attacks on what they made.
fn attack() -> Vec<&'static str> {
    over(MNIST_ATTACK, &["--seeds", "1", "--checklist", "0"])
}

/// The program through a shell that finds it, and what else a script needs.
fn shell(sandbox: &Sandbox, line: &str) -> Command {
    let program = sandbox.process(&[]);
    let directory = std::path::Path::new(program.get_program()).parent().expect("a directory").display().to_string();
    let mut shell = Command::new("/bin/bash");
    shell.args(["-c", line]).current_dir(sandbox.0.path());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.env("PATH", format!("{}:{directory}:/usr/bin:/bin", sandbox.path("bin").display()));
    shell
}

fn succeeds(sandbox: &Sandbox, line: &str) {
    let ended = shell(sandbox, line).output().expect("a shell");
    assert!(ended.status.success(), "{line}: {}", sandbox::text(&ended.stderr));
}

fn same(sandbox: &Sandbox, out: &str) {
    sandbox.stdout(&["report", "--out", out]);
    assert!(files(&sandbox.path("whole")) == files(&sandbox.path(out)), "a file in {out} differs");
}

#[test]
fn shards_make_together_what_one_command_makes() {
    let sandbox = Sandbox::new();
    sandbox.stdout(&[&board()[..], &["--out", "whole"]].concat());
    let mut planned = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let flags = ["--out", "cut", "--shard", shard];
        let plan = [&["plan"], &board()[..], &flags].concat();
        let lines = |text: &str| text.lines().skip(2).map(str::to_string).collect::<Vec<_>>();
        let missing = lines(&sandbox.stdout(&plan));
        planned.extend(missing.clone());
        sandbox.stdout(&[&board()[..], &flags].concat());
        assert!(!sandbox.path("cut/tables").exists(), "a part writes no tables");
        let (finished, again) = (lines(&sandbox.stdout(&plan)), [&plan[..], &["--force"]].concat());
        assert!(finished.iter().all(|line| line.contains(" finished ")), "{finished:?}");
        assert_eq!(lines(&sandbox.stdout(&again)), missing, "what --force would make again");
    }
    planned.sort();
    let mut all: Vec<String> = sandbox
        .stdout(&[&["plan"], &board()[..], &["--out", "new"]].concat())
        .lines()
        .skip(2)
        .map(str::to_string)
        .collect();
    all.sort();
    assert_eq!(planned, all);
    same(&sandbox, "cut");
}

#[test]
fn the_lines_of_a_plan_make_what_one_command_makes() {
    let sandbox = Sandbox::new();
    sandbox.stdout(&[&attack()[..], &["--out", "whole"]].concat());
    let mut rounds = 0;
    loop {
        let lines = sandbox.stdout(&[&["plan"], &attack()[..], &["--out", "cut", "--format", "commands"]].concat());
        if lines.is_empty() {
            break;
        }
        rounds += 1;
        lines.lines().for_each(|line| succeeds(&sandbox, line));
    }
    assert_eq!(rounds, 2, "trainings, then attacks");
    let plan = ["--out", "cut", "--format", "commands", "--force"];
    let lines = sandbox.stdout(&[&["plan"], &attack()[..], &plan].concat());
    let trainings = lines.lines().count();
    assert!(lines.lines().all(|line| line.contains(" --force")), "{lines}");
    // Called by a path, it is called so again.
    let program = sandbox.process(&[]).get_program().to_string_lossy().into_owned();
    assert!(lines.lines().all(|line| line.starts_with(&format!("{program} "))), "{lines}");
    let attacks = sandbox.stdout(&[&["plan"], &attack()[..], &plan, &["--stage", "2"]].concat()).lines().count();
    let all = sandbox.stdout(&[&["plan"], &attack()[..], &["--out", "cut", "--format", "json"]].concat());
    let all = serde_json::from_str::<Vec<serde_json::Value>>(&all).expect("a list").len();
    assert!(trainings > 0 && attacks > 0 && trainings + attacks == all, "{trainings}, {attacks}, {all}");
    same(&sandbox, "cut");
}

#[test]
fn parts_that_are_not_there_and_flags_that_need_all_runs_are_refused() {
    let sandbox = Sandbox::new();
    for (flags, words) in [
        (&["--stage", "9"][..], "--stage 9: the last stage is 1"),
        (&["--run", "0123456789abcdef"], "--run 0123456789abcdef: there is no such run;"),
    ] {
        for verb in [&[][..], &["plan"]] {
            let told = sandbox.error(&[verb, &board()[..], flags].concat());
            assert!(told.contains(words), "{told}");
        }
    }
    let told = sandbox.error(&["gradients", "--profile", "smoke", "--run", "0123456789abcdef"]);
    assert!(told.contains("--run 0123456789abcdef: there is no such run yet;"), "{told}");
    // A directory remembers the last command that could have made something.
    assert!(!sandbox.path("results/smoke/runs").exists());
    let told = sandbox.error(&["reproduce", "--profile", "smoke", "--stage", "1"]);
    assert!(told.contains("--run and --stage select runs of one experiment"), "{told}");
    let export = [&attack()[..], &["--export-adversarial", "x.npz"]].concat();
    for command in [
        [&export[..], &["--shard", "1/2"]].concat(),
        [&["plan"], &export[..], &["--format", "commands"]].concat(),
        [&["submit"], &export[..], &["--dry-run"]].concat(),
    ] {
        let told = sandbox.error(&command);
        assert!(told.contains("--export-adversarial needs all runs in one command"), "{told}");
    }
    // What a run needs of a machine goes with it.
    let scripts = sandbox.stdout(&[&["submit"], &attack()[..], &["--batch", "16", "--dry-run"]].concat());
    assert!(scripts.contains(" --batch 16 "), "{scripts}");
    let told = sandbox.error(&[&["submit"], &attack()[..], &["--strict", "--dry-run"]].concat());
    assert!(told.contains("--strict"), "{told}");
}

/// A cluster that does everything at once.
fn cluster(sandbox: &Sandbox) {
    sandbox.install(
        "sbatch",
        r#"for script; do :; done
tasks=$(sed -n 's/^#SBATCH --array=1-\([0-9]*\).*/\1/p' "$script")
export SLURM_ARRAY_JOB_ID=7
for task in $(seq 1 "${tasks:-1}"); do SLURM_ARRAY_TASK_ID=$task bash "$script" >&2 || exit 1; done
echo 7"#,
    );
    sandbox.install("scontrol", r#"echo "$@" >> turns"#);
}

#[test]
fn what_is_submitted_makes_what_one_command_makes() {
    let sandbox = Sandbox::new();
    cluster(&sandbox);
    for (command, stages) in [(board(), 1), (attack(), 2)] {
        let command = command.join(" ").replace(" --jobs 1", "");
        for out in ["whole", "cut"] {
            let _ = fs::remove_dir_all(sandbox.path(out));
        }
        succeeds(&sandbox, &format!("han-exp {command} --out whole"));
        // The plan of a stage is known when the one before it is made, which here is at once.
        succeeds(&sandbox, &format!("han-exp submit {command} --out cut --tasks 2 --max-parallel 1"));
        let scripts = fs::read_dir(sandbox.path("cut/slurm")).expect("scripts").flatten();
        let stage = |name: String| name.contains("-stage") && name.ends_with(".sh");
        assert_eq!(scripts.filter(|script| stage(script.file_name().to_string_lossy().into_owned())).count(), stages);
        assert!(files(&sandbox.path("whole")) == files(&sandbox.path("cut")), "a file of {command} differs");
    }
    assert!(!sandbox.path("turns").exists());
}

#[test]
fn flags_come_before_the_file_of_a_site() {
    let sandbox = Sandbox::new();
    let site = "partition = \"gpu\"\ntime = \"10\"\nsetup = [\"module load cuda\"]\nsbatch = [\"--qos=low\"]\n";
    fs::create_dir_all(sandbox.path("config/han-exp")).expect("a directory");
    fs::write(sandbox.path("config/han-exp/slurm.toml"), site).expect("a file");
    fs::write(sandbox.path("other.toml"), "account = \"mine\"\n").expect("a file");
    fs::write(sandbox.path("wrong.toml"), "acount = \"mine\"\n").expect("a file");
    let submit = ["submit", "checkerboard", "--profile", "smoke", "--device", "cpu", "--dry-run"];
    let scripts = sandbox.stdout(&[&submit[..], &["--time", "20", "--sbatch", "--exclusive"]].concat());
    for line in
        ["#SBATCH --partition=gpu", "#SBATCH --time=20", "#SBATCH --qos=low", "#SBATCH --exclusive", "module load cuda"]
    {
        assert!(scripts.lines().any(|other| other == line), "{line} is missing in\n{scripts}");
    }
    let scripts = sandbox.stdout(&[&submit[..], &["--site-file", "other.toml"]].concat());
    assert!(scripts.contains("#SBATCH --account=mine\n") && !scripts.contains("--partition="), "{scripts}");
    let told = sandbox.error(&[&submit[..], &["--site-file", "wrong.toml"]].concat());
    assert!(told.contains("wrong.toml") && told.contains("unknown field `acount`"), "{told}");
    // A relative directory of settings is none.
    let ended = sandbox.command(&submit[..]).env("XDG_CONFIG_HOME", "config").assert().success();
    assert!(!sandbox::text(&ended.get_output().stdout).contains("--partition="));
}

#[test]
fn a_task_that_is_out_of_time_asks_for_another_turn_if_it_has_saved_something() {
    let sandbox = Sandbox::new();
    cluster(&sandbox);
    let long = over(CHECKERBOARD, &["--iterations", "400000", "--checkpoint-every", "0.05"]);
    let command = long.join(" ").replace(" --jobs 1", "");
    let scripts = sandbox.stdout(
        &[&["submit"], &command.split(' ').collect::<Vec<_>>()[..], &["--tasks", "1", "--dry-run", "--out", "cut"]]
            .concat(),
    );
    let script = scripts.split("-report.sh").next().expect("the script of the stage");
    fs::create_dir_all(sandbox.path("cut/slurm")).expect("a directory");
    fs::write(sandbox.path("stage.sh"), script).expect("a script");
    let turn = |wait: &str| {
        let line = format!(
            "export SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=1; bash stage.sh & task=$!; {wait}; kill -USR1 $task; wait $task"
        );
        let ended = shell(&sandbox, &line).output().expect("a shell");
        (ended.status.code(), sandbox::text(&ended.stderr))
    };
    let alive = "do kill -0 $task || exit 99; sleep 0.05; done";
    let saved = format!("until ls -d cut/runs/checkerboard/hannet/.checkpoints-*/0* 2> /dev/null; {alive}");
    let (code, told) = turn(&saved);
    assert!(code == Some(143), "{code:?} {told}");
    assert_eq!(read(&sandbox.path("turns")), "requeue 7_1\n");
    // A program that saves nothing would ask for turns for ever.
    sandbox.install("idle", "trap 'kill $!; exit 143' TERM; sleep 600 & touch begun; wait");
    let program = sandbox.process(&[]).get_program().to_string_lossy().into_owned();
    let idle = sandbox.path("bin/idle").display().to_string();
    fs::write(sandbox.path("stage.sh"), script.replace(&program, &idle)).expect("a script");
    let (code, told) = turn(&format!("until [ -e begun ]; {alive}"));
    assert!(code == Some(1) && told.contains("nothing could be saved before the warning"), "{code:?} {told}");
    assert_eq!(read(&sandbox.path("turns")), "requeue 7_1\n");
}
