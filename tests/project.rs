//! What stands around the program: the commit of a build, and the version in files for readers.

#[path = "../build/commit.rs"]
mod commit;

use commit::{Repository, git};
use std::fs;
use std::path::Path;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a file of the repository")
}

/// Runs git with none of the user's settings.
fn run_git(directory: &Path, arguments: &[&str]) {
    let user = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
    let mut git = git(directory);
    git.env("GIT_CONFIG_GLOBAL", directory.join("none")).env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.args(user).args(arguments).output().expect("git");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A command of a page is typed on other machines.
#[test]
fn published_pages_name_no_directory_of_a_machine() {
    for page in ["README.md", "report.html", "provenance.json", "tables/claims.csv", "tables/regression.md"] {
        let text = text(&format!("results/published/{page}"));
        let given = text.split("--data-dir ").skip(1).map(|rest| &rest[..1]);
        assert!(given.clone().all(|first| first != "/" && first != "~"), "{page}: {given:?}");
    }
}

#[test]
fn a_build_takes_the_commit_of_its_own_repository_alone() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let outer = home.path().join("outer");
    let vendored = outer.join("vendor/han-exp");
    fs::create_dir_all(&vendored).expect("a directory");
    // The other tests need no git.
    if git(&outer).arg("--version").output().is_err() {
        return;
    }
    fs::write(vendored.join("Cargo.toml"), "[package]").expect("a file");
    fs::create_dir(outer.join("results")).expect("a directory");
    fs::write(outer.join("results/README.md"), "old").expect("a file");
    run_git(&outer, &["init", "--quiet"]);
    run_git(&outer, &["add", "."]);
    run_git(&outer, &["commit", "--quiet", "--message", "Everything"]);
    assert!(Repository::at(&vendored).is_none());

    let repository = Repository::at(&outer).expect("a repository");
    let commit = repository.commit().expect("a commit");
    assert!(commit.len() >= 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{commit}");
    assert!(repository.watched().contains(&outer.join(".git/HEAD")), "{:?}", repository.watched());
    fs::write(outer.join("results/README.md"), "new").expect("a file");
    assert_eq!(repository.commit(), Some(commit.clone()));
    fs::write(vendored.join("Cargo.toml"), "[workspace]").expect("a file");
    assert_eq!(repository.commit(), Some(format!("{commit}-dirty")));

    run_git(&vendored, &["init", "--quiet"]);
    assert!(Repository::at(&vendored).is_some_and(|repository| repository.commit().is_none()));
}

#[test]
fn the_citation_and_the_changelog_have_this_version_and_one_date() {
    let changelog = text("CHANGELOG.md");
    let newest = changelog.lines().find(|line| line.starts_with("## ") && *line != "## Unreleased").expect("a version");
    let (version, date) = newest.trim_start_matches("## ").split_once(" - ").expect("a version and its date");
    assert_eq!(version, env!("CARGO_PKG_VERSION"), "CHANGELOG.md");
    let citation = text("CITATION.cff");
    for line in [format!("version: {version}"), format!("date-released: \"{date}\"")] {
        assert!(citation.lines().any(|other| other == line), "CITATION.cff has no line {line}");
    }
}
