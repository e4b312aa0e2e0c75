//! Small colour images that are written by the tests, upright and in no way symmetric, and how they are loaded.

#![allow(dead_code, reason = "every test program uses its own part of this")]

use super::hub;
use han_exp::data::images::{Dataset, ImageData, Network, Options, load};
use std::fs;
use std::path::Path;

/// What stands in row, column and channel of an image: no turned or mirrored image, and no other order of channels, has
/// the same.
pub fn byte(image: usize, row: usize, column: usize, channel: usize) -> u8 {
    ((image * 31 + row * 7 + column * 2 + channel * 83 + (row / 8) * (column / 4)) % 256) as u8
}

/// Upright, channels last.
pub fn pixels(images: std::ops::Range<usize>, side: usize) -> Vec<u8> {
    let of_image = |image| {
        let places = (0..side).flat_map(move |row| (0..side).map(move |column| (row, column)));
        places.flat_map(move |(row, column)| (0..3).map(move |channel| byte(image, row, column, channel)))
    };
    images.flat_map(of_image).collect()
}

/// A plane for each channel, row by row.
pub fn planes(image: usize) -> Vec<u8> {
    let places = |channel| (0..32).flat_map(move |row| (0..32).map(move |column| byte(image, row, column, channel)));
    (0..3).flat_map(places).collect()
}

/// Classes of the ten training and the two test images.
pub const TRAIN: [u8; 10] = [6, 9, 9, 4, 1, 1, 2, 7, 8, 3];
pub const TEST: [u8; 2] = [3, 8];

pub fn test_pixels() -> Vec<u8> {
    pixels(10..12, 32)
}

pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, bytes).expect("a file");
}

pub fn options(directory: &Path) -> Options {
    let directory = Some(directory.to_path_buf());
    Options { directory, cache: None, network: Network::Forbidden, ..Options::default() }
}

pub fn loaded(dataset: Dataset, directory: &Path) -> ImageData {
    load(dataset, &options(directory)).expect("a data set")
}

pub fn told_by_load(dataset: Dataset, directory: &Path) -> String {
    format!("{:#}", load(dataset, &options(directory)).map(|_| ()).expect_err("data that are not the original"))
}

/// Writes CIFAR's binary batches, with as many bytes of labels as there are lists of labels.
pub fn write_batches(files: &[&Path], labels: &[&[u8]], first: usize) {
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

pub fn write_cifar10(directory: &Path) {
    let train: Vec<_> = (1..=5).map(|batch| directory.join(format!("data_batch_{batch}.bin"))).collect();
    write_batches(&train.iter().map(|path| &**path).collect::<Vec<_>>(), &[&TRAIN], 0);
    write_batches(&[&directory.join("test_batch.bin")], &[&TEST], 10);
}

pub fn parquet_of_cifar10() -> [Vec<u8>; 2] {
    [(pixels(0..10, 32), &TRAIN[..]), (test_pixels(), &TEST[..])]
        .map(|(pixels, labels)| hub::parquet_file_of_cifar(&pixels, &[("label", labels)]))
}
