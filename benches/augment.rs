//! Images a second that one thread prepares: changed at random, normalised, as a tensor.
//!
//! `make bench`, or `cargo bench --bench augment`. The images are the sample of CIFAR-10 inside the program.

use candle_core::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use han_exp::data::TrainingSet;
use han_exp::data::augment::{Augment, Augmented};
use han_exp::data::images::{Dataset, Network, Options, load};
use han_exp::memory::keep_freed_memory;
use han_exp::rng::Seed;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: u32 = 128;

fn batches(criterion: &mut Criterion) {
    keep_freed_memory();
    let options = Options { cache: None, network: Network::Forbidden, ..Options::default() };
    let data = load(Dataset::Cifar10, &options).expect("the sample");
    let mut group = criterion.benchmark_group("images of 32 x 32");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    for augment in Augment::ALL {
        let rows = (0..data.train.len()).collect();
        let set = Augmented { augment, seed: Seed(1), ..Augmented::plain(&data.train, rows, &Device::Cpu) };
        let rows: Vec<u32> = (0..BATCH).collect();
        let mut epoch = 0;
        group.bench_function(augment.name(), |bencher| {
            bencher.iter(|| {
                epoch += 1;
                set.batch(epoch, &rows).expect("a batch")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, batches);
criterion_main!(benches);
