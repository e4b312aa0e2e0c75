//! Bad inputs of every parser, through the real program: each ends in a message that says what is wrong, at once, and without more
//! memory than a small machine has. And whatever bytes a parser gets, it neither panics nor allocates far more than it was given.

#![cfg(feature = "program")]

#[path = "common/by_hand.rs"]
mod by_hand;
#[path = "common/checkpoint.rs"]
mod checkpoint;
#[path = "common/counting.rs"]
mod counting;
#[path = "common/hub.rs"]
mod hub;
#[path = "common/npz.rs"]
mod npz;
#[path = "common/packed.rs"]
mod packed;
#[path = "common/python.rs"]
mod python;
#[path = "common/refused.rs"]
mod refused;
#[path = "common/safetensors.rs"]
mod safetensors;
#[path = "common/sandbox.rs"]
mod sandbox;

use by_hand::{BYTES, Column, INT32, REPEATED, REQUIRED, dictionary, file, group, leaf, page};
use checkpoint::{Protocol, Py, Stored, archive, dict, floats, legacy, pickle};
use counting::peak;
use han_exp::cli::spliced;
use han_exp::data::checkerboard::{Board, Split};
use han_exp::data::idx;
use han_exp::data::table::{Target, parse};
use han_exp::model::weights::{self, Hints};
use han_exp::model::{HanNetConfig, Model, ModelConfig};
use han_exp::rng::Seed;
use npz::{array, deflated};
use packed::{gzip, tarball};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use refused::{Case, case, check, write};
use safetensors::{safetensors, tensors, zeros};
use std::path::Path;

#[test]
fn idx_files() {
    const VERIFY: &str = "data verify --dataset mnist --data-dir d";
    let idx = |name, says, bytes: &[u8]| {
        let labels = ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
        let others = labels.map(|part| (format!("d/{part}"), Vec::new()));
        let mut case = case(name, VERIFY, says, &[("d/train-images-idx3-ubyte", bytes)]);
        case.files.extend(others);
        case
    };
    let many_zeros = gzip(&vec![0; 1 << 20]).repeat(64);
    check(vec![
        idx("empty", "has 0 bytes, too few for an IDX header", b""),
        idx("magic", "not with the magic number of an IDX file", b"PAR1 and more"),
        idx("floats", "00000d03", &[&[0, 0, 0x0d, 3][..], &[0; 12]].concat()),
        idx("255 axes", "ends inside its IDX header", &[&[0, 0, 8, 255][..], &[0; 8]].concat()),
        idx("extents", "too few for", &[&[0, 0, 8, 3][..], &[255; 12]].concat()),
        idx("no axes", "magic number", &[0, 0, 8, 0]),
        idx("a bomb", "it holds more than", &many_zeros),
        idx("members", "gzip members", &gzip(b"").repeat(100_000)),
        idx("cut", "cannot be decompressed", &gzip(&[7; 300])[..20]),
    ]);
}

#[test]
fn binary_files_and_their_archives() {
    const CIFAR: &str = "data verify --dataset cifar100 --data-dir d";
    const STL: &str = "data verify --dataset stl10 --data-dir d";
    let (row, image) = ([&[0, 100][..], &[0; 3072]].concat(), vec![0; 27_648]);
    let stl = |label: u8| vec![("d/train_X.bin", image.clone()), ("d/train_y.bin", vec![label])];
    let pair = |files: &[(&str, Vec<u8>)]| {
        let all = [files, &[("d/test_X.bin", image.clone()), ("d/test_y.bin", vec![1])]].concat();
        all.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect::<Vec<_>>()
    };
    let of_stl = |name, says, files: &[(&str, Vec<u8>)]| Case { files: pair(files), ..case(name, STL, says, &[]) };
    let train = |contents: &[u8]| tarball(&[("c/train.bin", contents), ("c/test.bin", &row)]);
    let mut endless = tar::Header::new_gnu();
    endless.set_path("c/train.bin").expect("a name");
    endless.as_old_mut().size = [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    endless.set_cksum();
    let endless = gzip(endless.as_bytes());
    let two = tarball(&[("a/train.bin", &row), ("b/train.bin", &row[..3000]), ("c/test.bin", &row)]);
    check(vec![
        case(
            "cut",
            CIFAR,
            "3075 bytes are not rows of 3074",
            &[("d/train.bin", &[0; 3075]), ("d/test.bin", &[0; 3074])],
        ),
        case("empty", CIFAR, "there are no images", &[("d/train.bin", b""), ("d/test.bin", b"")]),
        case(
            "a label",
            CIFAR,
            "label 0 is 100, not a class from 0 to 99",
            &[("d/train.bin", &row), ("d/test.bin", &row)],
        ),
        of_stl("label 0", "train_y.bin: label 0 is 0, not a class from 1 to 10", &stl(0)),
        of_stl("one file", "pixels and labels are two files, and one is missing", &stl(1)[..1]),
        case("no gzip", STL, "it is no .tar.gz, or a damaged one", &[("d/stl10_binary.tar.gz", b"no gzip")]),
        case("an empty archive", STL, "it is no .tar.gz", &[("d/stl10_binary.tar.gz", b"")]),
        case("a size", CIFAR, "cifar-100-binary.tar.gz", &[("d/cifar-100-binary.tar.gz", &endless)]),
        case(
            "other files",
            CIFAR,
            "the archive holds no train.bin",
            &[("d/cifar-100-binary.tar.gz", &tarball(&[("notes.txt", b"none")]))],
        ),
        case("two of a name", CIFAR, "two different files called train.bin", &[("d/cifar-100-binary.tar.gz", &two)]),
        case("cut within", CIFAR, "cifar-100-binary.tar.gz", &[("d/cifar-100-binary.tar.gz", &train(&row)[..60])]),
    ]);
}

#[test]
fn batches_for_python() {
    const VERIFY: &str = "data verify --dataset cifar100 --data-dir d";
    let of = |name, says, bytes: &[u8]| case(name, VERIFY, says, &[("d/train", bytes), ("d/test", bytes)]);
    let labels: (&str, &[u8]) = ("fine_labels", &[7]);
    let with =
        |name, says, data: Py, labels: &[(&str, &[u8])]| of(name, says, &python::batch(data, labels, Protocol::Two));
    let image = || python::array("u1", &[1, 3072], false, &[200; 3072]);
    let entries = |entries: Vec<(Py, Py)>| pickle(&Py::Dict(entries), Protocol::Two).0;
    let words = Py::List(vec![python::string("cat")]);
    check(vec![
        Case { code: 0, ..with("sound", "unpinned", image(), &[labels]) },
        of("garbage", "train: its pickle is broken at byte 0", b"GIF89a"),
        of("cut", "it ends too soon", &python::batch(image(), &[labels], Protocol::Two)[..2000]),
        of("endless", "instructions", &vec![b')'; 4_300_000]),
        of("a call of the system", "it is no dictionary with data", b"\x80\x02cos\nsystem\n(U\x05touchtR."),
        of("no dictionary", "it is no dictionary with data; use the published file", b"\x80\x02]."),
        with("no fine labels", "it is no dictionary with fine_labels", image(), &[("labels", &[7])]),
        of(
            "a word",
            "fine_labels: label 0 is no whole number",
            &entries(vec![(python::string("data"), image()), (python::string("fine_labels"), words)]),
        ),
        of(
            "no list",
            "fine_labels is not a list",
            &entries(vec![(python::string("data"), image()), (python::string("fine_labels"), Py::Int(7))]),
        ),
        with("a list of pixels", "data is no NumPy array of bytes", python::list(&[0; 100]), &[labels]),
        with("floats", "data is no NumPy array of bytes", python::array("f4", &[1, 768], false, &[0; 3072]), &[labels]),
        with(
            "extents",
            "data is 18446744073709551 x 3072 in 3072 bytes",
            python::array("u1", &[18_446_744_073_709_551, 3072], false, &[0; 3072]),
            &[labels],
        ),
        with("axes", "data has 3 axes, not two", python::array("u1", &[1, 3, 1024], false, &[0; 3072]), &[labels]),
        with("more labels", "3072 bytes of pixels are not 2 images", image(), &[("fine_labels", &[7, 7])]),
        with("a label", "label 0 is 100, not a class from 0 to 99", image(), &[("fine_labels", &[100])]),
        with("empty", "there are no images", python::array("u1", &[0, 3072], false, &[]), &[("fine_labels", &[])]),
        case(
            "an archive without them",
            VERIFY,
            "the archive holds no train",
            &[("d/cifar-100-python.tar.gz", &tarball(&[("notes.txt", b"none")]))],
        ),
    ]);
}

#[test]
fn numpy_archives() {
    const VERIFY: &str = "data verify --dataset imagenet32 --data-dir d";
    let npz = |name, says, files: &[(&str, &[u8])]| {
        let bytes = deflated(files);
        case(name, VERIFY, says, &[("d/train_data_batch_1.npz", &bytes), ("d/val_data.npz", &bytes)])
    };
    let zip = |name, says, files: &[(&str, &[u8])]| {
        let bytes = deflated(files);
        case(name, VERIFY, says, &[("d/Imagenet32_train.zip", &bytes), ("d/Imagenet32_val.zip", &bytes)])
    };
    let (labels, image) = (array("|u1", "(1,)", &[1]), array("|u1", "(1, 3072)", &[0; 3072]));
    let of = |name, says, data: &[u8]| npz(name, says, &[("data.npy", data), ("labels.npy", &labels)]);
    let fortran = "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 3072), }\n";
    let fortran = [&b"\x93NUMPY\x01\x00"[..], &(fortran.len() as u16).to_le_bytes(), fortran.as_bytes()].concat();
    let hollow = [&vec![0; 1 << 20][..], b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2e\0\0\0\0\0\0\0\0\0"].concat();
    let mut flipped = deflated(&[("data.npy", &image), ("labels.npy", &labels)]);
    let middle = flipped.iter().position(|byte| *byte == b'y').map_or(0, |name| name + 12);
    flipped[middle] ^= 0x10;
    check(vec![
        case(
            "garbage",
            VERIFY,
            "no NumPy archive (.npz): it is not a zip archive",
            &[("d/train_data_batch_1.npz", b"x"), ("d/val_data.npz", b"PK\x05\x06")],
        ),
        case(
            "a hollow file",
            VERIFY,
            "it is not a zip archive",
            &[("d/train_data_batch_1.npz", &hollow), ("d/val_data.npz", &hollow)],
        ),
        zip("an archive without them", "the archive holds no train_data_batch_1", &[("notes.txt", b"none")]),
        zip(
            "garbage in an archive",
            "train_data_batch_1: its pickle is broken at byte 0",
            &[("train_data_batch_1", b"GIF89a")],
        ),
        case(
            "no archive",
            VERIFY,
            "Imagenet32_train.zip: it is not a zip archive",
            &[("d/Imagenet32_train.zip", b"x"), ("d/Imagenet32_val.zip", b"PK\x05\x06")],
        ),
        npz("no data", "holds no array data", &[("labels.npy", &labels)]),
        npz("no labels", "holds no array labels", &[("data.npy", &image)]),
        of("a version", "format version 9", b"\x93NUMPY\x09\0"),
        of("a header", "ends inside its header", b"\x93NUMPY\x02\0\xff\xff\xff\xff"),
        of("a shape", "bytes follow", &array("|u1", "(18446744073709551615, 3072)", &[0; 3072])),
        of("floats", "not whole numbers", &array("<f4", "(1, 768)", &[0; 3072])),
        of("by column", "column by column", &[&fortran[..], &[0; 3072]].concat()),
        of("more images than labels", "it holds more than", &array("|u1", "(100, 3072)", &vec![0; 307_200])),
        npz(
            "label 0",
            "label 0 is 0, not a class from 1 to 1000",
            &[("data.npy", &image), ("labels.npy", &array("|u1", "(1,)", &[0]))],
        ),
        case(
            "a flipped bit",
            VERIFY,
            "train_data_batch_1.npz",
            &[("d/train_data_batch_1.npz", &flipped), ("d/val_data.npz", &flipped)],
        ),
    ]);
}

#[test]
fn parquet_files() {
    const VERIFY: &str = "data verify --dataset cifar100 --data-dir d";
    let parquet = |name, says, bytes: &[u8]| {
        let files = ["train", "test"].map(|part| format!("d/{part}-00000-of-00001.parquet"));
        let files = files.map(|file| (file, bytes.to_vec())).to_vec();
        Case { files, ..case(name, VERIFY, says, &[]) }
    };
    let picture = hub::png(&[7; 3072], 32, image::ExtendedColorType::Rgb8);
    let packed = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat();
    let plain = |body: &[u8]| page(body, 1, 0, body.len() as i64);
    let image = |pages: Vec<u8>, codec| Column { path: &["img", "bytes"], kind: BYTES, codec, values: 1, pages };
    let label =
        || Column { path: &["fine_label"], kind: INT32, codec: 0, values: 1, pages: plain(&50_u32.to_le_bytes()) };
    let schema = |image: i64, label: i64| {
        let bytes = leaf("bytes", BYTES, REQUIRED);
        vec![group("r", None, 2), group("img", Some(image), 1), bytes, leaf("fine_label", label, REQUIRED)]
    };
    let of = |pages: Vec<u8>, codec| file(&schema(REQUIRED, INT32), &[image(pages, codec), label()], 1);
    let nested = |depth: usize| {
        let groups = std::iter::repeat_n(group("g", Some(REQUIRED), 1), depth);
        let all: Vec<_> = [group("r", None, 1)].into_iter().chain(groups).chain([leaf("x", INT32, REQUIRED)]).collect();
        file(&all, &[], 0)
    };
    // A column beside those that are read, with one row of sixty million nulls.
    let runs = |runs: &[u8]| [&(runs.len() as u32).to_le_bytes()[..], runs].concat();
    let nulls = [runs(&[0x02, 0, 0xfe, 0x9b, 0x9c, 0x39, 1]), runs(&[0x80, 0x9c, 0x9c, 0x39, 1])].concat();
    let junk = page(&nulls, 60_000_000, 0, nulls.len() as i64);
    let junk = Column { path: &["junk", "x"], kind: INT32, codec: 0, values: 60_000_000, pages: junk };
    let with_list = [
        vec![group("r", None, 3), group("img", Some(REQUIRED), 1), leaf("bytes", BYTES, REQUIRED)],
        vec![leaf("fine_label", INT32, REQUIRED), group("junk", Some(REPEATED), 1), leaf("x", INT32, 1)],
    ];
    let with_list = file(&with_list.concat(), &[image(plain(&packed(&picture)), 0), label(), junk], 1);
    let only_label = file(&[group("r", None, 1), leaf("fine_label", INT32, REQUIRED)], &[label()], 1);
    let words = Column { path: &["fine_label"], kind: BYTES, codec: 0, values: 1, pages: plain(&packed(b"cat")) };
    let words = file(&schema(REQUIRED, BYTES), &[image(plain(&packed(&picture)), 0), words], 1);
    let endless = [group("r", None, i64::from(i32::MAX)), leaf("x", INT32, REQUIRED)];
    check(vec![
        Case { code: 0, ..parquet("sound", "unpinned", &of(plain(&packed(&picture)), 0)) },
        Case { code: 0, ..parquet("a list beside them", "unpinned", &with_list) },
        parquet("garbage", "no parquet file, or a damaged one", b"PAR1garbagePAR1"),
        parquet("short", "no parquet file, or a damaged one", b"PAR1"),
        parquet("deep groups", "no parquet file, or a damaged one", &nested(300_000)),
        parquet("groups as deep as they may be", "needs a column with an image", &nested(198)),
        parquet("children", "a group has 2147483647 columns", &file(&endless, &[], 0)),
        parquet(
            "a page of 2 GB",
            "says that it unpacks to 2000000000",
            &of(page(b"\x05\x10hello", 1, 0, 2_000_000_000), 1),
        ),
        parquet(
            "a dictionary",
            "says that it has 2000000000 values",
            &of(dictionary(&packed(&picture), 2_000_000_000), 0),
        ),
        parquet("prefixes", "DELTA_BYTE_ARRAY", &of(page(&packed(&picture), 1, 7, 10), 0)),
        parquet("a picture of 4 GB", "row 0", &of(plain(&[&[255; 4][..], &picture].concat()), 0)),
        parquet("a cut picture", "row 0", &of(plain(&packed(&picture[..40])), 0)),
        parquet("no image", "needs a column with an image", &only_label),
        parquet("lists of images", "needs a column with an image", &file(&schema(REPEATED, INT32), &[], 0)),
        parquet("words for classes", "needs a column with a class", &words),
    ]);
}

const EVALUATE: &str = "evaluate checkerboard --model hannet --device cpu --weights";

/// A checkpoint with this pickle alone.
fn pickled(bytes: &[u8]) -> Vec<u8> {
    archive(&[("archive/data.pkl".into(), bytes.to_vec())])
}

/// A checkpoint of so many tensors whose storages are the bytes of one.
fn overlapping(tensors: usize, floats_each: usize) -> Vec<u8> {
    let zeros = vec![0.0; floats_each];
    let state = (0..tensors).map(|place| (Py::Text(format!("{place}.weight")), floats(&[floats_each], &zeros)));
    let (pickle, _) = pickle(&Py::Dict(state.collect()), Protocol::Two);
    let whole = archive(&[("archive/data.pkl".into(), pickle), ("archive/data/0".into(), vec![0; 4 * floats_each])]);
    // The list of files, its last entry once for every further name, and the end with another count and size.
    let start = whole.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("a list");
    let (list, end) = (&whole[start..whole.len() - 22], &whole[whole.len() - 22..]);
    let last = list.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").expect("an entry");
    let entry = |place: usize| {
        let name = format!("archive/data/{place}");
        let length = (name.len() as u16).to_le_bytes();
        [&list[last..last + 28], &length, &list[last + 30..last + 46], name.as_bytes()].concat()
    };
    let list = [list, &(1..tensors).flat_map(entry).collect::<Vec<u8>>()].concat();
    let (count, size) = ((tensors as u16 + 1).to_le_bytes(), (list.len() as u32).to_le_bytes());
    [&whole[..start], &list, &end[..8], &count, &count, &size, &end[16..]].concat()
}

#[test]
fn files_of_weights() {
    let of = |name, says, bytes: &[u8]| case(name, &format!("{EVALUATE} w"), says, &[("w", bytes)]);
    let one = |dtype: &str, shape: &str, end: usize| {
        safetensors(
            &format!(r#"{{"0.weight":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[0,{end}]}}}}"#),
            &[0; 4],
        )
    };
    let steering = r#"{"\u001b]0;x\u0007\nerror: a.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let like: Vec<String> = (b'a'..=b'v').map(|letter| String::from_utf8_lossy(&[letter; 2]).into_owned()).collect();
    let like = like.iter().flat_map(|name| [(format!("{name}.vector"), vec![4, 1]), (format!("{name}.bias"), vec![4])]);
    let like = zeros(&like.collect::<Vec<_>>());
    let state = dict([("0.weight", floats(&[2], &[1.0, 2.0]))]);
    let tensor = |dims: Vec<usize>, strides: Vec<usize>| {
        let stored = Stored { dims, strides, ..Stored::floats(&[1], &[1.0]) };
        checkpoint::zip(&dict([("0.weight", Py::Tensor(stored))]), Protocol::Two)
    };
    let pairs =
        [&b"\x80\x02(NN\x86q\0"[..], &b"h\0".repeat(100_000), b"l\x85q\x01ccollections\nOrderedDict\nq\x02"].concat();
    let pairs = [&pairs[..], &b"h\x02h\x01R".repeat(2000), b"."].concat();
    let old = legacy(&state);
    let mut many = old.clone();
    let count = many.len() - 8 - 8;
    many[count..count + 8].copy_from_slice(&[255; 8]);
    check(vec![
        of("empty", "w is empty", b""),
        of("something else", "is neither a safetensors file nor", b"GIF89a"),
        case("a directory", &format!("{EVALUATE} d"), "weights.safetensors: there is no such file", &[("d/x", b"")]),
        of(
            "a header of 2^63 bytes",
            "list of tensors has more than 16777216 bytes",
            &[&(1_u64 << 63).to_le_bytes()[..], b"{}"].concat(),
        ),
        of("a cut header", "is not a sound safetensors file", &[&100_u64.to_le_bytes()[..], b"{"].concat()),
        of("offsets", "is not a sound safetensors file", &one("F32", "1", 400)),
        of("a shape", "is not a sound safetensors file", &one("F32", "4294967296,4294967296,4294967296", 4)),
        of("no numbers", "0.weight: expected shape [30, 2], found [4]", &one("F8_E5M2", "4", 4)),
        of("a name that steers a terminal", "has control characters", &safetensors(steering, &[0; 4])),
        of("layers in any order", "can be ordered in too many ways; pass --order or --map", &like)
            .with(&["--width", "4", "--depth", "21", "--dense-at", "1"].map(String::from)),
        of("an archive's first bytes", "its list of files is missing", b"PK\x03\x04"),
        of("a packed archive", "compressed or encrypted", &deflated(&[("archive/data.pkl", b"\x80\x02}.")])),
        of("another archive", "without a data.pkl", &archive(&[("a".into(), b"b".to_vec())])),
        of("overlapping files", "lie on top of each other", &overlapping(40, 4096)),
        of("an axis of nothing", "found [10000000000, 0]", &tensor(vec![10_000_000_000, 0], vec![0, 1])),
        of("an element again and again", "more than its storage of 1", &tensor(vec![1_000_000_000], vec![0])),
        of("copies of a list", "copies lists too often", &pickled(&pairs)),
        of("endless", "instructions", &pickled(&vec![b')'; 4_300_000])),
        of("an instruction", "its pickle is broken at byte 2", &pickled(b"\x80\x02I1\n.")),
        of("a call of the system", "no dictionary of tensors", &pickled(b"cos\nsystem\n(X\x05\0\0\0touchtR.")),
        of(
            "a deep pickle",
            "no dictionary of tensors",
            &pickled(&[&b"\x80\x02)"[..], &[0x85; 100_000], b"."].concat()),
        ),
        of("a cut storage", "it ends within a storage", &old[..old.len() - 1]),
        of("a storage of 2^64 elements", "it ends within a storage", &many),
    ]);
}

#[test]
fn maps_of_weights() {
    let one = zeros(&[("0.weight".into(), vec![1])]);
    let of = |name, says, map: &[u8]| {
        case(name, &format!("{EVALUATE} one.safetensors --map m"), says, &[("one.safetensors", &one), ("m", map)])
    };
    let long: String = (0..60_000).map(|line| format!("a{line}.weight = b{line}.weight\n")).collect();
    check(vec![
        of("long", "the model has no tensor or layer a0.weight", long.as_bytes()),
        of("no equals sign", "--map m, line 1: use MODEL_NAME = FILE_NAME", b"x"),
        of("twice", "--map m, line 2: a = c: a name comes twice", b"a = b\na = c"),
        of("no text", "valid UTF-8", &[0xff, 0xfe]),
    ]);
}

#[test]
fn experiment_files_and_flags() {
    const PLAN: &str = "plan checkerboard";
    let of = |name, says, file: &[u8]| case(name, "plan checkerboard --experiment x.toml", says, &[("x.toml", file)]);
    let flags = |name, says, flags: &[&str]| {
        case(name, PLAN, says, &[]).with(&flags.iter().map(|flag| (*flag).to_string()).collect::<Vec<_>>())
    };
    let mine = |more: &str| format!("extends = \"checkerboard\"\nexperiment.name = \"mine\"\n{more}").into_bytes();
    let arms: String =
        (0..2000).map(|arm| format!("[[arm]]\nname='a{arm}'\nmodel.hannet={{width=4,depth=2}}\n")).collect();
    let claim = "[[experiment.claims]]\nsays='x'\ndecided_in=['smoke']\nevidence=[{row='arm=hannet', value='mean', above=0.0, \
                 figure='{mean:.70000}'}]";
    let sizes: Vec<String> = (1..=1100).map(|size| size.to_string()).collect();
    let rates: Vec<String> = (0..3000).map(|rate| format!("{:.6}", 0.001 + f64::from(rate) * 1e-6)).collect();
    let deep = "a.".repeat(60_000) + "a=1";
    check(vec![
        of("empty", "there is no [experiment]", b""),
        of("no text", "valid UTF-8", &[0xff, 0xfe]),
        of("a deep key", "recursion limit", ("a.".repeat(100_000) + "a = 1").as_bytes()),
        of("brackets", "max recursion depth", ("a=".to_string() + &"[".repeat(100_000)).as_bytes()),
        of("another experiment", "there is no such experiment of this kind", b"extends = \"nothing\""),
        of("nothing to begin with", "begin the file with extends = \"NAME\"", b"[arm.hannet.model.hannet]\nwidth = 64"),
        of("not a number", "use a finite number", &mine("[data.checkerboard]\ntrain_fraction=nan")),
        of(
            "the name of another experiment",
            "is a built-in experiment of the verb gradients; use another name",
            b"extends = \"checkerboard\"\nexperiment.name = \"gradients\"",
        ),
        of("a board", "use 2 to 1001 grid points", &mine("[data.checkerboard]\nside = 100000000")),
        of("networks", "arm has 2000 items; use at most 1000", &mine(&arms)),
        of("digits of a figure", "is not a valid number of digits; use at most 40", &mine(claim)),
        Case { code: 0, ..of("what a profile wins", "overrides seeds; set it in [profile.quick]", &mine("seeds = 1")) },
        flags("a recipe twice", "has a value twice", &["--recipe", "tuned,tuned"]),
        flags("a deep key of --set", "the key has more than 80 parts", &["--set", &deep]),
        flags("not a number of --set", "use a finite number", &["--set", "train.batch_size=nan"]),
        flags("no value of --set", "use KEY=VALUE", &["--set", "train"]),
        flags("a steering key of --set", "unknown field `\\u{1b}[31m`", &["--set", "\u{1b}[31m=1"]),
        flags(
            "runs",
            "use at most 100000",
            &["--models", "hannet", "--recipe", "tuned", "--seeds", "10000", "--learning-rates", &rates.join(",")],
        ),
        flags("sizes", "make more than 1000 networks", &["--width", &sizes.join(",")]),
        flags(
            "a network",
            "use a smaller width or fewer layers",
            &["--models", "fcnet", "--width", "16384", "--depth", "10000"],
        ),
    ]);
}

#[test]
fn splits_of_the_board() {
    let one = zeros(&[("0.weight".into(), vec![1])]);
    let of = |name, says, split: &str, bytes: &[u8]| {
        case(
            name,
            &format!("{EVALUATE} one.safetensors --split-file s"),
            says,
            &[("one.safetensors", &one), (split, bytes)],
        )
    };
    check(vec![
        of("empty", "needs the columns split, row, column, label", "s", b""),
        of("an empty directory", "s/trainset.txt: No such file", "s/x", b""),
        of("a row", "line 2: row is", "s", b"split,row,column,label\ntrain,99999999999999999999,0,0"),
        of("a quotation mark", "s: ", "s", b"split,row,column,label\n\"train"),
        of("no numbers", "trainset.txt, line 1: needs four numbers", "s/trainset.txt", b"nan nan\n"),
    ]);
}

#[test]
fn tables_of_numbers() {
    let of =
        |name, says, bytes: &[u8]| case(name, "plan regression --offline --dataset x.csv", says, &[("x.csv", bytes)]);
    let wide = ",".repeat(4_000_000) + "x\n1,2\n";
    let open = format!("\"{}", "x".repeat(1_000_000));
    let constant: String = (0..40).map(|row| format!("{row},5\n")).collect();
    check(vec![
        of("no UTF-8", "line 2: it is not UTF-8", b"a,b\n1,\xff\n"),
        of("not a number", "line 2: column 2 (b): \"nan\" is not a finite number", b"a,b\n1,nan\n2,3\n"),
        of("a header", "it has no rows of numbers", b"a,b\n"),
        case("a directory", "plan regression --offline --dataset d", "it is a directory", &[("d/x", b"")]),
        of("columns", "4000001 columns; use at most 16384", wide.as_bytes()),
        of("an open quotation mark", "x.csv: ", open.as_bytes()),
        of("a large number", "rescale the column", b"a,b\n1e31,2\n1,2\n"),
        of("a constant target", "choose another target", constant.as_bytes()),
        of("a name that steers a terminal", "\\u{1b}", b"a,\"\x1b[31m\"\n1,x\n"),
    ]);
}

/// The same cases on every run: a failure is a change of the program, not of the dice.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(1215), failure_persistence: None, ..ProptestConfig::default() }
}

/// What a parser may have in memory at once for an input of some KB.
const BOUND: usize = 64 << 20;

/// Does the work on an input, and holds it against the bound.
fn bounded<T>(work: impl FnOnce() -> T) -> Result<T, TestCaseError> {
    let (made, peak) = peak(work);
    prop_assert!(peak < BOUND, "{peak} bytes");
    Ok(made)
}

/// A HanNet of 3 layers, and files of its weights in every format.
fn small() -> (Model, Vec<Vec<u8>>) {
    let config = ModelConfig::Hannet(HanNetConfig::new(3, 3, vec![1]));
    let model = config.build(2, 2, Seed(1), &candle_core::Device::Cpu).expect("a model");
    let stored = model.parameters.to_stored().expect("tensors");
    let named = stored.iter().map(|(name, tensor)| {
        let values: Vec<f32> = tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("floats");
        (name.clone(), tensor.dims().to_vec(), values)
    });
    let named: Vec<(String, Vec<usize>, Vec<f32>)> = named.collect();
    let entry = |(name, dims, values): &(String, Vec<usize>, Vec<f32>)| (checkpoint::text(name), floats(dims, values));
    let state = Py::Dict(named.iter().map(entry).collect());
    let files = vec![
        tensors(&named),
        checkpoint::zip(&state, Protocol::Two),
        checkpoint::zip(&state, Protocol::Four),
        legacy(&state),
    ];
    (model, files)
}

/// What may happen to bytes: a cut, other bytes, a number at its limits, a piece of them once more.
fn damages() -> impl Strategy<Value = Vec<(u8, prop::sample::Index, prop::sample::Index, u8)>> {
    prop::collection::vec((0..4_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6)
}

fn damaged(bytes: &[u8], damages: &[(u8, prop::sample::Index, prop::sample::Index, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (kind, place, other, byte) in damages {
        if bytes.is_empty() {
            break;
        }
        let (place, other) = (place.index(bytes.len()), other.index(bytes.len()));
        match kind {
            0 => bytes[place] ^= byte | 1,
            1 => bytes.truncate(place),
            2 => {
                let end = bytes.len().min(place + 4);
                bytes[place..end].fill(if byte % 2 == 0 { 0xff } else { 0 });
            }
            _ => {
                let piece = bytes[place.min(other)..place.max(other)].to_vec();
                drop(bytes.splice(place..place, piece));
            }
        }
    }
    bytes
}

/// Reads weights into a model, if they are any.
fn load(model: &Model, bytes: &[u8]) -> bool {
    let read = weights::parse(bytes, Path::new("file"));
    read.and_then(|weights| weights::load_with(&model.parameters, weights, &Hints::default())).is_ok()
}

#[test]
fn undamaged_weights_are_read() {
    let (model, files) = small();
    let (read, peak) = peak(|| files.iter().all(|file| load(&model, file)));
    // The allocator of this program counts.
    assert!(read && peak > 1000, "{peak}");
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn damaged_weights_end_in_an_error_or_a_model(which in 0..4_usize, damages in damages()) {
        let (model, files) = small();
        bounded(|| load(&model, &damaged(&files[which], &damages)))?;
    }

    #[test]
    fn any_bytes_are_weights_or_an_error(start in 0..4_usize, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (model, _) = small();
        let starts = [&b""[..], b"PK\x03\x04", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", b"\x40\0\0\0\0\0\0\0{"];
        bounded(|| load(&model, &[starts[start], &bytes].concat()))?;
    }

    #[test]
    fn any_instructions_are_a_pickle_or_an_error(
        codes in prop::collection::vec(prop::sample::select(&b"().0]}aelsudtRbQNqh\x85\x86\x87\x94\x81\x88\x8fK\x01\x02X\0"[..]), 0..300),
    ) {
        let (model, _) = small();
        bounded(|| load(&model, &pickled(&[&b"\x80\x02"[..], &codes, b"."].concat())))?;
    }

    #[test]
    fn tensors_of_any_dims_and_strides_cost_what_their_storages_cost(
        dims in prop::collection::vec(prop_oneof![0..4_usize, Just(1 << 31), Just(10_000_000_000)], 0..5),
        strides in prop::collection::vec(prop_oneof![0..5_usize, Just(i64::MAX as usize)], 5),
        offset in 0..12_usize,
    ) {
        let (model, _) = small();
        let values: Vec<f32> = (0..10_u8).map(f32::from).collect();
        let strides = strides[..dims.len()].to_vec();
        let stored = Stored { dims, strides, offset, ..Stored::floats(&[10], &values) };
        let state = dict([("0.weight", Py::Tensor(stored))]);
        for file in [checkpoint::zip(&state, Protocol::Four), legacy(&state)] {
            prop_assert!(!bounded(|| load(&model, &file))?);
        }
    }

    #[test]
    fn layers_of_any_names_are_ordered_or_refused_soon(
        names in prop::collection::vec("[ab]{1,2}[0-9]{0,2}(\\.[ab][0-9]?){0,2}", 4), by_name in any::<bool>(),
    ) {
        let (model, _) = small();
        let roles = |name: &String| {
            let vector = if by_name { "vector" } else { "weight" };
            [(format!("{name}.{vector}"), vec![3, 1]), (format!("{name}.bias"), vec![3])]
        };
        bounded(|| load(&model, &zeros(&names.iter().flat_map(roles).collect::<Vec<_>>())))?;
    }

    #[test]
    fn a_map_that_is_written_is_read_as_it_was(
        names in prop::collection::btree_map("[a-z0-9.]{1,8}", "[a-z0-9.]{1,8}", 0..20), text in "[a-z=# .\n]{0,80}",
    ) {
        let lines: String = names.iter().map(|(model, file)| format!("{model} = {file} # a layer\n")).collect();
        let files: std::collections::BTreeSet<&String> = names.values().collect();
        let read = Hints::map_of(&lines);
        if files.len() == names.len() {
            prop_assert_eq!(read.expect("a map"), names.into_iter().collect::<Vec<_>>());
        } else {
            prop_assert!(read.is_err());
        }
        let _ = Hints::map_of(&text);
    }

    #[test]
    fn any_bytes_are_an_idx_file_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), packed in any::<bool>(), damages in damages()) {
        let array = idx::Array { dimensions: vec![2, 3], bytes: vec![7; 6] };
        let whole = if packed { gzip(&array.encode()) } else { array.encode() };
        let decoded = bounded(|| idx::Array::decode(damaged(&whole, &damages), 1 << 16))?;
        if let Ok(array) = decoded {
            prop_assert_eq!(array.dimensions.iter().product::<usize>(), array.bytes.len());
        }
        let _ = bounded(|| idx::Array::decode(&bytes, 1 << 16))?;
        let _ = bounded(|| idx::Array::decode([&[0x1f, 0x8b, 8, 0][..], &bytes].concat(), 1 << 16))?;
    }

    #[test]
    fn a_table_takes_no_more_memory_than_its_text_allows(delimiters in "[,;\t\n\"]{0,3000}", damages in damages()) {
        let rows: String = (0..60).map(|row| format!("{row},{},{}\n", row * row, 60 - row)).collect();
        let _ = bounded(|| parse("text", delimiters.as_bytes(), &Target::default()))?;
        let _ = bounded(|| parse("rows", &damaged(format!("a,b,c\n{rows}").as_bytes(), &damages), &Target::default()))?;
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn a_damaged_split_is_a_split_or_an_error(damages in damages()) {
        let (board, directory) = (Board { side: 9, cells: 3 }, tempfile::tempdir().expect("a directory"));
        let row = |point: usize| {
            let (row, column) = board.place(point);
            format!("{},{row},{column},{}\n", if point.is_multiple_of(3) { "test" } else { "train" }, board.label(point))
        };
        let whole = "split,row,column,label\n".to_string() + &(0..board.points()).map(row).collect::<String>();
        let path = directory.path().join("split.csv");
        write(&path, &damaged(whole.as_bytes(), &damages));
        if let Ok(split) = bounded(|| Split::read(&path, &board))? {
            prop_assert!(split.train.len() >= 2 && !split.test.is_empty());
        }
    }

    #[test]
    fn any_marker_and_recipe_are_a_text_or_an_error(
        said in "[a-c =:{}.%*()\\[\\]0-9e+-]{0,40}", names in prop::collection::btree_map("[a-c]", "[a-c =]{0,8}", 0..4),
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let from: String = names.iter().map(|(name, source)| format!("{name} = '{source}'\n")).collect();
        write(&at("splice.toml"), format!("[from]\n{from}").as_bytes());
        write(&at("r/tables/a.csv"), b"a,b\n1,2\n,1e300\n");
        write(&at("README.md"), format!("Text <!-- = {said} -->1<!-- / --> x\n").as_bytes());
        let _ = bounded(|| spliced(&at("r"), &at("README.md")))?;
    }
}
