//! What the command line says about what to run, applied to an experiment file: its profile, networks, flags, `--set`.

use super::altered::{forget_repetitions, repeats, selects};
use super::claims::check_names;
use super::extended::{ELSEWHERE, extended};
use super::file::{Arm, Change, File};
use super::flags::{Flag, Sets, Takes, number, sized};
use super::limits::MOST_ITEMS;
use super::names::{self, Named, known};
use super::profile::ProfileName;
use super::text::Heading;
use super::{overlay, text, tree};
use crate::console::{note, shown};
use crate::files;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::collections::BTreeSet;
use std::path::PathBuf;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

/// What the command line says about what to run.
pub struct Given<F: File> {
    pub profile: ProfileName,
    /// Another file than the one compiled in.
    pub experiment: Option<PathBuf>,
    pub models: Option<Vec<String>>,
    pub flags: Vec<(&'static Flag<F>, Vec<String>)>,
    /// `KEY=VALUE`
    pub sets: Vec<String>,
}

impl<F: File> Given<F> {
    /// A profile and nothing else.
    pub fn of(profile: ProfileName) -> Self {
        Self { profile, experiment: None, models: None, flags: Vec::new(), sets: Vec::new() }
    }

    /// A file that is compiled in, without any profile.
    pub fn base(text: &'static str) -> Result<F> {
        Ok(Self::of(ProfileName::Paper).read(text, "the experiment file", &|_| None)?.0)
    }

    /// A flag with its values, as typed.
    #[cfg(test)]
    pub fn add(&mut self, flags: &'static [Flag<F>], name: &str, values: &str) {
        let all = || values.split(',').map(str::to_string).collect();
        match name {
            "set" => self.sets.push(values.into()),
            "models" => self.models = Some(all()),
            _ => {
                let flag = flags.iter().find(|flag| flag.name == name).expect("a flag of that name");
                self.flags.push((flag, if flag.many { all() } else { vec![values.into()] }));
            }
        }
    }

    /// The text that a flag gives a key, or `--set`, which is applied after the flags.
    pub fn text_of(&self, key: &str) -> Option<String> {
        let assignments = self.sets.iter().rev().filter_map(|assignment| assignment.split_once('='));
        if let Some((_, text)) = assignments.into_iter().find(|(name, _)| name.trim() == key) {
            return tree::parse(text).as_str().map(str::to_string);
        }
        let sets = |flag: &Flag<F>| matches!(flag.sets, Sets::Keys(keys) if keys.contains(&key));
        let (_, values) = self.flags.iter().find(|(flag, _)| sets(flag))?;
        values.first().cloned()
    }

    /// The file with its profile, flags and `--set` applied. `compiled_in` gives the text of an experiment file of the same
    /// kind by its name.
    ///
    /// # Errors
    /// With the file and line, the key, or the flag that is wrong.
    pub fn resolve(&self, name: &str, compiled_in: &dyn Fn(&str) -> Option<&'static str>) -> Result<F> {
        let (text, origin) = match &self.experiment {
            None => (compiled_in(name).unwrap_or_default().to_string(), format!("experiments/{name}.toml")),
            Some(path) => {
                let text = files::read_text(path).with_context(|| format!("--experiment {}", path.display()))?;
                (text, path.display().to_string())
            }
        };
        self.resolve_text(&text, &origin, compiled_in)
    }

    /// The same for a text; `origin` names it in messages.
    pub fn resolve_text(
        &self,
        text: &str,
        origin: &str,
        compiled_in: &dyn Fn(&str) -> Option<&'static str>,
    ) -> Result<F> {
        let (mut own, mut file) = self.read(text, origin, compiled_in)?;
        let (models, named_by) = match (&self.models, file.1) {
            (Some(models), _) => (Some(models.clone()), "--models".to_string()),
            (None, models) => (models, "models".to_string()),
        };
        if let Some(models) = models {
            for file in [&mut own, &mut file.0] {
                names::keep(file.arms_mut(), &models, &named_by)?;
                file.forget_dropped();
            }
        }
        let mut file = file.0;
        file.void(&own, Change::Profile(self.profile));
        let own = file;
        let mut file = self.apply(&own)?;
        file.void(&own, Change::Flags);
        let (mut own, mut changed) = (tree::to_table(&own)?, tree::to_table(&file)?);
        let repeated = repeats(&own, &changed);
        for table in [&mut own, &mut changed] {
            forget_repetitions(table);
            for key in F::ASIDE {
                tree::set(table, key, &Value::Boolean(false));
            }
        }
        let void = !selects(own, changed, F::LISTS);
        if void || !repeated {
            let Heading { claims, expect, .. } = file.heading_mut();
            for claim in claims.iter_mut().chain(expect) {
                claim.decided_in.clear();
                claim.void |= void;
            }
        }
        Ok(file)
    }

    /// The file as it is, and with the profile laid over it and the networks that the profile names.
    #[expect(clippy::type_complexity, reason = "one caller, which takes it apart at once")]
    fn read(
        &self,
        text: &str,
        origin: &str,
        compiled_in: &dyn Fn(&str) -> Option<&'static str>,
    ) -> Result<(F, (F, Option<Vec<String>>))> {
        text::check_values(text, origin)?;
        let parsed = DeTable::parse(text).with_context(|| origin.to_string())?;
        let span = parsed.span();
        let mut table = extended(parsed.into_inner(), origin, compiled_in)?;
        ensure!(
            table.contains_key("experiment"),
            "{origin}: there is no [experiment]; write one, or begin the file with extends = \"NAME\" to change that experiment"
        );
        let profiles = table.remove("profile");
        let models = take_models(&mut table, origin)?;
        let typed = |table: DeTable<'_>| -> Result<F> {
            let read = F::deserialize(toml::de::Deserializer::from(Spanned::new(span.clone(), table)));
            read.map_err(|mut error: toml::de::Error| {
                // What the file extends has no place in it.
                error.set_input(Some(text).filter(|_| error.span() != Some(ELSEWHERE)));
                anyhow!(error).context(origin.to_string())
            })
        };
        let check_references = |file: &F, origin: &str| {
            file.check_references(origin)?;
            let Heading { claims, expect, .. } = file.heading();
            check_names(origin, claims.iter().chain(expect), &|column, name| file.knows(column, name))
        };
        let own = typed(table.clone())?;
        check_references(&own, origin)?;
        let profiles = match profiles.map(Spanned::into_inner) {
            Some(DeValue::Table(profiles)) => profiles,
            _ => DeTable::new(),
        };
        let mut of_profile = None;
        for (name, profile) in profiles {
            let key = format!("profile.{}", name.get_ref());
            let known = <ProfileName as clap::ValueEnum>::from_str(name.get_ref(), false);
            let known = known.map_err(|_| anyhow!("{origin}: {key}: use smoke, quick or paper"))?;
            let DeValue::Table(mut profile) = profile.into_inner() else {
                bail!("{origin}: {key} is not a table; write [{key}]")
            };
            let chosen = take_models(&mut profile, origin)?.or_else(|| models.clone());
            let mut laid = table.clone();
            overlay::lay(&mut laid, profile).map_err(|error| anyhow!("{origin}: {key} {error}"))?;
            // A mistake in another profile than the one that is run is reported as well.
            let file = typed(laid).with_context(|| key.clone())?;
            check_references(&file, &format!("{origin}: {key}"))?;
            if known == self.profile {
                of_profile = Some((file, chosen));
            }
        }
        let name = &own.heading().name;
        let of_profile = of_profile.with_context(|| format!("{name}: there is no [profile.{}]", self.profile))?;
        if self.experiment.is_some() {
            self.tell_overridden(text, origin, changes(&own, &of_profile.0)?)?;
        }
        Ok((own, of_profile))
    }

    /// Tells what a file sets that the profile of the one that it extends sets as well: the profile wins.
    fn tell_overridden(&self, text: &str, origin: &str, mut changed: Vec<String>) -> Result<()> {
        let mut set: toml::Table = toml::from_str(text)?;
        let profile = self.profile.to_string();
        let own = set.remove("profile").and_then(|profiles| profiles.get(&profile)?.as_table().cloned());
        let (set, own) = (tree::keys(&set), tree::keys(&own.unwrap_or_default()));
        changed.retain(|key| set.contains(key) && !own.contains(key));
        if !changed.is_empty() {
            let keys = changed.join(", ");
            note(&format!(
                "warning: {origin}: profile {profile} of the file it extends overrides {keys}; set it in [profile.{profile}] instead"
            ));
        }
        Ok(())
    }

    fn apply(&self, own: &F) -> Result<F> {
        let mut table = tree::to_table(own)?;
        let name = own.heading().name.clone();
        for (flag, values) in &self.flags {
            let Sets::Keys(keys) = flag.sets else { continue };
            for key in keys {
                tree::set(&mut table, key, &to_value(flag, &name, key, values)?);
            }
        }
        let mut file: F = tree::from_table(&table).map_err(anyhow::Error::msg)?;
        self.sweep(&mut file)?;
        for (flag, values) in &self.flags {
            if let Sets::Function(function) = flag.sets {
                function(&mut file, values)?;
            }
        }
        self.sets.iter().try_fold(file, |file, assignment| {
            let set = tree::set_key(&file, assignment)?;
            self.refuse_twice(assignment, [&file, &set])?;
            Ok(set)
        })
    }

    /// Refuses a `--set` of what a flag sets, which would be ignored: the flag, applied once more, would undo the assignment. A key
    /// with a `*` may have exceptions, and so may the networks that several sizes make.
    fn refuse_twice(&self, assignment: &str, [before, after]: [&F; 2]) -> Result<()> {
        let key = assignment.split('=').next().unwrap_or_default().trim();
        let set = changes(before, after)?;
        for (flag, values) in &self.flags {
            let twice = match flag.sets {
                Sets::Keys(keys) => keys.contains(&key),
                Sets::Size(_) | Sets::SizeOfAll(_) | Sets::Function(_) => {
                    let alone = Self { flags: vec![(*flag, values.clone())], ..Self::of(self.profile) };
                    let undone = alone.apply(after).and_then(|again| changes(after, &again));
                    undone.is_ok_and(|undone| undone.iter().any(|key| set.contains(key)))
                }
            };
            ensure!(!twice, "--set {} and --{} set the same key; use one of them", shown(key), flag.name);
        }
        Ok(())
    }

    /// Applies the sizes of all flags. A bare number is for the first arm, the network under study; the others change only
    /// when they are named.
    fn sweep(&self, file: &mut F) -> Result<()> {
        let mut origins: Vec<String> = file.arms().iter().map(|arm| arm.name().to_string()).collect();
        let own = origins.clone();
        for (flag, values) in &self.flags {
            match flag.sets {
                Sets::Size(resize) => {
                    let least = usize::from(matches!(flag.takes, Takes::Sizes));
                    let mut sizes: Vec<(String, Vec<usize>)> = Vec::new();
                    for text in values {
                        let (arm, value) = sized(text, least).map_err(anyhow::Error::msg)?;
                        let found = arm.map_or(own.first(), |arm| own.iter().find(|own| *own == arm)).cloned();
                        let all = known(file.arms());
                        let found =
                            found.with_context(|| format!("--{} {text}: use MODEL=N with one of {all}", flag.name))?;
                        match sizes.iter_mut().find(|(name, _)| *name == found) {
                            Some((_, of_arm)) => of_arm.push(value),
                            None => sizes.push((found, vec![value])),
                        }
                    }
                    for (arm, sizes) in sizes {
                        replace(file, &mut origins, flag.name, &arm, &sizes, resize)?;
                    }
                }
                Sets::SizeOfAll(resize) => {
                    let sizes = values.iter().map(|text| number(text)).collect::<Result<Vec<_>>>()?;
                    let resized = |arm: &F::Arm| sizes.iter().try_for_each(|size| resize(&mut arm.clone(), *size));
                    let arms = file.arms().iter().zip(&origins);
                    let with: BTreeSet<String> =
                        arms.filter(|(arm, _)| resized(arm).is_ok()).map(|(_, origin)| origin.clone()).collect();
                    ensure!(!with.is_empty(), "--{}: none of {} has it", flag.name, known(file.arms()));
                    // The others have no such size.
                    for arm in own.iter().filter(|arm| with.contains(*arm)) {
                        replace(file, &mut origins, flag.name, arm, &sizes, resize)?;
                    }
                }
                Sets::Keys(_) | Sets::Function(_) => {}
            }
        }
        Ok(())
    }
}

/// The keys that both have with different values.
fn changes<F: File>(before: &F, after: &F) -> Result<Vec<String>> {
    let [before, after] = [tree::to_table(before)?, tree::to_table(after)?];
    let differs = |key: &String| tree::get(&after, key).is_some_and(|value| Some(value) != tree::get(&before, key));
    Ok(tree::keys(&before).into_iter().filter(differs).collect())
}

/// Gives every arm that comes from another a size; of several sizes each becomes an arm.
fn replace<F: File>(
    file: &mut F,
    origins: &mut Vec<String>,
    flag: &str,
    origin: &str,
    sizes: &[usize],
    resize: fn(&mut F::Arm, usize) -> Result<()>,
) -> Result<()> {
    let mut place = 0;
    while place < file.arms().len() {
        if origins[place] != origin {
            place += 1;
            continue;
        }
        let arm = file.arms()[place].clone();
        let most = MOST_ITEMS.saturating_sub(file.arms().len() - 1);
        ensure!(sizes.len() <= most, "--{flag}: {} sizes make more than {MOST_ITEMS} networks", sizes.len());
        let mut copies = Vec::new();
        for (number, &size) in sizes.iter().enumerate() {
            ensure!(!sizes[..number].contains(&size), "--{flag}: {origin} gets {size} twice; name each size once");
            let mut copy = arm.clone();
            let told = |error: anyhow::Error| anyhow!("--{flag} {}={size}: {error}", arm.name());
            resize(&mut copy, size).map_err(told)?;
            copies.push(copy);
        }
        if copies.len() > 1 {
            for (copy, size) in copies.iter_mut().zip(sizes) {
                copy.rename(format!("{}-{flag}{size}", arm.name()), &format!("{} {size}", flag.replace('-', " ")));
            }
        }
        let names: Vec<String> = copies.iter().map(|copy| copy.name().to_string()).collect();
        let count = copies.len();
        file.arms_mut().splice(place..=place, copies);
        origins.splice(place..=place, vec![origin.to_string(); count]);
        if count > 1 {
            file.inherit(arm.name(), &names);
        }
        place += count;
    }
    Ok(())
}

/// The networks that a file or a profile names.
fn take_models(table: &mut DeTable<'_>, origin: &str) -> Result<Option<Vec<String>>> {
    let Some(models) = table.remove("models") else { return Ok(None) };
    let names = models.as_ref().as_array().and_then(|items| {
        items.iter().map(|item| item.as_ref().as_str().map(str::to_string)).collect::<Option<Vec<_>>>()
    });
    names.map(Some).with_context(|| format!("{origin}: models is not a list of names"))
}

/// The values of a flag as one of TOML.
fn to_value<F: File>(flag: &Flag<F>, experiment: &str, key: &str, values: &[String]) -> Result<Value> {
    let one = |text: &String| -> Result<Value> {
        Ok(match flag.takes {
            Takes::Count | Takes::Positive => {
                let value = text.parse::<i64>();
                Value::Integer(value.map_err(|_| anyhow!("{experiment}: {key} is {text}; use at most {}", i64::MAX))?)
            }
            Takes::Number => Value::Float(text.parse()?),
            Takes::Switch => Value::Boolean(text == "true"),
            Takes::Text | Takes::Word(_) | Takes::Checked(_) | Takes::Sizes | Takes::Counts => {
                Value::String(text.clone())
            }
        })
    };
    if flag.many {
        return Ok(Value::Array(values.iter().map(one).collect::<Result<_>>()?));
    }
    one(values.first().context("a flag without a value")?)
}
