//! Tables as HTML: wide ones scroll by themselves, long ones are folded.

use super::super::table::Table;
use super::text::{escaped, inline, paragraphs};

/// Rows of the longest table that is not folded.
const LONG: usize = 12;
/// Letters of the longest name of a row that may be broken after each of its words, where a table has no room.
const LONG_NAME: usize = 24;

/// A table under its paragraph.
pub(super) fn table(table: &Table, stamp: &str) -> String {
    let caption = format!("{stamp}{}", table.caption);
    let (lead, body) = (lead(&caption), rows(table));
    if table.main || table.rows.len() <= LONG {
        return paragraphs(&caption) + &scrolling(&lead, &body);
    }
    let rows = super::super::counted(table.rows.len(), "row");
    let folded = paragraphs(&caption) + &scrolling(&lead, &body);
    format!("<details><summary>{} <span class=\"soft\">{rows}</span></summary>\n{folded}</details>\n", escaped(&lead))
}

/// The table of claims: on a narrow screen every row becomes a card.
pub(super) fn cards(table: &Table, classes: &[&str]) -> String {
    let names: Vec<String> = table.columns.iter().map(|name| escaped(name)).collect();
    let head: String = names.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
    let row = |(row, class): (&Vec<String>, &&str)| {
        let cells = row.iter().zip(&names).enumerate().map(|(place, (cell, name))| match place {
            0 => format!("<th scope=\"row\">{}</th>", inline(cell)),
            1 => format!("<td data-label=\"{name}\"><span class=\"verdict {class}\">{}</span></td>", escaped(cell)),
            _ => format!("<td data-label=\"{name}\">{}</td>", inline(cell)),
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let body: String = table.rows.iter().zip(classes).map(row).collect();
    format!("<table class=\"claims\">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>\n")
}

/// What a caption begins with: its words in bold, or its first sentence.
fn lead(caption: &str) -> String {
    let plain = caption.replace("**", "");
    let end = plain.find(['.', ':', '\n']).filter(|end| *end > 0 && !plain.starts_with("SMOKE: "));
    let end = end.or_else(|| plain.find(". ")).unwrap_or(plain.len());
    let words = plain[..end].trim().to_string();
    if words.is_empty() { "Table".into() } else { words }
}

fn scrolling(label: &str, body: &str) -> String {
    format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{body}</div>\n", escaped(label))
}

fn rows(table: &Table) -> String {
    let class = |place: usize| if table.is_number(place) { " class=\"n\"" } else { "" };
    let head = table.columns.iter().enumerate();
    let head: String =
        head.map(|(place, name)| format!("<th scope=\"col\"{}>{}</th>", class(place), escaped(name))).collect();
    let long = table.rows.iter().any(|row| row[0].chars().count() > LONG_NAME);
    let name = if long { " class=\"name\"" } else { "" };
    let row = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(place, cell)| match place {
            0 => format!("<th scope=\"row\"{name}>{}</th>", inline(cell)),
            _ => format!("<td{}>{}</td>", class(place), inline(cell)),
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let body: String = table.rows.iter().map(row).collect();
    format!("<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_by_what_its_caption_begins_with() {
        assert_eq!(lead("**Attacks in linf.** Part of the images"), "Attacks in linf");
        assert_eq!(lead("SMOKE: **Errors**, small. More."), "SMOKE: Errors, small");
        assert_eq!(lead("**held_out**: the rate"), "held_out");
        assert_eq!(lead(""), "Table");
    }
}
