//! README.md and METHODOLOGY.md say what the CSV files say, and README.md has no figure of its own.

#![cfg(feature = "program")]

use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// The results that the documents show.
const RESULTS: &str = "results/published";
const DOCUMENTS: [&str; 2] = ["README.md", "METHODOLOGY.md"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).expect("a file of the repository")
}

#[test]
fn documents_have_the_figures_of_the_csv_files() {
    for name in DOCUMENTS {
        let spliced = han_exp::cli::spliced(&path(RESULTS), &path(name)).expect("markers that name what is there");
        let text = text(name);
        let differs = text.lines().zip(spliced.lines()).enumerate().find(|(_, (old, new))| old != new);
        assert!(text == spliced, "{name}: `make readme` brings it up to date; the first difference is {differs:?}");
    }
}

/// Numbers that need no CSV file, `tests/readme/allowed.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    allowed: Vec<Reason>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
    /// Every number in these words, wherever they stand.
    #[serde(default)]
    words: Vec<String>,
    /// Every number under these headings.
    #[serde(default)]
    sections: Vec<String>,
}

#[test]
fn every_figure_of_the_readme_has_its_file_or_a_reason() {
    let Allowed { allowed } = toml::from_str(&text("tests/readme/allowed.toml")).expect("a list of reasons");
    let readme = text("README.md");
    let mut prose = prose(&readme);
    for Reason { reason, words, sections } in &allowed {
        assert!(!reason.is_empty(), "{words:?} {sections:?}: say why");
        for section in sections {
            let place = under(&prose, section);
            blank(&mut prose, place.unwrap_or_else(|| panic!("allowed.toml: README.md has no section {section:?}")));
        }
    }
    for word in allowed.iter().flat_map(|reason| &reason.words) {
        let places: Vec<usize> = prose.match_indices(word).map(|(place, _)| place).collect();
        assert!(!places.is_empty(), "allowed.toml: README.md has no {word:?} outside of markers and allowed sections");
        places.into_iter().for_each(|place| blank(&mut prose, (place, place + word.len())));
    }
    let lines = prose.lines().zip(readme.lines()).enumerate();
    let found = lines.flat_map(|(line, (prose, shown))| {
        numbers(prose).into_iter().map(move |number| format!("README.md:{}: {number} in {shown:?}", line + 1))
    });
    let found: Vec<String> = found.collect();
    let cure = "put them between markers (ARCHITECTURE.md), or say in tests/readme/allowed.toml why they need none";
    assert!(found.is_empty(), "{} numbers have no CSV file; {cure}:\n{}", found.len(), found.join("\n"));
}

/// The text with blanks in the place of code, of links' targets, of comments and of what stands between markers; its lines stay.
fn prose(text: &str) -> String {
    let mut prose = text.to_string();
    for (open, close) in [
        ("```", "```"),
        ("<!-- table: ", "<!-- /table -->"),
        ("<!-- = ", "<!-- / -->"),
        ("<!--", "-->"),
        ("`", "`"),
        ("](", ")"),
        ("https://", " "),
    ] {
        let mut from = 0;
        while let Some(start) = prose[from..].find(open).map(|place| from + place) {
            let after = start + open.len();
            let end = prose[after..].find(close).map_or(prose.len(), |place| after + place + close.len());
            blank(&mut prose, (start, end));
            from = end;
        }
    }
    prose
}

fn blank(text: &mut String, (start, end): (usize, usize)) {
    let blanks: String = text[start..end].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    text.replace_range(start..end, &blanks);
}

/// From a heading to the next one of its rank or above.
fn under(text: &str, heading: &str) -> Option<(usize, usize)> {
    let rank = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let (mut place, mut found) = (0, None);
    for line in text.split_inclusive('\n') {
        match found {
            None if rank(line) > 0 && line.trim_matches(['#', ' ', '\n']) == heading => {
                found = Some((place, rank(line)))
            }
            Some((start, above)) if (1..=above).contains(&rank(line)) => return Some((start, place)),
            _ => {}
        }
        place += line.len();
    }
    found.map(|(start, _)| (start, place))
}

/// Numbers of a line; digits of names such as f32 and L2 are none.
fn numbers(line: &str) -> Vec<String> {
    let of_word = |c: char| c.is_alphanumeric() || "_.,".contains(c);
    let words = line.split(|c: char| !of_word(c)).map(|word| word.trim_matches(['.', ',']));
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_string).collect()
}

#[test]
fn a_number_outside_of_markers_is_found_and_others_are_not() {
    let text =
        "## A 7\nf32, L2 and 12,345.6 of <!-- = a b=1: {c} -->3<!-- / -->.\n`8` [9](10.md)\n### B\n99.5 %\n## C\n";
    let mut prose = prose(text);
    assert_eq!(prose.lines().count(), text.lines().count());
    assert_eq!(prose.lines().map(numbers).collect::<Vec<_>>().concat(), ["7", "12,345.6", "9", "99.5"]);
    let place = under(&prose, "B").expect("a section");
    blank(&mut prose, place);
    assert!(!prose.contains("99.5") && prose.contains("## C"), "{prose}");
    assert_eq!(under(&prose, "A 7"), Some((0, text.len() - "## C\n".len())));
}
