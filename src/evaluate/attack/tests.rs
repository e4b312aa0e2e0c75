//! Attacks on networks whose answers are known, and what must hold for every attack.

use super::testing::{Mask, Planted, images, models, right};
use super::*;
use crate::model::Network;
use candle_core::{DType, Device, FloatDType};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

const INPUTS: usize = 64;

fn setting(threat: Threat) -> Setting {
    Setting { steps: 20, queries: 60, ..Setting::new(threat, ImageShape::grey(8, 8)) }
}

fn attacks(norm: Norm) -> impl Iterator<Item = Attack> {
    Attack::ALL.into_iter().filter(move |attack| attack.problem(norm, 5).is_none())
}

/// Balls in which an attack breaks some examples and leaves others: around half the distance that DeepFool finds.
fn balls<T: FloatDType>(classifier: &Classifier<'_, T>, examples: &Examples<T>) -> Result<[Threat; 2]> {
    let ball = |norm: Norm| -> Result<Threat> {
        let found = DeepFool::new(norm).run(classifier, examples)?;
        let mut distances: Vec<f64> = found.iter().map(|outcome| outcome.distance(norm)).collect();
        distances.sort_by(f64::total_cmp);
        Ok(Threat { norm, eps: 0.6 * distances[distances.len() / 2] })
    };
    Ok([ball(Norm::Linf)?, ball(Norm::L2)?])
}

/// Every number of some outcomes, NaN included.
fn digest(outcomes: &[Outcome]) -> String {
    format!("{outcomes:?}")
}

#[cfg(feature = "program")]
#[test]
fn names_are_those_of_the_command_line_and_of_files() {
    for attack in Attack::ALL {
        let value = clap::ValueEnum::to_possible_value(&attack).map(|value| value.get_name().to_owned());
        assert_eq!(value.as_deref(), Some(attack.name()));
        assert_eq!(serde_json::to_value(attack).unwrap(), attack.name());
    }
}

#[test]
fn minimum_norm_attacks_find_the_distance_of_a_linear_network() -> Result<()> {
    let network = Planted::new(5, INPUTS, Mask::None)?;
    let classifier = Classifier::new(&network, INPUTS)?;
    let examples = right(&classifier, images(40, INPUTS, 0.1))?;
    let seed = Seed(1);
    for norm in [Norm::Linf, Norm::L2] {
        let threat = Threat { norm, eps: 0.5 };
        let mut attacks = vec![
            ("fab-t", Fab::new(threat).run(&classifier, &examples, seed)?),
            ("fmn", Fmn { steps: 40, ..Fmn::new(norm) }.run(&classifier, &examples, seed)?),
            ("deepfool", DeepFool::new(norm).run(&classifier, &examples)?),
            ("bisection", Bisection::new(threat).run(&classifier, &examples, &BTreeMap::new(), seed)?),
        ];
        let known = attacks[2].1.iter().map(|outcome| (outcome.index, outcome.distance(norm))).collect();
        attacks.push(("bisection from deepfool", Bisection::new(threat).run(&classifier, &examples, &known, seed)?));
        for (name, outcomes) in attacks {
            for (outcome, example) in outcomes.iter().zip(examples.iter()) {
                let exact = network.distance(norm, example.logits, example.label);
                let ratio = outcome.distance(norm) / exact;
                // DeepFool and a bisection that begins at its result have to move by a fixed 1e-4.
                let slack = 2e-4 / exact;
                assert!((0.999..1.03 + slack).contains(&ratio), "{name} {norm:?}: {ratio} of {exact}");
            }
        }
    }
    Ok(())
}

#[test]
fn one_step_is_optimal_for_a_linear_network_of_two_classes() -> Result<()> {
    let network = Planted::new(2, INPUTS, Mask::None)?;
    let classifier = Classifier::new(&network, INPUTS)?;
    let examples = right(&classifier, images(200, INPUTS, 0.2))?;
    for norm in [Norm::Linf, Norm::L2] {
        let distances: Vec<f64> =
            examples.iter().map(|example| network.distance(norm, example.logits, example.label)).collect();
        let eps = distances.iter().sum::<f64>() / distances.len() as f64;
        let outcomes = Fgsm::new(Threat { norm, eps }).run(&classifier, &examples, Seed(0))?;
        if norm == Norm::L2 {
            let nearest = Ddn::default().run(&classifier, &examples, Seed(0))?;
            for (outcome, distance) in nearest.iter().zip(&distances).filter(|(_, distance)| **distance > 1e-3) {
                let ratio = outcome.distance(norm) / distance;
                assert!((0.999..1.03).contains(&ratio), "ddn: {ratio} of {distance}");
            }
        }
        for (outcome, distance) in outcomes.iter().zip(distances).filter(|(_, d)| (d / eps - 1.0).abs() > 1e-3) {
            assert_eq!(outcome.broken_at_end, distance < eps, "{norm:?} {distance} {eps}");
        }
    }
    Ok(())
}

#[test]
fn no_attack_leaves_ball_or_box_and_none_beats_the_worst_case() -> Result<()> {
    for model in models(INPUTS, 24, 5, DType::F32)? {
        let classifier = Classifier::new(model.frozen.as_ref(), INPUTS)?;
        let mut labels: Vec<usize> = right(&classifier, images(60, INPUTS, 1.0))?.iter().map(|e| e.label).collect();
        labels[7] = (labels[7] + 1) % 5;
        let examples = Examples::new(&classifier, images(60, INPUTS, 1.0), labels)?;
        for threat in balls(&classifier, &examples)? {
            let mut all = Vec::new();
            for attack in attacks(threat.norm) {
                let outcomes = attack.run(&classifier, &examples, &setting(threat))?;
                let counts = Counts::of(&outcomes, threat);
                assert_eq!((counts.examples, counts.correct), (60, 59), "{}", attack.name());
                assert!(counts.robust_accuracy() <= counts.accuracy_at_end() || attack.is_minimum_norm());
                assert!(counts.accuracy_at_end() <= counts.clean_accuracy());
                for (outcome, example) in outcomes.iter().zip(examples.iter()) {
                    assert_eq!((outcome.index, outcome.label), (example.index, example.label));
                    assert!(in_box(&outcome.last));
                    let last = Distance::between(example.image, &outcome.last);
                    assert!(attack.is_minimum_norm() || attack == Attack::Auto || threat.allows(last), "{attack:?}");
                    assert_eq!(outcome.outside, 0, "{attack:?}");
                    let Some(found) = &outcome.adversarial else { continue };
                    assert!(in_box(&found.image));
                    assert_eq!(found.distance, Distance::between(example.image, &found.image));
                    let logits = classifier.logits(&found.image)?;
                    assert_eq!(margin(&logits, example.label), found.margin, "judged again, the image is as broken");
                    assert!(found.margin <= 0.0);
                }
                all.push((attack, outcomes));
            }
            let worst = worst_case(threat, &all.iter().map(|(_, outcomes)| outcomes.as_slice()).collect::<Vec<_>>());
            for (attack, outcomes) in &all {
                for (outcome, worst) in outcomes.iter().zip(&worst) {
                    assert!(worst.breaks(threat) || !outcome.breaks(threat), "{attack:?}");
                }
            }
            let broken = Counts::of(&worst, threat).broken;
            assert!((5..55).contains(&broken), "{threat:?} is no test: {broken} of 60 are broken");
        }
    }
    Ok(())
}

/// Examples whose pixels are f32 numbers, so that what is finer comes from an attack.
fn coarse(classifier: &Classifier<'_, f64>, count: usize) -> Result<Examples<f64>> {
    right(classifier, images::<f32>(count, INPUTS, 1.0).into_iter().map(f64::from).collect())
}

#[test]
fn in_f64_the_point_that_was_judged_is_the_point_that_is_kept() -> Result<()> {
    let is_finer = |image: &[f64]| image.iter().any(|x| f64::from(*x as f32) != *x);
    for model in models(INPUTS, 24, 5, DType::F64)? {
        let classifier = Classifier::<f64>::on(model.frozen.as_ref(), INPUTS, &Device::Cpu)?;
        let examples = coarse(&classifier, 40)?;
        for threat in balls(&classifier, &examples)? {
            let (mut kept, mut all) = (0, Vec::new());
            for attack in attacks(threat.norm) {
                all.push((attack.name(), attack.run(&classifier, &examples, &setting(threat))?));
            }
            let bisection = Bisection::new(Threat { eps: 4.0, ..threat });
            all.push(("bisection", bisection.run(&classifier, &examples, &BTreeMap::new(), Seed(1))?));
            let large = Threat { eps: 10.0 * threat.eps, ..threat };
            let noise = Noise { draws: 3, ..Noise::new(large, Distribution::Sign) };
            all.push(("noise", noise.run(&classifier, &examples, Seed(1))?));
            for (name, outcomes) in all {
                for (outcome, example) in outcomes.iter().zip(examples.iter()) {
                    assert!(is_finer(&outcome.last) && in_box(&outcome.last), "{name} {threat:?}");
                    let Some(found) = &outcome.adversarial else { continue };
                    kept += 1;
                    let judged = |image: &[f64]| Ok(margin(&classifier.logits(image)?, example.label));
                    assert_eq!(judged(&found.image)?, found.margin, "{name} {threat:?}");
                    assert_eq!(Distance::between(example.image, &found.image), found.distance, "{name} {threat:?}");
                    let rounded: Vec<f64> = found.image.iter().map(|x| f64::from(*x as f32)).collect();
                    let rounded: Result<f64> = judged(&rounded);
                    assert_ne!(rounded?, found.margin, "{name} {threat:?}: an f32 image is another one");
                }
            }
            assert!(kept > 100, "{threat:?}: {kept}");
        }
    }
    Ok(())
}

#[test]
fn in_f64_a_step_is_that_of_its_formula_and_in_f32_it_is_rounded() -> Result<()> {
    let (eps, single, double) = (0.3, models(INPUTS, 24, 5, DType::F32)?, models(INPUTS, 24, 5, DType::F64)?);
    for (single, double) in single.iter().zip(&double) {
        let precise = Classifier::<f64>::on(double.frozen.as_ref(), INPUTS, &Device::Cpu)?;
        let examples = coarse(&precise, 20)?;
        let fine = Fgsm::new(Threat::l2(eps)).run(&precise, &examples, Seed(0))?;
        let classifier = Classifier::new(single.frozen.as_ref(), INPUTS)?;
        let labels = examples.iter().map(|example| example.label).collect();
        let rounded = Examples::new(&classifier, images(20, INPUTS, 1.0), labels)?;
        let rounded = Fgsm::new(Threat::l2(eps)).run(&classifier, &rounded, Seed(0))?;
        for ((fine, rounded), example) in fine.iter().zip(&rounded).zip(examples.iter()) {
            let mut c = Vec::new();
            Loss::away(Objective::CrossEntropy).gradient(example.logits, example.label, &mut c);
            let g = precise.gradients(example.image, &c)?;
            let length = g.iter().map(|g| g * g).sum::<f64>().sqrt();
            let expected = example.image.iter().zip(&g).map(|(x, g)| (x + eps * g / length).clamp(0.0, 1.0));
            let largest = |apart: f64, (a, b): (f64, &f64)| apart.max((a - b).abs());
            assert!(expected.zip(&fine.last).fold(0.0, largest) < 1e-14);
            let apart = rounded.last.iter().map(|x| f64::from(*x)).zip(&fine.last).fold(0.0, largest);
            assert!((1e-9..1e-5).contains(&apart), "{apart}");
        }
    }
    Ok(())
}

#[test]
fn results_do_not_depend_on_batch_order_or_threads() -> Result<()> {
    let inputs = 196;
    for model in models(inputs, 100, 10, DType::F32)? {
        let one = Classifier::new(model.frozen.as_ref(), inputs)?;
        let examples = right(&one, images(24, inputs, 1.0))?;
        for threat in balls(&one, &examples)? {
            let setting = Setting { image: ImageShape::grey(14, 14), steps: 6, targets: 3, ..setting(threat) };
            for attack in Attack::ALL.into_iter().filter(|attack| attack.problem(threat.norm, 10).is_none()) {
                let expected = digest(&attack.run(&one, &examples, &setting)?);
                for (batch, threads) in [(1, 1), (7, 2), (64, 1), (1000, 2)] {
                    let classifier = one.clone().with_batch(batch);
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let outcomes = pool.install(|| attack.run(&classifier, &examples, &setting))?;
                    assert!(digest(&outcomes) == expected, "{attack:?}: batch {batch}, {threads} threads");
                }
                let alone = examples.filter(|example| example.index % 9 == 4);
                let outcomes = attack.run(&one, &alone, &setting)?;
                for outcome in outcomes {
                    assert!(expected.contains(&format!("{outcome:?}")), "{attack:?}: alone");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn rows_do_not_depend_on_their_company() -> Result<()> {
    rows_alone_and_among_others::<f32>()?;
    rows_alone_and_among_others::<f64>()
}

fn rows_alone_and_among_others<T: FloatDType + std::fmt::Debug>() -> Result<()> {
    let inputs = 784;
    for model in models(inputs, 100, 10, T::DTYPE)? {
        let classifier = Classifier::<T>::on(model.frozen.as_ref(), inputs, &Device::Cpu)?;
        let all = images(300, inputs, 1.0);
        let (logits, ones) = (classifier.logits(&all)?, vec![1.0, -1.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0]);
        let gradients = classifier.gradients(&all, &ones.repeat(300))?;
        for (image, (z, g)) in
            all.chunks_exact(inputs).zip(logits.chunks_exact(10).zip(gradients.chunks_exact(inputs))).step_by(7)
        {
            assert_eq!(classifier.logits(image)?, z);
            assert_eq!(classifier.gradients(image, &ones)?, g);
        }
    }
    Ok(())
}

#[test]
fn the_gradient_of_a_loss_is_that_of_central_differences() -> Result<()> {
    for model in models(12, 9, 5, DType::F64)? {
        let classifier = Classifier::<f64>::on(model.frozen.as_ref(), 12, &Device::Cpu)?;
        let image = images(1, 12, 0.6);
        let logits = classifier.logits(&image)?;
        for objective in [Objective::CrossEntropy, Objective::Margin, Objective::Dlr] {
            for loss in [Loss::away(objective), Loss::toward(objective, 3)] {
                let mut c = Vec::new();
                loss.gradient(&logits, 1, &mut c);
                let gradient = classifier.gradients(&image, &c)?;
                for (pixel, slope) in gradient.into_iter().enumerate() {
                    let at = |shift: f64| -> Result<f64> {
                        let mut moved = image.clone();
                        moved[pixel] += shift;
                        Ok(loss.value(&classifier.logits(&moved)?, 1))
                    };
                    let difference = (at(1e-6)? - at(-1e-6)?) / 2e-6;
                    let close = (difference - slope).abs() < 1e-6 * (1.0 + difference.abs());
                    assert!(close, "{loss:?}: {difference} is not {slope}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn targeted_attacks_count_the_target_alone() -> Result<()> {
    let network = Planted::new(5, INPUTS, Mask::None)?;
    let classifier = Classifier::new(&network, INPUTS)?;
    let examples = right(&classifier, images(50, INPUTS, 0.1))?;
    let threat = Threat::linf(0.1);
    for target in [Target::Class(2), Target::Likeliest, Target::LeastLikely] {
        let aim = Aim::Toward(target);
        let pgd = Pgd { aim, steps: 20, ..Pgd::new(threat) }.run(&classifier, &examples, Seed(0))?;
        let fgsm = Fgsm { aim, ..Fgsm::new(threat) }.run(&classifier, &examples, Seed(0))?;
        for (outcome, example) in pgd.iter().zip(examples.iter()) {
            let wanted = aim.target(&example).unwrap();
            if wanted == example.label {
                assert!(outcome.adversarial.is_none() && outcome.passes == Passes::default());
            } else {
                assert_eq!(outcome.adversarial.as_ref().map(|found| found.predicted), Some(wanted), "{target:?}");
            }
        }
        assert!(fgsm.iter().any(|outcome| outcome.breaks(threat)));
    }
    let aim = Aim::Toward(Target::Class(5));
    assert!(Pgd { aim, ..Pgd::new(threat) }.run(&classifier, &examples, Seed(0)).is_err());
    Ok(())
}

#[test]
fn attacks_that_never_stop_tell_the_last_iterate_apart() -> Result<()> {
    let model = &models(INPUTS, 24, 5, DType::F32)?[0];
    let classifier = Classifier::new(model.frozen.as_ref(), INPUTS)?;
    let examples = right(&classifier, images(60, INPUTS, 1.0))?;
    let [_, threat] = balls(&classifier, &examples)?;
    let pgd = Pgd { steps: 12, restarts: 2, ..Pgd::new(threat) };
    let stopped = pgd.run(&classifier, &examples, Seed(0))?;
    let whole = Pgd { stop: Stop::Never, ..pgd }.run(&classifier, &examples, Seed(0))?;
    for (stopped, whole) in stopped.iter().zip(&whole) {
        assert_eq!(stopped.adversarial, whole.adversarial, "the first success is kept either way");
        assert_eq!(whole.passes, Passes { forward: 26, backward: 24 });
        assert!(stopped.passes.forward <= 26);
        assert!(whole.breaks(threat) || !whole.broken_at_end);
    }
    Ok(())
}

#[test]
fn degenerate_networks_end_every_attack() -> Result<()> {
    let networks: [(&str, Planted); 5] = [
        ("constant", Planted::constant(&[1.0, 0.5, 0.0, 0.0, 0.0], INPUTS)?),
        ("tied", Planted::constant(&[1.0, 1.0, 0.0, 0.0, 0.0], INPUTS)?),
        ("broken", Planted::new(5, INPUTS, Mask::Broken)?),
        ("slopeless", Planted::new(5, INPUTS, Mask::Slopeless)?),
        ("noisy", Planted::new(5, INPUTS, Mask::Noisy(AtomicU64::new(0)))?),
    ];
    for (name, network) in &networks {
        let classifier = Classifier::new(network, INPUTS)?;
        let examples = Examples::new(&classifier, images(5, INPUTS, 1.0), vec![0; 5])?;
        for threat in [Threat::linf(0.1), Threat::l2(0.0), Threat::linf(0.0), Threat::linf(1.0), Threat::l2(1.0)] {
            for attack in attacks(threat.norm) {
                let outcomes = attack.run(&classifier, &examples, &setting(threat))?;
                let counts = Counts::of(&outcomes, threat);
                match *name {
                    "constant" => assert_eq!((counts.correct, counts.broken), (5, 0)),
                    "tied" => assert_eq!((counts.correct, counts.broken, counts.ties), (0, 5, 5)),
                    "broken" => assert_eq!((counts.correct, counts.broken, counts.not_finite), (0, 5, 5)),
                    "slopeless" => {
                        let stays = |outcome: &Outcome| outcome.last.is_empty() || in_box(&outcome.last);
                        assert!(outcomes.iter().all(|outcome| outcome.outside == 0 && stays(outcome)), "{attack:?}");
                    }
                    _ => assert_eq!(counts.examples, 5),
                }
            }
        }
    }
    Ok(())
}

#[test]
fn degenerate_examples_and_balls_are_attacked() -> Result<()> {
    let network = Planted::new(5, INPUTS, Mask::None)?;
    let classifier = Classifier::new(&network, INPUTS)?;
    let all_right = right(&classifier, images(20, INPUTS, 0.1))?;
    let wrong: Vec<usize> = all_right.iter().map(|example| (example.label + 1) % 5).collect();
    let all_wrong = Examples::new(&classifier, images(20, INPUTS, 0.1), wrong.clone())?;
    let mut labels = wrong;
    labels[13] = all_right.get(13).label;
    let one_right = Examples::new(&classifier, images(20, INPUTS, 0.1), labels)?;
    let none = all_right.filter(|_| false);
    for norm in [Norm::Linf, Norm::L2] {
        for attack in attacks(norm) {
            let run = |examples: &Examples, eps: f64| {
                let threat = Threat { norm, eps };
                attack.run(&classifier, examples, &setting(threat)).map(|outcomes| Counts::of(&outcomes, threat))
            };
            assert_eq!(run(&all_wrong, 0.1)?.broken, 20, "{attack:?}");
            assert_eq!(run(&none, 0.1)?.examples, 0, "{attack:?}");
            assert_eq!(run(&all_right, 0.0)?.broken, 0, "{attack:?}: nothing moves at eps 0");
            let unbounded = run(&one_right, 1.0)?;
            assert_eq!((unbounded.correct, unbounded.broken), (1, 20), "{attack:?}");
            assert_eq!((unbounded.success_rate(), unbounded.robust_accuracy()), (1.0, 0.0));
        }
    }
    Ok(())
}

#[test]
fn mistakes_are_told() -> Result<()> {
    let network = Planted::new(2, INPUTS, Mask::None)?;
    let classifier = Classifier::new(&network, INPUTS)?;
    let examples = right(&classifier, images(2, INPUTS, 0.1))?;
    let fails = |attack: Attack, setting: Setting| attack.run(&classifier, &examples, &setting).is_err();
    let good = setting(Threat::linf(0.1));
    for attack in [Attack::ApgdDlr, Attack::ApgdT, Attack::Ddn] {
        assert!(fails(attack, good), "{attack:?}");
    }
    let no_queries = Setting { queries: 0, ..good };
    for (attack, setting, words) in [
        (Attack::Pgd, Setting { steps: 0, ..good }, "an attack of 0 steps does nothing"),
        (Attack::Pgd, Setting { restarts: 0, ..good }, "an attack of 0 runs does nothing"),
        (Attack::MtPgd, Setting { targets: 0, ..good }, "an attack of 0 target classes does nothing"),
        (Attack::FabT, Setting { targets: 0, ..good }, "an attack of 0 target classes does nothing"),
        (Attack::FabT, Setting { restarts: 5000, ..good }, "an attack of 5000 runs takes too long; use at most 4096"),
        (Attack::Square, no_queries, "an attack of 0 proposals does nothing"),
    ] {
        let told = attack.run(&classifier, &examples, &setting).expect_err("a number is out of range").to_string();
        assert!(told.contains(words), "{told}");
    }
    assert!(fails(Attack::Fgsm, Setting { threat: Threat::linf(f64::NAN), ..good }));
    assert!(fails(Attack::Square, Setting { image: ImageShape::grey(3, 3), ..good }));
    assert!(!fails(Attack::Auto, good), "the cascade knows two classes");
    assert!(Examples::new(&classifier, vec![1.5; INPUTS], vec![0]).is_err());
    assert!(Examples::new(&classifier, vec![0.5; INPUTS], vec![2]).is_err());
    assert!(Examples::new(&classifier, vec![0.5; INPUTS - 1], vec![0]).is_err());
    assert!(Classifier::new(&network, INPUTS + 1).is_err());
    Ok(())
}

#[test]
fn random_noise_is_weaker_than_an_attack() -> Result<()> {
    let network = Planted::new(5, INPUTS, Mask::None)?;
    let classifier = Classifier::new(&network as &dyn Network, INPUTS)?;
    let examples = right(&classifier, images(50, INPUTS, 0.1))?;
    for threat in [Threat::linf(0.005), Threat::l2(0.04)] {
        let attack = MultiTarget::new(threat).run(&classifier, &examples, Seed(0))?;
        for distribution in DISTRIBUTIONS {
            let noise = Noise::new(threat, distribution).run(&classifier, &examples, Seed(0))?;
            assert!(noise.iter().all(|outcome| outcome.outside == 0));
            let (noise, attack) = (Counts::of(&noise, threat), Counts::of(&attack, threat));
            assert!(noise.broken < attack.broken && attack.broken < 50, "{noise:?} {attack:?}");
        }
    }
    Ok(())
}
