//! Certified radii: exact where the truth is known, never contradicted by attacks, never given without a proof.

mod common;

use candle_core::{DType, Device, Result, Tensor, Var};
use common::{entries, normal};
use han_exp::data::Points;
use han_exp::evaluate::certificate::{Certificates, Certifier, Radii, check_sandwich, linf_radius, spectral};
use han_exp::model::{Chain, FcNetConfig, HanNetConfig, Link, Model, ModelConfig, Network, ResNetConfig};
use han_exp::nn::{Activation, Dense, HanStack, Mode, OrthogonalDense, Role, stiefel};
use han_exp::rng::{Seed, Stream};
use han_exp::train::{
    FitConfig, LossConfig, Observer, OptimizerConfig, Outcome, Sampling, ScheduleConfig, Streams, fit,
};

const CLASSES: usize = 4;
const INPUTS: usize = 12;

fn head(stream: &mut Stream, width: usize) -> Result<Dense> {
    let [weight, bias] = [normal(stream, &[CLASSES, width]), normal(stream, &[CLASSES])];
    Dense::new(weight?.to_dtype(DType::F32)?, bias?.to_dtype(DType::F32)?, Activation::Identity)
}

/// Random f32 inputs and the classes that the network gives them.
fn classified(network: &dyn Network, stream: &mut Stream, count: usize) -> Result<(Tensor, Vec<u32>)> {
    let xs = normal(stream, &[count, INPUTS])?.to_dtype(DType::F32)?;
    Ok((xs.clone(), network.forward(&xs, Mode::Eval)?.argmax(1)?.to_vec1()?))
}

fn certify(network: &dyn Network, stream: &mut Stream, count: usize) -> Result<(Tensor, Vec<u32>, Certificates)> {
    let (xs, labels) = classified(network, stream, count)?;
    let certificates = Certifier::new(network)?.certify(&xs, &labels)?;
    Ok((xs, labels, certificates))
}

/// The L2 distance from every point of a linear network to another class: min_j (z_t - z_j) / ||w_t - w_j||.
fn exact_distances(head: &Dense, xs: &Tensor, labels: &[u32]) -> Result<Vec<f64>> {
    let head = head.constant(DType::F64)?;
    let weight = head.weight().to_vec2::<f64>()?;
    let logits = xs.to_dtype(DType::F64)?.matmul(&head.weight().t()?)?.broadcast_add(head.bias())?.to_vec2::<f64>()?;
    let of_point = |(z, label): (&Vec<f64>, &u32)| {
        let right = *label as usize;
        let others = (0..CLASSES).filter(|class| *class != right);
        let distance =
            |j: usize| weight[right].iter().zip(&weight[j]).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        others.map(|j| (z[right] - z[j]) / distance(j)).fold(f64::INFINITY, f64::min)
    };
    Ok(logits.iter().zip(labels).map(of_point).collect())
}

#[test]
fn radii_of_a_linear_network_are_the_exact_distances_to_another_class() -> Result<()> {
    let mut stream = Seed(1).stream("linear");
    let head = head(&mut stream, INPUTS)?;
    let network = Chain::new(vec![], head.clone());
    let (xs, labels, certificates) = certify(&network, &mut stream, 200)?;
    for (radius, exact) in certificates.radii(|radii| radii.pair).into_iter().zip(exact_distances(&head, &xs, &labels)?)
    {
        assert!(radius <= exact && radius > exact * (1.0 - 1e-9), "{radius} is not just below {exact}");
    }
    Ok(())
}

#[test]
fn an_isometry_before_a_linear_head_changes_no_radius() -> Result<()> {
    let mut stream = Seed(2).stream("isometry");
    let square = stiefel::nearest(&normal(&mut stream, &[INPUTS, INPUTS])?)?.to_dtype(DType::F32)?;
    let zeros = Tensor::zeros(INPUTS, DType::F32, &Device::Cpu)?;
    let body = OrthogonalDense::new(square.clone(), zeros, Activation::Identity)?;
    let head = head(&mut stream, INPUTS)?;
    let network = Chain::new(vec![Link::Orthogonal(body)], head.clone());
    let (xs, labels, certificates) = certify(&network, &mut stream, 100)?;
    let folded = Dense::new(head.weight().matmul(&square)?, head.bias().clone(), Activation::Identity)?;
    for (radius, exact) in certificates.radii(|r| r.pair).into_iter().zip(exact_distances(&folded, &xs, &labels)?) {
        assert!((radius - exact).abs() < 1e-5, "{radius} is not {exact}");
    }
    Ok(())
}

/// The smallest distance at which gradient steps away from the own class, towards each other one, change it.
fn attack(network: &dyn Network, x: &Tensor, label: u32) -> Result<f64> {
    let others = (0..CLASSES as u32).filter(|class| *class != label);
    let distances = others.map(|other| attack_towards(network, x, label, other)).collect::<Result<Vec<_>>>()?;
    Ok(distances.into_iter().fold(f64::INFINITY, f64::min))
}

fn attack_towards(network: &dyn Network, x: &Tensor, label: u32, other: u32) -> Result<f64> {
    let keeps_class = |x: &Tensor| -> Result<bool> {
        Ok(network.forward(x, Mode::Eval)?.argmax(1)?.get(0)?.to_scalar::<u32>()? == label)
    };
    let length = |way: &Tensor| way.to_dtype(DType::F64)?.sqr()?.sum_all()?.sqrt()?.to_scalar::<f64>();
    let mut way = Tensor::zeros_like(x)?;
    for _ in 0..60 {
        let moved = Var::from_tensor(&(x + &way)?)?;
        let z = network.forward(moved.as_tensor(), Mode::Eval)?;
        let margin = (z.narrow(1, label as usize, 1)? - z.narrow(1, other as usize, 1)?)?.sum_all()?;
        let gradients = margin.backward()?;
        let Some(gradient) = gradients.get(moved.as_tensor()) else { break };
        way = (way - (gradient * (0.05 / length(gradient)?))?)?;
        if keeps_class(&(x + &way)?)? {
            continue;
        }
        // Walk back along the line to the point where the class changes.
        let (mut inside, mut outside) = (0.0, 1.0);
        for _ in 0..50 {
            let middle = 0.5 * (inside + outside);
            let keeps = keeps_class(&(x + (&way * middle)?)?)?;
            *(if keeps { &mut inside } else { &mut outside }) = middle;
        }
        return length(&((x + (&way * outside)?)?.to_dtype(DType::F64)? - x.to_dtype(DType::F64)?)?);
    }
    Ok(f64::INFINITY)
}

fn hannet(width: usize, depth: usize, dense_at: &[usize]) -> HanNetConfig {
    HanNetConfig::new(width, depth, dense_at.to_vec())
}

fn build(config: &ModelConfig) -> Result<Model> {
    config.build(INPUTS, CLASSES, Seed(3), &Device::Cpu)
}

type Column = fn(&Radii) -> f64;

/// Attacks the network's own predictions and returns the smallest ratio of a distance and its `pair` radius.
fn assert_sandwich(network: &dyn Network, dtype: DType, columns: &[Column]) -> Result<f64> {
    const POINTS: usize = 40;
    let xs = normal(&mut Seed(5).stream("points"), &[POINTS, INPUTS])?.to_dtype(dtype)?;
    let labels: Vec<u32> = network.forward(&xs, Mode::Eval)?.argmax(1)?.to_vec1()?;
    let certificates = Certifier::new(network)?.certify(&xs, &labels)?;
    let attack = |point: usize| attack(network, &xs.narrow(0, point, 1)?, labels[point]);
    let distances = (0..POINTS).map(attack).collect::<Result<Vec<_>>>()?;
    for column in columns {
        check_sandwich(&certificates.radii(column), &distances)?;
    }
    let ratios = certificates.radii(|radii| radii.pair).into_iter().zip(&distances).map(|(radius, d)| d / radius);
    Ok(ratios.fold(f64::INFINITY, f64::min))
}

#[test]
fn no_attack_gets_inside_a_radius() -> Result<()> {
    // Rounding in f32 alone gets inside a radius of real arithmetic, by parts of ten million.
    let columns: [(DType, &[Column]); 2] =
        [(DType::F64, &[|r| r.pair, |r| r.global, |r| r.rounded]), (DType::F32, &[|r| r.rounded])];
    for (dtype, columns) in columns {
        let linear = head(&mut Seed(4).stream("head"), INPUTS)?.constant(dtype)?;
        let closest = assert_sandwich(&Chain::new(vec![], linear), dtype, columns)?;
        // The way to another class is a straight line, which the attack takes.
        assert!(closest < 1.0 + 1e-5, "the attack on a linear network stays {closest} radii away");
        for (config, tight) in [
            (ModelConfig::Hannet(hannet(16, 6, &[1, 3])), 1.1),
            (ModelConfig::Certified(hannet(20, 9, &[1, 5])), 1.3),
            (ModelConfig::Fcnet(FcNetConfig::new(16, 3)), 20.0),
        ] {
            let model = config.build_as(dtype, INPUTS, CLASSES, Seed(3), &Device::Cpu)?;
            let closest = assert_sandwich(model.frozen.as_ref(), dtype, columns)?;
            assert!(closest < tight, "{config:?} in {dtype:?}: the attack stays {closest:.3} radii away");
        }
    }
    Ok(())
}

#[test]
fn columns_are_ordered_and_rounding_stays_below_its_bound() -> Result<()> {
    for config in [
        ModelConfig::Hannet(hannet(30, 40, &[1, 2, 40])),
        ModelConfig::Certified(hannet(64, 30, &[1, 11, 21])),
        ModelConfig::Fcnet(FcNetConfig::new(50, 5)),
    ] {
        let model = build(&config)?;
        let (_, _, certificates) = certify(model.frozen.as_ref(), &mut Seed(6).stream("points"), 700)?;
        let (seen, bound) = (certificates.measured_error, certificates.error_bound);
        assert!(seen > 0.0 && seen < bound && bound < 0.1, "{config:?}: {seen:e} seen, bound {bound:e}");
        for image in &certificates.images {
            let radii = image.radii;
            assert!(image.correct && radii.pair > 0.0 && radii.global > 0.0, "{radii:?}");
            assert!(radii.global <= radii.pair && radii.measured <= radii.pair && radii.rounded <= radii.pair);
        }
        // The same in f64: its bound is far smaller.
        let double = config.build_as(DType::F64, INPUTS, CLASSES, Seed(3), &Device::Cpu)?;
        let stored = model.parameters.to_stored()?.into_iter().collect();
        double.parameters.assign(&stored)?;
        assert_eq!(
            Certifier::new(double.frozen.as_ref())?.lipschitz(),
            Certifier::new(model.frozen.as_ref())?.lipschitz()
        );
    }
    Ok(())
}

#[test]
fn han_layers_count_1_and_dense_layers_their_norm() -> Result<()> {
    let mut stream = Seed(7).stream("norms");
    let f32s = |tensor: Tensor| tensor.to_dtype(DType::F32);
    let weight = f32s(normal(&mut stream, &[9, INPUTS])?)?;
    let dense = Dense::new(weight.clone(), f32s(normal(&mut stream, &[9])?)?, Activation::Abs)?;
    let [u, b] = [(); 2].map(|()| normal(&mut stream, &[30, 9]));
    let han = HanStack::new(f32s(u?)?, f32s(b?)?)?;
    let network = Chain::new(vec![Link::Dense(dense), Link::Han(han)], head(&mut stream, 9)?);
    let certifier = Certifier::new(&network)?;
    let norm = spectral::upper_bound(&weight)?;
    assert!((certifier.lipschitz() / norm - 1.0).abs() < 1e-9);
    assert!(spectral::lower_bound(&weight, 500)? <= certifier.lipschitz());

    let certified = build(&ModelConfig::Certified(hannet(20, 9, &[1, 5])))?;
    let lipschitz = Certifier::new(certified.frozen.as_ref())?.lipschitz();
    assert!((lipschitz - 1.0).abs() < 1e-6, "{lipschitz}");
    Ok(())
}

#[test]
fn a_network_with_skip_connections_is_refused_by_name_of_those_that_are_not() -> Result<()> {
    let resnet = build(&ModelConfig::Resnet(ResNetConfig { width: 8, blocks: 1 }))?;
    let Err(error) = Certifier::new(resnet.frozen.as_ref()) else { panic!("a ResNet got a certificate") };
    assert!(error.to_string().contains("no chain of dense and Han-layers"), "{error}");
    Ok(())
}

#[test]
fn ties_nan_and_infinite_inputs_are_never_certified() -> Result<()> {
    // Classes 0 and 1 have the same row, and 2 a smaller one.
    let weight = Tensor::new(&[[1f32, 0.0], [1.0, 0.0], [-1.0, 0.0]], &Device::Cpu)?;
    let head = Dense::new(weight, Tensor::zeros(3, DType::F32, &Device::Cpu)?, Activation::Identity)?;
    let network = Chain::new(vec![], head);
    let xs = Tensor::new(&[[1f32, 0.0], [-1.0, 0.0], [f32::NAN, 0.0], [f32::INFINITY, 0.0]], &Device::Cpu)?;
    let certificates = Certifier::new(&network)?.certify(&xs, &[0, 2, 0, 0])?;
    let [tie, good, nan, infinite] = certificates.images[..] else { panic!("four images") };
    for image in [tie, nan, infinite] {
        assert_eq!((image.predicted, image.correct), (None, false));
        assert_eq!([image.radii.pair, image.radii.global, image.radii.measured, image.radii.rounded], [0.0; 4]);
    }
    assert_eq!((good.predicted, good.correct), (Some(2), true));
    assert!((good.radii.pair - 1.0).abs() < 1e-9);
    // A wrong label has no radius, however sure the network is.
    let wrong = Certifier::new(&network)?.certify(&xs.narrow(0, 1, 1)?, &[1])?.images[0];
    assert_eq!((wrong.predicted, wrong.correct, wrong.radii.pair), (Some(2), false, 0.0));
    Ok(())
}

#[test]
fn nothing_is_certified_where_a_sum_may_overflow_or_half_precision_rounds() -> Result<()> {
    let linear = |rows: &[[f32; 2]; 2], dtype: DType| -> Result<Chain> {
        let weight = Tensor::new(rows, &Device::Cpu)?.to_dtype(dtype)?;
        let bias = Tensor::zeros(2, dtype, &Device::Cpu)?;
        Ok(Chain::new(vec![], Dense::new(weight, bias, Activation::Identity)?))
    };
    // Class 0 by 1, and at a distance of 0.1 both logits are infinite.
    let network = linear(&[[1e38, 1e36], [1e38, 0.0]], DType::F32)?;
    let xs = Tensor::new(&[[3.35f32, 1.0]], &Device::Cpu)?;
    let image = Certifier::new(&network)?.certify(&xs, &[0])?.images[0];
    assert!(image.correct && image.radii.pair > 0.9, "{image:?}");
    assert_eq!(image.radii.rounded, 0.0);
    // The same network in smaller numbers.
    let network = linear(&[[1.0, 0.01], [1.0, 0.0]], DType::F32)?;
    assert!(Certifier::new(&network)?.certify(&xs, &[0])?.images[0].radii.rounded > 0.9);
    for dtype in [DType::F16, DType::BF16] {
        let told = Certifier::new(&linear(&[[1.0, 1.0], [1.0, -1.0]], dtype)?).map(|_| ()).expect_err("half precision");
        assert!(told.to_string().contains("has no certificate: it rounds more than f32"), "{told}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_certified_is_an_error() -> Result<()> {
    let model = build(&ModelConfig::Hannet(hannet(8, 2, &[1])))?;
    let certifier = Certifier::new(model.frozen.as_ref())?;
    let xs = Tensor::zeros((2, INPUTS), DType::F32, &Device::Cpu)?;
    assert!(certifier.certify(&xs, &[0]).is_err(), "a label is missing");
    assert!(certifier.certify(&xs, &[0, CLASSES as u32]).is_err(), "there is no such class");
    let weight = &model.parameters.trained()[0];
    weight.set(&(weight.as_detached_tensor() * f64::NAN)?)?;
    assert!(Certifier::new(model.frozen.as_ref()).is_err(), "a weight is not a number");
    Ok(())
}

#[test]
fn an_l2_radius_covers_a_box_of_its_share() {
    assert!((linf_radius(2.8, 784) - 0.1).abs() < 1e-15);
}

struct Silent;

impl Observer for Silent {}

#[test]
fn training_keeps_a_certified_network_orthonormal_and_saves_it_so() -> Result<()> {
    let config = ModelConfig::Certified(hannet(24, 6, &[1, 4]));
    let model = build(&config)?;
    let mut stream = Seed(8).stream("points");
    let [inputs, targets] = [INPUTS, CLASSES].map(|columns| normal(&mut stream, &[256, columns])?.to_dtype(DType::F32));
    let data = Points { inputs: inputs?, targets: targets? };
    let config_of_fit = FitConfig {
        iterations: 100,
        batch_size: 64,
        report_every: 50,
        learning_rate: 0.01,
        optimizer: OptimizerConfig::Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.01 },
        schedule: ScheduleConfig::Cosine { warmup: 0.1, floor: 0.1 },
        input_noise: 0.0,
        sampling: Sampling::Fresh,
        loss: LossConfig::MeanSquaredError,
    };
    let before = entries(&model.parameters.trained()[0])?;
    let [mut batches, mut noise] = ["batch", "noise"].map(|name| Seed(8).stream(name));
    let streams = Streams { batches: &mut batches, noise: &mut noise };
    assert_eq!(fit(&model, &data, &config_of_fit, streams, &mut Silent)?, Outcome::Finished);
    assert_ne!(entries(&model.parameters.trained()[0])?, before);
    let mut orthonormal = 0;
    for parameter in model.parameters.iter().filter(|parameter| parameter.role == Role::Orthonormal) {
        let deviation = stiefel::deviation(parameter.var.as_tensor())?;
        assert!(deviation < 1e-6, "off by {deviation:e}");
        orthonormal += 1;
    }
    assert_eq!(orthonormal, 2);
    let lipschitz = Certifier::new(model.frozen.as_ref())?.lipschitz();
    assert!((lipschitz - 1.0).abs() < 1e-5, "{lipschitz}");

    // Its weights are those of a HanNet, and others are refused.
    let stored = model.parameters.to_stored()?.into_iter().collect();
    let free = build(&ModelConfig::Hannet(hannet(24, 6, &[1, 4])))?;
    free.parameters.assign(&stored)?;
    let outputs = |model: &Model| entries(&model.frozen.forward(&data.inputs, Mode::Eval)?);
    assert_eq!(outputs(&free)?, outputs(&model)?);
    let mut stretched = stored;
    let name = model.parameters.iter().find(|p| p.role == Role::Orthonormal).map(|p| p.stored[0].name.clone());
    let name = name.expect("it has such a layer");
    stretched.insert(name.clone(), (&stretched[&name] * 1.5)?);
    assert!(model.parameters.assign(&stretched).is_err());
    Ok(())
}
