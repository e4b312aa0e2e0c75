//! The checklist is green for a network that hides nothing and red for those that do.

use super::*;
use crate::evaluate::attack::ImageShape;
use crate::evaluate::attack::testing::{Mask, Planted, images, models, right};
use candle_core::{DType, Device, Result};
use std::sync::atomic::AtomicU64;

const INPUTS: usize = 64;

fn setting(threat: Threat) -> Setting {
    Setting { steps: 40, queries: 200, ..Setting::new(threat, ImageShape::grey(8, 8)) }
}

fn failures(mask: Mask) -> Result<Vec<&'static str>> {
    let network = Planted::new(5, INPUTS, mask)?;
    let classifier = Classifier::new(&network, INPUTS)?;
    let examples = right(&classifier, images(60, INPUTS, 0.3))?;
    let list = checklist(&classifier, None, &examples, &setting(Threat::linf(0.005)))?;
    assert!(list.restarts.windows(2).all(|pair| pair[1] <= pair[0]) && list.steps.len() == 9);
    Ok(list.rows.iter().filter(|row| !row.passed).map(|row| row.name).collect())
}

#[test]
fn a_linear_network_hides_nothing() -> Result<()> {
    assert_eq!(failures(Mask::None)?, Vec::<&str>::new());
    Ok(())
}

#[test]
fn masked_networks_are_red() -> Result<()> {
    let found = failures(Mask::Scaled(1e4))?;
    assert!(
        found.contains(&"no gradient is exactly 0") && found.contains(&"the softmax is not saturated"),
        "{found:?}"
    );
    let found = failures(Mask::Rounded)?;
    assert!(found.contains(&"gradients are those of central differences"), "{found:?}");
    for mask in [Mask::Shattered, Mask::Slopeless] {
        let found = failures(mask)?;
        assert!(found.contains(&"no gradient is exactly 0"), "{found:?}");
    }
    let found = failures(Mask::Noisy(AtomicU64::new(0)))?;
    assert!(found.contains(&"the network is deterministic"), "{found:?}");
    let found = failures(Mask::Probabilities)?;
    assert!(found.contains(&"outputs are logits, not probabilities"), "{found:?}");
    Ok(())
}

/// Gradients that are 0 make every run a random walk, and more of them find more. A sound network's worst case is found
/// by the attacks from the image, whatever single runs from random points miss.
#[test]
fn the_row_of_restarts_is_red_where_every_run_is_a_new_chance() -> Result<()> {
    for (mask, passes) in [(Mask::None, true), (Mask::Shattered, false)] {
        let network = Planted::new(5, INPUTS, mask)?;
        let classifier = Classifier::new(&network, INPUTS)?;
        let examples = right(&classifier, images(200, INPUTS, 0.3))?;
        let setting = setting(Threat::linf(0.03));
        let others = from_image(&classifier, &examples, &setting)?;
        let pgd = Pgd { restarts: RESTARTS, start: Start::Random, steps: 20, ..Pgd::new(setting.threat) };
        let restarted = pgd.run(&classifier, &examples, setting.seed)?;
        let row = restarts_converge(&restarted, &others, setting.threat, RESTARTS / 2);
        assert_eq!(row.passed, passes, "{row:?}");
    }
    Ok(())
}

#[test]
fn gradients_of_networks_are_those_of_differences() -> Result<()> {
    let (single, double) = (models(INPUTS, 30, 5, DType::F32)?, models(INPUTS, 30, 5, DType::F64)?);
    for (single, double) in single.iter().zip(&double) {
        let classifier = Classifier::new(single.frozen.as_ref(), INPUTS)?;
        let precise = Classifier::<f64>::on(double.frozen.as_ref(), INPUTS, &Device::Cpu)?;
        let examples = right(&classifier, images(10, INPUTS, 1.0))?;
        let rows = [
            gradients_match_differences(&classifier, &classifier, &examples, 8)?,
            gradients_match_differences(&classifier, &precise, &examples, 8)?,
        ];
        assert!(rows.iter().all(|row| row.passed), "{rows:?}");
        assert!(gradient_norms(&classifier, &examples)?.iter().all(|norm| *norm > 0.0));
    }
    Ok(())
}

#[test]
fn differences_of_a_large_image_are_taken_in_parts() -> Result<()> {
    let inputs = 2500;
    let network = Planted::new(5, inputs, Mask::None)?;
    let classifier = Classifier::new(&network, inputs)?;
    let examples = right(&classifier, images(2, inputs, 0.3))?;
    let row = gradients_match_differences(&classifier, &classifier, &examples, 1)?;
    assert!(row.passed, "{row:?}");
    Ok(())
}

#[test]
fn images_for_another_network_are_shown_to_this_one() -> Result<()> {
    let networks = models(INPUTS, 30, 5, DType::F32)?;
    let [a, b] = [0, 1].map(|place| Classifier::new(networks[place].frozen.as_ref(), INPUTS));
    let (a, b) = (a?, b?);
    let examples = right(&a, images(30, INPUTS, 1.0))?;
    let threat = Threat::linf(0.1);
    let setting = setting(threat);
    let white = from_image(&a, &examples, &setting)?;
    assert!(transfer_adds_nothing(&a, &white, &white, threat)?.passed);
    // As if nothing had been tried on this network: its own adversarial images then all come as news.
    let nothing = Noise::new(Threat::linf(0.0), DISTRIBUTIONS[0]).run(&a, &examples, setting.seed)?;
    assert!(!transfer_adds_nothing(&a, &nothing, &white, threat)?.passed);
    let labels = examples.iter().map(|example| example.label).collect();
    let other = Examples::new(&b, examples.images().to_vec(), labels)?;
    let surrogate = from_image(&b, &other, &setting)?;
    assert!(transfer_adds_nothing(&a, &white, &surrogate, threat)?.measured <= 1.0);
    Ok(())
}

#[test]
fn rows_fail_on_what_is_not_a_number() {
    assert!(!Check::at_most("", f64::NAN, 1.0).passed);
    assert!(Check::at_most("", 1.0, 1.0).passed);
    assert_eq!(falls_with_eps(&[(0.0, 0.9), (0.1, 0.5), (0.2, 0.6)]).measured, 0.6 - 0.5);
    assert!(steps_converge(&[]).is_empty());
}
