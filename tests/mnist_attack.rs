//! `han-exp mnist-attack` as a user meets it: the real program in a home of its own, without a network, on the sample.

#![cfg(feature = "program")]

#[path = "common/sandbox.rs"]
mod sandbox;

use candle_core::{DType, Device, Tensor, npy::NpzTensors};
use sandbox::{Sandbox, files, over};
use std::fs;
use std::path::{Path, PathBuf};

/// Two networks, trained for a pass over 4,000 images and attacked on a few, in seconds.
const TINY: &[&str] = &[
    "mnist-attack", "--offline", "--profile", "smoke", "--width", "24,fcnet=24", "--depth", "6,fcnet=2", "--n", "30",
    "--steps", "5", "--queries", "20", "--sweep", "off", "--eps", "0.05,0.1", "--device", "cpu",
];

/// The tiny command with these arguments over its own.
fn tiny<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    over(TINY, arguments)
}

#[test]
fn everything_is_there_and_says_that_it_is_the_sample() {
    let sandbox = Sandbox::new();
    let told = sandbox.stdout(&tiny(&["--attacks", "fgsm,pgd,ddn,auto", "--checklist", "20"]));
    assert!(told.contains("data sample") && told.contains("worst linf 0.1") && told.contains("proved 0.3"), "{told}");
    assert!(told.contains("checklist") && told.contains("McNemar"), "{told}");
    let out = sandbox.path("results/smoke");
    for file in ["tables/mnist-attack.csv", "tables/mnist-attack-seeds.csv", "tables/mnist-attack-paired.csv"] {
        assert!(out.join(file).exists(), "{file} is missing");
    }
    let readme = fs::read_to_string(out.join("tables/mnist-attack.md")).expect("a report");
    assert!(readme.contains("data = sample") && !readme.contains("is not drawn"), "{readme}");
    assert_eq!(readme.matches("Not made in this norm: ddn.").count(), 1, "{readme}");
    // As in the tables beside it, where sizes are numbers.
    let sizes = fs::read_to_string(out.join("tables/mnist-attack.csv")).expect("a table");
    assert!(sizes.contains(",worst_case,l2,1.0,"), "{sizes}");
    for table in ["mnist-attack", "mnist-attack-seeds", "mnist-attack-paired"] {
        let rows = fs::read_to_string(out.join(format!("tables/{table}.csv"))).expect("a table");
        assert!(rows.lines().skip(1).all(|line| line.starts_with("mnist-attack,sample,")), "{rows}");
    }

    let run = &sandbox.runs("results/smoke", "mnist-attack/hannet", "attack-linf")[0];
    let rows = fs::read_to_string(run.join("per_example.csv")).expect("rows");
    assert_eq!(
        rows.lines().next(),
        Some(
            "index,label,prediction,margin,norm,distance,attack,adversarial_class,distance_l2,fgsm,pgd,mt_pgd,deepfool,ddn,\
             fmn,apgd_ce,apgd_dlr,apgd_t,fab_t,square,auto,bisection,certified_pair,certified_global,certified_measured,\
             certified_rounded,run"
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
    sandbox.command(&["report", "--out", "results/smoke"]).assert().success();
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
fn runs_are_made_again_from_their_configuration_and_from_their_weights() {
    let sandbox = Sandbox::new();
    let small = ["--models", "hannet", "--width", "24", "--depth", "6", "--attacks", "fgsm", "--norm", "linf"];
    sandbox.stdout(&tiny(&small));
    let [training, attack] =
        ["training", "attack-linf"].map(|point| sandbox.runs("results/smoke", "mnist-attack/hannet", point)[0].clone());
    let before = files(&sandbox.path("results/smoke"));
    for run in [&training, &attack] {
        let arguments = ["rerun", run.to_str().expect("a plain path"), "--offline"];
        sandbox.command(&arguments).assert().success();
    }
    assert_eq!(before, files(&sandbox.path("results/smoke")));

    let weights = training.join("weights.safetensors");
    let weights = weights.to_str().expect("a plain path");
    let given =
        sandbox.command(&tiny(&[&small[..], &["--weights", weights, "--out", "given"]].concat())).assert().success();
    let told = String::from_utf8_lossy(&given.get_output().stderr).into_owned();
    let layers =
        "read as dense 784 -> 24 |.|, 5 x Han 24 |.|, dense 24 -> 10; 19330 parameters; inputs are pixels from 0 to 1";
    assert!(
        told.contains(layers) && told.contains(" % on all 1000 test images (sample); attacked once, seed 100"),
        "{told}"
    );
    // The run that each is of stands in the last column.
    let rows = |directory: &Path| -> Vec<String> {
        let text = fs::read_to_string(directory.join("per_example.csv")).expect("rows");
        text.lines().filter_map(|line| Some(line.rsplit_once(',')?.0.to_string())).collect()
    };
    assert_eq!(rows(&attack), rows(&sandbox.runs("given", "mnist-attack/hannet", "attack-linf")[0]));
    // A claim is about networks that are trained here.
    let claim = "extends = \"mnist-attack\"\n[experiment]\nname = \"mine\"\n[[experiment.claims]]\nsays = \"it is right\"\n\
                 decided_in = [\"smoke\"]\nevidence = [{ row = \"arm=hannet split=attacked attack=none metric=accuracy\", \
                 value = \"mean\", above = 0.0, figure = \"{mean}\" }]\n[arm.hannet.model.hannet]\nwidth = 24\ndepth = 6\n";
    fs::write(sandbox.path("mine.toml"), claim).expect("a file");
    let mine = ["mnist-attack", "--offline", "--profile", "smoke", "--device", "cpu", "--experiment", "mine.toml"];
    sandbox.stdout(&[&mine[..], &["--models", "hannet", "--weights", weights, "--out", "claimed"]].concat());
    let claims = fs::read_to_string(sandbox.path("claimed/tables/claims.csv")).expect("claims");
    assert!(claims.contains("changed by flags"), "{claims}");
    let told = sandbox.error(&tiny(&["--models", "hannet,fcnet", "--weights", weights]));
    assert!(told.contains("MODEL=FILE"), "{told}");
    // Before the other network is trained for nothing.
    let told = sandbox.error(&tiny(&["--weights", &format!("fcnet={weights}"), "--out", "untouched"]));
    assert!(told.contains("--weights") && told.contains("expected shape"), "{told}");
    assert!(!sandbox.path("untouched").exists());
}

#[test]
fn an_export_holds_what_other_programs_need() -> candle_core::Result<()> {
    let sandbox = Sandbox::new();
    sandbox.stdout(&tiny(&["--attacks", "fgsm,pgd", "--export-adversarial", "adversarial.npz"]));
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
                let moved = (tensor(&format!("{arm}/seed100/{norm}/{name}"))? - &images)?;
                let size = match norm {
                    "linf" => moved.abs()?.max(1)?,
                    _ => moved.sqr()?.sum(1)?.sqrt()?,
                };
                let largest = size.max(0)?.to_scalar::<f32>()?;
                assert!(f64::from(largest) <= eps + 1e-6 && largest > 0.0, "{arm} {norm} {name}: {largest}");
            }
            assert_eq!(tensor(&format!("{arm}/seed100/{norm}/nearest"))?.dims(), [30, 784]);
        }
        assert_eq!(tensor(&format!("{arm}/seed100/weights/0.weight"))?.dims(), [24, 784]);
        assert_eq!(tensor(&format!("{arm}/seed100/logits"))?.dims(), [30, 10]);
        assert_eq!(tensor(&format!("{arm}/seed100/radii/rounded"))?.dims(), [30]);
    }
    // The same tensors in the other format; a training is not made again for it.
    sandbox.stdout(&tiny(&["--attacks", "fgsm,pgd", "--export-adversarial", "adversarial.safetensors"]));
    let other = candle_core::safetensors::load(sandbox.path("adversarial.safetensors"), &Device::Cpu)?;
    assert_eq!(other.len(), npz.names().len());
    let name = "hannet/seed100/l2/worst/eps1";
    assert_eq!(other[name].to_vec2::<f32>()?, tensor(name)?.to_vec2::<f32>()?);
    // In f64: other points by their last bits, so the same images but for a few pixels.
    sandbox.stdout(&tiny(&[
        "--attacks",
        "fgsm,pgd",
        "--precision",
        "f64",
        "--export-adversarial",
        "double.safetensors",
    ]));
    let double = candle_core::safetensors::load(sandbox.path("double.safetensors"), &Device::Cpu)?;
    assert_eq!(double["settings/bits"].to_vec1::<i64>()?, [64]);
    assert_eq!(other["settings/bits"].to_vec1::<i64>()?, [32]);
    let name = "fcnet/seed100/linf/fgsm/eps0.1/last";
    let moved = (&double[name] - &other[name].to_dtype(DType::F64)?)?.abs()?;
    let apart = moved.gt(1e-6)?.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?;
    assert!(apart < 0.01, "{apart}");
    for name in ["images", "hannet/seed100/logits", "hannet/seed100/l2/pgd/eps1/last", "hannet/seed100/l2/nearest"] {
        let rounded = double[name].to_dtype(DType::F32)?.to_dtype(DType::F64)?;
        let finer = double[name].ne(&rounded)?.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()? > 0.0;
        assert_eq!(finer, name != "images", "{name}");
    }
    distances_are_those_of(&sandbox, &double["images"], &double["hannet/seed100/l2/nearest"])?;
    // Runs of two precisions do not take each other's place.
    assert_eq!(sandbox.runs("results/smoke", "mnist-attack/hannet", "attack-linf").len(), 2);
    Ok(())
}

/// The image that is exported is the one whose distance is told, to the last bit.
fn distances_are_those_of(sandbox: &Sandbox, images: &Tensor, nearest: &Tensor) -> candle_core::Result<()> {
    let runs = sandbox.runs("results/smoke", "mnist-attack/hannet", "attack-l2");
    let precise = |run: &&PathBuf| fs::read_to_string(run.join("config.toml")).expect("a file").contains("\"f64\"");
    let run = runs.iter().find(precise).expect("a run in f64");
    let rows = fs::read_to_string(run.join("per_example.csv")).expect("rows");
    let column =
        rows.lines().next().expect("a header").split(',').position(|name| name == "distance").expect("a column");
    let told = rows.lines().skip(1).map(|row| row.split(',').nth(column).expect("a cell"));
    for (told, (x0, x)) in told.zip(images.to_vec2::<f64>()?.iter().zip(nearest.to_vec2::<f64>()?)) {
        let square: f64 = x0.iter().zip(x).map(|(x0, x)| (x - x0) * (x - x0)).sum();
        assert_eq!(told.parse::<f64>().expect("a number"), square.sqrt());
    }
    Ok(())
}

#[test]
fn mistakes_are_told_before_any_work() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("directory.npz")).expect("a directory");
    for (arguments, words) in [
        (&["--eps", "-0.1"][..], "eps is -0.1"),
        (&["--eps", "99"], "eps is 99"),
        (&["--sweep", "0.1,x"], "\"x\" is not a number"),
        (&["--norm", "l1"], "l1"),
        (&["--attacks", "ddn", "--norm", "linf"], "ddn is an attack for l2"),
        (&["--models", "hannet"], "--width fcnet=24: use MODEL=N with one of hannet"),
        (&["--models", "resnet"], "--models resnet: use one or more of hannet"),
        (&["--models", "hannet", "--width", "9", "--depth", "3", "--weights", "nowhere.pt"], "nowhere.pt"),
        (&["--attacks", "pgd,fgsm,pgd"], "attack.attacks has a value twice; name each once"),
        (&["--restarts", "1000000"], "attack.effort.restarts is 1000000; use at most 4096"),
        (&["--n", "0"], "attack.images is 0"),
        (&["--seeds", "0"], "seeds is 0"),
        (&["--steps", "0"], "attack.effort.steps is 0"),
        (&["--width", "hannet=3,hannet=3"], "gets 3 twice"),
        (&["--export-adversarial", "images.png"], ".npz"),
        (&["--export-adversarial", "nowhere/images.npz"], "nowhere"),
        (&["--export-adversarial", "directory.npz"], "it is not a regular file"),
        #[cfg(target_os = "linux")]
        (&["--export-adversarial", "/proc/images.npz"], "cannot write to /proc"),
        (&["--dataset", "cifar"], "mnist or fashion-mnist"),
        (&["--data-dir", "nowhere"], "nowhere"),
    ] {
        let told = sandbox.error(&tiny(arguments));
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    assert!(!sandbox.path("results").exists(), "something was written");
}

#[test]
fn the_plan_says_what_would_be_run() {
    let sandbox = Sandbox::new();
    let text = sandbox.stdout(&["plan", "mnist-attack", "--offline", "--profile", "paper"]);
    let lines = |words: &[&str]| text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!((lines(&["hannet ", "training"]), lines(&["hannet ", "attack-l2"])), (5, 5), "{text}");
    assert!(!sandbox.path("results").exists());
}

#[test]
fn reproduce_includes_it() {
    let sandbox = Sandbox::new();
    let arguments = ["reproduce", "--only", "mnist-attack", "--profile", "smoke", "--offline", "--device", "cpu"];
    let text = sandbox.stdout(&arguments);
    assert!(text.contains("Adversarial robustness, data sample"), "{text}");
    let assert = sandbox.command(&["reproduce", "--profile", "smoke", "--data-dir", "nowhere"]).assert().failure();
    assert!(String::from_utf8_lossy(&assert.get_output().stderr).contains("nowhere"));
    assert!(!sandbox.path("results/smoke/runs/checkerboard").exists());
}
