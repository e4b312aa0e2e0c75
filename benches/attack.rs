//! Time of 20 steps of projected gradient descent on 1,024 images of 784 pixels, where no image is ever done.
//!
//! `make bench`, or `CANDLE_NUM_THREADS=1 cargo bench --bench attack`. One thread: run with RAYON_NUM_THREADS=1.

use candle_core::{Device, Result};
use criterion::{Criterion, criterion_group, criterion_main};
use han_exp::evaluate::attack::{Apgd, Classifier, Examples, ImageShape, Pgd, Square, Stop, Threat};
use han_exp::memory::keep_freed_memory;
use han_exp::model::{FcNetConfig, HanNetConfig, ModelConfig};
use han_exp::rng::Seed;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const IMAGES: usize = 1024;
const INPUTS: usize = 784;
const STEPS: usize = 20;

fn examples(classifier: &Classifier<'_>) -> Result<Examples> {
    let mut stream = Seed(0).stream("images");
    let images: Vec<f32> = (0..IMAGES * INPUTS).map(|_| stream.uniform() as f32).collect();
    let logits = classifier.logits(&images)?;
    let class = |z: &[f64]| (0..z.len()).fold(0, |best, class| if z[class] > z[best] { class } else { best });
    let labels = logits.chunks_exact(classifier.classes()).map(class).collect();
    Examples::new(classifier, images, labels)
}

fn attacks(criterion: &mut Criterion) {
    keep_freed_memory();
    let (threat, seed, stop) = (Threat::linf(0.1), Seed(0), Stop::Never);
    let mut group = criterion.benchmark_group(format!("{IMAGES} images x {STEPS} steps"));
    group.sample_size(10);
    for (name, config) in [
        ("hannet 784-100x20", ModelConfig::Hannet(HanNetConfig::new(100, 20, vec![1]))),
        ("fcnet 784-100x6", ModelConfig::Fcnet(FcNetConfig::new(100, 6))),
    ] {
        let model = config.build(INPUTS, 10, seed, &Device::Cpu).expect("a valid model");
        let classifier = Classifier::new(model.frozen.as_ref(), INPUTS).expect("a classifier");
        let examples = examples(&classifier).expect("logits");
        group.bench_function(format!("{name}, pgd"), |bencher| {
            let attack = Pgd { steps: STEPS, stop, ..Pgd::new(threat) };
            bencher.iter(|| attack.run(&classifier, &examples, seed).expect("outcomes"));
        });
        group.bench_function(format!("{name}, apgd-ce"), |bencher| {
            let attack = Apgd { steps: STEPS, stop, ..Apgd::cross_entropy(threat) };
            bencher.iter(|| attack.run(&classifier, &examples, seed).expect("outcomes"));
        });
        group.bench_function(format!("{name}, square"), |bencher| {
            let attack = Square { queries: STEPS, stop, ..Square::new(threat, ImageShape::grey(28, 28)) };
            bencher.iter(|| attack.run(&classifier, &examples, seed).expect("outcomes"));
        });
    }
    group.finish();
}

criterion_group!(benches, attacks);
criterion_main!(benches);
