//! What the tests of all rooms do: settings with a profile and flags, and mistakes in a file.

use super::Experiment;
use super::settings::{ClaimFile, Given, ProfileName};
use anyhow::Result;

pub const PROFILES: [ProfileName; 3] = [ProfileName::Smoke, ProfileName::Quick, ProfileName::Paper];

/// The experiment of a file with a profile and flags, each with its values.
pub fn checked<E: Experiment>(text: &str, profile: ProfileName, flags: &[(&str, &str)]) -> Result<E> {
    let mut given = Given::of(profile);
    flags.iter().for_each(|(name, values)| given.add(E::FLAGS, name, values));
    E::check(given.resolve_text(text, "file", &|_| None)?)
}

/// A text in which some words stand for others.
pub fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_string(), |text, (right, wrong)| {
        assert!(text.contains(right), "{right} is not in the file");
        text.replacen(right, wrong, 1)
    })
}

/// The message of an error.
pub fn told<T>(result: Result<T>) -> String {
    result.map_or_else(|error| format!("{error:#}"), |_| "no error".into())
}

/// Checks what is said of a file in which a word stands for another, under one of the profiles.
pub fn assert_told<E: Experiment>(text: &str, profiles: &[ProfileName], mistakes: &[(&str, &str, &str)]) {
    for (right, wrong, words) in mistakes {
        let text = changed(text, &[(right, wrong)]);
        let told: Vec<String> = profiles.iter().map(|profile| told(checked::<E>(&text, *profile, &[]))).collect();
        assert!(told.iter().any(|told| told.contains(words)), "{wrong}: {told:?}");
    }
}

/// How many claims or expectations are decided in a profile.
pub fn decided(claims: &[ClaimFile], profile: ProfileName) -> usize {
    claims.iter().filter(|claim| !claim.void && claim.decided_in.contains(&profile)).count()
}
