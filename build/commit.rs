//! The commit that the program is built from. It has a file of its own so that tests/project.rs can run it without a build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository whose top level is this directory.
pub struct Repository<'d>(&'d Path);

impl<'d> Repository<'d> {
    /// None where there is none, and where the directory lies inside the repository of another project, as a vendored copy
    /// or an unpacked .crate does: its commit says nothing about this program.
    pub fn at(directory: &'d Path) -> Option<Self> {
        let repository = Self(directory);
        let top = repository.answer(&["rev-parse", "--show-toplevel"])?;
        (fs::canonicalize(top).ok()? == fs::canonicalize(directory).ok()?).then_some(repository)
    }

    /// Its commit, with `-dirty` where files that git tracks differ from it; None before the first commit. Published results are
    /// not counted: they are what the program writes, and a publish goes on between its experiments.
    pub fn commit(&self) -> Option<String> {
        let commit = self.answer(&["rev-parse", "HEAD"])?;
        let changes =
            self.answer(&["status", "--porcelain", "--untracked-files=no", "--", ".", ":!results"]).unwrap_or_default();
        Some(if changes.is_empty() { commit } else { format!("{commit}-dirty") })
    }

    /// Files of git, of which every commit and every checkout changes one.
    pub fn watched(&self) -> Vec<PathBuf> {
        let place = |file: &&str| self.answer(&["rev-parse", "--git-path", file]).map(|path| self.0.join(path));
        ["HEAD", "logs/HEAD"].iter().filter_map(place).filter(|path| path.exists()).collect()
    }

    fn answer(&self, arguments: &[&str]) -> Option<String> {
        let output = git(self.0).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    }
}

/// git in a directory. The hooks of a repository set variables that make git look there, wherever it is started.
pub fn git(directory: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(directory);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(variable);
    }
    git
}
