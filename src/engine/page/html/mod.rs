//! `report.html`: all experiments of a results directory in one file that needs neither network nor script.

mod table;
mod text;

use super::drawn::Drawn;
use super::section::{self, Section};
use super::{Block, claim};
use crate::files;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;
use text::{command, escaped, inline, list, paragraphs};

const STYLE: &str = include_str!("report.css");
const TITLE: &str = "Results of han-exp";
/// Bytes of the largest chart that is put into the page. Those of the experiments here have a hundredth of it.
const LARGEST_CHART: u64 = 64 << 20;

/// The file, with the charts of the results directory inside.
pub(super) fn report(sections: &[Section], root: &Path) -> String {
    let stamp = section::stamp_of_all(sections);
    let smoke = if sections.iter().any(Section::is_smoke) { SMOKE } else { "" };
    let contents: String = sections.iter().map(contents).collect();
    let claims = claims(sections);
    let first = if claims.is_empty() { "" } else { "<li><a href=\"#claims\">The paper's claims</a></li>\n" };
    let body: String = sections.iter().map(|section| experiment(section, root)).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{stamp}{TITLE}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>{stamp}{TITLE}</h1>\n<p>The experiments of <cite>A Lightweight and Gradient-Stable Neural Layer</cite> (Yu and \
         Zhang, 2024; <a href=\"https://arxiv.org/abs/2106.04088\">arXiv 2106.04088</a>), run again.</p>\n{smoke}\
         <nav aria-label=\"Contents\"><ul>\n{first}{contents}</ul></nav>\n</header>\n<main>\n{claims}{body}</main>\n\
         <footer><p>Written by han-exp {}. <code>han-exp report</code> writes this file anew from the CSV files of finished \
         runs.</p></footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

const SMOKE: &str = "<p class=\"smoke\"><strong>SMOKE</strong> A smoke run is a look at everything in seconds. Its figures mean \
                     nothing.</p>\n";

fn contents(section: &Section) -> String {
    let wrong = section.wrong().count();
    let wrong =
        if wrong == 0 { String::new() } else { format!(" <span class=\"soft\">({wrong} missed or failed)</span>") };
    format!("<li><a href=\"#{}\">{}</a>{wrong}</li>\n", escaped(&section.name), escaped(&section.heading()))
}

fn claims(sections: &[Section]) -> String {
    let all = || sections.iter().flat_map(|of| of.claims.iter().map(move |claim| (claim, of.invocation.as_ref())));
    let classes: Vec<&str> = all().map(|(claim, _)| claim.decision.shown()[2]).collect();
    if classes.is_empty() {
        return String::new();
    }
    let table = table::cards(&claim::table(all()), &classes);
    format!("<section id=\"claims\">\n<h2>The paper's claims</h2>\n{table}</section>\n")
}

fn experiment(section: &Section, root: &Path) -> String {
    let (name, heading) = (escaped(&section.name), escaped(&section.heading()));
    let mut html = format!("<section id=\"{name}\">\n<h2>{heading}</h2>\n");
    if !section.claim.is_empty() {
        html += &format!("<p class=\"claim\">{}</p>\n", inline(&section.claim));
    }
    if let Some(called) = &section.invocation {
        html += &format!("<pre><code>{}</code></pre>\n", command(&called.command()));
    }
    html += &in_short(section);
    let missing = section.missing.iter().map(|missing| format!("{missing}."));
    let notices = missing.chain(section.provenance.warnings().map(|warning| format!("Warning: {warning}.")));
    html += &notices.map(|notice| format!("<p class=\"notice\">{}</p>\n", escaped(&notice))).collect::<String>();
    html += &expectations(section);
    html += &blocks(section);
    html += &charts(section, root);
    html += &provenance(section, root);
    html + "</section>\n"
}

/// What a reader wants to know of the runs at once; everything is below.
fn in_short(section: &Section) -> String {
    let wanted = ["Profile", "Changed by flags", "Seeds", "Version"];
    let facts = section.facts().into_iter().filter(|(name, _)| wanted.contains(&name.as_str()));
    let facts = facts.map(|(name, value)| format!("{}: {}", name.to_lowercase(), escaped(&value)));
    format!("<p class=\"soft\">{}</p>\n", facts.collect::<Vec<_>>().join(" · "))
}

/// What was missed or failed, and then what was met.
fn expectations(section: &Section) -> String {
    let item =
        |class: &str, sign: &str, text: &str| format!("<span class=\"verdict {class}\">{sign}</span> {}", inline(text));
    let missed = section.missed().map(|line| item("bad", "✗ missed", line));
    let wrong: Vec<String> = missed.chain(section.failed.iter().map(|line| item("bad", "✗ failed", line))).collect();
    let met = section.verdicts.iter().filter(|verdict| verdict.met);
    let met: Vec<String> = met.map(|verdict| item("good", "✓ met", &verdict.text)).collect();
    if wrong.is_empty() && met.is_empty() {
        return String::new();
    }
    let lists = [wrong, met].into_iter().filter(|items| !items.is_empty()).map(|items| list(items.into_iter()));
    format!("<h3>Expectations and checks</h3>\n<div class=\"expectations\">{}</div>\n", lists.collect::<String>())
}

fn blocks(section: &Section) -> String {
    if section.blocks.is_empty() {
        return String::new();
    }
    let block = |block: &Block| match block {
        Block::Text(text) => paragraphs(text),
        Block::Table(table) => table::table(table, section.stamp()),
    };
    format!("<h3>Tables</h3>\n{}", section.blocks.iter().map(block).collect::<String>())
}

fn charts(section: &Section, root: &Path) -> String {
    if section.charts.is_empty() {
        return String::new();
    }
    let charts = section.charts.iter().map(|chart| picture(chart, section.stamp(), root));
    format!("<h3>Charts</h3>\n{}", charts.collect::<String>())
}

/// A chart with its pixels, at half its size: it is drawn for that.
fn picture(chart: &Drawn, stamp: &str, root: &Path) -> String {
    let title = format!("{stamp}{}", escaped(&chart.title));
    let path = root.join("figures").join(&chart.file);
    let read = || files::read_within(&path, LARGEST_CHART).map_err(|error| error.to_string());
    let bytes = chart.missing.clone().map_or_else(read, Err);
    match bytes {
        Ok(bytes) => format!(
            "<figure><img alt=\"{title}\" width=\"{}\" height=\"{}\" src=\"data:image/png;base64,{}\">\
             <figcaption>{title}</figcaption></figure>\n",
            chart.size.0 / 2,
            chart.size.1 / 2,
            STANDARD.encode(bytes)
        ),
        Err(reason) => format!("<p>{title} is not drawn: {}</p>\n", escaped(&reason)),
    }
}

fn provenance(section: &Section, root: &Path) -> String {
    let facts = section.facts().into_iter().filter(|(name, _)| name != "Command");
    let facts: String =
        facts.map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escaped(&name), inline(&value))).collect();
    let files = section.tables.iter().map(|name| escaped(name)).map(|name| format!("<a href=\"{name}\">{name}</a>"));
    let files = files.collect::<Vec<_>>().join(", ");
    format!(
        "<h3>Where the figures come from</h3>\n<dl>\n{facts}<dt>Files</dt><dd>{files}</dd>\n<dt>Method and deviations</dt>\
         <dd>{}</dd>\n</dl>\n",
        methodology(root)
    )
}

/// A link to the description of methods where the results lie in the repository.
fn methodology(root: &Path) -> String {
    const NAME: &str = "METHODOLOGY.md";
    let root = root.canonicalize().unwrap_or_default();
    let above = root.ancestors().skip(1).take(3).position(|directory| directory.join(NAME).is_file());
    above.map_or(NAME.into(), |up| format!("<a href=\"{}{NAME}\">{NAME}</a>", "../".repeat(up + 1)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::section;
    use super::*;

    #[test]
    fn a_report_is_one_file_with_its_words_as_they_are() {
        let html = report(&[section(30)], Path::new("nowhere"));
        for part in [
            "<title>",
            "✓ reproduced",
            "? not at this budget",
            "99.89 % (99.68 to 100.00)",
            "HanNet &lt;b&gt;generalizes",
            "<code>han-exp board <span class=\"flag\">--profile</span> smoke",
            "<details><summary>SMOKE: Long <span class=\"soft\">30 rows</span>",
            "Maps is not drawn: lost",
            "A board &amp; more",
            "<td class=\"n\">99.5 +- 0.1</td>",
        ] {
            assert!(html.contains(part), "{part} is missing in\n{html}");
        }
        let outside = ["<script", "<link", "src=\"http", "url(", "@import"];
        assert!(outside.iter().all(|part| !html.contains(part)), "{html}");
    }

    /// Every text of a section in place of which a file may say anything.
    #[test]
    fn no_word_of_a_section_is_markup() {
        fn evil(value: &mut serde_json::Value) {
            match value {
                serde_json::Value::String(text)
                    if !["smoke", "reproduced", "not_at_this_budget"].contains(&text.as_str()) =>
                {
                    *text = "\"><script>**`'&".into();
                }
                serde_json::Value::Array(items) => items.iter_mut().for_each(evil),
                serde_json::Value::Object(entries) => entries.values_mut().for_each(evil),
                _ => {}
            }
        }
        let mut value = serde_json::to_value(section(20)).expect("JSON");
        evil(&mut value);
        let html = report(&[serde_json::from_value(value).expect("a section")], Path::new("nowhere"));
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
        // No attribute ends before its end: what follows it is another one, or the end of the tag.
        let attributes = html.split("=\"").skip(1).filter_map(|text| text.split_once('"')).map(|(_, after)| after);
        assert!(attributes.clone().count() > 50);
        for after in attributes {
            assert!(after.starts_with(['>', ' ', '\n', '/']), "{after}");
        }
    }

    #[test]
    fn what_was_missed_or_failed_stands_before_tables_and_what_was_met() {
        let html = report(&[section(3)], Path::new("nowhere"));
        let place = |part: &str| html.find(part).unwrap_or_else(|| panic!("{part} is missing in\n{html}"));
        let order = ["<h2>The paper's claims", "MISSED", "FAIL hannet", "fine: met", "<h3>Tables", "<h3>Where the"];
        assert!(order.map(place).is_sorted(), "{html}");
    }
}
