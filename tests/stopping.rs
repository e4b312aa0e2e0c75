//! Work that makes no steps stops at its next pass through the network.

use candle_core::{Device, Result, Tensor};
use han_exp::data::Points;
use han_exp::data::TrainingSet;
use han_exp::evaluate::attack::{
    Attack, Bisection, Classifier, Distribution, Examples, ImageShape, Noise, Setting, Threat,
};
use han_exp::evaluate::certificate::Certifier;
use han_exp::evaluate::{accuracy, classification, masking};
use han_exp::model::{Halt, HanNetConfig, ModelConfig, Network};
use han_exp::nn::Mode;
use han_exp::rng::Seed;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

const INPUTS: usize = 16;
const IMAGES: usize = 40;

/// Work on a network.
type Work<'a> = (&'static str, Box<dyn Fn(&dyn Network) -> Result<()> + 'a>);

/// Counts passes.
struct Counting<'n> {
    network: &'n dyn Network,
    passes: AtomicUsize,
}

impl Network for Counting<'_> {
    fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        self.passes.fetch_add(1, Ordering::Relaxed);
        self.network.forward(xs, mode)
    }

    fn chain(&self) -> Result<&han_exp::model::Chain> {
        self.network.chain()
    }
}

struct Labelled(Points);

impl TrainingSet for Labelled {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn batch(&self, epoch: usize, rows: &[u32]) -> Result<(Tensor, Tensor)> {
        Ok((self.0.batch(epoch, rows)?.0, Tensor::zeros(rows.len(), candle_core::DType::U32, &Device::Cpu)?))
    }
}

fn pixels() -> Vec<f32> {
    let mut stream = Seed(3).stream("pixels");
    (0..IMAGES * INPUTS).map(|_| stream.uniform() as f32).collect()
}

#[test]
fn attacks_checklists_certificates_and_scores_stop_at_their_next_pass() -> Result<()> {
    let model = ModelConfig::Hannet(HanNetConfig::new(12, 4, vec![1])).build(INPUTS, 4, Seed(1), &Device::Cpu)?;
    let network = model.frozen.as_ref();
    let logits = Classifier::new(network, INPUTS)?.logits(&pixels())?;
    let label = |logits: &[f64]| (0..4).fold(0, |best, at| if logits[at] > logits[best] { at } else { best });
    let labels: Vec<usize> = logits.chunks_exact(4).map(label).collect();
    let classifier = Classifier::new(network, INPUTS)?;
    let examples = Examples::new(&classifier, pixels(), labels)?;
    let setting = Setting { steps: 8, queries: 30, ..Setting::new(Threat::l2(0.05), ImageShape::grey(4, 4)) };
    let images = Tensor::from_vec([pixels(), pixels(), pixels()].concat(), (3 * IMAGES, INPUTS), &Device::Cpu)?;
    // More than one chunk of every kind of score.
    let many = Tensor::cat(&[&images; 12], 0)?;
    let targets = Tensor::zeros((many.dims()[0], 4), candle_core::DType::F32, &Device::Cpu)?;
    let points = Points { inputs: many, targets };
    let labelled = Labelled(points.clone());

    let of_attack = |attack: Attack| -> Work<'_> {
        let work = |network: &dyn Network, attack: Attack| -> Result<()> {
            attack.run(&Classifier::new(network, INPUTS)?, &examples, &setting).map(drop)
        };
        (attack.name(), Box::new(move |network| work(network, attack)))
    };
    let mut works: Vec<Work<'_>> = Attack::ALL.into_iter().map(of_attack).collect();
    works.push((
        "noise",
        Box::new(|network| {
            let noise = Noise { draws: 30, ..Noise::new(setting.threat, Distribution::Uniform) };
            noise.run(&Classifier::new(network, INPUTS)?, &examples, Seed(1)).map(drop)
        }),
    ));
    works.push((
        "bisection",
        Box::new(|network| {
            let classifier = Classifier::new(network, INPUTS)?;
            Bisection::new(Threat::l2(4.0)).run(&classifier, &examples, &BTreeMap::new(), Seed(1)).map(drop)
        }),
    ));
    works.push((
        "checklist",
        Box::new(|network| masking::checklist(&Classifier::new(network, INPUTS)?, None, &examples, &setting).map(drop)),
    ));
    works.push((
        "certificates",
        Box::new(|network| {
            let count = points.len();
            Certifier::new(network)?.certify(&points.inputs, &vec![0; count]).map(drop)
        }),
    ));
    works.push(("accuracy", Box::new(|network| accuracy::score(network, &points).map(drop))));
    works.push(("classification", Box::new(|network| classification::score(network, &labelled).map(drop))));

    for (name, work) in &works {
        let counting = Counting { network, passes: AtomicUsize::new(0) };
        work(&counting)?;
        let all = counting.passes.into_inner();
        assert!(all > 1, "{name}");
        for after in [0, 1, all / 2, all - 1] {
            let counting = Counting { network, passes: AtomicUsize::new(0) };
            let wanted = || counting.passes.load(Ordering::Relaxed) >= after;
            let halt = Halt::new(&wanted);
            assert!(work(&halt.network(&counting)).is_err() && halt.obeyed(), "{name} after {after} of {all}");
            let made = counting.passes.load(Ordering::Relaxed);
            // Threads that had checked already make the pass that they were about to make.
            assert!(made < after + rayon_threads(), "{name}: {made} passes, stopped after {after} of {all}");
        }
        // Nobody asked: nothing was stopped.
        let never = || false;
        let halt = Halt::new(&never);
        work(&halt.network(network))?;
        assert!(!halt.obeyed(), "{name}");
    }
    Ok(())
}

/// And one.
fn rayon_threads() -> usize {
    han_exp::nn::kernels::threads::count() + 1
}
