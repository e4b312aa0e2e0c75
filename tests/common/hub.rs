//! The Hugging Face hub in small: its parquet files, its cache directory, and a server on this machine.

#![allow(dead_code, reason = "every test program uses its own part of this")]

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// 28 x 28 grey images in the hub's format: a PNG and a label in each row.
pub fn parquet_file(pixels: &[u8], labels: &[u8]) -> Vec<u8> {
    let images = pixels.chunks_exact(784).map(|image| png(image, 28, ExtendedColorType::L8)).collect();
    parquet(&[("image", images)], &[("label", labels)])
}

/// 32 x 32 colour images likewise, with the columns of CIFAR.
pub fn parquet_file_of_cifar(pixels: &[u8], labels: &[(&str, &[u8])]) -> Vec<u8> {
    let images = pixels.chunks_exact(3072).map(|image| png(image, 32, ExtendedColorType::Rgb8)).collect();
    parquet(&[("img", images)], labels)
}

/// A parquet file: columns of images, each with the encoded pictures, and columns of labels.
pub fn parquet(images: &[(&str, Vec<Vec<u8>>)], labels: &[(&str, &[u8])]) -> Vec<u8> {
    let rows = images[0].1.len();
    let group = |(name, _): &(&str, _)| {
        format!("OPTIONAL group {name} {{ OPTIONAL BYTE_ARRAY bytes; OPTIONAL BYTE_ARRAY path (UTF8); }}")
    };
    let groups: String = images.iter().map(group).collect();
    let columns: String = labels.iter().map(|(name, _)| format!("OPTIONAL INT64 {name};")).collect();
    let schema = format!("message schema {{ {groups} {columns} }}");
    let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
    let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, properties).expect("a parquet file");
    let mut group = writer.next_row_group().expect("a row group");
    for (_, pictures) in images {
        let pictures: Vec<ByteArray> = pictures.iter().cloned().map(ByteArray::from).collect();
        // A level counts the optional things that are there: a path is null within an image that is not.
        column::<ByteArrayType>(&mut group, &pictures, 2, rows);
        column::<ByteArrayType>(&mut group, &[], 1, rows);
    }
    for (_, labels) in labels {
        let labels: Vec<i64> = labels.iter().map(|label| i64::from(*label)).collect();
        assert_eq!(rows, labels.len());
        column::<Int64Type>(&mut group, &labels, 1, rows);
    }
    group.close().expect("a row group");
    writer.close().expect("a parquet file");
    file
}

fn column<T: DataType>(group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>, values: &[T::T], level: i16, n: usize) {
    let mut column = group.next_column().expect("a row group").expect("a column");
    column.typed::<T>().write_batch(values, Some(&vec![level; n]), None).expect("a column");
    column.close().expect("a column");
}

/// An encoded picture.
pub fn png(image: &[u8], side: u32, kind: ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(image, side, side, kind).expect("a PNG");
    bytes
}

/// Puts files where the hub's own clients keep what they downloaded.
pub fn write_snapshot(cache: &Path, repository: &str, files: &[(&str, &[u8])]) {
    write_snapshot_of(cache, repository, "refs/refs/convert/parquet", files);
}

/// The same for the files of another revision, whose commit is noted in that file.
pub fn write_snapshot_of(cache: &Path, repository: &str, reference: &str, files: &[(&str, &[u8])]) {
    let root = cache.join(format!("datasets--{}", repository.replace('/', "--")));
    let reference = root.join(reference);
    fs::create_dir_all(reference.parent().expect("a directory")).expect("a directory");
    fs::write(reference, COMMIT).expect("a file");
    for (name, contents) in files {
        let path = root.join("snapshots").join(COMMIT).join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, contents).expect("a file");
    }
}

/// Where [`write_snapshot`] puts files.
pub fn files_of_snapshot(cache: &Path, repository: &str, names: &[&str]) -> Vec<PathBuf> {
    let root = cache.join(format!("datasets--{}", repository.replace('/', "--"))).join("snapshots").join(COMMIT);
    names.iter().map(|name| root.join(name)).collect()
}

/// Serves files of a repository for the rest of the test; returns the endpoint.
pub fn serve(repository: &str, files: &[(&str, &[u8])]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let root = format!("/datasets/{repository}/resolve/refs%2Fconvert%2Fparquet/");
    let files: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(name, contents)| (format!("{root}{name}"), contents.to_vec())).collect();
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream, &files)));
    endpoint
}

fn answer(mut stream: TcpStream, files: &BTreeMap<String, Vec<u8>>) {
    let request = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let request: Vec<String> = request.collect();
    let mut words = request.first().map(String::as_str).unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, contents) = match files.get(path) {
        Some(contents) => ("200 OK", &contents[..]),
        None => ("404 Not Found", &[][..]),
    };
    let etag = path.replace(['/', '%'], "");
    let (length, mut response) = (contents.len(), Vec::new());
    let _ = write!(
        response,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nETag: \"{etag}\"\r\nX-Repo-Commit: {COMMIT}\r\n\
         Connection: close\r\n\r\n"
    );
    if method == "GET" {
        response.extend(contents);
    }
    // A client that went away has its answer.
    let _ = stream.write_all(&response);
}
