//! Data as people have it: archives as they are downloaded, caches of other programs, other columns, widths and orders.

#![cfg(feature = "program")]

#[path = "common/checkpoint.rs"]
mod checkpoint;
#[path = "common/colour.rs"]
mod colour;
#[path = "common/hub.rs"]
mod hub;
#[path = "common/npz.rs"]
mod npz;
#[path = "common/packed.rs"]
mod packed;
#[path = "common/python.rs"]
mod python;
#[path = "common/sandbox.rs"]
mod sandbox;

use checkpoint::{Protocol, Py, pickle};
use colour::*;
use han_exp::data::images::{Dataset, load};
use han_exp::data::source::sha256;
use image::ExtendedColorType;
use npz::{array, deflated};
use sandbox::Sandbox;
use std::fs;
use std::ops::Range;
use std::path::Path;

/// Packs a folder as it is published.
fn pack(archive: &Path, folder: &Path) {
    write(archive, packed::folder(folder.file_name().expect("a name"), folder));
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
        pack(&sandbox.path(&format!("packed/{archive}.tar.gz")), &sandbox.path("unpacked").join(folder));
    }
    let found = loaded(Dataset::Cifar100, &sandbox.path("packed"));
    assert_eq!((&found.train, &found.test), (&expected.train, &expected.test));
    // There is no CIFAR-10 but the original: the error names the hash of what was read.
    let told = told_by_load(Dataset::Cifar10, &sandbox.path("packed"));
    assert!(told.contains(&sha256(&pixels(0..10, 32))), "{told}");
    let of_stl = [("train", vec![7; 2 * 96 * 96 * 3], vec![1, 10]), ("test", vec![8; 96 * 96 * 3], vec![5])];
    for (split, pixels, labels) in of_stl {
        write(&sandbox.path(&format!("unpacked/stl10_binary/{split}_X.bin")), pixels);
        write(&sandbox.path(&format!("unpacked/stl10_binary/{split}_y.bin")), labels);
    }
    pack(&sandbox.path("packed/stl10/stl10_binary.tar.gz"), &sandbox.path("unpacked/stl10_binary"));
    let found = loaded(Dataset::Stl10, &sandbox.path("packed"));
    assert_eq!((found.train.labels, found.test.labels), (vec![0, 9], vec![4]));
    write(&sandbox.path("broken/cifar-100-binary.tar.gz"), "no archive");
    let told = told_by_load(Dataset::Cifar100, &sandbox.path("broken"));
    assert!(told.contains("cannot read") && told.contains("cifar-100-binary.tar.gz: "), "{told}");
    let told = sandbox.error(&["data", "verify", "--dataset", "cifar100", "--data-dir", "broken"]);
    assert!(told.contains("4 of 4 parts are wrong, the first: "), "{told}");
}

/// A batch for Python of some images.
fn pickled(images: Range<usize>, labels: &[(&str, &[u8])]) -> Vec<u8> {
    let extents = [images.len(), 3072];
    let planes: Vec<u8> = images.flat_map(planes).collect();
    python::batch(python::array("u1", &extents, false, &planes), labels, Protocol::Two)
}

#[test]
fn batches_for_python_are_read_from_directories_and_archives() {
    let sandbox = Sandbox::new();
    // There is no CIFAR-10 but the original: the error names the hash of what was read.
    let folder = sandbox.path("unpacked/cifar-10-batches-py");
    for batch in 0..5 {
        let images = 2 * batch..2 * batch + 2;
        let file = pickled(images.clone(), &[("labels", &TRAIN[images])]);
        write(&folder.join(format!("data_batch_{}", batch + 1)), file);
    }
    write(&folder.join("test_batch"), pickled(10..12, &[("labels", &TEST)]));
    pack(&sandbox.path("packed/cifar-10-python.tar.gz"), &folder);
    for place in ["unpacked", "unpacked/cifar-10-batches-py", "packed"] {
        let told = told_by_load(Dataset::Cifar10, &sandbox.path(place));
        assert!(told.contains(&sha256(&pixels(0..10, 32))) && told.contains("train images"), "{place}: {told}");
    }
    write(&folder.join("data_batch_3"), pickled(4..6, &[("labels", &[1, 10])]));
    let told = told_by_load(Dataset::Cifar10, &sandbox.path("unpacked"));
    assert!(told.contains("data_batch_3: label 1 is 10, not a class from 0 to 9"), "{told}");
    // Binary batches go before.
    write_cifar10(&sandbox.path("unpacked/cifar-10-batches-bin"));
    let told = told_by_load(Dataset::Cifar10, &sandbox.path("unpacked"));
    assert!(told.contains(&sha256(&pixels(0..10, 32))), "{told}");
}

#[test]
fn the_fine_labels_of_cifar100_count_in_every_form_and_the_form_is_named() {
    let sandbox = Sandbox::new();
    let fine = [99, 0, 17, 3, 42, 5, 66, 70, 81, 20];
    let of_test = [50, 51];
    let binary = sandbox.path("binary/cifar-100-binary");
    write_batches(&[&binary.join("train.bin")], &[&TRAIN, &fine], 0);
    write_batches(&[&binary.join("test.bin")], &[&TEST, &of_test], 10);
    let folder = sandbox.path("python/cifar-100-python");
    write(&folder.join("train"), pickled(0..10, &[("fine_labels", &fine), ("coarse_labels", &TRAIN)]));
    write(&folder.join("test"), pickled(10..12, &[("coarse_labels", &TEST), ("fine_labels", &of_test)]));
    pack(&sandbox.path("packed/cifar-100-python.tar.gz"), &folder);
    // The hub's directories have the names of the batches.
    let parquet = |pixels: &[u8], fine: &[u8], coarse: &[u8]| {
        hub::parquet_file_of_cifar(pixels, &[("fine_label", fine), ("coarse_label", coarse)])
    };
    write(&sandbox.path("parquet/train/0000.parquet"), parquet(&pixels(0..10, 32), &fine, &TRAIN));
    write(&sandbox.path("parquet/test/0000.parquet"), parquet(&test_pixels(), &of_test, &TEST));
    for (place, classes) in [
        ("binary", "the fine labels, the second byte of every row of binary/cifar-100-binary/train.bin"),
        ("python", "the fine labels, the list fine_labels of python/cifar-100-python/train"),
        ("packed", "the fine labels, the list fine_labels of packed/cifar-100-python.tar.gz/train"),
        ("parquet", "those of the column fine_label of parquet/train/0000.parquet"),
    ] {
        let data = loaded(Dataset::Cifar100, &sandbox.path(place));
        assert_eq!(
            (data.train.labels, data.train.pixels),
            (fine.map(u16::from).to_vec(), pixels(0..10, 32)),
            "{place}"
        );
        assert_eq!((data.test.labels, data.test.pixels), (vec![50, 51], test_pixels()), "{place}");
        let fetch = ["data", "fetch", "--dataset", "cifar100", "--data-dir", place];
        let fetched = sandbox.command(&fetch).assert().success();
        let told = sandbox::text(&fetched.get_output().stderr);
        assert!(told.contains(&format!("cifar100: classes are {classes}")), "{place}: {told}");
    }
    // Labels in the other order.
    write_batches(&[&binary.join("train.bin")], &[&fine, &TRAIN], 0);
    let told = told_by_load(Dataset::Cifar100, &sandbox.path("binary"));
    assert!(told.contains("train.bin: the coarse label 0 is 99, not a class from 0 to 19"), "{told}");
    write(&folder.join("train"), pickled(0..10, &[("coarse_labels", &TRAIN)]));
    let told = told_by_load(Dataset::Cifar100, &sandbox.path("python"));
    assert!(told.contains("train: it is no dictionary with fine_labels"), "{told}");
    // A directory is no batch.
    write(&sandbox.path("other/train/notes.txt"), "none");
    assert!(told_by_load(Dataset::Cifar100, &sandbox.path("other")).contains("holds no cifar100"));
}

#[test]
fn batches_of_another_python_and_of_another_order_are_the_same_images() {
    let sandbox = Sandbox::new();
    let rows: Vec<u8> = (0..2).flat_map(planes).collect();
    let columns: Vec<u8> = (0..3072).flat_map(|column| [rows[column], rows[3072 + column]]).collect();
    for (place, by_column, bytes, protocol) in [
        ("two", false, &rows, Protocol::Two),
        ("four", false, &rows, Protocol::Four),
        ("columns", true, &columns, Protocol::Two),
    ] {
        let data = python::array("u1", &[2, 3072], by_column, bytes);
        let file = python::batch(data, &[("fine_labels", &[7, 99])], protocol);
        for name in ["train", "test"] {
            write(&sandbox.path(&format!("{place}/{name}")), &file);
        }
        let data = loaded(Dataset::Cifar100, &sandbox.path(place));
        assert_eq!((data.train.pixels, data.train.labels), (pixels(0..2, 32), vec![7, 99]), "{place}");
    }
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
    // The same of images: a column of any name, if there is no other.
    let pictures = || pixels(0..2, 32).chunks(3072).map(|image| hub::png(image, 32, ExtendedColorType::Rgb8)).collect();
    for (place, columns) in [
        ("picture", &["picture"][..]),
        ("thumbnail", &["thumbnail", "img"]),
        ("two", &["thumbnail", "picture"]),
        ("both", &["image", "img"]),
    ] {
        let columns: Vec<_> = columns.iter().map(|name| (*name, pictures())).collect();
        for split in ["train", "test"] {
            let file = hub::parquet(&columns, &[("fine_label", &[50, 51])]);
            write(&sandbox.path(&format!("{place}/{split}-00000-of-00001.parquet")), file);
        }
    }
    for place in ["picture", "thumbnail"] {
        let data = load(Dataset::Cifar100, &options(&sandbox.path(place))).expect("a column of images");
        assert_eq!(data.train.pixels, pixels(0..2, 32), "{place}");
    }
    for (place, columns) in [("two", "thumbnail or picture"), ("both", "image or img")] {
        let told = told_by_load(Dataset::Cifar100, &sandbox.path(place));
        assert!(told.contains(&format!("the image may be in {columns}")), "{place}: {told}");
    }
    // The column that was read is named.
    let fetch = ["data", "fetch", "--dataset", "cifar100", "--data-dir", "before"];
    let fetched = sandbox.command(&fetch).assert().success();
    let told = sandbox::text(&fetched.get_output().stderr);
    assert!(told.contains("cifar100: classes are those of the column fine_label of before/train-"), "{told}");
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
        // A program that asks for a commit notes down no name for it.
        let cache = sandbox.hub_cache().join(format!("datasets--{}", repository.replace('/', "--")));
        fs::remove_dir_all(cache.join("refs")).expect("references");
        assert_eq!(sandbox.stdout(&["data", "status", "--dataset", "cifar10"]), status);
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
    let data: Vec<u8> = (0..2).flat_map(planes).collect();
    let data = array("|u1", "(2, 3072)", &data);
    let labels = [
        array(">u2", "(2,)", &[0, 1, 3, 232]),
        array("<i8", "(2, 1)", &[1, 0, 0, 0, 0, 0, 0, 0, 232, 3, 0, 0, 0, 0, 0, 0]),
    ];
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

#[test]
fn imagenet_is_read_as_it_is_downloaded_and_unpacked() {
    let sandbox = Sandbox::new();
    let planes_of = |images: &Range<usize>| images.clone().flat_map(planes).collect::<Vec<u8>>();
    let label = |image: usize| 1000 - 90 * image as i64;
    let of_numpy = |images: Range<usize>| {
        let labels: Vec<u8> = images.clone().flat_map(|image| label(image).to_le_bytes()).collect();
        let data = array("|u1", &format!("({}, 3072)", images.len()), &planes_of(&images));
        deflated(&[("data.npy", &data), ("labels.npy", &array("<i8", &format!("({},)", images.len()), &labels))])
    };
    let of_python = |images: Range<usize>| {
        let data = python::array("u1", &[images.len(), 3072], false, &planes_of(&images));
        let labels = Py::List(images.map(|image| Py::Int(label(image))).collect());
        let mean = python::array("f8", &[3072], false, &[0; 8 * 3072]);
        let entries = [("data", data), ("labels", labels), ("mean", mean)];
        pickle(&Py::Dict(entries.map(|(key, entry)| (python::string(key), entry)).into()), Protocol::Four).0
    };
    type Batch<'a> = &'a dyn Fn(Range<usize>) -> Vec<u8>;
    for (end, suffix, batch) in [("_npz", ".npz", &of_numpy as Batch), ("", "", &of_python)] {
        let train = |batches: Range<usize>| -> Vec<(String, Vec<u8>)> {
            let named = |image: usize| (format!("train_data_batch_{}{suffix}", image + 1), batch(image..image + 1));
            batches.map(named).collect()
        };
        let test = [(format!("val_data{suffix}"), batch(10..12))];
        let folder = |split: &str| format!("Imagenet32_{split}{end}");
        let zip = |path: String, within: &str, files: &[(String, Vec<u8>)]| {
            let named: Vec<_> = files.iter().map(|(name, bytes)| (format!("{within}{name}"), bytes)).collect();
            let files: Vec<_> = named.iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect();
            write(&sandbox.path(&path), deflated(&files));
        };
        let loose = |place: String, files: &[(String, Vec<u8>)]| {
            files.iter().for_each(|(name, bytes)| write(&sandbox.path(&format!("{place}/{name}")), bytes));
        };
        zip(format!("packed{end}/{}.zip", folder("train")), &format!("{}/", folder("train")), &train(0..10));
        zip(format!("packed{end}/{}.zip", folder("val")), "", &test);
        loose(format!("unpacked{end}/imagenet32/{}", folder("train")), &train(0..10));
        loose(format!("unpacked{end}/imagenet32/{}", folder("val")), &test);
        loose(format!("half{end}/{}", folder("train")), &train(0..10));
        zip(format!("half{end}/{}.zip", folder("val")), "", &test);
        loose(format!("flat{end}"), &[&train(0..10)[..], &test].concat());
        for place in ["packed", "unpacked", "half", "flat"] {
            let found = loaded(Dataset::Imagenet32, &sandbox.path(&format!("{place}{end}")));
            let classes = |images: Range<usize>| images.map(|image| label(image) as u16 - 1).collect::<Vec<_>>();
            assert_eq!((found.train.pixels, found.train.labels), (pixels(0..10, 32), classes(0..10)), "{place}{end}");
            assert_eq!((found.test.pixels, found.test.labels), (test_pixels(), classes(10..12)), "{place}{end}");
        }
        let told = |place: &str| told_by_load(Dataset::Imagenet32, &sandbox.path(&format!("{place}{end}")));
        zip(format!("cut{end}/{}.zip", folder("train")), "", &train(0..9));
        let missing = format!("{}.zip: the archive holds no train_data_batch_10{suffix}", folder("train"));
        assert!(told("cut").contains(&missing), "{}", told("cut"));
        zip(format!("alone{end}/{}.zip", folder("train")), "", &train(0..10));
        let missing = format!("{}.zip/val_data{suffix}", folder("val"));
        assert!(told("alone").contains(&missing), "{}", told("alone"));
        zip(
            format!("twice{end}/{}.zip", folder("train")),
            "",
            &[train(0..10), vec![("a/train_data_batch_1".to_string() + suffix, vec![])]].concat(),
        );
        assert!(told("twice").contains("it holds two files called train_data_batch_1"), "{}", told("twice"));
        write(&sandbox.path(&format!("none{end}/{}.zip", folder("train"))), "no archive");
        assert!(
            told("none").contains(&format!("{}.zip: it is not a zip archive", folder("train"))),
            "{}",
            told("none")
        );
    }
    // Nothing to choose, so nothing is told of it.
    let fetched =
        sandbox.command(&["data", "verify", "--dataset", "imagenet32", "--data-dir", "packed"]).assert().success();
    assert!(!sandbox::text(&fetched.get_output().stderr).contains("classes are"));
}
