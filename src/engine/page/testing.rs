//! A section for the tests of renderers.

use super::claim::{Claim, Decision, Verdict};
use super::drawn::Drawn;
use super::provenance::Provenance;
use super::section::Section;
use super::{Block, Table};
use crate::engine::invocation::Invocation;
use crate::engine::settings::ProfileName;

/// A smoke run's, with a main and a long table of so many rows, and words that markup has to leave alone.
pub(super) fn section(rows: usize) -> Section {
    let table = |caption: &str| {
        let mut table = Table::with("network, mean +- std, worst");
        (0..rows).for_each(|row| table.row([format!("row {row} <|.|>"), "99.5 +- 0.1".into(), "-".into()]));
        Table { caption: caption.into(), ..table }
    };
    let verdict = |text: &str, met| Verdict { text: text.into(), met };
    let claim = |claim: &str, decision| Claim {
        claim: claim.into(),
        decision,
        figure: "99.89 % (99.68 to 100.00)".into(),
        paper: "99.5 %".into(),
        seeds: "100 to 104".into(),
        n: Some(5),
        instead: None,
    };
    Section {
        name: "board".into(),
        title: "A board & more".into(),
        claim: "HanNet <b>generalizes</b>".into(),
        invocation: Some(Invocation {
            verb: "board".into(),
            profile: ProfileName::Smoke,
            changed: vec!["--seeds 2".into()],
        }),
        missing: None,
        claims: vec![claim("It learns", Decision::Reproduced), claim("It is robust", Decision::NotAtThisBudget)],
        verdicts: vec![verdict("median is at least 99: measured 98: MISSED", false), verdict("fine: met", true)],
        failed: vec!["FAIL hannet: steps".into()],
        blocks: vec![
            Block::Text("data = **sample**, `a<b`\n\n- one\n- two".into()),
            Block::Table(table("**Main.** Of the last iterate.").main()),
            Block::Table(table("**Long.** Of every seed.")),
        ],
        charts: vec![Drawn {
            title: "Maps".into(),
            file: "none.png".into(),
            size: (0, 0),
            missing: Some("lost".into()),
        }],
        tables: vec!["tables/board.csv".into()],
        provenance: Provenance::default(),
    }
}
