//! Verbs: an experiment file under the name of a command. What a kind of experiments says of itself is turned into a command
//! line, a plan, runs and a report here, once for all kinds.

use super::compare::Contender;
use super::experiment::Experiment;
use super::interrupted::going_on;
use super::invocation::{Invocation, quoted, typed, typed_batch};
use super::outline::{Format, Outline};
use super::page::{Report, following, write_pages};
use super::recall::{Recalled, Remembered, ensure_finished, recall};
use super::runs::{Exit, Part, Rerun, Running, Stop, Store, Walk, Workplace};
use super::settings::{File, Flag, Given, ProfileName};
use super::source::Source;
use super::standing;
use crate::console::{answer, note};
use anyhow::{Context, Result, bail, ensure};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Instant;

/// A command that runs an experiment.
pub struct Verb {
    /// Its name, and that of its file in `experiments/`.
    pub name: &'static str,
    /// A line for the help.
    pub about: &'static str,
    /// The file, compiled in, so that the binary works anywhere.
    pub text: &'static str,
    /// Files beside it that a setting chooses.
    pub variants: &'static [Variant],
    /// What runs it.
    pub kind: &'static dyn Kind,
    /// Whether `reproduce` leaves it out where it is not named: it takes longer than all others.
    pub only_by_name: bool,
    /// The profile that `reproduce` takes on a GPU, where it is not the usual one: what a CPU would need weeks for.
    pub on_gpu: Option<ProfileName>,
}

/// An experiment file that takes the place of a verb's own where a setting says so. It has a name of its own, so its runs, tables
/// and charts lie beside those of the verb's own file.
pub struct Variant {
    /// Its name, and that of its file in `experiments/`.
    pub name: &'static str,
    /// The key and the value of it that choose the file, in a flag or `--set`.
    pub chosen_by: (&'static str, &'static str),
    /// The file, compiled in; it extends the verb's own.
    pub text: &'static str,
}

impl Verb {
    /// Its experiment files by their names, its own first.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        std::iter::once((self.name, self.text)).chain(self.variants.iter().map(|variant| (variant.name, variant.text)))
    }

    /// The name of the file that a command is about.
    fn file_of<F: File>(&self, given: &Given<F>) -> &'static str {
        let chosen = |variant: &&Variant| {
            let (key, value) = variant.chosen_by;
            given.text_of(key).as_deref() == Some(value)
        };
        self.variants.iter().find(chosen).map_or(self.name, |variant| variant.name)
    }
}

/// The verb of that name.
pub fn verb<'v>(verbs: &'v [Verb], name: &str) -> Option<&'v Verb> {
    verbs.iter().find(|verb| verb.name == name)
}

/// A kind of experiments without its types.
pub trait Kind: Sync {
    /// Its name, which is that of its type.
    fn name(&self) -> &'static str;
    /// Adds its flags to a command.
    fn arguments(&self, command: Command, with_running: bool) -> Command;
    /// Runs an experiment as the command line says.
    ///
    /// # Errors
    /// Before any work, with what is wrong; later with the first error of a run.
    fn run(&self, verbs: &[Verb], verb: &Verb, matches: &ArgMatches, stop: &Stop) -> Result<Exit>;
    /// The same with the defaults of its own flags, for `reproduce`.
    fn reproduce(&self, verbs: &[Verb], verb: &Verb, call: &Reproduce<'_>) -> Result<Exit>;
    /// Prints what a command would run.
    fn plan(&self, verbs: &[Verb], verb: &Verb, matches: &ArgMatches) -> Result<()>;
    /// What a command would run.
    fn outline(&self, verbs: &[Verb], verb: &Verb, matches: &ArgMatches) -> Result<Outline>;
    /// Draws an experiment that was run before.
    ///
    /// # Errors
    /// When it has no finished run, or a file is damaged.
    fn redraw(&self, store: &Store, remembered: toml::Table) -> Result<Recalled<Report>>;
    /// What can be compared of an experiment that was run before.
    fn contenders(&self, store: &Store, remembered: toml::Table) -> Result<Recalled<Vec<Contender>>>;
    /// How the runs of an experiment stand.
    ///
    /// # Errors
    /// When a file is damaged.
    fn standing(&self, store: &Store, remembered: toml::Table) -> Result<String>;
    /// Makes a run again, if it is one of this kind.
    fn rerun(&self, call: &Rerun<'_>) -> Result<Option<Exit>>;
    /// Whether a text, which may extend a compiled-in file, is an experiment file of this kind with these `--set`.
    fn accepts(&self, verbs: &[Verb], text: &str, sets: Vec<String>) -> bool;
    /// Checks that every key of a compiled-in file can be set, in every profile and without one, and that every flag sets one.
    #[cfg(test)]
    fn check_keys(&self, verbs: &[Verb], file: &'static str);
}

/// What `reproduce` says about all experiments.
pub struct Reproduce<'r> {
    pub profile: ProfileName,
    pub source: &'r Source,
    pub running: &'r Running,
    /// Flags that were typed, by name.
    pub typed: &'r [(String, Vec<String>)],
    /// Whether a missed expectation is exit code 3.
    pub strict: bool,
    pub stop: &'r Stop,
    /// Whether to look for settings and data alone.
    pub only_check: bool,
}

/// [`Kind`] of an [`Experiment`].
pub struct Of<E>(PhantomData<fn() -> E>);

impl<E> Of<E> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

/// What a command line says.
struct Call<E: Experiment> {
    given: Given<E::File>,
    extra: E::Extra,
    source: Source,
    strict: bool,
    resolved: bool,
    invocation: Invocation,
}

impl<E: Experiment> Of<E> {
    fn call(&self, verb: &Verb, matches: &ArgMatches) -> Result<Call<E>> {
        let profile = matches.get_one("profile").copied().unwrap_or(ProfileName::Quick);
        let command = self.arguments(Command::new(verb.name), true);
        let changed = typed(&command, matches).into_iter().flat_map(|(_, words)| words).collect();
        let of_flag = |flag: &'static Flag<E::File>| {
            let values = matches.get_many::<String>(flag.name)?;
            Some((flag, values.cloned().collect::<Vec<_>>()))
        };
        let texts = |name: &str| matches.get_many::<String>(name).map(|all| all.cloned().collect::<Vec<_>>());
        Ok(Call {
            given: Given {
                profile,
                experiment: matches.get_one::<PathBuf>("experiment").cloned(),
                models: texts("models"),
                flags: E::FLAGS.iter().filter_map(of_flag).collect(),
                sets: texts("set").unwrap_or_default(),
            },
            extra: E::Extra::from_arg_matches(matches)?,
            source: if E::READS_DATA { Source::from_arg_matches(matches)? } else { Source::default() },
            strict: matches.try_get_one::<bool>("strict").ok().flatten().copied().unwrap_or(false),
            resolved: matches.try_get_one::<bool>("resolved").ok().flatten().copied().unwrap_or(false),
            invocation: Invocation { verb: verb.name.into(), profile, changed },
        })
    }

    /// The compiled-in file of this kind and that name.
    fn text(&self, verbs: &[Verb], name: &str) -> Option<&'static str> {
        let same_kind = verbs.iter().filter(|verb| verb.kind.name() == self.name());
        same_kind.flat_map(Verb::files).find(|(of, _)| *of == name).map(|(_, text)| text)
    }

    fn resolve(&self, verbs: &[Verb], verb: &Verb, given: &Given<E::File>) -> Result<E> {
        let experiment = E::check(given.resolve(verb.file_of(given), &|name| self.text(verbs, name))?)?;
        let name = &experiment.file().heading().name;
        let other = verbs.iter().find(|other| {
            other.kind.name() != self.name() && other.files().any(|(of, _)| of.eq_ignore_ascii_case(name))
        });
        if let Some(other) = other {
            bail!("experiment.name: {name:?} is a built-in experiment of the verb {}; use another name", other.name);
        }
        let keys: Vec<&str> = given.sets.iter().filter_map(|set| Some(set.split_once('=')?.0.trim())).collect();
        let cut = experiment.file().cut_short(|arm| keys.contains(&&*format!("arm.{arm}.seeds")));
        experiment.warnings().iter().chain(&cut).for_each(|warning| note(&format!("warning: {warning}")));
        Ok(experiment)
    }

    /// The stages in order: gather, run, write, draw, tell.
    fn execute(&self, verbs: &[Verb], call: &Call<E>, experiment: &E, how: (&Running, &Stop)) -> Result<Exit> {
        let (running, stop) = how;
        let judged = !call.strict || running.part.is_all();
        ensure!(judged, "--strict judges the results of all runs; leave it out with --shard, --stage or --run");
        if let (false, Some(flag)) = (running.part.is_all(), E::needs_all(&call.extra)) {
            bail!("{flag} needs all runs in one command; leave out --shard, --stage and --run");
        }
        let out = running.out(call.given.profile)?;
        let (device, begun) = (running.open_device()?, Instant::now());
        let (data, facts) = experiment.gather(&call.extra, &call.source)?;
        let mut invocation = call.invocation.clone();
        // By itself the experiment would ask the directory for its files.
        invocation.changed.retain(|flag| !(E::reads_elsewhere(&facts) && flag.starts_with("--data-dir ")));
        // Nor is a variable of the environment typed again with the command.
        let is_typed = invocation.changed.iter().any(|flag| flag.starts_with("--data-dir "));
        if let Some(directory) = call.source.directory()
            && E::READS_DATA
            && !(is_typed || E::reads_elsewhere(&facts))
        {
            invocation.changed.push(format!("--data-dir {}", quoted(&directory.to_string_lossy())));
        }
        let name = &experiment.file().heading().name;
        if stop.is_wanted() {
            return Ok(stop.exit());
        }
        // What cannot be run is told before anything is written.
        let store = Store { by_sizes: true, ..Store::new(&out) };
        let mut walk = Walk::looking(&store, device.kind);
        experiment.stages(&facts, None, &mut walk)?;
        of_other_runs(&walk, &running.part)?;
        let workplace = Workplace::open(running, &out, device, name, stop)?.begun_at(begun);
        let remembered = Remembered {
            kind: self.name().to_string(),
            device: workplace.device.kind.to_string(),
            invocation: Some(invocation.clone()),
            facts: &facts,
            experiment: experiment.file(),
        };
        let remembered = toml::to_string(&remembered).context("cannot write the settings as TOML")?;
        let mut walk = Walk::making(&workplace);
        walk.leave(&walk.store.remembers(name), |path| Ok(std::fs::write(path, &remembered)?))?;
        let findings = experiment.stages(&facts, Some(&data), &mut walk)?;
        if stop.is_wanted() && !stop.is_interrupt() {
            return Ok(stop.exit());
        }
        let (finished, planned, failed, unmade) = (walk.finished(), walk.planned(), walk.failed(), walk.unmade);
        if !running.part.is_all() {
            return of_part(&walk, running, stop);
        }
        let incomplete = finished < planned || unmade > 0;
        // A command that has made nothing leaves the tables and charts of the one before it.
        let mut report = Report::default();
        if finished > 0 || !incomplete {
            let page = experiment.page(&facts, &findings, &walk)?;
            report = page.publish(&walk, Some(&invocation), Some(&remembered))?;
            overview(verbs, walk.store)?;
            answer(&report.text);
        }
        if stop.is_wanted() && incomplete {
            let next = going_on(&walk, running.force, E::needs_all(&call.extra));
            note(&format!("interrupted: {finished} of {planned} runs are finished and kept; {next}"));
            return Ok(stop.exit());
        }
        if incomplete {
            // One that was there already and could not be made again counts as finished.
            let failed = failed.max(unmade.saturating_sub(planned - finished));
            let waiting = planned.saturating_sub(finished + failed);
            let others = if waiting > 0 {
                format!(", and {waiting} that build on them were not started")
            } else {
                String::new()
            };
            note(&format!(
                "error: {failed} of {planned} runs could not be made{others}; run the same command again to retry"
            ));
            return Ok(Exit::Failure);
        }
        experiment.finish(&data)?;
        if call.strict && report.judged == 0 {
            note(&format!(
                "note: {name}: --strict has nothing to judge: no expectation applies to these data and settings"
            ));
        }
        Ok(if call.strict && report.missed > 0 { Exit::Missed } else { Exit::Success })
    }
}

/// Refuses names of runs and numbers of stages that the plan does not have.
fn of_other_runs(walk: &Walk<'_>, part: &Part) -> Result<()> {
    if let Some(run) = part.run.iter().find(|run| walk.entries.iter().all(|entry| entry.key != **run)) {
        // What follows from runs that are missing has no name yet.
        let yet = if walk.pending > 0 { " yet" } else { "" };
        bail!("--run {run}: there is no such run{yet}; `plan --format json` lists the runs");
    }
    match part.stage {
        Some(stage) if usize::from(stage) > walk.stages => bail!("--stage {stage}: the last stage is {}", walk.stages),
        _ => Ok(()),
    }
}

/// How a command ends that has made a part of the runs.
fn of_part(walk: &Walk<'_>, running: &Running, stop: &Stop) -> Result<Exit> {
    let (finished, planned) = (walk.finished(), walk.planned());
    if stop.is_wanted() {
        return Ok(stop.exit());
    }
    of_other_runs(walk, &running.part)?;
    note(&format!("{finished} of {planned} runs are finished; `report` draws them when all are"));
    if walk.pending > 0 {
        note(&format!("{} from the results of the missing runs", following(walk.pending)));
    }
    if walk.unmade > 0 {
        note(&format!("error: {} runs failed, or wait for runs of an earlier stage", walk.unmade));
        return Ok(Exit::Failure);
    }
    Ok(Exit::Success)
}

impl<E: Experiment> Kind for Of<E> {
    fn name(&self) -> &'static str {
        std::any::type_name::<E>().rsplit("::").next().unwrap_or_default()
    }

    fn arguments(&self, command: Command, with_running: bool) -> Command {
        // The documentation of flattened flags would take its place.
        let about = command.get_about().cloned().unwrap_or_default();
        let profile = Arg::new("profile").long("profile").default_value("quick");
        let mut command = command
            .arg(profile.value_parser(value_parser!(ProfileName)).help("How much to run"))
            .arg(
                Arg::new("experiment")
                    .long("experiment")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help("Read this experiment file instead of the built-in one, which it may extend"),
            )
            .arg(
                Arg::new("models")
                    .long("models")
                    .visible_alias("arms")
                    .value_name("MODEL,..")
                    .value_delimiter(',')
                    .help("Networks to compare, by their names in the experiment file"),
            );
        for flag in E::FLAGS {
            command = command.arg(flag.argument());
        }
        command = command.arg(
            Arg::new("set")
                .long("set")
                .value_name("KEY=VALUE")
                .action(ArgAction::Append)
                .help("Set any key of the experiment file, as in train.batch_size=50"),
        );
        command = E::Extra::augment_args(command);
        if E::READS_DATA {
            command = Source::augment_args(command);
        }
        command = Running::augment_args(command).about(about);
        // A plan takes it as well: it stands before the whole command.
        let help = "Exit with code 3 when an expectation of the experiment file is missed";
        let strict = Arg::new("strict").long("strict").action(ArgAction::SetTrue).help(help).hide(!with_running);
        let command = command.arg(strict);
        if with_running {
            return command;
        }
        let format = Arg::new("format").long("format").value_parser(value_parser!(Format)).default_value("text");
        let command = command.arg(format.help("Format of the plan"));
        let help = "Print the resulting experiment file, with profile and flags applied";
        command
            .arg(Arg::new("resolved").long("resolved").action(ArgAction::SetTrue).conflicts_with("format").help(help))
    }

    fn run(&self, verbs: &[Verb], verb: &Verb, matches: &ArgMatches, stop: &Stop) -> Result<Exit> {
        let call = self.call(verb, matches)?;
        let running = Running::from_arg_matches(matches)?;
        self.execute(verbs, &call, &self.resolve(verbs, verb, &call.given)?, (&running, stop))
    }

    fn reproduce(&self, verbs: &[Verb], verb: &Verb, how: &Reproduce<'_>) -> Result<Exit> {
        let command = self.arguments(Command::new(verb.name), true);
        let matches = command.clone().try_get_matches_from([verb.name, "--profile", &how.profile.to_string()])?;
        let mut call = Call { source: how.source.clone(), strict: how.strict, ..self.call(verb, &matches)? };
        let known = |name: &str| command.get_arguments().any(|arg| arg.get_long() == Some(name));
        let own = how.typed.iter().filter(|(name, _)| known(name));
        call.invocation.changed = own.flat_map(|(_, words)| words.clone()).collect();
        let experiment = self.resolve(verbs, verb, &call.given)?;
        if how.only_check {
            // A wrong directory is told before the experiments that do not need it, and data are fetched.
            how.running.out(how.profile)?;
            experiment.gather(&call.extra, &call.source)?;
            return Ok(Exit::Success);
        }
        self.execute(verbs, &call, &experiment, (how.running, how.stop))
    }

    fn plan(&self, verbs: &[Verb], verb: &Verb, matches: &ArgMatches) -> Result<()> {
        let call = self.call(verb, matches)?;
        if call.resolved {
            let experiment = self.resolve(verbs, verb, &call.given)?;
            answer(&toml::to_string(experiment.file()).context("cannot write the settings as TOML")?);
            return Ok(());
        }
        let format = matches.get_one("format").copied().unwrap_or(Format::Text);
        let outline = self.outline(verbs, verb, matches)?;
        answer(&outline.told(format)?);
        if format != Format::Text && outline.pending > 0 {
            note(&format!(
                "{} from the results of these; run the same plan again then to list them",
                following(outline.pending)
            ));
        }
        Ok(())
    }

    fn outline(&self, verbs: &[Verb], verb: &Verb, matches: &ArgMatches) -> Result<Outline> {
        let call = self.call(verb, matches)?;
        let running = Running::from_arg_matches(matches)?;
        let experiment = self.resolve(verbs, verb, &call.given)?;
        let device = running.device_kind()?;
        let (_, facts) = experiment.gather(&call.extra, &call.source)?;
        let store = Store { by_sizes: true, ..Store::new(running.out(call.given.profile)?) };
        let mut walk = Walk::looking(&store, device);
        experiment.stages(&facts, None, &mut walk)?;
        of_other_runs(&walk, &running.part)?;
        walk.keep(&running.part, running.force);
        let batch = typed_batch(&self.arguments(Command::new(verb.name), true), matches);
        let outline = Outline::of(&walk, experiment.file().heading(), call.invocation, &running, batch);
        Ok(Outline { needs_all: E::needs_all(&call.extra), ..outline })
    }

    fn redraw(&self, store: &Store, remembered: toml::Table) -> Result<Recalled<Report>> {
        store.check_pages()?;
        recall(store, remembered, |experiment: &E, (facts, findings), walk, invocation| {
            ensure_finished(walk, &experiment.file().heading().name)?;
            experiment.page(facts, findings, walk)?.publish(walk, invocation, None)
        })
    }

    fn contenders(&self, store: &Store, remembered: toml::Table) -> Result<Recalled<Vec<Contender>>> {
        recall(store, remembered, |experiment: &E, (facts, findings), walk, invocation| {
            ensure_finished(walk, &experiment.file().heading().name)?;
            let profile = invocation.map(|called| called.profile);
            let contenders = experiment.contenders(facts, findings)?.into_iter();
            Ok(contenders.map(|contender| Contender { profile, ..contender }).collect())
        })
    }

    fn standing(&self, store: &Store, remembered: toml::Table) -> Result<String> {
        let of = |experiment: &E, _: (&E::Facts, &E::Findings), walk: &Walk<'_>, _: Option<&Invocation>| {
            standing::text(&experiment.file().heading().name, walk)
        };
        recall(store, remembered, of).map(|recalled| recalled.made)
    }

    fn rerun(&self, call: &Rerun<'_>) -> Result<Option<Exit>> {
        E::rerun(call)
    }

    fn accepts(&self, verbs: &[Verb], text: &str, sets: Vec<String>) -> bool {
        let given = Given { sets, ..Given::of(ProfileName::Smoke) };
        given.resolve_text(text, "file", &|name| self.text(verbs, name)).and_then(E::check).is_ok()
    }

    #[cfg(test)]
    fn check_keys(&self, verbs: &[Verb], file: &'static str) {
        let check = |settings: &E::File| {
            super::settings::every_key_can_be_set(settings);
            super::settings::every_flag_sets_a_key(E::FLAGS, settings);
        };
        for profile in super::testing::PROFILES {
            let resolved = Given::of(profile).resolve(file, &|name| self.text(verbs, name));
            let experiment = resolved.and_then(E::check).unwrap_or_else(|error| panic!("{file}: {error:#}"));
            check(experiment.file());
        }
        // Profiles drop networks.
        if let Some(verb) = verb(verbs, file) {
            check(&Given::base(verb.text).unwrap_or_else(|error| panic!("{file}: {error:#}")));
        }
    }
}

/// Writes the pages of all experiments in a results directory, in the order of the verbs.
pub fn overview(verbs: &[Verb], store: &Store) -> Result<()> {
    write_pages(store, &verbs.iter().flat_map(Verb::files).map(|(name, _)| name).collect::<Vec<_>>())
}
