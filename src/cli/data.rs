//! `han-exp data`

use super::Exit;
use crate::console::answer;
use crate::data::images::{self, Dataset, Part, Proof};
use crate::data::known::{self, Content, Found, Known};
use crate::engine::source::{Place, Source};
use anyhow::{Result, bail, ensure};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use std::collections::HashSet;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List each part of the data sets: where an experiment would read it, and whether it is the original
    Status(Selection),
    /// Put image data sets into the cache, verifying those with known hashes
    Fetch(Fetch),
    /// Compare every data set found on this machine with its hashes; exits with 1 if a part of one is wrong or missing, or if
    /// none is found. CIFAR-100, STL-10 and ImageNet 32 x 32 have no hashes here: only size and labels of their files are
    /// checked, and they are called unpinned
    Verify(Selection),
}

#[derive(Debug, Args)]
struct Selection {
    /// Which data set
    #[arg(long, default_value = ALL, value_name = "NAME", value_parser = names())]
    dataset: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Fetch {
    /// Which data set; all means those with known hashes: mnist, fashion-mnist and cifar10
    #[arg(long, default_value = ALL, value_name = "NAME", value_parser = names_of_images())]
    dataset: String,
    #[command(flatten)]
    source: Source,
}

const ALL: &str = "all";

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(known::all().into_iter().map(Known::name).chain([ALL]))
}

fn names_of_images() -> PossibleValuesParser {
    PossibleValuesParser::new(Dataset::ALL.map(Dataset::name).into_iter().chain([ALL]))
}

impl Selection {
    fn datasets(&self) -> impl Iterator<Item = &'static dyn Known> {
        known::all().into_iter().filter(|dataset| self.dataset == ALL || self.dataset == dataset.name())
    }
}

impl Fetch {
    /// Of all data sets those that can be verified.
    fn datasets(&self) -> impl Iterator<Item = Dataset> {
        let pinned = |dataset: &Dataset| dataset.pin(Part::TrainImages).sha256.is_some();
        let wanted = move |dataset: &Dataset| match self.dataset.as_str() {
            ALL => pinned(dataset),
            name => dataset.name() == name,
        };
        Dataset::ALL.into_iter().filter(wanted)
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    match &arguments.action {
        Action::Status(selection) => status(selection),
        Action::Fetch(arguments) => fetch(arguments),
        Action::Verify(selection) => verify(selection),
    }
}

/// Every data set with the places that have it.
fn survey(selection: &Selection) -> Result<Vec<(&'static dyn Known, Vec<Found>)>> {
    let options = selection.place.options();
    let survey = |dataset: &'static dyn Known| Ok((dataset, dataset.survey(&options)?));
    let mut all = selection.datasets().map(survey).collect::<Result<Vec<_>>>()?;
    leave_out_files_of_others(&mut all);
    Ok(all)
}

/// What is said of a data set that is nowhere. Another place than the user's own would not be asked.
fn nowhere(dataset: &dyn Known, options: &images::Options) -> String {
    match &options.directory {
        Some(directory) => format!("not in {}", directory.display()),
        None => dataset.cure(),
    }
}

/// Several data sets have the same names of files; what is verified as one is no wrong file of another.
fn leave_out_files_of_others(all: &mut [(&'static dyn Known, Vec<Found>)]) {
    let verified = |place: &&Found| matches!(&place.state, Ok(content) if content.proof == Proof::Verified);
    let places = all.iter().flat_map(|(_, places)| places).filter(verified);
    let known: HashSet<PathBuf> = places.filter_map(|place| place.path.clone()).collect();
    let of_other = |place: &Found| place.state.is_err() && place.path.as_ref().is_some_and(|path| known.contains(path));
    all.iter_mut().for_each(|(_, places)| places.retain(|place| !of_other(place)));
}

fn status(selection: &Selection) -> Result<Exit> {
    let options = selection.place.options();
    for (dataset, places) in survey(selection)? {
        for part in dataset.parts() {
            // The first place is the one that an experiment takes.
            match places.iter().find(|place| place.part == part) {
                Some(place) => answer(&row(dataset, place)),
                None => answer(&line(dataset, part, "-", "missing", &nowhere(dataset, &options))),
            }
        }
    }
    Ok(Exit::Success)
}

fn verify(selection: &Selection) -> Result<Exit> {
    let options = selection.place.options();
    let (mut all, mut missing, mut unusable) = (0, 0, Vec::new());
    for (dataset, places) in survey(selection)? {
        if places.is_empty() {
            let missing = if options.directory.is_none() { "is not on this machine;" } else { "is" };
            answer(&format!("{} {missing} {}\n", dataset.name(), nowhere(dataset, &options)));
        }
        // Who names a directory does not ask about the program.
        let is_inside = |place: &Found| place.path.is_none() && place.state.is_ok();
        for place in places.into_iter().filter(|place| options.directory.is_none() || !is_inside(place)) {
            answer(&row(dataset, &place));
            all += 1;
            missing += usize::from(place.is_absent());
            unusable.extend(place.state.err().map(|error| format!("{error:#}")));
        }
    }
    let Some(first) = unusable.first() else {
        ensure!(all > 0, "nothing was verified: none of these data sets is there");
        return Ok(Exit::Success);
    };
    let counts = match (unusable.len() - missing, missing) {
        (0, missing) => format!("{missing} of {all} parts are missing"),
        (wrong, 0) => format!("{wrong} of {all} parts are wrong"),
        (wrong, missing) => format!("{wrong} of {all} parts are wrong, {missing} missing"),
    };
    bail!("{counts}, the first: {first}")
}

fn fetch(arguments: &Fetch) -> Result<Exit> {
    let options = arguments.source.options();
    let mut missing = Vec::new();
    for dataset in arguments.datasets() {
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

fn row(dataset: &dyn Known, place: &Found) -> String {
    let shown = place.path.as_ref().map_or(place.words.clone(), |path| path.display().to_string());
    match &place.state {
        Ok(Content { count, proof, note }) => {
            let state = if *proof == Proof::Verified { "verified" } else { "unpinned" };
            line(dataset, place.part, &count.to_string(), state, &(shown + note))
        }
        Err(_) => line(dataset, place.part, "-", if place.is_absent() { "missing" } else { "WRONG" }, &shown),
    }
}

fn line(dataset: &dyn Known, part: &str, count: &str, state: &str, place: &str) -> String {
    format!("{:13}  {part:12}  {count:>6}  {state:8}  {place}\n", dataset.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_file_that_is_verified_is_no_wrong_one_of_another_data_set() {
        let found = |path: &str, proof: Option<Proof>| {
            let state = proof.ok_or_else(|| anyhow!("another file"));
            let state = state.map(|proof| Content { count: 1, proof, note: String::new() });
            Found { part: "test labels", path: Some(path.into()), words: String::new(), state }
        };
        let [mnist, fashion] = [Dataset::Mnist, Dataset::FashionMnist].map(|of| known::all()[of as usize]);
        let mut all = vec![
            (fashion, vec![found("a/labels", None), found("b/labels", None), found("c/labels", Some(Proof::Unpinned))]),
            (mnist, vec![found("a/labels", Some(Proof::Verified)), found("b/labels", None)]),
        ];
        leave_out_files_of_others(&mut all);
        let paths = all.iter().map(|(_, places)| places.iter().map(|place| place.path.clone()).collect::<Vec<_>>());
        let expected = [vec!["b/labels", "c/labels"], vec!["a/labels", "b/labels"]];
        assert_eq!(
            paths.collect::<Vec<_>>(),
            expected.map(|of| of.into_iter().map(|p| Some(p.into())).collect::<Vec<_>>())
        );
    }
}
