//! Every layer, loss and update rule against PyTorch in float64 (`tests/golden/make_golden.py`).

mod common;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::Module;
use common::{TYPES, assert_close, assert_close_at_scale, backward, golden, gradient, largest, variable};
use han_exp::evaluate::attack::{Classifier, Examples, Fgsm, Outcome, Pgd, StepRule, Stop, Threat};
use han_exp::model::{HanNetConfig, ModelConfig, Network};
use han_exp::nn::{Activation, Axis, BatchNorm, Dense, HanStack, Mode, loss};
use han_exp::rng::Seed;
use han_exp::train::{Optimizer, OptimizerConfig, ScheduleConfig};
use std::collections::{BTreeSet, HashMap};

/// The two ways to run a stack.
const PATHS: [(&str, Forward); 2] = [("kernel", HanStack::forward), ("composed", HanStack::forward_composed)];

type Forward = fn(&HanStack, &Tensor) -> Result<Tensor>;

/// Runs one case both ways in both types and returns the worst deviation of each run.
fn compare_han_case(case: &str, axis: Axis, reference: &HashMap<&str, Tensor>) -> Result<()> {
    for (dtype, tolerance) in TYPES {
        for (path, forward) in PATHS {
            let [x, u, b] = ["x", "u", "b"].map(|key| variable(&reference[key], dtype));
            let (x, u, b) = (x?, u?, b?);
            let stack = HanStack::new(u.as_tensor().clone(), b.as_tensor().clone())?.along(axis);
            let y = forward(&stack, x.as_tensor())?;
            assert_eq!(y.dtype(), dtype);
            let what = |key: &str| format!("{case} in {dtype:?}, {path}: {key}");
            let mut worst = assert_close(&y, &reference["y"], tolerance, &what("y"))?;

            let gradients = backward(&y, &reference["gy"])?;
            for (key, var) in [("gx", &x), ("gu", &u), ("gb", &b)] {
                let expected = &reference[key];
                // A direction of one entry cannot turn: its gradient is 0 up to rounding, also PyTorch's.
                let scale = match key == "gu" && stack.width() == 1 {
                    true => largest(&reference["gb"])?,
                    false => largest(expected)?,
                };
                let actual = gradient(&gradients, var, key)?;
                worst = worst.max(assert_close_at_scale(actual, expected, scale, tolerance, &what(key))?);
            }
            println!("{case} in {dtype:?}, {path}: at most {worst:.1e} off");
        }
    }
    Ok(())
}

#[test]
fn han_stacks_match_pytorch_forward_and_gradients() -> Result<()> {
    let tensors = golden("han_layer")?;
    let cases: BTreeSet<&str> = tensors.keys().filter_map(|key| Some(key.split_once('.')?.0)).collect();
    assert_eq!(cases.len(), 9, "{cases:?}");
    for case in cases {
        let reference = ["x", "u", "b", "y", "gy", "gx", "gu", "gb"];
        let reference = reference.map(|key| (key, tensors[&format!("{case}.{key}")].clone())).into();
        compare_han_case(case, Axis::Last, &reference)?;
    }
    Ok(())
}

#[test]
fn han_layers_along_tokens_match_pytorch_forward_and_gradients() -> Result<()> {
    let tensors = golden("han_layer_tokens")?;
    let mut reference: HashMap<&str, Tensor> = tensors.iter().map(|(key, t)| (key.as_str(), t.clone())).collect();
    // The file holds a single layer, a stack has a leading axis of layers.
    for key in ["u", "b", "gu", "gb"] {
        reference.insert(key, tensors[key].unsqueeze(0)?);
    }
    compare_han_case("tokens", Axis::Tokens, &reference)
}

/// Ten steps of a linear regression, compared after every one of them.
fn compare_optimizer(file: &str, config: OptimizerConfig, learning_rate: f64) -> Result<()> {
    let reference = golden(file)?;
    for (dtype, tolerance) in TYPES {
        let (w, c) = (variable(&reference["w0"], dtype)?, variable(&reference["c0"], dtype)?);
        let (a, t) = (reference["a"].to_dtype(dtype)?, reference["t"].to_dtype(dtype)?);
        let layer = Dense::new(w.as_tensor().clone(), c.as_tensor().clone(), Activation::Identity)?;
        let mut optimizer = Optimizer::new(config.clone(), vec![w.clone(), c.clone()])?;
        for step in 1..=10 {
            optimizer.step(&loss::mse(&layer.forward(&a)?, &t)?.backward()?, learning_rate)?;
            for (key, var) in [(format!("w{step}"), &w), (format!("c{step}"), &c)] {
                assert_close(var, &reference[&key], tolerance, &format!("{file} in {dtype:?}: {key}"))?;
            }
        }
    }
    Ok(())
}

#[test]
fn sgd_with_momentum_matches_pytorch() -> Result<()> {
    compare_optimizer("opt_sgd_momentum", OptimizerConfig::Sgd { momentum: 0.9, weight_decay: 0.0 }, 0.05)
}

#[test]
fn sgd_with_momentum_and_weight_decay_matches_pytorch() -> Result<()> {
    compare_optimizer("opt_sgd_momentum_wd", OptimizerConfig::Sgd { momentum: 0.9, weight_decay: 5e-4 }, 0.05)
}

/// PyTorch's defaults.
fn adam(weight_decay: f64) -> OptimizerConfig {
    OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay }
}

#[test]
fn adam_matches_pytorch() -> Result<()> {
    compare_optimizer("opt_adam", adam(0.0), 3e-3)
}

#[test]
fn adamw_matches_pytorch() -> Result<()> {
    compare_optimizer("opt_adamw", adam(0.1), 3e-3)
}

#[test]
fn multi_step_schedule_matches_pytorch() -> Result<()> {
    let schedule = ScheduleConfig::MultiStep { at: vec![0.5, 0.7, 0.9], factor: 0.2 };
    let rates: Vec<f64> = (0..1000).map(|iteration| 0.075 * schedule.factor(iteration, 1000)).collect();
    assert_close(&Tensor::new(rates, &Device::Cpu)?, &golden("multistep_lr")?["lr"], 1e-12, "learning rates")?;
    Ok(())
}

#[test]
fn mean_squared_error_matches_pytorch() -> Result<()> {
    let reference = golden("losses")?;
    for (dtype, tolerance) in TYPES {
        let z = variable(&reference["logits"], dtype)?;
        let loss = loss::mse(&z, &reference["mse_target"].to_dtype(dtype)?)?;
        assert_close(&loss, &reference["mse"], tolerance, "mse")?;
        let gradients = loss.backward()?;
        assert_close(gradient(&gradients, &z, "mse")?, &reference["mse_grad"], tolerance, "gradient of mse")?;
    }
    Ok(())
}

#[test]
fn cross_entropy_matches_pytorch() -> Result<()> {
    let reference = golden("losses")?;
    for (dtype, tolerance) in TYPES {
        let z = variable(&reference["logits"], dtype)?;
        let loss = loss::cross_entropy(&z, &reference["labels"].to_dtype(DType::U32)?)?;
        assert_close(&loss, &reference["cross_entropy"], tolerance, "cross entropy")?;
        let gradients = loss.backward()?;
        let actual = gradient(&gradients, &z, "cross entropy")?;
        assert_close(actual, &reference["cross_entropy_grad"], tolerance, "gradient of cross entropy")?;
    }
    Ok(())
}

#[test]
fn batch_norm_matches_pytorch_in_training_and_evaluation() -> Result<()> {
    let reference = golden("batch_norm")?;
    for (dtype, tolerance) in TYPES {
        let [weight, bias] = ["weight", "bias"].map(|key| variable(&reference[key], dtype));
        let mean = Var::zeros(4, dtype, &Device::Cpu)?;
        let variance = Var::ones(4, dtype, &Device::Cpu)?;
        let (weight, bias) = (weight?.into_inner(), bias?.into_inner());
        let layer = BatchNorm::new(weight, bias, mean.clone(), variance.clone())?;
        for batch in 0..2 {
            let of = |name: &str| &reference[&format!("{name}{batch}")];
            let close = |actual: &Tensor, name: &str| {
                assert_close(actual, of(name), tolerance, &format!("{name} of batch {batch} in {dtype:?}"))
            };
            let x = variable(of("x"), dtype)?;
            let y = layer.forward(&x, Mode::Train)?;
            close(&y, "y")?;
            close(gradient(&backward(&y, of("gy"))?, &x, "x")?, "gx")?;
            close(&mean, "running_mean")?;
            close(&variance, "running_var")?;
        }
        let y = layer.forward(&reference["x_eval"].to_dtype(dtype)?, Mode::Eval)?;
        assert_close(&y, &reference["y_eval"], tolerance, "evaluation")?;
        // Evaluation leaves the running statistics alone.
        assert_close(&mean, &reference["running_mean1"], tolerance, "running mean after evaluation")?;
        assert_close(&variance, &reference["running_var1"], tolerance, "running variance after evaluation")?;
    }
    Ok(())
}

#[test]
fn hannet_matches_pytorch_in_outputs_loss_and_every_gradient() -> Result<()> {
    let reference = golden("hannet_checkerboard")?;
    let weights: HashMap<String, Tensor> =
        reference.iter().filter_map(|(key, t)| Some((key.strip_prefix("param.")?.to_owned(), t.clone()))).collect();
    let config = ModelConfig::Hannet(HanNetConfig::new(30, 20, vec![1, 2, 20]));
    for (dtype, tolerance) in TYPES {
        let model = config.build_as(dtype, 2, 2, Seed(1), &Device::Cpu)?;
        model.parameters.assign(&weights)?;

        let y = model.network.forward(&reference["x"].to_dtype(dtype)?, Mode::Train)?;
        assert_close(&y, &reference["y"], tolerance, "outputs")?;
        let scored = model.frozen.forward(&reference["x"].to_dtype(dtype)?, Mode::Eval)?;
        assert_close(&scored, &reference["y"], tolerance, "outputs of the frozen network")?;
        let loss = loss::mse(&y, &reference["target"].to_dtype(dtype)?)?;
        assert_close(&loss, &reference["loss"], tolerance, "loss")?;

        let gradients = loss.backward()?;
        let mut compared = BTreeSet::new();
        for parameter in model.parameters.iter() {
            let whole = gradient(&gradients, &parameter.var, &parameter.stored[0].name)?;
            for (place, stored) in parameter.stored.iter().enumerate() {
                // The layers of a stack are the rows of one variable.
                let piece = if parameter.stored.len() == 1 { whole.clone() } else { whole.get(place)? };
                let piece = piece.reshape(stored.shape.as_slice())?;
                let what = format!("gradient of {} in {dtype:?}", stored.name);
                assert_close(&piece, &reference[&format!("grad.{}", stored.name)], tolerance, &what)?;
                compared.insert(stored.name.clone());
            }
        }
        assert_eq!(compared, weights.keys().cloned().collect(), "names of the compared gradients");
    }
    Ok(())
}

/// Two dense layers with ReLU between them: w1, b1, w2, b2.
struct Mlp([Tensor; 4]);

impl Network for Mlp {
    fn forward(&self, xs: &Tensor, _mode: Mode) -> Result<Tensor> {
        let [w1, b1, w2, b2] = &self.0;
        let hidden = xs.matmul(&w1.t()?)?.broadcast_add(b1)?.relu()?;
        hidden.matmul(&w2.t()?)?.broadcast_add(b2)
    }
}

#[test]
fn iterates_of_fgsm_and_pgd_match_pytorch() -> Result<()> {
    let reference = golden("attacks")?;
    let network = Mlp(["w1", "b1", "w2", "b2"].map(|key| reference[key].clone()));
    let x = &reference["x"];
    let classifier = Classifier::<f64>::on(&network, x.dim(1)?, &Device::Cpu)?;
    let labels: Vec<usize> = reference["labels"].to_vec1::<i64>()?.into_iter().map(|label| label as usize).collect();
    let examples = Examples::new(&classifier, x.flatten_all()?.to_vec1()?, labels)?;
    let compare = |name: &str, outcomes: Vec<Outcome<f64>>| -> Result<()> {
        let last: Vec<f64> = outcomes.iter().flat_map(|outcome| outcome.last.clone()).collect();
        assert_close(&Tensor::from_vec(last, x.shape(), &Device::Cpu)?, &reference[name], 1e-12, name)?;
        let right = outcomes.iter().filter(|outcome| !outcome.broken_at_end).count();
        let accuracy = reference[&format!("{name}.accuracy")].to_scalar::<f64>()?;
        assert_eq!(right as f64 / outcomes.len() as f64, accuracy, "{name}");
        Ok(())
    };
    let linf = Threat::linf(0.1);
    compare("fgsm_linf_eps0.1", Fgsm::new(linf).run(&classifier, &examples, Seed(0))?)?;
    for (threat, step, name) in
        [(linf, 0.025, "pgd_linf_eps0.1_alpha0.025"), (Threat::l2(0.5), 0.125, "pgd_l2_eps0.5_alpha0.125")]
    {
        for steps in [1, 5, 20] {
            let pgd = Pgd { steps, step: StepRule::Length(step), stop: Stop::Never, ..Pgd::new(threat) };
            compare(&format!("{name}_step{steps}"), pgd.run(&classifier, &examples, Seed(0))?)?;
        }
    }
    Ok(())
}
