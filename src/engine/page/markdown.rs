//! Pages as Markdown: everything about an experiment, and the short report of all.

use super::section::{self, Section};
use super::table::Table;
use super::{Block, claim};

/// Most lines of the short report, and most rows of a table in it.
const MOST_LINES: usize = 200;
const MOST_ROWS: usize = 20;
/// Most missed expectations and failed checks that the short report names of an experiment.
const MOST_WRONG: usize = 5;

/// `tables/<experiment>.md`: everything.
pub(super) fn whole(section: &Section) -> String {
    let mut text = format!("## {}\n\n", section.heading());
    text += &opening(section, usize::MAX);
    if !section.claims.is_empty() {
        let claims = section.claims.iter().map(|claim| (claim, section.invocation.as_ref()));
        text += &format!("{}\n", claim::table(claims).markdown(usize::MAX));
    }
    for block in &section.blocks {
        match block {
            Block::Text(paragraph) => text += &format!("{paragraph}\n\n"),
            Block::Table(table) => text += &captioned(section, table, usize::MAX),
        }
    }
    if !section.verdicts.is_empty() {
        let lines: String = section.verdicts.iter().map(|verdict| format!("- {}\n", verdict.text)).collect();
        text += &format!("Expectations:\n\n{lines}\n");
    }
    section.charts.iter().for_each(|chart| text += &format!("{}\n", chart.markdown("../")));
    text += "Where the figures come from:\n\n";
    section.facts().iter().for_each(|(name, value)| text += &format!("- {name}: {value}\n"));
    text
}

/// `README.md`: the claims, then main tables and charts of every experiment. Rows of tables are left out until it is short.
pub(super) fn short(sections: &[Section]) -> String {
    let with_rows = |rows| overview(sections, rows);
    let fits = |text: &String| text.lines().count() <= MOST_LINES;
    (1..=MOST_ROWS).rev().map(with_rows).find(fits).unwrap_or_else(|| with_rows(0))
}

fn overview(sections: &[Section], most: usize) -> String {
    let stamp = section::stamp_of_all(sections);
    let mut text = format!(
        "# {stamp}Results\n\nWritten by `han-exp`; `han-exp report` writes it anew from the CSV files. [report.html](report.html) \
         is the same in one file, with all tables.\n",
    );
    let mut claims =
        sections.iter().flat_map(|of| of.claims.iter().map(move |claim| (claim, of.invocation.as_ref()))).peekable();
    if claims.peek().is_some() {
        text += &format!("\n## The paper's claims\n\n{}", claim::table(claims).markdown(usize::MAX));
    }
    for section in sections {
        text += &format!("\n## {}\n\n{}", section.heading(), opening(section, MOST_WRONG));
        let tables = section.blocks.iter().filter_map(|block| match block {
            Block::Table(table) if table.main => Some(table),
            Block::Table(_) | Block::Text(_) => None,
        });
        tables.for_each(|table| text += &captioned(section, table, most));
        // In one paragraph: a blank line between any two would be half of the page.
        section.charts.iter().for_each(|chart| text += &chart.markdown(""));
        let name = &section.name;
        text += &format!("\nAll tables, checklists and expectations: [tables/{name}.md](tables/{name}.md).\n");
    }
    text
}

/// The claim, the command, and what is wrong.
fn opening(section: &Section, most: usize) -> String {
    let mut text = String::new();
    if !section.claim.is_empty() {
        text += &format!("Claim: {}\n\n", section.claim);
    }
    let wanted = ["Command", "Seeds", "Version", "Commit", "Processor", "Instruction set"];
    let facts = section.facts();
    let shown = facts.iter().filter(|(name, _)| wanted.contains(&name.as_str()));
    let shown = shown.map(|(name, value)| format!("{}: {value}", name.to_lowercase())).collect::<Vec<_>>().join(" · ");
    if !shown.is_empty() {
        text += &format!("{shown}\n\n");
    }
    if let Some(missing) = &section.missing {
        text += &format!("**{missing}.**\n\n");
    }
    section.provenance.warnings().for_each(|warning| text += &format!("**Warning**: {warning}.\n\n"));
    let wrong: Vec<&str> = section.wrong().collect();
    wrong.iter().take(most).for_each(|line| text += &format!("- **{line}**\n"));
    let more = wrong.len().saturating_sub(most);
    if more > 0 {
        text += &format!("- and {more} more\n");
    }
    text + if wrong.is_empty() { "" } else { "\n" }
}

/// A table under its paragraph.
fn captioned(section: &Section, table: &Table, most: usize) -> String {
    let (stamp, caption) = (section.stamp(), &table.caption);
    let more = table.rows.len().saturating_sub(most);
    let more = if more > 0 { format!("\n{} more.\n", super::counted(more, "row")) } else { String::new() };
    format!("{stamp}{caption}\n\n{}{more}\n", table.markdown(most))
}

#[cfg(test)]
mod tests {
    use super::super::testing::section;
    use super::*;

    #[test]
    fn the_short_report_of_many_long_tables_has_200_lines_at_most() {
        let sections: Vec<Section> = (0..5).map(|_| section(60)).collect();
        let text = short(&sections);
        assert!((150..=MOST_LINES).contains(&text.lines().count()), "{}", text.lines().count());
        assert!(text.contains("rows more."), "{text}");
        assert_eq!(whole(&sections[0]).matches("| row ").count(), 2 * 60);
    }

    #[test]
    fn a_smoke_run_says_so_over_everything() {
        let section = section(2);
        let stamped =
            |text: &str| text.lines().filter(|line| line.trim_start_matches(['#', ' ']).starts_with("SMOKE: ")).count();
        // Every heading, and every table but that of the claims, which has a column for the profile.
        let (long, short) = (whole(&section), short(&[section]));
        assert!(long.starts_with("## SMOKE: ") && short.starts_with("# SMOKE: "), "{long}{short}");
        assert_eq!((stamped(&long), stamped(&short)), (3, 3), "{long}{short}");
    }
}
