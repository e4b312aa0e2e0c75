//! What a library user may get wrong with what is made of layers: losses, weights, networks, data, trainings, attacks, certificates
//! and measurements, of nothing, of another size or type, or with settings that mean nothing. The answer is an error or the right
//! value, never a panic.

#[path = "common/attempts.rs"]
mod attempts;
mod common;

use attempts::{all_refused, attempt, ones, scope, var, whole, zeros};
use candle_core::{DType, Device, Result, Tensor, Var};
use common::bits;
use han_exp::data::{Points, TrainingSet};
use han_exp::evaluate::attack::{
    Apgd, Attack, Classifier, Counts, DeepFool, Examples, ImageShape, Norm, Pgd, Setting, StepRule, Threat,
};
use han_exp::evaluate::certificate::{Certifier, Summary, spectral as bounds};
use han_exp::evaluate::gradient::{Ascent, RandomLayer, deviation, extents, likeness, of_one_point};
use han_exp::evaluate::{accuracy, masking};
use han_exp::model::image::{ImageModelConfig, MixerConfig};
use han_exp::model::{
    BoundedFcNetConfig, Chain, FcNetConfig, HanNetConfig, Link, Model, ModelConfig, Network, PassThrough, ResNetConfig,
};
use han_exp::nn::loss::{self, Margin};
use han_exp::nn::params::{Draw, Stored};
use han_exp::nn::{Activation, Dense, Init, Mode, Role, spectral, stiefel};
use han_exp::rng::Seed;
use han_exp::train::{
    FitConfig, LossConfig, Observer, Optimizer, OptimizerConfig, Sampling, ScheduleConfig, Streams, fit,
};
use std::collections::HashMap;

#[test]
fn losses_of_nothing_and_of_labels_that_are_no_class_are_refused() -> Result<()> {
    let labels = |values: &[u32]| Tensor::new(values, &Device::Cpu);
    let distances = loss::row_distances(&Tensor::eye(3, DType::F32, &Device::Cpu)?)?;
    let margin = |logits: &Tensor, labels: &Tensor, radius, temperature| {
        loss::margin(logits, labels, &distances, Margin { radius, temperature })
    };
    let logits = ones(&[2, 3]);
    all_refused(&[
        attempt("mean squared error of nothing", || loss::mse(&ones(&[0, 3]), &ones(&[0, 3]))),
        attempt("mean squared error of two shapes", || loss::mse(&ones(&[2, 3]), &ones(&[3, 2]))),
        attempt("mean squared error of a row", || loss::mse(&ones(&[2, 3]), &ones(&[3]))),
        attempt("mean squared error of two types", || loss::mse(&logits, &logits.to_dtype(DType::F64)?)),
        attempt("mean squared error of bf16", || loss::mse(&logits, &logits.to_dtype(DType::BF16)?)),
        attempt("mean squared error of whole numbers", || loss::mse(&whole(&[2]), &whole(&[2]))),
        attempt("cross-entropy of nothing", || loss::cross_entropy(&ones(&[0, 3]), &labels(&[])?)),
        attempt("cross-entropy without classes", || loss::cross_entropy(&ones(&[2, 0]), &labels(&[0, 0])?)),
        attempt("too few labels", || loss::cross_entropy(&logits, &labels(&[0])?)),
        attempt("a label beyond the classes", || loss::cross_entropy(&logits, &labels(&[0, 3])?)),
        attempt("the label that candle ignores", || loss::cross_entropy(&logits, &labels(&[0, u32::MAX])?)),
        attempt("a label beyond 32 bits", || {
            loss::cross_entropy(&logits, &Tensor::new(&[0i64, 1 << 32], &Device::Cpu)?)
        }),
        attempt("a negative label", || loss::cross_entropy(&logits, &Tensor::new(&[0i64, -1], &Device::Cpu)?)),
        attempt("labels with fractions", || loss::cross_entropy(&logits, &ones(&[2]))),
        attempt("logits of whole numbers", || loss::cross_entropy(&whole(&[2, 3]), &labels(&[0, 1])?)),
        attempt("logits of rank 1", || loss::cross_entropy(&ones(&[2]), &labels(&[0, 1])?)),
        attempt("a margin of no class", || margin(&logits, &labels(&[0, 3])?, 1.0, 1.0)),
        attempt("a margin at temperature 0", || margin(&logits, &labels(&[0, 1])?, 1.0, 0.0)),
        attempt("a margin of NaN", || margin(&logits, &labels(&[0, 1])?, f64::NAN, 1.0)),
        attempt("a margin of other classes", || margin(&ones(&[2, 4]), &labels(&[0, 1])?, 1.0, 1.0)),
        attempt("distances of no rows", || loss::row_distances(&ones(&[0, 3]))),
        attempt("distances of a vector", || loss::row_distances(&ones(&[3]))),
        attempt("the norm of a vector", || spectral::norm(&ones(&[3]))),
        attempt("a bound of a vector", || bounds::upper_bound(&ones(&[3]))),
        attempt("the nearest to a vector", || stiefel::nearest(&ones(&[3]))),
        attempt("the nearest to zeros", || stiefel::nearest(&zeros(&[2, 3]))),
        attempt("whole numbers near orthonormal", || stiefel::nearest(&whole(&[2, 3]))),
    ]);
    // To candle the largest byte is no label.
    let many = Tensor::arange(0f32, 600.0, &Device::Cpu)?.reshape((2, 300))?;
    let [byte, word] = [Tensor::new(&[255u8, 3], &Device::Cpu)?, labels(&[255, 3])?]
        .map(|labels| loss::cross_entropy(&many, &labels)?.to_scalar::<f32>());
    assert_eq!(byte?, word?);
    assert!(loss::mse(&(logits.clone() * f64::NAN)?, &logits)?.to_scalar::<f32>()?.is_nan());
    assert!(loss::cross_entropy(&(logits * f64::NAN)?, &labels(&[0, 1])?)?.to_scalar::<f32>()?.is_nan());
    Ok(())
}

#[test]
fn weights_of_another_shape_or_type_are_refused_and_change_nothing() -> Result<()> {
    let config = ModelConfig::Hannet(HanNetConfig::new(6, 3, vec![1]));
    let parameters = config.build(4, 2, Seed(1), &Device::Cpu)?.parameters;
    let stored: HashMap<String, Tensor> = parameters.to_stored()?.into_iter().collect();
    let state = || -> Result<Vec<Vec<u64>>> { parameters.iter().map(|p| bits(p.var.as_tensor())).collect() };
    let before = state()?;
    let mut attempts = Vec::new();
    for (name, tensor) in &stored {
        let with = |tensor: Result<Tensor>| -> Result<HashMap<String, Tensor>> {
            let mut all = stored.clone();
            all.insert(name.clone(), tensor?);
            Ok(all)
        };
        let parameters = &parameters;
        let mut lacking = stored.clone();
        lacking.remove(name);
        attempts.push(attempt(format!("no {name}"), move || parameters.assign(&lacking)));
        let cast = with(tensor.to_dtype(DType::I64));
        attempts.push(attempt(format!("{name} of whole numbers"), move || {
            parameters.assign(cast.as_ref().map_err(candle_core::Error::msg)?)
        }));
        let longer = with(Tensor::cat(&[tensor, tensor], 0));
        attempts.push(attempt(format!("a longer {name}"), move || {
            parameters.assign(longer.as_ref().map_err(candle_core::Error::msg)?)
        }));
        if tensor.dims().len() == 2 && tensor.dims()[1] > 1 {
            for other in [with(tensor.t()), with(tensor.flatten_all()), with(tensor.reshape((3, ())))] {
                attempts.push(attempt(format!("another shape of {name}"), move || {
                    parameters.assign(other.as_ref().map_err(candle_core::Error::msg)?)
                }));
            }
        }
    }
    all_refused(&attempts);
    assert_eq!(state()?, before);
    // A vector may be flat, a column or a row.
    let flat: HashMap<String, Tensor> = stored
        .iter()
        .map(|(name, tensor)| {
            let is_vector = name.ends_with("vector");
            Ok((name.clone(), if is_vector { tensor.flatten_all()?.unsqueeze(0)? } else { tensor.clone() }))
        })
        .collect::<Result<_>>()?;
    parameters.assign(&flat)?;
    assert_eq!(state()?, before);
    Ok(())
}

fn configs() -> Vec<ModelConfig> {
    vec![
        ModelConfig::Hannet(HanNetConfig::new(6, 4, vec![1, 3])),
        ModelConfig::Certified(HanNetConfig::new(6, 3, vec![1])),
        ModelConfig::Fcnet(FcNetConfig::new(6, 3)),
        ModelConfig::BoundedFcnet(BoundedFcNetConfig { width: 6, depth: 2, norm_product: 1.0 }),
        ModelConfig::Resnet(ResNetConfig { width: 6, blocks: 2 }),
    ]
}

fn build(config: &ModelConfig) -> Result<Model> {
    config.build(4, 3, Seed(1), &Device::Cpu)
}

#[test]
fn networks_refuse_impossible_sizes_and_inputs() -> Result<()> {
    let mut attempts = Vec::new();
    for config in configs() {
        for (inputs, outputs) in [(0, 3), (4, 0)] {
            let config = config.clone();
            attempts.push(attempt(format!("{config:?}, {inputs} to {outputs}"), move || {
                config.build(inputs, outputs, Seed(1), &Device::Cpu)
            }));
        }
        for size in [han_exp::model::Size { width: 0, depth: 2 }, han_exp::model::Size { width: 2, depth: 0 }] {
            let mut config = config.clone();
            config.resize(size);
            attempts.push(attempt(format!("{config:?}"), move || build(&config)));
        }
        let of_ints = config.clone();
        attempts.push(attempt(format!("{config:?} of whole numbers"), move || {
            of_ints.build_as(DType::I64, 4, 3, Seed(1), &Device::Cpu)
        }));
        let model = build(&config)?;
        attempts.push(attempt(format!("another input of {config:?}"), move || {
            for shape in [vec![], vec![4], vec![2, 5], vec![2, 0], vec![2, 3, 5]] {
                if model.frozen.forward(&ones(&shape), Mode::Eval).is_ok() && shape != [4] {
                    return Ok(());
                }
            }
            candle_core::bail!("all refused")
        }));
    }
    let dense_at = |places: &[usize]| ModelConfig::Hannet(HanNetConfig::new(6, 4, places.to_vec()));
    for places in [vec![], vec![2], vec![1, 1], vec![1, 9], vec![0, 1]] {
        attempts.push(attempt(format!("dense at {places:?}"), move || build(&dense_at(&places))));
    }
    for norm_product in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let config = ModelConfig::BoundedFcnet(BoundedFcNetConfig { width: 6, depth: 2, norm_product });
        attempts.push(attempt(format!("a bound of {norm_product}"), move || build(&config)));
    }
    let sound = PassThrough { folding: 1, offset: 3.0, rest: 0.5, pace: 0.1, length: 10.0 };
    for start in [
        PassThrough { folding: 0, ..sound.clone() },
        PassThrough { rest: 4.0, ..sound.clone() },
        PassThrough { offset: f64::NAN, ..sound.clone() },
        PassThrough { length: 0.0, ..sound },
    ] {
        let config = HanNetConfig { pass_through: Some(start), ..HanNetConfig::new(6, 4, vec![1]) };
        attempts.push(attempt(format!("{config:?}"), move || build(&ModelConfig::Hannet(config.clone()))));
    }
    let mixer = |channels, mixer_blocks, han_blocks| {
        ImageModelConfig::Mixer(MixerConfig::new(channels, mixer_blocks, han_blocks))
    };
    let of_images = |config: ImageModelConfig, image: [usize; 3], classes: usize| {
        attempt(format!("{config:?} for {image:?} and {classes} classes"), move || {
            config.build(image, classes, Seed(1), &Device::Cpu)
        })
    };
    for (channels, mixers, hans) in [(0, 1, 1), (9, 1, 1), (16, 0, 0), (8_192, 1, 0)] {
        attempts.push(of_images(mixer(channels, mixers, hans), [8, 8, 3], 10));
    }
    for image in [[0, 8, 3], [8, 0, 3], [1, 1, 3], [8, 8, 0]] {
        attempts.push(of_images(mixer(16, 1, 1), image, 10));
    }
    attempts.push(of_images(mixer(16, 1, 1), [8, 8, 3], 0));
    attempts.push(of_images(ImageModelConfig::Resnet32, [8, 8, 3], 0));
    attempts.push(of_images(ImageModelConfig::Resnet32, [8, 8, 0], 10));
    all_refused(&attempts);
    for config in configs() {
        let model = build(&config)?;
        assert_eq!(model.frozen.forward(&ones(&[0, 4]), Mode::Eval)?.dims(), [0, 3], "{config:?}");
        assert_eq!(model.frozen.forward(&ones(&[1, 4]), Mode::Eval)?.dims(), [1, 3], "{config:?}");
    }
    let images = mixer(16, 1, 1).build([8, 8, 3], 10, Seed(1), &Device::Cpu)?;
    assert_eq!(images.frozen.forward(&ones(&[0, 8, 8, 3]), Mode::Eval)?.dims(), [0, 10]);
    Ok(())
}

fn points(count: usize) -> Points {
    Points { inputs: ones(&[count, 4]), targets: ones(&[count, 3]) }
}

struct Nobody;

impl Observer for Nobody {}

#[test]
fn a_row_that_is_not_there_is_refused() {
    // Of the largest number candle makes a row of zeros.
    for row in [3, u32::MAX] {
        let told = points(3).batch(0, &[0, row]).map(|_| ()).expect_err("no such row");
        assert_eq!(told.to_string().lines().next(), Some(&*format!("there is no row {row} of 3")));
    }
}

fn plain_fit() -> FitConfig {
    FitConfig {
        iterations: 3,
        batch_size: 4,
        report_every: 2,
        learning_rate: 0.01,
        optimizer: OptimizerConfig::Sgd { momentum: 0.0, weight_decay: 0.0 },
        schedule: ScheduleConfig::Cosine { warmup: 0.0, floor: 0.0 },
        input_noise: 0.0,
        sampling: Sampling::Fresh,
        loss: LossConfig::MeanSquaredError,
    }
}

fn train(points: &Points, config: &FitConfig) -> Result<han_exp::train::Outcome> {
    let model = build(&ModelConfig::Fcnet(FcNetConfig::new(5, 2)))?;
    let (batches, noise) = (&mut Seed(1).stream("batch"), &mut Seed(1).stream("noise"));
    fit(&model, points, config, Streams { batches, noise }, &mut Nobody)
}

#[test]
fn trainings_refuse_empty_sets_and_impossible_settings() -> Result<()> {
    let changed = |change: fn(&mut FitConfig)| {
        let mut config = plain_fit();
        change(&mut config);
        config
    };
    let mut attempts = Vec::new();
    for sampling in [Sampling::Fresh, Sampling::Epochs] {
        let config = FitConfig { sampling, ..plain_fit() };
        attempts.push(attempt(format!("no points, {sampling:?}"), move || train(&points(0), &config)));
    }
    for (what, config) in [
        ("no batch", changed(|fit| fit.batch_size = 0)),
        ("no iterations", changed(|fit| fit.iterations = 0)),
        ("no reports", changed(|fit| fit.report_every = 0)),
        ("a rate of NaN", changed(|fit| fit.learning_rate = f64::NAN)),
        ("negative noise", changed(|fit| fit.input_noise = -1.0)),
        ("a momentum of 1", changed(|fit| fit.optimizer = OptimizerConfig::Sgd { momentum: 1.0, weight_decay: 0.0 })),
        ("labels that are no labels", changed(|fit| fit.loss = LossConfig::CrossEntropy)),
    ] {
        attempts.push(attempt(what, move || train(&points(9), &config)));
    }
    let sgd = |momentum| OptimizerConfig::Sgd { momentum, weight_decay: 0.0 };
    attempts.extend([
        attempt("an optimizer of momentum 2", move || Optimizer::new(sgd(2.0), vec![var(&[3])])),
        attempt("a variable of whole numbers", move || Optimizer::new(sgd(0.0), vec![Var::from_tensor(&whole(&[3]))?])),
        attempt("a gradient of another shape", move || {
            let var = var(&[3]);
            let mut gradients = (var.as_tensor() * 2.0)?.sum_all()?.backward()?;
            gradients.insert(var.as_tensor(), ones(&[2]));
            Optimizer::new(sgd(0.0), vec![var])?.step(&gradients, 0.1)
        }),
        attempt("a gradient of another type", move || {
            let var = var(&[3]);
            let mut gradients = (var.as_tensor() * 2.0)?.sum_all()?.backward()?;
            gradients.insert(var.as_tensor(), ones(&[3]).to_dtype(DType::F64)?);
            Optimizer::new(sgd(0.0), vec![var])?.step(&gradients, 0.1)
        }),
        attempt("paces that do not divide", move || {
            let scope = scope();
            let stored = vec![Stored { name: "w".into(), shape: vec![3] }];
            scope.stacked_at(3, vec![Draw { init: Init::Zeros, stored }], Role::Trained, vec![1.0, 2.0])?;
            Optimizer::of(sgd(0.0), &scope.parameters())
        }),
    ]);
    all_refused(&attempts);
    for sampling in [Sampling::Fresh, Sampling::Epochs] {
        train(&points(9), &FitConfig { sampling, ..plain_fit() })?;
    }
    Ok(())
}

/// A network that is not what a classifier expects.
struct Odd(fn(&Tensor) -> Result<Tensor>);

impl Network for Odd {
    fn forward(&self, xs: &Tensor, _mode: Mode) -> Result<Tensor> {
        (self.0)(xs)
    }
}

#[test]
fn scores_attacks_and_certificates_refuse_what_they_cannot_judge() -> Result<()> {
    let model = build(&ModelConfig::Hannet(HanNetConfig::new(6, 3, vec![1])))?;
    let network = model.frozen.as_ref();
    let classifier = Classifier::new(network, 4)?;
    let examples = |pixels: Vec<f32>, labels: Vec<usize>| Examples::new(&classifier, pixels, labels);
    let some = examples(vec![0.5; 8], vec![0, 1])?;
    let image = ImageShape::grey(2, 2);
    let setting = Setting::new(Threat::linf(0.1), image);
    let attack = |change: fn(&mut Setting)| {
        let mut setting = setting;
        change(&mut setting);
        setting
    };
    let none = examples(vec![], vec![])?;
    let other = ModelConfig::Fcnet(FcNetConfig::new(4, 1)).build(2, 2, Seed(1), &Device::Cpu)?;
    let narrower = Classifier::new(other.frozen.as_ref(), 2)?;
    let certifier = Certifier::new(network)?;
    let head = Dense::new(ones(&[3, 4]), zeros(&[3]), Activation::Identity)?;
    let tanh = Chain::new(vec![Link::Dense(Dense::new(ones(&[4, 4]), zeros(&[4]), Activation::Tanh)?)], head);
    let mut attempts = vec![
        attempt("the score of no points", || accuracy::score(network, &points(0))),
        attempt("the outputs at no points", || accuracy::outputs(network, &ones(&[0, 4]))),
        attempt("the outputs at a scalar", || accuracy::outputs(network, &ones(&[]))),
        attempt("targets of other points", || {
            accuracy::score(network, &Points { inputs: ones(&[2, 4]), targets: ones(&[3, 3]) })
        }),
        attempt("no pixels", || Classifier::new(&Odd(|_| Ok(ones(&[128, 3]))), 0)),
        attempt("one class", || Classifier::new(&Odd(|_| Ok(ones(&[128, 1]))), 4)),
        attempt("too few rows", || Classifier::new(&Odd(|_| Ok(ones(&[1, 3]))), 4)),
        attempt("another width", || Classifier::new(network, 5)),
        attempt("half an image", || classifier.logits(&[0.5f32; 6])),
        attempt("cotangents of other images", || classifier.gradients(&[0.5; 8], &[1.0; 3])),
        attempt("gradients of half an image", || classifier.gradients(&[0.5; 6], &[1.0; 6])),
        attempt("pixels outside the box", || examples(vec![1.5; 4], vec![0])),
        attempt("pixels of NaN", || examples(vec![f32::NAN; 4], vec![0])),
        attempt("a label that is no class", || examples(vec![0.5; 4], vec![3])),
        attempt("labels of other images", || examples(vec![0.5; 4], vec![0, 1])),
        attempt("an image twice", || Examples::of_indices(&classifier, vec![0.5; 8], vec![0, 1], vec![7, 7])),
        attempt("a step of NaN", || {
            Pgd { step: StepRule::Length(f64::NAN), ..Pgd::new(setting.threat) }.run(&classifier, &some, Seed(1))
        }),
        attempt("an endless overshoot", || {
            DeepFool { overshoot: f64::INFINITY, ..DeepFool::new(Norm::L2) }.run(&classifier, &some)
        }),
        attempt("endless steps", || {
            Apgd { steps: usize::MAX, ..Apgd::dlr(setting.threat) }.run(&classifier, &some, Seed(1))
        }),
        attempt("endless runs", || {
            Pgd { restarts: usize::MAX, ..Pgd::new(setting.threat) }.run(&classifier, &some, Seed(1))
        }),
        attempt("images of another classifier", || Attack::Pgd.run(&narrower, &some, &setting)),
        attempt("differences of another classifier", || {
            masking::gradients_match_differences(&classifier, &narrower, &some, 1)
        }),
        attempt("a checklist without images", || masking::checklist(&classifier, None, &none, &setting)),
        attempt("images beyond memory", || Classifier::new(network, usize::MAX)),
        attempt("labels of other images to certify", || certifier.certify(&ones(&[2, 4]), &[0])),
        attempt("a label that is no class to certify", || certifier.certify(&ones(&[1, 4]), &[3])),
        attempt("images of another width to certify", || certifier.certify(&ones(&[1, 5]), &[0])),
        attempt("images of rank 1 to certify", || certifier.certify(&ones(&[4]), &[0])),
        attempt("a certificate of tanh", || Certifier::new(&tanh).map(drop)),
        attempt("a certificate of no chain", || Certifier::new(&Odd(|xs| Ok(xs.clone()))).map(drop)),
        attempt("a summary of nothing", || Summary::of(&[], &[], &[])),
    ];
    for (what, setting) in [
        ("no steps", attack(|setting| setting.steps = 0)),
        ("no runs", attack(|setting| setting.restarts = 0)),
        ("eps of NaN", attack(|setting| setting.threat.eps = f64::NAN)),
        ("negative eps", attack(|setting| setting.threat.eps = -0.1)),
    ] {
        let (classifier, some) = (&classifier, &some);
        attempts.push(attempt(what, move || Attack::Pgd.run(classifier, some, &setting)));
        attempts.push(attempt(format!("{what}, checklist"), move || match setting.steps * setting.restarts {
            0 => candle_core::bail!("the checklist has steps of its own"),
            _ => masking::checklist(classifier, None, some, &setting),
        }));
    }
    for setting in [attack(|setting| setting.queries = 0), attack(|setting| setting.image = ImageShape::grey(3, 3))] {
        let (classifier, some) = (&classifier, &some);
        attempts.push(attempt("Square", move || Attack::Square.run(classifier, some, &setting)));
    }
    all_refused(&attempts);

    // Of no images everything is nothing.
    for attack in Attack::ALL.into_iter().filter(|attack| attack.problem(setting.threat.norm, 3).is_none()) {
        let outcomes = attack.run(&classifier, &none, &setting)?;
        assert!(outcomes.is_empty() && Counts::of(&outcomes, setting.threat).robust_accuracy() == 0.0);
    }
    assert!(certifier.certify(&ones(&[0, 4]), &[])?.images.is_empty());
    // An image that is no number is classified as nothing and certified for nothing.
    let broken = certifier.certify(&(ones(&[1, 4]) * f64::NAN)?, &[0])?.images[0];
    assert!(broken.predicted.is_none() && !broken.correct && broken.radii.rounded == 0.0);
    // One pixel, one image.
    let tiny = ModelConfig::Fcnet(FcNetConfig::new(4, 1)).build(1, 2, Seed(1), &Device::Cpu)?;
    let tiny = Classifier::new(tiny.frozen.as_ref(), 1).map(|classifier| classifier.classes())?;
    assert_eq!(tiny, 2);
    Ok(())
}

#[test]
fn measurements_of_gradients_refuse_what_has_none() -> Result<()> {
    let same = |xs: &Tensor| Ok(xs.clone());
    let points = |dims: &[usize]| ones(dims).to_dtype(DType::F64).expect("f64");
    let mut stream = Seed(1).stream("test");
    all_refused(&[
        attempt("a plane of three axes", || extents(&same, &points(&[2, 3]))),
        attempt("extents at a vector", || extents(&same, &points(&[2]))),
        attempt("a function that loses rows", || extents(&|xs| xs.narrow(0, 0, 1), &points(&[2, 2]))),
        attempt("neighbours of other points", || likeness(&same, &points(&[2, 3]), &points(&[3, 3]))),
        attempt("a Jacobian of a scalar", || of_one_point(&same, &points(&[]), 2)),
        attempt("the deviation of nothing", || deviation(&points(&[0, 0]))),
        attempt("the deviation of a vector", || deviation(&points(&[3]))),
        attempt("no pairs", || {
            Ascent { pairs: 0, steps: 2 }.search(&same, 3, &mut Seed(1).stream("test"), &Device::Cpu)
        }),
        attempt("no inputs", || {
            Ascent { pairs: 2, steps: 2 }.search(&same, 0, &mut Seed(1).stream("test"), &Device::Cpu)
        }),
    ]);
    assert!(deviation(&(points(&[2, 2]) * f64::NAN)?)?.is_nan());
    let one_broken = Tensor::new(&[[1.0, f64::NAN], [0.0, 1.0]], &Device::Cpu)?;
    assert!(deviation(&one_broken)?.is_nan());
    assert_eq!(RandomLayer::draw(0, 0, &mut stream).width(), 1);
    assert_eq!(RandomLayer::draw(5, 2, &mut stream).width(), 5);
    Ok(())
}
