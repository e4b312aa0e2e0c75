//! `han-exp completions` and `han-exp man`: what an installed program has beside it, made from its own commands.

use super::Exit;
use crate::console::{answer, note};
use crate::files;
use anyhow::{Context, Result, bail};
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Shell that reads the script
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Pages {
    /// The command whose page is printed, such as `plan mixer`, instead of the program's; or a directory that the pages of
    /// all commands are written into (./NAME for a new one)
    #[arg(value_name = "COMMAND|DIR")]
    of: Vec<PathBuf>,
}

/// Prints the completion script of a shell.
pub(super) fn completions(mut program: Command, arguments: &Completions) -> Exit {
    let name = program.get_name().to_string();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, name, &mut script);
    answer(&String::from_utf8_lossy(&script));
    Exit::Success
}

/// Prints or writes manual pages.
pub(super) fn man(program: Command, arguments: &Pages) -> Result<Exit> {
    // `help` would get a page for every other command.
    let mut program = program.disable_help_subcommand(true);
    // Gives commands of commands their full names, `han-exp-plan-mixer`.
    program.build();
    let source = format!("{} {}", program.get_name(), env!("CARGO_PKG_VERSION"));
    let command = arguments.of.iter().try_fold(&program, |command, word| command.find_subcommand(word));
    match (command, arguments.of.as_slice()) {
        (Some(command), _) => answer(&String::from_utf8_lossy(&page(command, &source)?.1)),
        // A single word that is not a directory is more likely a misspelt command.
        (None, [directory]) if directory.is_dir() || directory.components().count() > 1 => {
            fs::create_dir_all(directory)
                .and_then(|()| write(&program, &source, directory))
                .with_context(|| format!("cannot write manual pages into {}", directory.display()))?;
            note(&format!("the pages of all commands are in {}", directory.display()));
        }
        (None, words) => {
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            bail!("man {}: there is no such command or directory", words.join(" "));
        }
    }
    Ok(Exit::Success)
}

/// The page of a command, and those of its commands.
fn write(command: &Command, source: &str, directory: &Path) -> std::io::Result<()> {
    let (name, page) = page(command, source)?;
    files::write(&directory.join(name), &page)?;
    command.get_subcommands().try_for_each(|command| write(command, source, directory))
}

/// The name of a page's file, and its text in roff.
fn page(command: &Command, source: &str) -> std::io::Result<(String, Vec<u8>)> {
    let man = Man::new(command.clone()).source(source);
    let mut page = Vec::new();
    man.render(&mut page)?;
    Ok((man.get_filename(), page))
}
