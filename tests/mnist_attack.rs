//! `han-exp mnist-attack` as a user meets it: the real program in a home of its own, without a network, on the sample.

use assert_cmd::Command;
use candle_core::{Device, Tensor, npy::NpzTensors};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_han-exp");
/// Two networks, trained for a pass over 4,000 images and attacked on a few, in seconds.
const TINY: &[&str] = &[
    "mnist-attack",
    "--offline",
    "--profile",
    "smoke",
    "--width",
    "24,fcnet=24",
    "--depth",
    "6,fcnet=2",
    "--n",
    "30",
    "--steps",
    "5",
    "--queries",
    "20",
    "--sweep",
    "off",
    "--eps",
    "0.05,0.1",
    "--device",
    "cpu",
];

/// Variables that say where data are.
const DATA_PLACES: [&str; 4] = ["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HAN_EXP_DATA"];

/// The tiny command with these arguments over its own.
fn tiny<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let (command, flags) = TINY.split_at(2);
    let kept = flags.chunks_exact(2).filter(|flag| !arguments.contains(&flag[0])).flatten();
    command.iter().chain(kept).copied().chain(arguments.iter().copied()).collect()
}

/// A home of its own without data, and the program in it.
struct Sandbox(TempDir);

impl Sandbox {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.0.path()).args(arguments);
        for name in DATA_PLACES {
            command.env_remove(name);
        }
        command.env("HOME", self.0.path()).env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let assert = self.command(&tiny(arguments)).assert().success();
        String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
    }

    /// Runs what must fail; returns what it told.
    fn error(&self, arguments: &[&str]) -> String {
        let assert = self.command(&tiny(arguments)).assert().failure();
        let text = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(!text.contains("panicked") && !text.contains("backtrace"), "{text}");
        text
    }

    /// The run directories of a network whose names begin so.
    fn runs(&self, out: &str, arm: &str, point: &str) -> Vec<PathBuf> {
        let arm = self.path(out).join("runs/mnist-attack").join(arm);
        let entries = fs::read_dir(arm).expect("runs").flatten().map(|entry| entry.path());
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(point));
        entries.filter(named).collect()
    }
}

/// Every CSV, weights and PNG file below a directory with its bytes.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
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

#[test]
fn everything_is_there_and_says_that_it_is_the_sample() {
    let sandbox = Sandbox::new();
    let told = sandbox.run(&["--attacks", "fgsm,pgd,ddn,auto", "--checklist", "20"]);
    assert!(told.contains("data sample") && told.contains("worst linf 0.1") && told.contains("proved 0.3"), "{told}");
    assert!(told.contains("checklist") && told.contains("McNemar"), "{told}");
    let out = sandbox.path("results");
    for file in ["tables/mnist-attack.csv", "tables/mnist-attack-seeds.csv", "tables/mnist-attack-paired.csv"] {
        assert!(out.join(file).exists(), "{file} is missing");
    }
    let readme = fs::read_to_string(out.join("README.md")).expect("a report");
    assert!(readme.contains("data = sample") && !readme.contains("is not drawn"), "{readme}");
    for table in ["mnist-attack", "mnist-attack-seeds", "mnist-attack-paired"] {
        let rows = fs::read_to_string(out.join(format!("tables/{table}.csv"))).expect("a table");
        assert!(rows.lines().skip(1).all(|line| line.starts_with("mnist-attack,sample,")), "{rows}");
    }

    let run = &sandbox.runs("results", "hannet", "attack-linf")[0];
    let rows = fs::read_to_string(run.join("per_example.csv")).expect("rows");
    assert_eq!(
        rows.lines().next(),
        Some(
            "index,label,prediction,margin,norm,distance,attack,adversarial_class,distance_l2,fgsm,pgd,mt_pgd,deepfool,ddn,\
             apgd_ce,apgd_dlr,apgd_t,fab_t,square,auto,bisection,certified_pair,certified_global,certified_measured,\
             certified_rounded"
        )
    );
    assert_eq!(rows.lines().count(), 31);
    // DDN is an attack in L2 alone, and the linf run goes on without it.
    assert!(!fs::read_to_string(run.join("evaluations.csv")).expect("rows").contains(",ddn,"));

    // Nothing is made again, and the report is redrawn to the byte.
    let before = files(&out);
    let assert = sandbox.command(&tiny(&["--attacks", "fgsm,pgd,ddn,auto", "--checklist", "20"])).assert();
    let output = assert.success();
    assert!(String::from_utf8_lossy(&output.get_output().stderr).contains("4 of 4 runs are finished already"));
    sandbox.command(&["report"]).assert().success();
    assert_eq!(before, files(&out));
}

#[test]
fn batches_and_threads_change_nothing() {
    let sandbox = Sandbox::new();
    let attacks = ["--attacks", "fgsm,pgd,mt-pgd,deepfool,ddn,auto", "--restarts", "2", "--checklist", "10"];
    let run = |out: &str, batch: &str, threads: &str| {
        let arguments = tiny(&[&attacks[..], &["--out", out, "--batch", batch, "--quiet"]].concat());
        sandbox.command(&arguments).env("RAYON_NUM_THREADS", threads).assert().success();
        files(&sandbox.path(out))
    };
    let expected = run("a", "1000", "2");
    assert!(expected.keys().filter(|path| path.ends_with("per_example.csv")).count() == 4);
    assert_eq!(expected, run("b", "64", "1"));
    assert_eq!(expected, run("c", "1", "3"));
}

#[test]
fn a_killed_command_goes_on_where_it_was() {
    let sandbox = Sandbox::new();
    sandbox.run(&["--attacks", "fgsm,pgd", "--out", "whole"]);
    let arguments = tiny(&["--attacks", "fgsm,pgd", "--out", "cut"]);
    for milliseconds in [400, 900, 1600] {
        let mut command = std::process::Command::new(PROGRAM);
        command.current_dir(sandbox.0.path()).args(&arguments).stderr(std::process::Stdio::null());
        for name in DATA_PLACES {
            command.env_remove(name);
        }
        command.env("HOME", sandbox.0.path()).env("XDG_CACHE_HOME", sandbox.path("cache"));
        let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("the program");
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }
    sandbox.command(&arguments).assert().success();
    assert_eq!(files(&sandbox.path("whole")), files(&sandbox.path("cut")));
}

#[test]
fn runs_are_made_again_from_their_configuration_and_from_their_weights() {
    let sandbox = Sandbox::new();
    let small = ["--models", "hannet", "--width", "24", "--depth", "6", "--attacks", "fgsm", "--norm", "linf"];
    sandbox.run(&small);
    let [training, attack] =
        ["training", "attack-linf"].map(|point| sandbox.runs("results", "hannet", point)[0].clone());
    let before = files(&sandbox.path("results"));
    for run in [&training, &attack] {
        let arguments = ["rerun", run.to_str().expect("a plain path"), "--offline"];
        sandbox.command(&arguments).assert().success();
    }
    assert_eq!(before, files(&sandbox.path("results")));

    let weights = training.join("weights.safetensors");
    let weights = weights.to_str().expect("a plain path");
    sandbox.run(&[&small[..], &["--weights", weights, "--out", "given"]].concat());
    let rows = |directory: &Path| fs::read(directory.join("per_example.csv")).expect("rows");
    assert_eq!(rows(&attack), rows(&sandbox.runs("given", "hannet", "attack-linf")[0]));
    let told = sandbox.error(&["--models", "hannet,fcnet", "--weights", weights]);
    assert!(told.contains("MODEL=FILE"), "{told}");
    // Before the other network is trained for nothing.
    let told = sandbox.error(&["--weights", &format!("fcnet={weights}"), "--out", "untouched"]);
    assert!(told.contains("--weights") && told.contains("expected shape"), "{told}");
    assert!(!sandbox.path("untouched").exists());
}

#[test]
fn an_export_holds_what_other_programs_need() -> candle_core::Result<()> {
    let sandbox = Sandbox::new();
    sandbox.run(&["--attacks", "fgsm,pgd", "--export-adversarial", "adversarial.npz"]);
    let npz = NpzTensors::new(sandbox.path("adversarial.npz"))?;
    let tensor = |name: &str| -> candle_core::Result<Tensor> {
        Ok(npz.get(name)?.unwrap_or_else(|| panic!("{name} is missing from {:?}", npz.names())))
    };
    let images = tensor("images")?;
    assert_eq!(images.dims(), [30, 784]);
    assert_eq!(tensor("labels")?.to_vec1::<i64>()?.len(), 30);
    for arm in ["hannet", "fcnet"] {
        for (norm, eps) in [("linf", 0.05), ("linf", 0.1), ("l2", 1.0)] {
            for name in [format!("fgsm/eps{eps}/last"), format!("pgd/eps{eps}/last"), format!("worst/eps{eps}")] {
                let moved = (tensor(&format!("{arm}/seed0/{norm}/{name}"))? - &images)?;
                let size = match norm {
                    "linf" => moved.abs()?.max(1)?,
                    _ => moved.sqr()?.sum(1)?.sqrt()?,
                };
                let largest = size.max(0)?.to_scalar::<f32>()?;
                assert!(f64::from(largest) <= eps + 1e-6 && largest > 0.0, "{arm} {norm} {name}: {largest}");
            }
            assert_eq!(tensor(&format!("{arm}/seed0/{norm}/nearest"))?.dims(), [30, 784]);
        }
        assert_eq!(tensor(&format!("{arm}/seed0/weights/0.weight"))?.dims(), [24, 784]);
        assert_eq!(tensor(&format!("{arm}/seed0/logits"))?.dims(), [30, 10]);
        assert_eq!(tensor(&format!("{arm}/seed0/radii/rounded"))?.dims(), [30]);
    }
    // The same tensors in the other format; a training is not made again for it.
    sandbox.run(&["--attacks", "fgsm,pgd", "--export-adversarial", "adversarial.safetensors"]);
    let other = candle_core::safetensors::load(sandbox.path("adversarial.safetensors"), &Device::Cpu)?;
    assert_eq!(other.len(), npz.names().len());
    let name = "hannet/seed0/l2/worst/eps1";
    assert_eq!(other[name].to_vec2::<f32>()?, tensor(name)?.to_vec2::<f32>()?);
    Ok(())
}

#[test]
fn mistakes_are_told_before_any_work() {
    let sandbox = Sandbox::new();
    for (arguments, words) in [
        (&["--eps", "-0.1"][..], "eps is -0.1"),
        (&["--eps", "99"], "eps is 99"),
        (&["--sweep", "0.1,x"], "\"x\" is no number"),
        (&["--norm", "l1"], "l1"),
        (&["--attacks", "ddn", "--norm", "linf"], "ddn is an attack for l2"),
        (&["--models", "hannet"], "--width fcnet=24: use MODEL=N with one of hannet"),
        (&["--models", "resnet"], "--models resnet: use one or more of hannet"),
        (&["--models", "hannet", "--width", "9", "--depth", "3", "--weights", "nowhere.pt"], "nowhere.pt"),
        (&["--n", "0"], "attack.images is 0"),
        (&["--seeds", "0"], "seeds is 0"),
        (&["--steps", "0"], "attack.effort.steps is 0"),
        (&["--width", "hannet=3,hannet=4"], "given twice"),
        (&["--export-adversarial", "images.png"], ".npz"),
        (&["--export-adversarial", "nowhere/images.npz"], "nowhere"),
        (&["--dataset", "cifar"], "mnist or fashion-mnist"),
        (&["--data-dir", "nowhere"], "nowhere"),
    ] {
        let told = sandbox.error(arguments);
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    assert!(!sandbox.path("results").exists(), "something was written");
}

#[test]
fn the_plan_says_what_would_be_run() {
    let sandbox = Sandbox::new();
    let assert = sandbox.command(&["plan", "mnist-attack", "--offline", "--profile", "paper"]).assert().success();
    let text = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    let lines = |words: &[&str]| text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!((lines(&["hannet ", "training"]), lines(&["hannet ", "attack-l2"])), (5, 5), "{text}");
    assert!(!sandbox.path("results").exists());
}

#[test]
fn reproduce_includes_it() {
    let sandbox = Sandbox::new();
    let arguments = ["reproduce", "--only", "mnist-attack", "--profile", "smoke", "--offline", "--device", "cpu"];
    let assert = sandbox.command(&arguments).assert().success();
    let text = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    assert!(text.contains("Robustness on MNIST, data sample"), "{text}");
    let assert = sandbox.command(&["reproduce", "--profile", "smoke", "--data-dir", "nowhere"]).assert().failure();
    assert!(String::from_utf8_lossy(&assert.get_output().stderr).contains("nowhere"));
    assert!(!sandbox.path("results/runs/checkerboard").exists());
}
