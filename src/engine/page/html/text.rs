//! Paragraphs as HTML. They are written in the little Markdown that reads well on a terminal, too: `**strong**`, `` `code` ``, lists.

use std::fmt::Write;

/// A text in which no character is markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Paragraphs and lists.
pub(super) fn paragraphs(text: &str) -> String {
    let mut html = String::new();
    for part in text.split("\n\n").filter(|part| !part.trim().is_empty()) {
        let (items, lines): (Vec<&str>, Vec<&str>) =
            part.lines().filter(|line| !line.is_empty()).partition(|line| line.starts_with("- "));
        // Writing to a string cannot fail.
        if !lines.is_empty() {
            let _ = writeln!(html, "<p>{}</p>", inline(&lines.join(" ")));
        }
        if !items.is_empty() {
            let _ = writeln!(html, "{}", list(items.into_iter().map(|item| inline(&item[2..]))));
        }
    }
    html
}

/// A list of what is HTML already.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    format!("<ul>{}</ul>", items.map(|item| format!("<li>{item}</li>")).collect::<String>())
}

/// A line: what stands between two signs of a kind is marked up.
pub(super) fn inline(text: &str) -> String {
    let mut html = String::new();
    for (place, code) in text.split('`').enumerate() {
        if place % 2 == 1 {
            let _ = write!(html, "<code>{}</code>", command(code));
            continue;
        }
        for (place, part) in code.split("**").enumerate() {
            let part = escaped(part);
            html += &if place % 2 == 1 { format!("<strong>{part}</strong>") } else { part };
        }
    }
    html
}

/// A command, whose flags are not broken after their hyphens.
pub(super) fn command(text: &str) -> String {
    let word = |word: &str| match word.starts_with('-') {
        true => format!("<span class=\"flag\">{}</span>", escaped(word)),
        // A list of names may go on in the next line after a comma.
        false => escaped(word).replace(',', ",<wbr>"),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_is_marked_up_and_its_characters_stay() {
        let html = paragraphs("**Errors**, `a<b` & |.|\nof all.\n\n- one\n- <two>");
        assert_eq!(
            html,
            "<p><strong>Errors</strong>, <code>a&lt;b</code> &amp; |.| of all.</p>\n<ul><li>one</li><li>&lt;two&gt;</li></ul>\n"
        );
    }
}
