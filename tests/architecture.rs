//! Who may use whom: the table of ARCHITECTURE.md, held against the `use crate::` lines of the source; and no circle of files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module and the modules that it may use. Of two that fit a file the longer one counts.
const MAY_USE: &[(&str, &[&str])] = &[
    ("rng", &[]),
    ("device", &[]),
    ("files", &[]),
    ("console", &[]),
    ("zipped", &[]),
    ("figure", &[]),
    ("nn", &["rng"]),
    ("data", &["rng"]),
    ("model", &["nn", "rng"]),
    ("train", &["model", "data", "nn", "rng"]),
    ("evaluate", &["model", "data", "nn", "rng"]),
    ("baseline", &["data", "rng"]),
    ("engine", &["data", "device", "evaluate", "figure", "model", "nn", "rng", "train"]),
    ("experiment", ROOM),
    ("cli", &["data", "device", "engine", "experiment"]),
];

/// What a room may use: the engine, charts, and the science.
const ROOM: &[&str] = &["baseline", "data", "device", "engine", "evaluate", "figure", "model", "nn", "rng", "train"];

/// Modules that everybody may use.
const EVERYBODY: &[&str] = &["files", "console", "zipped"];

/// A room may use no other one, but for this pair.
const ROOMS: (&str, &str) = ("gradients", "checkerboard");

/// Files of rooms that only show what was found: they use nothing that computes.
const SHOWS: [&str; 2] = ["page", "figures"];
const COMPUTES: [&str; 4] = ["train", "data", "evaluate", "nn"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn source_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a source directory").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { source_files(&path) } else { vec![path] }).collect()
}

/// Every source file by its module path, with its code outside comments and tests.
fn modules() -> BTreeMap<Vec<String>, String> {
    let source = source();
    let files = source_files(&source).into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs"));
    let module = |file: PathBuf| {
        let relative = file.strip_prefix(&source).expect("a path below src").with_extension("");
        let mut path: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if path.last().is_some_and(|last| last == "mod") {
            path.pop();
        }
        let text = fs::read_to_string(&file).expect("a source file");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        (path, lines.map(|line| format!("{line}\n")).collect())
    };
    let mut modules: BTreeMap<Vec<String>, String> = files.map(module).collect();
    modules.retain(|path, _| !["lib", "main"].contains(&path[0].as_str()));
    modules
}

/// Paths that a file names after `crate::` or `super::`, as far as they are modules.
fn used(path: &[String], code: &str, modules: &BTreeMap<Vec<String>, String>) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for (mark, base) in [("crate::", Vec::new()), ("super::", parent(path, modules))] {
        for (place, _) in code.match_indices(mark) {
            let before = &code[..place];
            if mark == "super::" && before.ends_with("super::") {
                continue;
            }
            let mut after = &code[place + mark.len()..];
            let mut module = base.clone();
            while let Some(rest) = after.strip_prefix("super::") {
                module.pop();
                after = rest;
            }
            for name in after.split("::") {
                let word: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                module.push(word.clone());
                if !modules.keys().any(|known| known.starts_with(&module)) {
                    module.pop();
                    break;
                }
                if word.len() != name.len() {
                    break;
                }
            }
            if !module.is_empty() {
                found.insert(module);
            }
        }
    }
    found
}

/// The module that `super` is for a file.
fn parent(path: &[String], _modules: &BTreeMap<Vec<String>, String>) -> Vec<String> {
    path[..path.len() - 1].to_vec()
}

fn text(path: &[String]) -> String {
    path.join("/")
}

#[test]
fn modules_use_only_what_stands_before_them() {
    let modules = modules();
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    for (path, code) in &modules {
        let first = path[0].as_str();
        let may_use = allowed.get(first).unwrap_or_else(|| panic!("{first} is not in the table"));
        for module in used(path, code, &modules) {
            let name = module[0].as_str();
            let fits = name == first || EVERYBODY.contains(&name) || may_use.contains(&name);
            assert!(fits, "{} uses {}; {first} may use {may_use:?}", text(path), text(&module));
        }
    }
}

#[test]
fn a_room_uses_no_other_room_and_what_shows_computes_nothing() {
    let modules = modules();
    for (path, code) in modules.iter().filter(|(path, _)| path[0] == "experiment" && path.len() > 1) {
        let room = path[1].as_str();
        for module in used(path, code, &modules) {
            if module[0] == "experiment" && module.len() > 1 && module[1] != room {
                assert_eq!((room, module[1].as_str()), ROOMS, "{} uses {}", text(path), text(&module));
            }
            if path.len() > 2 && SHOWS.contains(&path[2].as_str()) {
                let computes = COMPUTES.contains(&module[0].as_str());
                assert!(!computes, "{} shows, and uses {}", text(path), text(&module));
            }
        }
    }
}

#[test]
fn the_engine_names_no_experiment() {
    let modules = modules();
    let rooms: BTreeSet<&String> =
        modules.keys().filter(|path| path[0] == "experiment").filter_map(|path| path.get(1)).collect();
    assert!(rooms.len() > 3, "{rooms:?}");
    for (path, code) in modules.iter().filter(|(path, _)| path[0] == "engine") {
        for room in &rooms {
            assert!(!code.contains(&format!("\"{room}\"")), "{} names {room}", text(path));
        }
    }
}

/// Files use each other in one direction: what a file needs is before it. A parent that re-exports its files is no user of them.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let modules = modules();
    let uses: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = modules
        .iter()
        .map(|(path, code)| {
            let mut used = used(path, code, &modules);
            used.retain(|other| other != path && !path.starts_with(other) && !other.starts_with(path));
            (path, used)
        })
        .collect();
    let mut done: BTreeSet<&Vec<String>> = BTreeSet::new();
    while done.len() < uses.len() {
        let free = |path: &&Vec<String>| {
            let waits = |other: &Vec<String>| uses.contains_key(other) && !done.contains(other);
            !done.contains(*path) && !uses[*path].iter().any(waits)
        };
        let next: Vec<&Vec<String>> = uses.keys().copied().filter(free).collect();
        let left = || uses.keys().filter(|path| !done.contains(*path)).map(|path| text(path)).collect::<Vec<_>>();
        assert!(!next.is_empty(), "these files use each other: {:?}", left());
        done.extend(next);
    }
}
