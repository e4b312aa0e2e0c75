//! The command that makes results, as anybody can type it: without the flags that change nothing about them.

use super::settings::ProfileName;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::{Deserialize, Serialize};

/// Flags that say where to write, how fast, or how to end; and the profile, which is noted by itself.
const SILENT: [&str; 15] = [
    "profile", "out", "jobs", "batch", "svg", "force", "checkpoint_every", "quiet", "strict", "resolved", "only",
    "shard", "stage", "run", "format",
];

/// A verb, its profile, and what was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    pub verb: String,
    pub profile: ProfileName,
    /// Flags beside `--profile`, each with its values, quoted for a shell.
    pub changed: Vec<String>,
}

impl Invocation {
    /// The line to type.
    pub fn command(&self) -> String {
        self.words(&[]).join(" ")
    }

    /// The same without what was changed but for the experiment file.
    pub fn of_file(&self) -> Self {
        let of_file = |flag: &&String| flag.starts_with("--experiment ");
        Self { changed: self.changed.iter().filter(of_file).cloned().collect(), ..self.clone() }
    }

    /// The words of that line, the program first, with more flags.
    pub fn words(&self, more: &[String]) -> Vec<String> {
        let head = ["han-exp", &self.verb, "--profile", &self.profile.to_string()].map(str::to_string);
        [&head, &self.changed[..], more].concat()
    }
}

/// The flags that were typed and matter, in the order of the command's help.
pub fn typed(command: &Command, matches: &ArgMatches) -> Vec<(String, Vec<String>)> {
    typed_of(command, matches, |name| !SILENT.contains(&name))
}

/// Of the others the one that decides how much memory a run takes: another machine needs it as well.
pub fn typed_batch(command: &Command, matches: &ArgMatches) -> Vec<String> {
    typed_of(command, matches, |name| name == "batch").into_iter().flat_map(|(_, words)| words).collect()
}

fn typed_of(command: &Command, matches: &ArgMatches, wanted: fn(&str) -> bool) -> Vec<(String, Vec<String>)> {
    let given = |arg: &&Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let flags = command.get_arguments().filter(|arg| wanted(arg.get_id().as_str()));
    flags.filter(given).filter_map(|arg| Some((arg.get_long()?.to_string(), occurrences(arg, matches)))).collect()
}

/// A flag as often as it was typed.
fn occurrences(arg: &Arg, matches: &ArgMatches) -> Vec<String> {
    let name = arg.get_long().unwrap_or_default();
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return vec![format!("--{name}")];
    }
    let between = if arg.is_require_equals_set() { '=' } else { ' ' };
    let all = matches.get_raw_occurrences(arg.get_id().as_str()).into_iter().flatten();
    all.map(|values| {
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        format!("--{name}{between}{}", quoted(&values.join(",")))
    })
    .collect()
}

/// A word for a shell.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_was_typed_without_what_changes_nothing() {
        let list = |name: &'static str| Arg::new(name).long(name).value_delimiter(',');
        let command = Command::new("board")
            .arg(list("models"))
            .arg(list("out"))
            .arg(list("seeds").default_value("3"))
            .arg(Arg::new("set").long("set").action(ArgAction::Append))
            .arg(Arg::new("offline").long("offline").action(ArgAction::SetTrue))
            .arg(Arg::new("certify").long("certify").num_args(0..=1).require_equals(true));
        let line = ["board", "--out", "x", "--models", "a,b", "--set", "k=[1, 2]", "--set", "l=3"];
        let matches = command.clone().get_matches_from([&line[..], &["--offline", "--certify=false"]].concat());
        let changed = typed(&command, &matches).into_iter().flat_map(|(_, words)| words).collect();
        let called = Invocation { verb: "board".into(), profile: ProfileName::Smoke, changed };
        assert_eq!(
            called.command(),
            "han-exp board --profile smoke --models a,b --set 'k=[1, 2]' --set l=3 --offline --certify=false"
        );
    }

    #[test]
    fn another_profile_of_the_same_file_keeps_the_file() {
        let changed = ["--experiment mine.toml", "--seeds 3"].map(str::to_string).to_vec();
        let called = Invocation { verb: "board".into(), profile: ProfileName::Quick, changed };
        assert_eq!(called.of_file().command(), "han-exp board --profile quick --experiment mine.toml");
    }
}
