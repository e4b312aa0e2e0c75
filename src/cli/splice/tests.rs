//! The mechanism, on small files.

use super::{splice, spliced};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const TABLE: &str = "arm,epsilon,n,mean,std\nhan,0.1,1000,0.99891,0.0017\nhan,0.5,1234567,-0.0123,\nfc,0.1,3,4.4e-5,\n";
const RECIPE: &str = "from.han = \"small arm=han\"\n[table.both]\nfrom = \"small\"\nlabels = [\"network\"]\n\
    rows = [[\"HanNet, |.|\", \"arm=han\"], [\"FCNet\", \"arm=fc\"]]\ngaps = true\n\
    columns = [[\"0.1\", \"epsilon=0.1: {mean:%}[ +- {std:%}]\"], [\"0.5\", \"epsilon=0.5: {n:,}\"]]\n";

/// A repository with one table.
struct Repository(TempDir);

impl Repository {
    fn with(text: &str) -> Self {
        let home = Self(tempfile::tempdir().expect("a temporary directory"));
        fs::create_dir(home.path("tables")).expect("a directory");
        for (name, text) in [("tables/small.csv", TABLE), ("splice.toml", RECIPE), ("README.md", text)] {
            fs::write(home.path(name), text).expect("a file");
        }
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// What stands between the markers of a number.
fn shown(said: &str) -> Result<String, String> {
    let home = Repository::with(&format!("It is\n<b><!-- = {said} -->old<!-- / --></b>.\n"));
    let text = spliced(home.0.path(), &home.path("README.md")).map_err(|error| format!("{error:#}"))?;
    let text = text.strip_prefix(&format!("It is\n<b><!-- = {said} -->")).expect("the marker stays").to_string();
    Ok(text.strip_suffix("<!-- / --></b>.\n").expect("so does its end").to_string())
}

#[test]
fn numbers_are_written_as_the_template_says() {
    for (said, text) in [
        ("small arm=han epsilon=0.1: {mean:%} +- {std:%1} %", "99.89 +- 0.2 %"),
        ("han epsilon=0.50: {mean:%1}[ +- {std}]", "-1.2"),
        ("han epsilon=0.5: {n:,} and {n:e2}", "1,234,567 and 1.2e6"),
        ("small arm=fc: {mean:e1}, {mean*1000:g2}, {mean:+.1}", "4e-5, 0.044, +0.0"),
        ("small arm=han,fc: {max(mean):.3} of {count()}, {sum(n):,}", "0.999 of 3, 1,235,570"),
        ("small arm=fc: {n*1234:time}, {n*20:time}", "1 h 2 min, 1 min 0 s"),
        ("small epsilon=0.1\narm=han: {n}", "1000"),
    ] {
        assert_eq!(shown(said).as_deref(), Ok(text), "{said}");
    }
}

#[test]
fn one_number_may_follow_another() {
    let number = "<!-- = han epsilon=0.5: {n} -->old<!-- / -->";
    let home = Repository::with(&format!("From {number} {number}.\n"));
    let text = spliced(home.0.path(), &home.path("README.md")).expect("two numbers");
    assert_eq!(text.matches("-->1234567<!--").count(), 2, "{text}");
}

#[test]
fn what_is_not_there_is_named_with_its_line() {
    for (said, told) in [
        ("smaller arm=han: {mean}", "tables/smaller.csv is not there"),
        ("small arm=hat: {mean}", "small.csv: no row has arm=hat; arm is fc, han"),
        ("small arm=fc epsilon=0.5: {mean}", "small.csv arm=fc: no row has epsilon=0.5; epsilon is 0.1"),
        ("small arm=fc: {median}", "has no column \"median\"; it has arm, epsilon, n, mean, std"),
        ("small arm=han: {mean}", "small.csv arm=han are 2 rows; they differ in epsilon, n, mean, std"),
        ("small arm=fc: {std}", "is empty at \"{std}\"; where that may be, put it into [ ]"),
        ("small arm=fc: {arm:%}", "\"fc\" is not a number"),
        ("small arm=fc: {mean:zz}", "\"zz\" is not a number format"),
        ("small arm=fc", "has no {column}"),
        ("arm=fc: {mean}", "names no CSV file"),
    ] {
        let error = shown(said).expect_err(said);
        assert!(error.contains("README.md:2") && error.contains(told), "{error}");
    }
}

#[test]
fn a_table_is_made_of_its_recipe() {
    let home = Repository::with("Both:\n\n<!-- table: both -->\nold\n<!-- /table -->\n\nEnd.\n");
    let (results, readme) = (home.0.path().to_path_buf(), home.path("README.md"));
    splice(&results, std::slice::from_ref(&readme)).expect("a table");
    let text = fs::read_to_string(&readme).expect("the file");
    insta::assert_snapshot!(text, @r"
    Both:

    <!-- table: both -->

    | network | 0.1 | 0.5 |
    | --- | --- | --- |
    | HanNet, \|.\| | 99.89 +- 0.17 | 1,234,567 |
    | FCNet | 0.00 |  |

    <!-- /table -->

    End.
    ");
    assert_eq!(spliced(&results, &readme).expect("a second time"), text);
}

#[test]
fn markers_that_markdown_would_misread_are_refused() {
    for (text, told) in [
        ("Han\n<!-- = small arm=fc: {n} -->3<!-- / -->\n", "README.md:2: a table's marker begins a line"),
        ("Han <!-- table: both -->\n<!-- /table -->\n", "README.md:1: a table's marker begins a line"),
        (
            "Han <!-- = small arm=fc: {n} -->3\n",
            "README.md:1: <!-- = small arm=fc: {n} --> does not end with <!-- / -->",
        ),
        ("a <!-- = han: {n} -->3 <!-- = han: {n} -->3<!-- / -->\n", "before the next one begins"),
        ("<!-- table: all -->\n<!-- /table -->\n", "splice.toml has no [table.all]; it has both"),
    ] {
        let home = Repository::with(text);
        let error = spliced(home.0.path(), &home.path("README.md")).expect_err(text);
        assert!(format!("{error:#}").contains(told), "{error:#}");
    }
}
