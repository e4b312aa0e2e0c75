//! Every reader of files and settings as a function of bytes: for `make fuzz`, which looks for bytes that harm one, and for
//! `tests/inputs_replay.rs`, which tries those that were found.
//!
//! Each says whether the bytes were accepted. None may panic or take much more memory than it was given, and errors are dropped:
//! their words are tested through the program. A checksum would stop nearly all damage, so what stands behind one is a target of
//! its own (`npy`, `pickle`) or is sealed anew (`manifest`).

use crate::data::checkerboard::{Board, Split};
use crate::data::idx;
use crate::data::images::{Dataset, archive, binary, npy, npz, parquet, png, python};
use crate::data::table;
use crate::engine::cite::{Rows, check_template, parted, render};
use crate::engine::page;
use crate::engine::rows::{EpochRow, EvaluationRow, RunRow};
use crate::engine::runs::{self, Manifest, Spec, Store};
use crate::engine::{noted, verb};
use crate::experiment::{VERBS, checkerboard, gradients, images, regression, robustness};
use crate::model::weights::{self, Hints, Weights};
use crate::model::{HanNetConfig, Model, ModelConfig};
use crate::rng::Seed;
use crate::zipped::Zipped;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Cursor, Write};
use std::path::Path;

/// A reader of bytes; whether it accepted them.
pub type Target = fn(&[u8]) -> bool;

/// All of them by name, which is that of a directory in `fuzz/seeds`.
pub const ALL: &[(&str, Target)] = &[
    ("checkpoint", checkpoint),
    ("cifar_python", cifar_python),
    ("cifar_stl", cifar_stl),
    ("experiment_toml", experiment_toml),
    ("idx", idx),
    ("load_weights", load_weights),
    ("manifest", manifest),
    ("map", map),
    ("npy", npy),
    ("npz", npz),
    ("page", page),
    ("parquet", parquet),
    ("pickle", pickle),
    ("png", png),
    ("remembered", remembered),
    ("rerun", rerun),
    ("rows", rows),
    ("set", set),
    ("split_csv", split_csv),
    ("table_csv", table_csv),
    ("template", template),
    ("tgz", tgz),
    ("weights", weights),
    ("zip", zip),
];

/// A file that messages may name.
const FILE: &str = "file";
/// A directory that is not there: what reads files beside these bytes finds none.
const NOWHERE: &str = "no-such-directory";
/// Images that a set may have.
const MOST: usize = 4;
/// Bytes that a part of a set may have.
const LIMIT: usize = 1 << 16;

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// An IDX file, plain or gzip.
fn idx(bytes: &[u8]) -> bool {
    idx::Array::decode(bytes, LIMIT).is_ok()
}

/// A NumPy array.
fn npy(bytes: &[u8]) -> bool {
    npy::Array::decode(bytes).and_then(|array| array.numbers()).is_ok()
}

/// A batch of ImageNet 32 x 32.
fn npz(bytes: &[u8]) -> bool {
    npz::batch(Dataset::Imagenet32, bytes, MOST).is_ok()
}

/// Batches of CIFAR and ImageNet 32 x 32 for Python. The first byte says of which.
fn cifar_python(bytes: &[u8]) -> bool {
    let [which, rest @ ..] = bytes else { return false };
    let dataset = [Dataset::Cifar10, Dataset::Cifar100, Dataset::Imagenet32][usize::from(which % 3)];
    python::batch(dataset, rest, FILE).is_ok()
}

/// Batches of CIFAR; or labels and pixels of STL-10, whose images are so large that zeros follow these bytes. The first byte says
/// which, the second how many labels.
fn cifar_stl(bytes: &[u8]) -> bool {
    let [which, labels, rest @ ..] = bytes else { return false };
    match which % 4 {
        0 => binary::cifar(Dataset::Cifar10, rest, FILE).is_ok(),
        1 => binary::cifar(Dataset::Cifar100, rest, FILE).is_ok(),
        padded => {
            let (labels, planes) = rest.split_at(usize::from(*labels).min(rest.len()).min(MOST));
            let shape = Dataset::Stl10.shape();
            let size =
                if padded == 2 { labels.len() * shape.height * shape.width * shape.channels } else { planes.len() };
            let mut planes = planes.to_vec();
            planes.resize(size, 0);
            binary::stl(Dataset::Stl10, (&planes, labels), (FILE, FILE)).is_ok()
        }
    }
}

/// A published archive, and the batches in it.
fn tgz(bytes: &[u8]) -> bool {
    let names = ["train.bin", "train_X.bin", "train_y.bin"].map(OsStr::new);
    let Ok(files) = archive::members_of(bytes, &names, LIMIT) else { return false };
    match names.map(|name| files.get(name)) {
        [Some(train), ..] => binary::cifar(Dataset::Cifar100, train, FILE).is_ok(),
        [_, Some(planes), Some(labels)] => binary::stl(Dataset::Stl10, (planes, labels), (FILE, FILE)).is_ok(),
        _ => false,
    }
}

/// A published zip archive, and a batch for Python in it.
fn zip(bytes: &[u8]) -> bool {
    let batch = Zipped::open(Cursor::new(bytes)).and_then(|mut files| files.read_anywhere("val_data", LIMIT));
    batch.ok().flatten().is_some_and(|batch| python::batch(Dataset::Imagenet32, &batch, FILE).is_ok())
}

/// The hub's parquet file of CIFAR-100. Its reader goes back and forth in a file on disk.
fn parquet(bytes: &[u8]) -> bool {
    let file = || -> Result<tempfile::NamedTempFile> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(bytes)?;
        Ok(file)
    };
    file().is_ok_and(|file| parquet::read(Dataset::Cifar100, file.path(), MOST).is_ok())
}

/// A picture.
fn png(bytes: &[u8]) -> bool {
    png::decode(bytes, 64, 64).is_ok()
}

thread_local! {
    /// A model to load weights into: a dense layer and two Han-layers of width 3.
    static SMALL: Option<Model> =
        ModelConfig::Hannet(HanNetConfig::new(3, 3, vec![1])).build(2, 2, Seed(1), &Device::Cpu).ok();
}

fn load(read: Result<Weights>, hints: &Hints) -> bool {
    let Ok(read) = read else { return false };
    let loaded = |model: &Model| weights::load_with(&model.parameters, read, hints).is_ok();
    SMALL.with(|model| model.as_ref().is_some_and(loaded))
}

/// Weights in any format: safetensors, a checkpoint of PyTorch in either format.
fn weights(bytes: &[u8]) -> bool {
    load(weights::parse(bytes, Path::new(FILE)), &Hints::default())
}

/// The pickle of a checkpoint.
fn pickle(bytes: &[u8]) -> bool {
    load(weights::parse_pickle(bytes, |_| Ok(&[0x3f; 256])), &Hints::default())
}

/// Tensors of ones by their names and shapes, to be matched with a model's: lines `NAME EXTENT EXTENT ..`, and
/// `map MODEL = FILE`, `order NAME`, `key NAME`.
fn load_weights(bytes: &[u8]) -> bool {
    const MOST_ENTRIES: usize = 64;
    let (mut tensors, mut map, mut hints) = (BTreeMap::new(), String::new(), Hints::default());
    for line in text(bytes).lines() {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        match name {
            "map" => map += &format!("{rest}\n"),
            "order" => hints.order.push(rest.into()),
            "key" => hints.key = Some(rest.into()),
            name => {
                let shape = rest.split(' ').map(str::parse).collect::<Result<Vec<usize>, _>>().unwrap_or_default();
                let entries = shape.iter().try_fold(1_usize, |entries, extent| entries.checked_mul(*extent));
                if entries.is_some_and(|entries| entries <= MOST_ENTRIES)
                    && let Ok(ones) = Tensor::ones(shape, DType::F32, &Device::Cpu)
                {
                    tensors.insert(name.to_string(), ones);
                }
            }
        }
    }
    hints.map = Hints::map_of(&map).unwrap_or_default();
    safetensors::serialize(tensors.iter(), None).is_ok_and(|file| load(weights::parse(&file, Path::new(FILE)), &hints))
}

/// `--map`.
fn map(bytes: &[u8]) -> bool {
    Hints::map_of(&text(bytes)).is_ok()
}

/// An experiment file, tried as one of every kind.
fn experiment_toml(bytes: &[u8]) -> bool {
    VERBS.iter().filter(|verb| verb.kind.accepts(VERBS, &text(bytes), Vec::new())).count() > 0
}

/// `--set`: a verb, then a `KEY=VALUE` in every line.
fn set(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let (name, sets) = text.split_once('\n').unwrap_or_default();
    let sets = sets.lines().map(str::to_string).collect();
    verb(VERBS, name).is_some_and(|verb| verb.kind.accepts(VERBS, verb.text, sets))
}

/// The split of a board of 9 x 9 points: our CSV file, or the authors' two with an empty line between them.
fn split_csv(bytes: &[u8]) -> bool {
    let (board, text) = (Board { side: 9, cells: 3 }, text(bytes));
    let (train, test) = text.split_once("\n\n").unwrap_or_default();
    let whole = Split::read_from(Path::new(FILE), false, |_| Ok(text.clone().into_owned()), &board);
    let authors = |path: &Path| Ok(if path.ends_with("trainset.txt") { train } else { test }.to_string());
    Split::read_from(Path::new(FILE), true, authors, &board).is_ok() || whole.is_ok()
}

/// A table of numbers.
fn table_csv(bytes: &[u8]) -> bool {
    table::parse(FILE, bytes, &table::Target::default()).map(|table| table.to_csv()).is_ok()
}

/// `manifest.json`. What a seal refuses is sealed and read again, and has to be the same.
fn manifest(bytes: &[u8]) -> bool {
    let Ok(found) = serde_json::from_slice::<Manifest>(bytes) else { return false };
    if let Ok(Some(read)) = found.sealed().map(|sealed| Manifest::parse(sealed.into_bytes())) {
        let unsealed = |manifest| Manifest { seal: String::new(), ..manifest };
        assert!(unsealed(read) == unsealed(found), "what was written is read as something else");
    }
    Manifest::parse(bytes.to_vec()).is_some()
}

/// `experiment.toml` of a results directory: facts to runs, none of which is there.
fn remembered(bytes: &[u8]) -> bool {
    let (text, path) = (text(bytes), Path::new(FILE));
    let Ok((kind, mut table)) = noted(VERBS, &text, path) else { return false };
    // Every repetition is looked for; a hundred thousand are sound, but slow.
    let seeds = table.get_mut("experiment").and_then(|file| file.get_mut("seeds"));
    if let Some(toml::Value::Integer(seeds)) = seeds {
        *seeds = (*seeds).min(2);
    }
    kind.standing(&Store::new(NOWHERE), table).is_ok()
}

/// `config.toml` of a run of any kind.
fn rerun(bytes: &[u8]) -> bool {
    fn described<S: Spec>(text: &str) -> bool {
        let spec = toml::from_str::<S>(text).ok().filter(|spec| spec.problem().is_none());
        let Some(spec) = spec else { return false };
        let _ = (spec.details(), spec.steps(), spec.cost(), spec.essence());
        spec.directory().is_ok() && spec.inputs().is_ok()
    }
    let text = text(bytes);
    let kinds = [
        described::<checkerboard::TrainingSpec>,
        described::<gradients::ProbeSpec>,
        described::<regression::RegressionSpec>,
        described::<robustness::TrainingSpec>,
        described::<robustness::AttackSpec>,
        described::<images::ImageSpec>,
    ];
    kinds.iter().filter(|described| described(&text)).count() > 0
}

/// `page.json` of an experiment that is called x. No page of it has a script.
fn page(bytes: &[u8]) -> bool {
    let Ok([_, _, html, _]) = page::rendered(bytes, "x", Path::new(NOWHERE)) else { return false };
    assert!(!html.contains("<script"), "a script in report.html");
    true
}

/// `SOURCE: TEMPLATE`, on two rows or, where the source asks for them, fewer.
fn template(bytes: &[u8]) -> bool {
    const ROWS: &[u8] =
        b"arm,mean,std,seconds,n\nhannet,0.9989,0.0017,1160.5,10\nfcnet,1e-300,,-0.0,18446744073709551615\n";
    let text = text(bytes);
    let (source, template) = parted(&text);
    let kept = || -> Result<String> {
        let mut rows = Rows::parse(FILE, ROWS)?;
        source.split_whitespace().filter(|word| word.contains('=')).try_for_each(|filter| rows.keep(filter))?;
        let _ = rows.values("mean");
        render(template, &rows)
    };
    let rendered = kept();
    assert!(rendered.is_err() || check_template(template).is_ok(), "it is no template, and was filled");
    rendered.is_ok()
}

/// A checkpoint of a run.
fn checkpoint(bytes: &[u8]) -> bool {
    runs::opens(bytes).unwrap_or(false)
}

/// A CSV file of a run, or one that is cited.
fn rows(bytes: &[u8]) -> bool {
    let cited = Rows::parse(FILE, bytes).is_ok();
    let typed = [
        runs::rows_of::<EpochRow>(bytes).is_ok(),
        runs::rows_of::<EvaluationRow>(bytes).is_ok(),
        runs::rows_of::<RunRow>(bytes).is_ok(),
    ];
    let _ = runs::with_column(bytes, "run", FILE);
    cited && typed.contains(&true)
}
