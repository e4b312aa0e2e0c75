//! `han-exp data`

use super::Exit;
use crate::console::answer;
use crate::data::images::{self, Dataset, Finding, Found, Part, Proof, survey};
use crate::engine::source::{Place, Source};
use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List each part of the data sets: where an experiment would take it from, and whether it is the original
    Status(Selection),
    /// Get whole data sets, verified, into the cache
    Fetch(Fetch),
    /// Hold everything on this machine against its hashes; a wrong file is exit code 1. CIFAR-100, STL-10 and ImageNet
    /// 32 x 32 have no hashes here: their files are checked for size and labels, and called unpinned
    Verify(Selection),
}

#[derive(Debug, Args)]
struct Selection {
    /// Which data set
    #[arg(long, value_enum, default_value = "all")]
    dataset: Choice,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Fetch {
    /// Which data set; all are those that can be fetched and verified: mnist, fashion-mnist and cifar10
    #[arg(long, value_enum, default_value = "all")]
    dataset: Choice,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Choice {
    Mnist,
    FashionMnist,
    Cifar10,
    Cifar100,
    Stl10,
    Imagenet32,
    All,
}

impl Choice {
    fn datasets(self) -> Vec<Dataset> {
        match self {
            Self::Mnist => vec![Dataset::Mnist],
            Self::FashionMnist => vec![Dataset::FashionMnist],
            Self::Cifar10 => vec![Dataset::Cifar10],
            Self::Cifar100 => vec![Dataset::Cifar100],
            Self::Stl10 => vec![Dataset::Stl10],
            Self::Imagenet32 => vec![Dataset::Imagenet32],
            Self::All => Dataset::ALL.to_vec(),
        }
    }

    /// Without those that nobody could verify.
    fn to_fetch(self) -> Vec<Dataset> {
        match self {
            Self::All => vec![Dataset::Mnist, Dataset::FashionMnist, Dataset::Cifar10],
            one => one.datasets(),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    match &arguments.action {
        Action::Status(selection) => status(selection),
        Action::Fetch(arguments) => fetch(arguments),
        Action::Verify(selection) => verify(selection),
    }
}

fn status(selection: &Selection) -> Result<Exit> {
    for dataset in selection.dataset.datasets() {
        let findings = survey(dataset, &selection.place.options())?;
        for part in Part::ALL {
            // The first place is the one that `load` takes.
            match findings.iter().find(|finding| finding.part == part) {
                Some(finding) => answer(&row(dataset, finding)),
                None => answer(&line(dataset, part, "-", "missing", &cure(dataset))),
            }
        }
    }
    Ok(Exit::Success)
}

fn verify(selection: &Selection) -> Result<Exit> {
    let (mut all, mut wrong) = (0, Vec::new());
    for dataset in selection.dataset.datasets() {
        let findings = survey(dataset, &selection.place.options())?;
        if findings.is_empty() {
            answer(&format!("{dataset} is not on this machine; {}\n", cure(dataset)));
        }
        for finding in findings {
            answer(&row(dataset, &finding));
            all += 1;
            wrong.extend(finding.state.err().map(|error| format!("{error:#}")));
        }
    }
    match wrong.first() {
        None if all == 0 => bail!("nothing was verified: none of these data sets is there"),
        Some(first) => bail!("{} of {all} parts are wrong, the first: {first}", wrong.len()),
        None => Ok(Exit::Success),
    }
}

fn fetch(arguments: &Fetch) -> Result<Exit> {
    let options = arguments.source.options();
    let mut missing = Vec::new();
    for dataset in arguments.dataset.to_fetch() {
        match images::fetch(dataset, &options) {
            Ok(data) => {
                let cache = options.cache.as_ref().map(|cache| cache.join(dataset.name())).unwrap_or_default();
                let doubts = data.doubts();
                let proof = if doubts.is_empty() { "verified" } else { "unpinned" };
                answer(&format!("{dataset}: {}, {proof}, kept in {}\n", images::summary(&data), cache.display()));
                doubts.iter().for_each(|doubt| answer(&format!("{dataset}: {doubt}\n")));
            }
            Err(error) => missing.push(format!("{error:#}")),
        }
    }
    // A directory that does not exist has neither.
    missing.dedup();
    if !missing.is_empty() {
        bail!("{}", missing.join("\n"));
    }
    Ok(Exit::Success)
}

/// How to get a data set that is nowhere on this machine.
fn cure(dataset: Dataset) -> String {
    let command = images::command(dataset);
    match dataset {
        Dataset::Mnist | Dataset::FashionMnist | Dataset::Cifar10 => format!("`{command}` gets it"),
        Dataset::Cifar100 => format!("`{command}` gets it from the hub"),
        Dataset::Stl10 | Dataset::Imagenet32 => "--data-dir reads its published files".into(),
    }
}

fn row(dataset: Dataset, finding: &Finding) -> String {
    let place = match &finding.path {
        Some(path) => path.display().to_string(),
        None => finding.origin.to_string(),
    };
    let (count, state, place) = match &finding.state {
        Ok(Found { count, proof: Proof::Verified }) => (count.to_string(), "verified", place),
        Ok(Found { count, proof: Proof::Unpinned }) => {
            let published = dataset.pin(finding.part).count;
            let note = if *count == published { String::new() } else { format!(" ({published} were published)") };
            (count.to_string(), "unpinned", place + &note)
        }
        Err(_) => ("-".to_string(), "WRONG", place),
    };
    line(dataset, finding.part, &count, state, &place)
}

fn line(dataset: Dataset, part: Part, count: &str, state: &str, place: &str) -> String {
    format!("{:13}  {:12}  {count:>6}  {state:8}  {place}\n", dataset.name(), part.name())
}
