//! The seeds for fuzzing (`fuzz/seeds`, with what it has found) and damaged copies of them: no reader panics, and none takes more
//! memory than a small machine has.

#![cfg(feature = "program")]

#[path = "common/counting.rs"]
mod counting;

use counting::peak;
use han_exp::inputs::ALL;
use han_exp::rng::{Seed, Stream};
use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Damaged copies of a seed.
const COPIES: usize = 64;
/// What a reader may have in memory at once; fuzzing stops there as well.
const BOUND: usize = 512 << 20;

fn fuzz(directory: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(directory)
}

/// The seeds of a reader, in the order of their names.
fn seeds(reader: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(fuzz("seeds").join(reader)).expect("seeds").flatten();
    let mut seeds: Vec<_> =
        entries.map(|entry| (entry.path(), fs::read(entry.path()).expect("a readable seed"))).collect();
    seeds.sort();
    seeds
}

/// The bytes with one to three damages: a cut, other bits, a number at its limit, a piece of another seed.
fn damaged(bytes: &[u8], others: &[(PathBuf, Vec<u8>)], stream: &mut Stream) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=stream.index(3) {
        let place = stream.index(bytes.len() + 1);
        match stream.index(4) {
            0 => bytes.truncate(place),
            1 => bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << stream.index(8)),
            2 => bytes.iter_mut().skip(place).take(4).for_each(|byte| *byte = 0xff),
            _ => {
                let other = &others[stream.index(others.len())].1;
                let start = stream.index(other.len() + 1);
                let length = stream.index(other.len() - start + 1);
                drop(bytes.splice(place..place, other[start..start + length].iter().copied()));
            }
        }
    }
    bytes
}

#[test]
fn seeds_and_damaged_copies_of_them_are_read_or_refused() {
    let mut wrong = Vec::new();
    for (reader, read) in ALL {
        let seeds = seeds(reader);
        let mut stream = Seed(1215).stream(reader);
        for (path, whole) in &seeds {
            for copy in 0..=COPIES {
                let bytes = if copy == 0 { whole.clone() } else { damaged(whole, &seeds, &mut stream) };
                let (ended, most) = peak(|| catch_unwind(|| read(&bytes)));
                if ended.is_err() || most > BOUND {
                    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{reader}-{}", wrong.len()));
                    fs::write(&kept, &bytes).expect("a file");
                    let what = if ended.is_err() { "a panic".into() } else { format!("{most} bytes") };
                    wrong.push(format!("{}, copy {copy}: {what}; {}", path.display(), kept.display()));
                }
            }
        }
        // Seeds that no longer are what is read would hide all that is behind the first check.
        assert!(seeds.iter().any(|(_, seed)| read(seed)), "{reader} accepts none of its seeds");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_reader_has_seeds() {
    let seeds = fs::read_dir(fuzz("seeds")).expect("a directory").flatten();
    let seeds: BTreeSet<_> = seeds.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(seeds, ALL.iter().map(|(name, _)| (*name).to_string()).collect());
}
