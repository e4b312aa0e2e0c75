//! Data that are not what they seem: damaged, larger than any original, in place of files, or of two meanings. Nothing of
//! that may be used, wait for ever, or fill the memory.

#![cfg(feature = "program")]

#[path = "common/by_hand.rs"]
mod by_hand;
#[path = "common/colour.rs"]
mod colour;
#[path = "common/hub.rs"]
mod hub;
#[path = "common/npz.rs"]
mod npz;
#[path = "common/packed.rs"]
mod packed;
#[path = "common/sandbox.rs"]
mod sandbox;

use by_hand::{INT32, REQUIRED, file, group, leaf};
use colour::*;
use flate2::Compression;
use han_exp::data::images::{Dataset, Part};
use npz::{array, deflated};
use sandbox::Sandbox;
use std::fs;
use std::path::Path;

/// An archive of files, packed without compression: the tests damage it at places that they know.
fn archive(path: &Path, files: &[(&str, &[u8])]) {
    write(path, packed::tarball_at(Compression::none(), files));
}

/// A row of CIFAR-100's binary files for each image.
fn rows(images: std::ops::Range<usize>, label: u8) -> Vec<u8> {
    images.flat_map(|image| [vec![0, label], planes(image)].concat()).collect()
}

#[test]
fn a_flipped_bit_in_an_archive_is_found_even_behind_the_files_that_are_read() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("cifar-100-binary.tar.gz");
    let (train, test) = (rows(0..4, 7), rows(4..6, 9));
    archive(&path, &[("b/train.bin", &train), ("b/test.bin", &test), ("b/notes.txt", &[b'x'; 4000])]);
    assert_eq!(loaded(Dataset::Cifar100, sandbox.0.path()).train.labels, [7; 4]);
    let whole = fs::read(&path).expect("an archive");
    for place in [3000, whole.len() - 3000] {
        let mut damaged = whole.clone();
        damaged[place] ^= 4;
        fs::write(&path, damaged).expect("a file");
        let told = told_by_load(Dataset::Cifar100, sandbox.0.path());
        assert!(told.contains("cifar-100-binary.tar.gz") && told.contains("checksum"), "{place}: {told}");
    }
    fs::write(&path, &whole[..whole.len() - 2000]).expect("a file");
    assert!(told_by_load(Dataset::Cifar100, sandbox.0.path()).contains("cifar-100-binary.tar.gz"));
}

#[test]
fn two_files_of_one_name_in_an_archive_are_refused_unless_they_are_the_same() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("cifar-100-binary.tar.gz");
    let (train, test, other) = (rows(0..4, 7), rows(4..6, 9), rows(0..4, 8));
    archive(&path, &[("a/train.bin", &train), ("a/test.bin", &test), ("b/train.bin", &train)]);
    assert_eq!(loaded(Dataset::Cifar100, sandbox.0.path()).train.labels, [7; 4]);
    archive(&path, &[("a/train.bin", &train), ("a/test.bin", &test), ("b/train.bin", &other)]);
    let told = told_by_load(Dataset::Cifar100, sandbox.0.path());
    assert!(told.contains("two different files called train.bin"), "{told}");
}

#[test]
fn more_images_than_were_published_are_refused_in_every_format() {
    let sandbox = Sandbox::new();
    let image = || hub::png(&pixels(0..1, 32), 32, image::ExtendedColorType::Rgb8);
    let labels = vec![1; 10_001];
    let files = [("train", 10), ("test", 10_001)];
    for (split, count) in files {
        let file = hub::parquet(&[("img", vec![image(); count])], &[("fine_label", &labels[..count])]);
        write(&sandbox.path(&format!("parquet/{split}-00000-of-00001.parquet")), file);
    }
    let told = told_by_load(Dataset::Cifar100, &sandbox.path("parquet"));
    assert!(told.contains("more than the 10000 images that were published"), "{told}");

    let bomb = array("|u1", "(60000, 3072)", &vec![0; 60_000 * 3072]);
    let one = array("|u1", "(1, 3072)", &planes(0));
    let label = array("|u1", "(1,)", &[1]);
    write(&sandbox.path("npz/train_data_batch_1.npz"), deflated(&[("data.npy", &one), ("labels.npy", &label)]));
    write(&sandbox.path("npz/val_data.npz"), deflated(&[("data.npy", &bomb), ("labels.npy", &label)]));
    let told = told_by_load(Dataset::Imagenet32, &sandbox.path("npz"));
    assert!(told.contains("val_data.npz") && told.contains("it holds more than"), "{told}");
    // Of ImageNet 64 x 64, which has the same names.
    let larger = array("|u1", "(40, 12288)", &vec![0; 40 * 12288]);
    let labels = array("|u1", "(40,)", &[1; 40]);
    write(&sandbox.path("npz/val_data.npz"), deflated(&[("data.npy", &larger), ("labels.npy", &labels)]));
    let told = told_by_load(Dataset::Imagenet32, &sandbox.path("npz"));
    assert!(told.contains("data.npy: it holds more than") && !told.contains("damaged"), "{told}");
    // Labels of one byte take an eighth of the room of those that were published.
    let labels = array("|u1", "(60000,)", &[1; 60_000]);
    write(&sandbox.path("npz/val_data.npz"), deflated(&[("data.npy", &one), ("labels.npy", &labels)]));
    let told = told_by_load(Dataset::Imagenet32, &sandbox.path("npz"));
    assert!(told.contains("60000 labels; at most 50000 images are read"), "{told}");

    // A hole of 64 GB takes no space on a disk.
    for file in ["train.bin", "test.bin"] {
        write(&sandbox.path("binary").join(file), rows(0..1, 1));
    }
    let hole = fs::File::create(sandbox.path("binary/train.bin")).expect("a file");
    hole.set_len(64 << 30).expect("a file with a hole");
    let told = told_by_load(Dataset::Cifar100, &sandbox.path("binary"));
    assert!(told.contains("train.bin: it holds more than"), "{told}");
    write(&sandbox.path("python/test"), "no batch");
    let hole = fs::File::create(sandbox.path("python/train")).expect("a file");
    hole.set_len(64 << 30).expect("a file with a hole");
    let told = told_by_load(Dataset::Cifar100, &sandbox.path("python"));
    assert!(told.contains("python/train: it holds more than"), "{told}");
    for (train, test) in [("train_data_batch_1.npz", "val_data.npz"), ("train_data_batch_1", "val_data")] {
        write(&sandbox.path("imagenet").join(test), "no batch");
        let hole = fs::File::create(sandbox.path("imagenet").join(train)).expect("a file");
        hole.set_len(64 << 30).expect("a file with a hole");
        let told = told_by_load(Dataset::Imagenet32, &sandbox.path("imagenet"));
        assert!(told.contains(&format!("{train}: it holds more than")), "{told}");
        fs::remove_dir_all(sandbox.path("imagenet")).expect("a directory");
    }
    for part in Part::ALL {
        let hole = fs::File::create(sandbox.path(part.file_name())).expect("a file");
        hole.set_len(64 << 30).expect("a file with a hole");
    }
    let told = told_by_load(Dataset::Mnist, sandbox.0.path());
    assert!(told.contains("train-images-idx3-ubyte: it holds more than"), "{told}");
}

#[test]
fn a_picture_that_claims_to_be_huge_is_refused_before_it_is_decoded() {
    let sandbox = Sandbox::new();
    let mut huge = hub::png(&pixels(0..1, 32), 32, image::ExtendedColorType::Rgb8);
    // Width and height of the header, and its checksum.
    huge[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    for split in ["train", "test"] {
        let file = hub::parquet(&[("img", vec![huge.clone()])], &[("fine_label", &[1])]);
        write(&sandbox.path(&format!("{split}-00000-of-00001.parquet")), file);
    }
    let told = told_by_load(Dataset::Cifar100, sandbox.0.path());
    assert!(told.contains("row 0") && told.contains("16384 x 16384"), "{told}");
}

#[test]
fn a_picture_whose_pixels_are_not_bytes_is_refused() {
    let sandbox = Sandbox::new();
    let deep = hub::png(&[pixels(0..1, 32), pixels(0..1, 32)].concat(), 32, image::ExtendedColorType::Rgb16);
    let clear = hub::png(&vec![9; 32 * 32 * 4], 32, image::ExtendedColorType::Rgba8);
    for (place, picture, kind) in [("deep", deep, "Rgb16"), ("clear", clear, "Rgba8")] {
        for split in ["train", "test"] {
            let file = hub::parquet(&[("img", vec![picture.clone()])], &[("fine_label", &[1])]);
            write(&sandbox.path(place).join(format!("{split}-00000-of-00001.parquet")), file);
        }
        let told = told_by_load(Dataset::Cifar100, &sandbox.path(place));
        assert!(told.contains("row 0") && told.contains(kind), "{place}: {told}");
    }
}

#[test]
fn no_flipped_bit_in_the_description_of_a_parquet_file_is_a_panic() {
    let sandbox = Sandbox::new();
    let whole = hub::parquet_file_of_cifar(&pixels(0..2, 32), &[("fine_label", &[50, 51]), ("coarse_label", &[1, 2])]);
    let length = whole[whole.len() - 8..].first_chunk().map(|bytes| u32::from_le_bytes(*bytes)).expect("a length");
    write(&sandbox.path("test-00000-of-00001.parquet"), &whole);
    let description = whole.len() - 8 - length as usize..whole.len();
    let mut refused = 0;
    for (place, bit) in description.flat_map(|place| (0..8).map(move |bit| (place, bit))) {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << bit;
        write(&sandbox.path("train-00000-of-00001.parquet"), damaged);
        // Names and numbers that are not read may be others.
        refused += usize::from(han_exp::data::images::load(Dataset::Cifar100, &options(sandbox.0.path())).is_err());
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn a_download_that_lies_about_itself_is_refused() {
    let leaf = || leaf("x", INT32, REQUIRED);
    let many = file(&[group("r", None, 1), leaf()], &[], 1 << 40);
    let groups = std::iter::repeat_n(group("g", Some(REQUIRED), 1), 300_000);
    let deep: Vec<_> = [group("r", None, 1)].into_iter().chain(groups).chain([leaf()]).collect();
    for (contents, words) in [
        (many, "it says that it holds 1099511627776 images, more than the 60000 that were published"),
        (file(&deep, &[], 0), "no parquet file, or a damaged one"),
    ] {
        let files = [("mnist/train/0000.parquet", &contents[..]), ("mnist/test/0000.parquet", &contents[..])];
        let endpoint = hub::serve("ylecun/mnist", &files);
        let sandbox = Sandbox::new();
        let mut fetch = sandbox.command(&["data", "fetch", "--dataset", "mnist"]);
        let told = sandbox::failure(fetch.env("HF_ENDPOINT", endpoint));
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_damaged_cache_is_replaced_by_the_command_that_it_names() {
    let sandbox = Sandbox::new();
    let cache = sandbox.path("cache/han-exp/cifar100");
    for part in Part::ALL {
        write(&cache.join(part.file_name()), "no IDX file");
    }
    let options = han_exp::data::images::Options {
        cache: Some(sandbox.path("cache/han-exp")),
        directory: None,
        ..options(sandbox.0.path())
    };
    let told = han_exp::data::images::load(Dataset::Cifar100, &options).expect_err("a damaged cache");
    let told = format!("{told:#}");
    assert!(told.contains("`han-exp data fetch --dataset cifar100` replaces it"), "{told}");
}

#[cfg(unix)]
fn pipe(path: &Path) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    assert!(std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
}

#[test]
#[cfg(unix)]
fn pipes_and_directories_in_place_of_files_are_refused() {
    let sandbox = Sandbox::new();
    for (dataset, files) in [
        ("cifar100", &["train.bin", "test.bin"][..]),
        ("stl10", &["train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"]),
        ("imagenet32", &["train_data_batch_1.npz", "val_data.npz"]),
        ("mnist", &Part::ALL.map(Part::file_name)),
        ("fashion-mnist", &["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"]),
    ] {
        for (place, kind) in [("pipes", "a pipe"), ("directories", "a directory")] {
            let root = sandbox.path(place).join(dataset);
            fs::create_dir_all(&root).expect("a directory");
            for file in files {
                if kind == "a pipe" {
                    pipe(&root.join(file));
                } else {
                    fs::create_dir_all(root.join(file)).expect("a directory");
                }
            }
            let root = root.to_str().expect("a path in UTF-8");
            let told = sandbox.error(&["data", "verify", "--dataset", dataset, "--data-dir", root]);
            assert!(
                told.contains("it is not a regular file") || told.contains("it is a directory"),
                "{dataset}: {told}"
            );
        }
    }
    let run = sandbox.command(&["data", "verify", "--data-dir", "."]).assert().failure();
    let (told, notes) = (sandbox::text(&run.get_output().stdout), sandbox::text(&run.get_output().stderr));
    assert!(notes.contains("nothing was verified") && told.contains("mnist is not in ."), "{told}{notes}");
    assert!(!told.contains("verified"), "what is in the program was not asked for: {told}");
}

#[test]
#[cfg(unix)]
fn pipes_in_place_of_archives_and_of_the_hubs_files_are_refused() {
    let sandbox = Sandbox::new();
    pipe(&sandbox.path("archive/cifar-100-binary.tar.gz"));
    let told = told_by_load(Dataset::Cifar100, &sandbox.path("archive"));
    assert!(told.contains("cifar-100-binary.tar.gz") && told.contains("it is not a regular file"), "{told}");

    let names = ["mnist/train/0000.parquet", "mnist/test/0000.parquet"];
    hub::write_snapshot(&sandbox.hub_cache(), "ylecun/mnist", &names.map(|name| (name, &[][..])));
    let files = hub::files_of_snapshot(&sandbox.hub_cache(), "ylecun/mnist", &names);
    for file in &files {
        fs::remove_file(file).expect("a file");
        pipe(file);
    }
    let told = sandbox.error(&["data", "fetch", "--dataset", "mnist", "--offline"]);
    assert!(told.contains("the Hugging Face hub: ") && told.contains("it is not a regular file"), "{told}");
}
