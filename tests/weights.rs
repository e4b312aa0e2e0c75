//! Weights of other programs: every file goes to the right layers, or is refused by name.

#![cfg(feature = "program")]

#[path = "common/checkpoint.rs"]
mod checkpoint;
#[path = "common/sandbox.rs"]
mod sandbox;

use candle_core::{DType, Device, Tensor};
use checkpoint::{Protocol, Py, Stored, archive, bytes, dict, floats, legacy, longs, text, zip};
use han_exp::model::image::{ImageModelConfig, MixerConfig};
use han_exp::model::weights::{self, Hints};
use han_exp::model::{FcNetConfig, HanNetConfig, Model, ModelConfig, ResNetConfig};
use han_exp::rng::Seed;
use sandbox::{Sandbox, over};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

type Named = Vec<(String, Tensor)>;

fn build(config: &ModelConfig, seed: u64) -> Model {
    config.build(2, 2, Seed(seed), &Device::Cpu).expect("a model")
}

/// The checkerboard's FCNet of the experiment: seven dense layers.
fn fcnet() -> ModelConfig {
    ModelConfig::Fcnet(FcNetConfig::new(100, 6))
}

fn stored(model: &Model) -> Named {
    model.parameters.to_stored().expect("tensors")
}

/// Tensors under other names.
fn renamed(named: &Named, rename: impl Fn(&str) -> String) -> Named {
    named.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect()
}

/// The layers of the FCNet as modules of another program.
fn foreign(name: &str) -> String {
    let (layer, part) = name.split_once('.').expect("a layer");
    let modules = ["embed.0", "trunk.0", "trunk.1", "trunk.2", "neck.0", "neck.1", "head"];
    let place: usize = layer.parse().expect("a number");
    format!("{}.{part}", modules[place / 2])
}

fn save(path: &Path, named: &Named) {
    let tensors: HashMap<String, Tensor> = named.iter().cloned().collect();
    candle_core::safetensors::save(&tensors, path).expect("a file");
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("floats")
}

fn assert_same(read: &Named, saved: &Named, what: &str) {
    for ((name, read), (_, saved)) in read.iter().zip(saved) {
        assert_eq!(values(read), values(saved), "{what}: {name}");
    }
}

/// A state dict in this order.
fn state_dict(named: &Named) -> Py {
    let entry = |(name, tensor): &(String, Tensor)| (text(name), floats(tensor.dims(), &values(tensor)));
    Py::Dict(named.iter().map(entry).collect())
}

/// Layers in the order in which a parameter's tensors are named: weight and bias of one after the other.
fn by_layer(named: &Named, layers: impl Fn(&str) -> usize) -> Named {
    let mut named = named.clone();
    named.sort_by_key(|(name, _)| (layers(name), name.ends_with("bias")));
    named
}

fn number(name: &str) -> usize {
    name.split('.').next().and_then(|layer| layer.parse().ok()).expect("a numbered layer")
}

/// What a scoring says below the line that names the file.
fn scores(told: &str) -> String {
    let (_, scores) = told.split_once('\n').expect("two lines");
    assert!(scores.contains('%'), "{told}");
    scores.to_string()
}

const CHECKERBOARD: &[&str] = &["evaluate", "checkerboard", "--device", "cpu", "--seed", "1"];

fn checkerboard<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [CHECKERBOARD, arguments].concat()
}

#[test]
fn layers_of_a_mixer_that_are_numbered_as_they_run_go_where_they_run() {
    const ARM: &[&str] = &["--arm", "mixer-4-han-12", "--channels", "64", "--mixer-blocks", "1", "--han-blocks", "2"];
    let sandbox = Sandbox::new();
    let config = ImageModelConfig::Mixer(MixerConfig::new(64, 1, 2));
    let named = stored(&config.build([32, 32, 3], 10, Seed(1), &Device::Cpu).expect("a model"));
    let score = |file: &str, more: &[&str]| {
        let evaluate = ["evaluate", "mixer", "--offline", "--device", "cpu", "--weights", file];
        scores(&sandbox.stdout(&[&evaluate[..], ARM, more].concat()))
    };
    save(&sandbox.path("own.safetensors"), &named);
    let expected = score("own.safetensors", &[]);

    let numbered = |name: &str| {
        let layers = [("token1", "0"), ("token2", "1"), ("channel1", "2"), ("channel2", "3")];
        layers.iter().fold(name.to_string(), |name, (own, number)| match name.strip_prefix("han.") {
            Some(rest) => format!("han.{}", rest.replace(own, number)),
            None => name,
        })
    };
    save(&sandbox.path("numbered.safetensors"), &renamed(&named, numbered));
    assert_eq!(score("numbered.safetensors", &[]), expected, "numbered by run");

    let timm = |name: &str| {
        let parts =
            [("ln_token", "norm1"), ("token_", "mlp_tokens."), ("ln_channel", "norm2"), ("channel_", "mlp_channels.")];
        let name = match name.strip_prefix("mixer.") {
            Some(rest) => parts.iter().fold(format!("blocks.{rest}"), |name, (own, theirs)| name.replace(own, theirs)),
            None => numbered(name),
        };
        name.replace("ln.", "norm.")
    };
    let timm = renamed(&named, timm);
    // Execution order: that of a module list declared as it runs.
    let place = |name: &str| {
        let order =
            ["stem", "blocks", "han.0.0", "han.0.1", "han.0.2", "han.0.3", "han.1.0", "han.1.1", "han.1.2", "han.1.3"];
        order.iter().position(|part| name.starts_with(part)).unwrap_or(if name.starts_with("norm") { 98 } else { 99 })
    };
    let mut executed = timm.clone();
    executed.sort_by_key(|(name, _)| place(name));
    fs::write(sandbox.path("timm.pt"), zip(&state_dict(&executed), Protocol::Two)).expect("a file");
    assert_eq!(score("timm.pt", &[]), expected, "in the order of execution");

    // With 64 tokens and 64 channels shapes do not tell which half comes first.
    save(&sandbox.path("timm.safetensors"), &timm);
    let evaluate = ["evaluate", "mixer", "--offline", "--device", "cpu", "--weights", "timm.safetensors"];
    let refused = |order: &[&str]| sandbox.error(&[&evaluate[..], ARM, order].concat());
    // A norm before blocks that end with one has the same shapes.
    let told = refused(&[]);
    assert!(told.contains("may be blocks or norm; pass --order blocks,norm"), "{told}");
    let told = refused(&["--order", "blocks,norm"]);
    assert!(told.contains("may be blocks.0.mlp_channels or blocks.0.mlp_tokens"), "{told}");
    let order = ["--order", "blocks,norm,mlp_tokens,mlp_channels"];
    assert_eq!(score("timm.safetensors", &order), expected, "with an order");
}

#[test]
fn a_file_that_has_lost_the_order_of_its_layers_is_refused_unless_somebody_says_it() {
    let sandbox = Sandbox::new();
    let own = by_layer(&stored(&build(&fcnet(), 3)), number);
    let named = renamed(&own, foreign);
    let score = |file: &str, more: &[&str]| {
        scores(&sandbox.stdout(&checkerboard(&[&["--model", "fcnet", "--weights", file], more].concat())))
    };
    save(&sandbox.path("own.safetensors"), &own);
    fs::write(sandbox.path("foreign.pt"), zip(&state_dict(&named), Protocol::Two)).expect("a file");
    save(&sandbox.path("foreign.safetensors"), &named);
    let expected = score("own.safetensors", &[]);
    assert_eq!(score("foreign.pt", &[]), expected);

    let told = sandbox.error(&checkerboard(&["--model", "fcnet", "--weights", "foreign.safetensors"]));
    for words in ["foreign.safetensors", "\"2\"", "neck or trunk", "--order", "--map"] {
        assert!(told.contains(words), "{words} is missing in {told}");
    }
    assert_eq!(score("foreign.safetensors", &["--order", "embed,trunk,neck,head"]), expected);
    assert_eq!(score("foreign.safetensors", &["--order", "trunk,neck"]), expected);
    assert_ne!(score("foreign.safetensors", &["--order", "neck,trunk"]), expected);
    let told = sandbox.error(&checkerboard(&[
        "--model",
        "fcnet",
        "--weights",
        "foreign.safetensors",
        "--order",
        "trunk,nekc",
    ]));
    assert!(told.contains("--order nekc: the file has no such layer or module"), "{told}");

    let lines: String = own.iter().map(|(name, _)| format!("{name} = {}\n", foreign(name))).collect();
    fs::write(sandbox.path("tensors.map"), format!("# all of them\n\n{lines}")).expect("a file");
    assert_eq!(score("foreign.safetensors", &["--map", "tensors.map"]), expected);
    fs::write(sandbox.path("layers.map"), "2 = trunk.0 # the first\n4=trunk.1\n 6 = trunk.2").expect("a file");
    assert_eq!(score("foreign.safetensors", &["--map", "layers.map"]), expected);

    let mistake = |map: &str| {
        fs::write(sandbox.path("wrong.map"), map).expect("a file");
        let file = ["--model", "fcnet", "--weights", "foreign.safetensors", "--map", "wrong.map"];
        sandbox.error(&checkerboard(&file))
    };
    assert!(mistake("2 = trunk.0\n4 trunk.1").contains("wrong.map, line 2: use MODEL_NAME = FILE_NAME"));
    assert!(mistake("2 = trunk.0\n2 = trunk.1").contains("line 2"));
    assert!(mistake("3 = trunk.0").contains("the model has no tensor or layer 3"));
    assert!(mistake("2 = trunk.9").contains("the file has no tensor or layer trunk.9"));
    assert!(mistake("2.weight = head.weight").contains("expected shape [100, 100], found [2, 100]"));
}

#[test]
fn verbose_says_which_tensor_went_where() {
    let sandbox = Sandbox::new();
    let named = renamed(&by_layer(&stored(&build(&fcnet(), 3)), number), foreign);
    let mut entries = named.clone();
    entries.push(("loss".into(), Tensor::new(&[1_f32], &Device::Cpu).expect("a tensor")));
    fs::write(sandbox.path("foreign.pt"), zip(&state_dict(&entries), Protocol::Two)).expect("a file");
    let arguments = checkerboard(&["--model", "fcnet", "--weights", "foreign.pt"]);
    let output = sandbox.command(&arguments).assert().success().get_output().clone();
    // A network that was not trained is no better than class 0 everywhere.
    let warning = sandbox::text(&output.stderr);
    assert!(warning.lines().count() == 1 && warning.contains("is not above 60."), "{warning}");
    let verbose = sandbox.command(&[&arguments[..], &["--verbose"]].concat()).assert().success().get_output().clone();
    assert_eq!(output.stdout, verbose.stdout);
    let told = sandbox::text(&verbose.stderr);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..2], ["0.weight [100, 2] <- embed.0.weight", "0.bias [100] <- embed.0.bias"]);
    assert!(lines.contains(&"8.weight [100, 100] <- neck.0.weight") && lines.contains(&"loss is left aside"), "{told}");
    assert_eq!(lines.len(), 16);
}

/// Files in three formats of which two say the order of layers by numbers alone.
#[test]
fn numbers_in_names_are_ordered_as_numbers_and_shapes_tell_the_rest() {
    let sandbox = Sandbox::new();
    let config = ModelConfig::Hannet(HanNetConfig::new(5, 12, vec![1, 2, 12]));
    let named = by_layer(&stored(&build(&config, 3)), number);
    let prefixed = renamed(&named, |name| match number(name) {
        24 => name.replace("24.", "classifer."),
        layer => name.replacen(&layer.to_string(), &format!("feature.{}", 3 * layer + 1), 1),
    });
    let path = sandbox.path("foreign.safetensors");
    save(&path, &prefixed);
    let model = build(&config, 4);
    weights::load(&model.parameters, weights::read(&path).expect("a file")).expect("the order is known");
    assert_same(&by_layer(&stored(&model), number), &named, "counted by modules");

    // ModuleLists without activations between their layers count otherwise; two of the numbers are the model's own.
    let counted = renamed(&named, |name| name.replacen(&number(name).to_string(), &(number(name) / 2).to_string(), 1));
    save(&path, &counted);
    let model = build(&config, 4);
    weights::load(&model.parameters, weights::read(&path).expect("a file")).expect("the order is known");
    assert_same(&by_layer(&stored(&model), number), &named, "counted by layers");
}

#[test]
fn norms_and_convolutions_of_another_program_go_to_their_layers() -> anyhow::Result<()> {
    let sandbox = Sandbox::new();
    let config = ModelConfig::Resnet(ResNetConfig { width: 6, blocks: 2 });
    let named = stored(&build(&config, 3));
    let order = ["0.0", "0.1", "1.0", "1.1", "1.3", "1.4", "2.0", "2.1", "2.3", "2.4", "3"];
    let theirs = ["stem.fc", "stem.bn", "a.fc1", "a.bn1", "a.fc2", "a.bn2", "b.fc1", "b.bn1", "b.fc2", "b.bn2", "out"];
    let layer = |name: &str| {
        let (layer, _) = name.rsplit_once('.').expect("a layer");
        order.iter().position(|other| *other == layer).expect("a layer of the model")
    };
    let executed = by_layer(&named, layer);
    let foreign = renamed(&executed, |name| name.replacen(order[layer(name)], theirs[layer(name)], 1));
    fs::write(sandbox.path("resnet.pt"), zip(&state_dict(&foreign), Protocol::Two))?;
    let model = build(&config, 4);
    weights::load(&model.parameters, weights::read(&sandbox.path("resnet.pt"))?)?;
    assert_same(&stored(&model), &named, "a checkpoint");

    // The first of two equal blocks is not known from text.
    save(&sandbox.path("resnet.safetensors"), &foreign);
    let model = build(&config, 4);
    let read = weights::read(&sandbox.path("resnet.safetensors"))?;
    let told = weights::load(&model.parameters, read).expect_err("an unknown order").to_string();
    assert!(told.contains("may be"), "{told}");
    let hints = Hints {
        order: ["stem", "a", "b", "fc", "bn", "fc1", "bn1", "fc2", "bn2"].map(String::from).into(),
        ..Hints::default()
    };
    weights::load_with(&model.parameters, weights::read(&sandbox.path("resnet.safetensors"))?, &hints)?;
    assert_same(&stored(&model), &named, "with an order");
    Ok(())
}

#[test]
fn a_residual_network_that_declares_its_projections_last_is_read() -> anyhow::Result<()> {
    let saved = ImageModelConfig::Resnet32.build([32, 32, 3], 10, Seed(3), &Device::Cpu)?;
    let named = stored(&saved);
    // conv1, bn1, conv2, bn2, shortcut: the order of most programs, and a name of many.
    let place = |name: &str| {
        let order = ["conv1", "bn1", "conv2", "bn2", "shortcut.0", "shortcut.1"];
        let (block, rest) = name.split_at(name.find("layer").map_or(0, |_| "layer1.0.".len()));
        let inside = order.iter().position(|part| rest.starts_with(part)).unwrap_or(9);
        (if name.starts_with("linear") { "z".into() } else { block.to_string() }, inside)
    };
    let mut foreign = renamed(&named, |name| name.replace("downsample", "shortcut").replace("fc.", "linear."));
    foreign.sort_by_key(|(name, _)| place(name));
    let read = ImageModelConfig::Resnet32.build([32, 32, 3], 10, Seed(4), &Device::Cpu)?;
    let file = weights::parse(&zip(&state_dict(&foreign), Protocol::Two), Path::new("resnet.pt"))?;
    weights::load(&read.parameters, file)?;
    assert_same(&stored(&read), &named, "shortcuts last");
    Ok(())
}

#[test]
fn a_layer_that_has_more_than_the_models_is_refused() {
    let sandbox = Sandbox::new();
    let mut named = stored(&build(&fcnet(), 3));
    named.push(("12.running_mean".into(), Tensor::zeros(2, DType::F32, &Device::Cpu).expect("a tensor")));
    save(&sandbox.path("more.safetensors"), &named);
    let told = sandbox.error(&checkerboard(&["--model", "fcnet", "--weights", "more.safetensors"]));
    assert!(told.contains("12.running_mean: the model's layer \"12\" has no running_mean"), "{told}");
}

#[test]
fn weights_that_are_no_finite_numbers_are_refused_whoever_reads_them() {
    let sandbox = Sandbox::new();
    let named = stored(&build(&fcnet(), 3));
    let with = |place: usize, change: &dyn Fn(&Tensor) -> candle_core::Result<Tensor>| -> Named {
        let change = |(at, (name, tensor)): (usize, &(String, Tensor))| {
            (name.clone(), if at == place { change(tensor).expect("a tensor") } else { tensor.clone() })
        };
        named.iter().enumerate().map(change).collect()
    };
    let (weight, bias) = (named[0].0.clone(), named[1].0.clone());
    let cases: [(&str, &str, Named); 5] = [
        (&weight, "not a finite number", with(0, &|t| t * f64::NAN)),
        (&bias, "not a finite number", with(1, &|t| t + f64::INFINITY)),
        (&bias, "not a finite number", with(1, &|t| t.to_dtype(DType::F64)? + 1e300)),
        (&weight, "not those of weights", with(0, &|t| t.to_dtype(DType::I64))),
        (&bias, "not those of weights", with(1, &|t| t.to_dtype(DType::U8))),
    ];
    for (name, words, named) in cases {
        save(&sandbox.path("bad.safetensors"), &named);
        let told = sandbox.error(&checkerboard(&["--model", "fcnet", "--weights", "bad.safetensors"]));
        assert!(told.contains(name) && told.contains(words) && told.contains("bad.safetensors"), "{told}");
    }

    let config = ModelConfig::Resnet(ResNetConfig { width: 4, blocks: 1 });
    let negative = |(name, tensor): (String, Tensor)| {
        let turned = if name.ends_with("running_var") { tensor.neg().expect("a tensor") } else { tensor };
        (name, turned)
    };
    save(&sandbox.path("bad.safetensors"), &stored(&build(&config, 1)).into_iter().map(negative).collect());
    let small = ["--model", "resnet", "--width", "4", "--depth", "1", "--weights", "bad.safetensors"];
    assert!(sandbox.error(&checkerboard(&small)).contains("a variance is negative"));
    // The model's name says which tensor is a variance; the file may call it anything.
    let turned: Vec<(String, Tensor)> = stored(&build(&config, 1)).into_iter().map(negative).collect();
    let map: String = turned.iter().enumerate().map(|(place, (name, _))| format!("{name} = part.{place}\n")).collect();
    fs::write(sandbox.path("all.map"), map).expect("a file");
    let parts = turned.into_iter().enumerate().map(|(place, (_, tensor))| (format!("part.{place}"), tensor)).collect();
    save(&sandbox.path("bad.safetensors"), &parts);
    let told = sandbox.error(&checkerboard(&[&small[..], &["--map", "all.map"]].concat()));
    assert!(told.contains("part.") && told.contains("a variance is negative"), "{told}");

    // Finite weights whose outputs are not.
    let large =
        renamed(&named, str::to_string).into_iter().map(|(name, t)| (name, (t * 1e35).expect("a tensor"))).collect();
    save(&sandbox.path("large.safetensors"), &large);
    let told = sandbox.error(&checkerboard(&["--model", "fcnet", "--weights", "large.safetensors"]));
    assert!(told.contains("outputs of the network are not finite"), "{told}");
}

#[test]
fn a_damaged_checkpoint_is_refused_wherever_a_bit_is_wrong() {
    let sandbox = Sandbox::new();
    let named = by_layer(&stored(&build(&ModelConfig::Fcnet(FcNetConfig::new(5, 2)), 3)), number);
    let sound = zip(&state_dict(&named), Protocol::Two);
    let evaluate = checkerboard(&["--model", "fcnet", "--width", "5", "--depth", "2", "--weights", "weights.pt"]);
    fs::write(sandbox.path("weights.pt"), &sound).expect("a file");
    sandbox.stdout(&evaluate);
    // The last byte of a weight, as bits rot.
    let data = values(&named[0].1).last().expect("a weight").to_le_bytes();
    let place = sound.windows(4).position(|bytes| bytes == data).expect("the weight");
    let mut damaged = sound.clone();
    damaged[place] ^= 1;
    fs::write(sandbox.path("weights.pt"), &damaged).expect("a file");
    let told = sandbox.error(&evaluate);
    assert!(told.contains("weights.pt") && told.contains("checksum"), "{told}");
    // No byte may change the score unseen.
    let model = build(&ModelConfig::Fcnet(FcNetConfig::new(5, 2)), 4);
    let path = sandbox.path("weights.pt");
    for place in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[place] ^= 0x10;
        let Ok(read) = weights::parse(&damaged, &path) else { continue };
        if weights::load(&model.parameters, read).is_ok() {
            assert_same(&by_layer(&stored(&model), number), &named, &format!("after a wrong bit in byte {place}"));
        }
    }
    for cut in 0..sound.len() {
        assert!(weights::parse(&sound[..cut], &path).is_err(), "cut at {cut}");
    }
}

#[test]
fn integers_in_a_checkpoint_are_no_weights_but_counters_may_be_there() {
    let sandbox = Sandbox::new();
    let named = by_layer(&stored(&build(&ModelConfig::Fcnet(FcNetConfig::new(5, 2)), 3)), number);
    let Py::Dict(mut entries) = state_dict(&named) else { panic!("a dictionary") };
    let evaluate = checkerboard(&["--model", "fcnet", "--width", "5", "--depth", "2", "--weights", "weights.pt"]);
    entries.push((text("0.num_batches_tracked"), longs(&[], &[7])));
    fs::write(sandbox.path("weights.pt"), zip(&Py::Dict(entries.clone()), Protocol::Two)).expect("a file");
    sandbox.stdout(&evaluate);
    entries[1].1 = longs(&[5], &[1, 2, 3, 4, 5]);
    fs::write(sandbox.path("weights.pt"), zip(&Py::Dict(entries), Protocol::Two)).expect("a file");
    let told = sandbox.error(&evaluate);
    assert!(told.contains("0.bias: its numbers are those of a LongStorage"), "{told}");
}

/// A state dict of a small FCNet, the network, and what it should become.
fn small() -> (ModelConfig, Py, Named) {
    let config = ModelConfig::Fcnet(FcNetConfig::new(5, 2));
    let named = by_layer(&stored(&build(&config, 3)), number);
    (config, state_dict(&named), named)
}

/// Reads bytes into another network of that kind and compares.
fn assert_read(bytes: &[u8], hints: &Hints, what: &str) {
    let (config, _, named) = small();
    let model = build(&config, 4);
    let read = weights::parse(bytes, Path::new(what)).unwrap_or_else(|error| panic!("{what}: {error:#}"));
    weights::load_with(&model.parameters, read, hints).unwrap_or_else(|error| panic!("{what}: {error:#}"));
    assert_same(&by_layer(&stored(&model), number), &named, what);
}

fn refused(bytes: &[u8], hints: &Hints) -> String {
    let model = build(&small().0, 4);
    let read = weights::parse(bytes, Path::new("weights.pt"));
    let result = read.and_then(|read| weights::load_with(&model.parameters, read, hints));
    format!("{:#}", result.expect_err("a file to refuse"))
}

fn key(key: &str) -> Hints {
    Hints { key: Some(key.into()), ..Hints::default() }
}

#[test]
fn checkpoints_of_training_programs_are_read_in_all_their_forms() {
    let (_, state, _) = small();
    let none = Hints::default();
    let slots = Py::Dict(vec![(Py::Int(0), dict([("exp_avg", floats(&[2, 2], &[0.5; 4])), ("step", Py::Int(3))]))]);
    let optimizer = dict([("state", slots), ("param_groups", Py::List(vec![dict([("lr", Py::Float(0.1))])]))]);
    let best = || floats(&[], &[93.5]);
    let forms = [
        ("imagenet", dict([("epoch", Py::Int(9)), ("state_dict", state.clone()), ("best_acc1", best())])),
        ("with an optimizer", dict([("optimizer", optimizer), ("model_state_dict", state.clone())])),
        ("generator state", dict([("rng", bytes(&[1, 2, 3])), ("net", state.clone()), ("steps", longs(&[1], &[5]))])),
        ("two levels", dict([("checkpoint", dict([("state_dict", state.clone()), ("loss", best())]))])),
        ("bare", state.clone()),
    ];
    for (what, form) in &forms {
        assert_read(&zip(form, Protocol::Two), &none, what);
        assert_read(&zip(form, Protocol::Four), &none, &format!("{what}, protocol 4"));
        assert_read(&legacy(form), &none, &format!("{what}, legacy"));
    }
    for name in ["params", "ema", "model", "network", "weights", "anything"] {
        assert_read(&zip(&dict([("epoch", Py::Int(9)), (name, state.clone())]), Protocol::Two), &none, name);
    }
}

#[test]
fn of_several_sets_of_weights_somebody_has_to_choose_one() {
    let (config, state, _) = small();
    let other = state_dict(&by_layer(&stored(&build(&config, 8)), number));
    let both = zip(&dict([("epoch", Py::Int(9)), ("ema", other), ("model", state)]), Protocol::Two);
    let told = refused(&both, &Hints::default());
    assert!(told.contains("holds weights under ema and model; choose one with --key"), "{told}");
    assert_read(&both, &key("model"), "the second");
    let told = refused(&both, &key("network"));
    assert!(told.contains("--key network") && told.contains("ema, model"), "{told}");
}

#[test]
fn a_file_without_weights_says_what_it_holds() {
    let told =
        refused(&zip(&dict([("epoch", Py::Int(9)), ("best", Py::Float(0.5))]), Protocol::Two), &Hints::default());
    assert!(told.contains("holds no weights; its keys are epoch, best"), "{told}");
    let told = refused(&zip(&dict([("gamma", floats(&[1], &[1.0]))]), Protocol::Two), &Hints::default());
    assert!(told.contains("it holds gamma") && told.contains("--map"), "{told}");
    let told = refused(&zip(&floats(&[1], &[1.0]), Protocol::Two), &Hints::default());
    assert!(told.contains("no dictionary"), "{told}");
}

#[test]
fn a_whole_module_is_refused_with_the_cure() {
    let parameters = dict([("weight", floats(&[1], &[1.0]))]);
    let module = |class: Py| {
        let state = dict([("training", Py::Int(1)), ("_parameters", parameters.clone()), ("_modules", dict([]))]);
        Py::Call(Box::new(class), vec![], Some(Box::new(state)))
    };
    let plain = module(Py::Global("__main__", "Net"));
    for bytes in [
        zip(&plain, Protocol::Two),
        zip(&plain, Protocol::Four),
        legacy(&plain),
        zip(&dict([("epoch", Py::Int(1)), ("model", plain.clone()), ("loss", floats(&[], &[1.0]))]), Protocol::Two),
    ] {
        let told = refused(&bytes, &Hints::default());
        assert!(told.contains("whole module (__main__.Net)") && told.contains("save its state_dict"), "{told}");
    }
}

#[test]
fn strided_tensors_and_parameters_are_read_as_what_they_are() {
    let (_, _, named) = small();
    let entry = |(name, tensor): &(String, Tensor)| {
        let dims = tensor.dims();
        let mut stored = Stored::floats(dims, &values(tensor));
        if let [rows, columns] = *dims {
            // A transposed view, as of `weight.t()`, at an offset within a larger storage.
            let transposed = values(&tensor.t().and_then(|t| t.contiguous()).expect("a transpose"));
            stored = Stored::floats(&[columns, rows], &[&[9.0; 3][..], &transposed].concat());
            stored = Stored { dims: dims.to_vec(), strides: vec![1, rows], offset: 3, parameter: true, ..stored };
        }
        (text(name), Py::Tensor(stored))
    };
    let state = Py::Dict(named.iter().map(entry).collect());
    assert_read(&zip(&state, Protocol::Two), &Hints::default(), "strided");
    assert_read(&legacy(&state), &Hints::default(), "strided, legacy");

    // Convolutions in `channels_last`.
    let config = ImageModelConfig::Mixer(MixerConfig::new(16, 1, 0));
    let saved = config.build([32, 32, 3], 10, Seed(1), &Device::Cpu).expect("a model");
    let entry = |(name, tensor): &(String, Tensor)| {
        let mut stored = Stored::floats(tensor.dims(), &values(tensor));
        if let [_, inputs, height, width] = *tensor.dims() {
            let last = tensor.permute((0, 2, 3, 1)).and_then(|t| t.contiguous()).expect("a tensor");
            let strides = vec![inputs * height * width, 1, width * inputs, inputs];
            stored = Stored { strides, ..Stored::floats(tensor.dims(), &values(&last)) };
        }
        (text(name), Py::Tensor(stored))
    };
    let state = Py::Dict(self::stored(&saved).iter().map(entry).collect());
    let read = config.build([32, 32, 3], 10, Seed(2), &Device::Cpu).expect("a model");
    let file = weights::parse(&zip(&state, Protocol::Two), Path::new("channels_last.pt")).expect("a checkpoint");
    weights::load(&read.parameters, file).expect("weights");
    assert_same(&self::stored(&read), &self::stored(&saved), "channels_last");
}

#[test]
fn hostile_pickles_are_refused_before_they_cost_anything() {
    let sandbox = Sandbox::new();
    let of = |pickle: Vec<u8>| archive(&[("archive/data.pkl".into(), pickle)]);
    let nested = of([&b"\x80\x02)"[..], &vec![0x85; 131_816], b"."].concat());
    let mut doubled = b"\x80\x02X\x08\0\0\0aaaaaaaaq\0".to_vec();
    for place in 1..60 {
        doubled.extend([b'h', place - 1, b'h', place - 1, 0x86, b'q', place]);
    }
    doubled.push(b'.');
    let endless = of([&b"\x80\x02"[..], &vec![b')'; 5_000_000], b"."].concat());
    // {"aa..": {}, ..}: each of many dictionaries under one name.
    let long = [&b"\x80\x02}(X\0\x08\0\0"[..], &[b'a'; 2048], b"q\0}", &b"h\0}".repeat(1000), b"u."].concat();
    let zero = Stored { dims: vec![1_000_000_000], strides: vec![0], ..Stored::floats(&[1], &[1.0]) };
    let zero = dict([("0.weight", Py::Tensor(zero))]);
    for (what, bytes, words) in [
        ("nested", nested, "no dictionary"),
        ("doubled", of(doubled), "no dictionary"),
        ("endless", endless, "instructions"),
        ("a long name", of(long), "a name of 2048 bytes"),
        ("stride 0", zip(&zero, Protocol::Two), "more than its storage of 1"),
        ("stride 0, legacy", legacy(&zero), "more than its storage of 1"),
    ] {
        assert!(refused(&bytes, &Hints::default()).contains(words), "{what}: {}", refused(&bytes, &Hints::default()));
        fs::write(sandbox.path("hostile.pt"), &bytes).expect("a file");
        let told = sandbox.error(&checkerboard(&["--model", "fcnet", "--weights", "hostile.pt"]));
        assert!(told.contains("hostile.pt") && told.contains(words), "{what}: {told}");
    }

    let mut header = (1_u64 << 40).to_le_bytes().to_vec();
    header.extend(b"{\"a\":0}");
    assert!(refused(&header, &Hints::default()).contains("list of tensors"), "a header of a terabyte");
    let deep = "a.".repeat(500) + "weight";
    let told = refused(&zip(&Py::Dict(vec![(text(&deep), floats(&[1], &[1.0]))]), Protocol::Two), &Hints::default());
    assert!(told.len() < 10_000, "a deep name");
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_regular_file_is_refused() {
    let sandbox = Sandbox::new();
    let told = sandbox.error(&checkerboard(&["--model", "fcnet", "--weights", "/dev/zero"]));
    assert!(told.contains("/dev/zero") && told.contains("not a regular file"), "{told}");
}

#[test]
fn weights_of_a_run_are_scored_on_the_points_that_the_run_held_out() {
    let sandbox = Sandbox::new();
    sandbox.stdout(&[sandbox::CHECKERBOARD, &["--first-seed", "107"]].concat());
    let runs = sandbox.runs("results/smoke", "checkerboard/hannet", "tuned");
    let full = runs.into_iter().find(|run| run.to_string_lossy().contains("full")).expect("a full run");
    let evaluations = fs::read_to_string(full.join("evaluations.csv")).expect("a file");
    let expected = |split: &str| {
        let row = evaluations.lines().find(|line| line.contains(&format!(",{split},accuracy,"))).expect("a row");
        let accuracy: f64 = row.split(',').nth(9).and_then(|value| value.parse().ok()).expect("an accuracy");
        format!("{split:5} accuracy {:6.2} %", 100.0 * accuracy)
    };
    let [directory, file] = [full.clone(), full.join("weights.safetensors")];
    for weights in [&directory, &file] {
        let weights = weights.to_str().expect("a plain path");
        let told = sandbox.stdout(&["evaluate", "checkerboard", "--device", "cpu", "--weights", weights]);
        assert!(told.contains(&expected("test")), "{told} is not {evaluations}");
        assert!(told.contains("the run's random split of seed 107"), "{told}");
        assert!(
            told.contains("dense 2 -> 8 |.|, dense 8 -> 8 |.|, Han 8 |.|, dense 8 -> 8 |.|, dense 8 -> 2; "),
            "{told}"
        );
        let model = ["--model", "hannet", "--width", "8", "--depth", "4"];
        let evaluate = ["evaluate", "checkerboard", "--device", "cpu", "--weights", weights];
        assert_eq!(sandbox.stdout(&[&evaluate[..], &model].concat()), told);
        let other = sandbox.stdout(&[&evaluate[..], &["--seed", "0"]].concat());
        assert!(other.contains("random split of seed 0"), "{other}");
    }

    // Away from its run nobody knows the split; the answer says which one it is.
    fs::copy(&file, sandbox.path("alone.safetensors")).expect("a copy");
    let alone = ["evaluate", "checkerboard", "--device", "cpu", "--weights", "alone.safetensors"];
    let told = sandbox.error(&alone);
    assert!(told.contains("--model is missing") && told.contains("hannet, fcnet, resnet"), "{told}");
    let model = ["--model", "hannet", "--width", "8", "--depth", "4"];
    let told = sandbox.stdout(&[&alone[..], &model].concat());
    assert!(told.contains("random split of seed 100, the experiment's first"), "{told}");

    // A config.toml of something else.
    fs::write(sandbox.path("config.toml"), "learning_rate = 0.1").expect("a file");
    let told = sandbox.error(&[&alone[..], &model].concat());
    assert!(told.contains("config.toml is not a run of the checkerboard") && told.contains("--seed"), "{told}");
    sandbox.stdout(&[&alone[..], &model, &["--seed", "3"]].concat());
}

#[test]
fn files_with_commas_and_equals_signs_in_their_names_are_attacked() {
    let sandbox = Sandbox::new();
    let config = ModelConfig::Hannet(HanNetConfig::new(24, 6, vec![1]));
    let model = config.build(784, 10, Seed(1), &Device::Cpu).expect("a model");
    fs::create_dir_all(sandbox.path("lr=0.1,b")).expect("a directory");
    for name in ["plain.safetensors", "a,b.safetensors", "hannet=x.safetensors", "lr=0.1,b/w=1,2.safetensors"] {
        save(&sandbox.path(name), &stored(&model));
    }
    let plan = ["plan", "mnist-attack", "--offline", "--profile", "smoke", "--depth", "6"];
    let one = |weights: &str| {
        let models = ["--models", "hannet", "--width", "24", "--norm", "linf", "--weights", weights];
        sandbox.stdout(&[&plan[..], &models].concat())
    };
    let expected = one("plain.safetensors");
    assert!(expected.contains("1 run, 0 of them finished"), "{expected}");
    for name in [
        "a,b.safetensors",
        "hannet=a,b.safetensors",
        "hannet=x.safetensors",
        "hannet=hannet=x.safetensors",
        "lr=0.1,b/w=1,2.safetensors",
        "hannet=lr=0.1,b/w=1,2.safetensors",
    ] {
        assert_eq!(one(name), expected, "{name}");
    }
    let weights = "fcnet=nowhere,else.pt,hannet=a,b.safetensors";
    let told =
        sandbox.error(&[&plan[..], &["--models", "hannet,fcnet", "--width", "24", "--weights", weights]].concat());
    assert!(told.contains("nowhere"), "{told}");
}

/// An attack of a step on a few images.
const ATTACK: &[&str] = &[
    "mnist-attack", "--offline", "--profile", "smoke", "--models", "fcnet", "--width", "8", "--depth", "3", "--n", "5",
    "--norm", "linf", "--eps", "8/255", "--sweep", "off", "--attacks", "fgsm", "--device", "cpu",
];

#[test]
fn an_attack_on_a_file_remembers_what_was_said_about_it() {
    let sandbox = Sandbox::new();
    let config = ModelConfig::Fcnet(FcNetConfig::new(8, 3));
    let named = stored(&config.build(784, 10, Seed(1), &Device::Cpu).expect("a model"));
    let foreign = renamed(&named, |name| {
        let modules = ["first", "b", "a", "last"];
        name.replacen(&number(name).to_string(), modules[number(name) / 2], 1)
    });
    save(&sandbox.path("foreign.safetensors"), &foreign);
    save(&sandbox.path("own.safetensors"), &named);
    let told = sandbox.error(&over(ATTACK, &["--weights", "foreign.safetensors"]));
    assert!(told.contains("a or b") && told.contains("--order"), "{told}");
    let rows = |out: &str| {
        let run = sandbox.runs(out, "mnist-attack/fcnet", "attack")[0].clone();
        // The run that each is of stands in the last column.
        let text = fs::read_to_string(run.join("per_example.csv")).expect("rows");
        text.lines().filter_map(|line| Some(line.rsplit_once(',')?.0.to_string())).collect::<Vec<_>>()
    };
    let told = sandbox.stdout(&over(ATTACK, &["--weights", "own.safetensors", "--out", "own"]));
    let page = fs::read_to_string(sandbox.path("own/README.md")).expect("a page");
    assert!(told.contains("worst linf 0.0314") && !told.contains("0.03137"), "{told}");
    assert!(page.contains("0.0314") && !page.contains("0.03137"), "{page}");
    sandbox.stdout(&over(ATTACK, &["--weights", "foreign.safetensors", "--order", "b,a", "--out", "foreign"]));
    assert_eq!(rows("foreign"), rows("own"));
    let run = sandbox.runs("foreign", "mnist-attack/fcnet", "attack")[0].clone();
    sandbox.stdout(&["rerun", run.to_str().expect("a plain path"), "--offline", "--device", "cpu", "--out", "again"]);
    assert_eq!(rows("again"), rows("own"));
}
