//! The paper's claims, and what a run says of them.

use super::Table;
use crate::engine::invocation::Invocation;
use crate::engine::settings::{ClaimFile, ProfileName};
use serde::{Deserialize, Serialize};

/// A claim of the paper, with the figure that decides it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What the paper says, in a sentence.
    pub claim: String,
    pub decision: Decision,
    /// The deciding figure with its interval; nothing where it was not measured.
    pub figure: String,
    /// The paper's figure; nothing where it has none.
    pub paper: String,
    /// The seeds behind the figure.
    pub seeds: String,
    /// How many they are, or other independent repetitions.
    pub n: Option<usize>,
    /// The profile that would decide it, where the command of its section makes none of its figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<ProfileName>,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Reproduced,
    /// In some settings, or in a weaker form.
    Partly,
    /// Nothing can be said with so few steps, images or seeds.
    NotAtThisBudget,
    Contradicted,
    NotRun,
    /// Its evidence names what there is not, or more than one row.
    Unreadable,
    /// Flags, or weights of the user's, have changed what the claim is about.
    Changed,
}

impl Decision {
    /// Words, a sign beside them, since a colour alone does not reach everybody, and the class of the colour in HTML.
    pub(super) fn shown(self) -> [&'static str; 3] {
        match self {
            Self::Reproduced => ["reproduced", "✓", "good"],
            Self::Partly => ["partly", "~", "half"],
            Self::NotAtThisBudget => ["not at this budget", "?", "open"],
            Self::Contradicted => ["contradicted", "✗", "bad"],
            Self::NotRun => ["not run", "–", "open"],
            Self::Unreadable => ["cannot be read", "–", "open"],
            Self::Changed => ["changed by flags", "–", "open"],
        }
    }
}

/// What an experiment file expects, compared with what was measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The expectation, what was measured, and whether it was met.
    pub text: String,
    pub met: bool,
}

/// Columns of the table of claims.
pub(super) const COLUMNS: &str = "claim, verdict, measured, paper, profile, seeds, n, command";

impl Claim {
    /// The command that made its figure, its section's; or one that would.
    fn command(&self, of_section: &Invocation) -> Invocation {
        match self.instead {
            Some(profile) => Invocation { profile, ..of_section.of_file() },
            None => of_section.clone(),
        }
    }

    /// Its cells.
    pub(super) fn cells(&self, invocation: Option<&Invocation>) -> [String; 8] {
        let or_dash = |text: &str| if text.is_empty() { "-".to_string() } else { text.to_string() };
        let invocation = invocation.map(|called| self.command(called));
        let [words, sign, _] = self.decision.shown();
        [
            self.claim.clone(),
            format!("{sign} {words}"),
            or_dash(&self.figure),
            or_dash(&self.paper),
            invocation.as_ref().map_or("-".into(), |called| called.profile.to_string()),
            or_dash(&self.seeds),
            self.n.map_or("-".into(), |n| n.to_string()),
            invocation.map_or("-".into(), |called| format!("`{}`", called.command())),
        ]
    }

    pub(super) fn without_figure(file: &ClaimFile, decision: Decision) -> Self {
        let (claim, paper) = (file.says.clone(), file.paper.clone());
        Self { claim, decision, figure: String::new(), paper, seeds: String::new(), n: None, instead: None }
    }

    /// For a terminal.
    pub(super) fn line(&self) -> String {
        let paper = if self.paper.is_empty() { String::new() } else { format!("; paper: {}", self.paper) };
        let figure = if self.figure.is_empty() { "no figure" } else { &self.figure };
        format!("{}: {} ({figure}{paper})", self.decision.shown()[0], self.claim)
    }
}

/// A row of `tables/claims.csv`.
#[derive(Serialize)]
pub(super) struct ClaimRow<'c> {
    experiment: &'c str,
    /// Its place among those of the experiment, from 1.
    number: usize,
    claim: &'c str,
    verdict: &'static str,
    measured: &'c str,
    paper: &'c str,
    profile: Option<ProfileName>,
    seeds: &'c str,
    n: Option<usize>,
    command: Option<String>,
}

/// The claims of an experiment as rows.
pub(super) fn rows<'c>(
    experiment: &'c str,
    claims: &'c [Claim],
    invocation: Option<&Invocation>,
) -> impl Iterator<Item = ClaimRow<'c>> {
    claims.iter().enumerate().map(move |(place, claim)| {
        let invocation = invocation.map(|called| claim.command(called));
        ClaimRow {
            experiment,
            number: place + 1,
            claim: &claim.claim,
            verdict: claim.decision.shown()[0],
            measured: &claim.figure,
            paper: &claim.paper,
            profile: invocation.as_ref().map(|called| called.profile),
            seeds: &claim.seeds,
            n: claim.n,
            command: invocation.map(|called| called.command()),
        }
    })
}

/// The claims of all sections.
pub(super) fn table<'c>(claims: impl Iterator<Item = (&'c Claim, Option<&'c Invocation>)>) -> Table {
    let mut table = Table::with(COLUMNS);
    claims.for_each(|(claim, invocation)| table.row(claim.cells(invocation)));
    table
}
