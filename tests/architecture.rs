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
    ("memory", &[]),
    ("zipped", &[]),
    ("pickle", &[]),
    ("figure", &[]),
    ("nn", &["rng"]),
    ("data", &["rng"]),
    ("baseline", &["data", "rng"]),
    ("model", &["nn", "rng"]),
    ("train", &["model", "data", "nn", "rng"]),
    ("evaluate", &["model", "data", "nn", "rng"]),
    ("engine", &["data", "device", "evaluate", "figure", "model", "nn", "rng", "train"]),
    ("experiment", ROOM),
    ("cli", &["data", "device", "engine", "experiment"]),
    ("inputs", &["data", "engine", "experiment", "model", "rng"]),
];

/// What a room may use: the engine, charts, and the science.
const ROOM: &[&str] = &["baseline", "data", "device", "engine", "evaluate", "figure", "model", "nn", "rng", "train"];

/// Modules that everybody may use.
const EVERYBODY: &[&str] = &["files", "console", "zipped", "pickle"];

/// A room may use no other one, but for this pair.
const ROOMS: (&str, &str) = ("gradients", "checkerboard");

/// Files of rooms that only show what was found: they use nothing that computes, only the words that settings have for it.
const SHOWS: [&str; 2] = ["page", "figures"];
const COMPUTES: [&str; 3] = ["train", "data", "evaluate"];
const WORDS: [&str; 1] = ["evaluate/attack/threat"];

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
        (path, format!("\n{}", lines.map(|line| format!("{line}\n")).collect::<String>()))
    };
    let mut modules: BTreeMap<Vec<String>, String> = files.map(module).collect();
    modules.retain(|path, _| !["lib", "main"].contains(&path[0].as_str()));
    modules
}

/// The paths of a `use` tree: `a::{b, c::{d, e as f}}` is a::b, a::c::d and a::c::e.
fn expanded(tree: &str) -> Vec<String> {
    let Some((before, inner)) = tree.split_once('{') else { return vec![tree.to_string()] };
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut parts, mut depth, mut part) = (Vec::new(), 0, String::new());
    for c in inner.chars().chain([',']) {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            parts.extend(expanded(&part).into_iter().map(|rest| format!("{before}{rest}")));
            part.clear();
        } else {
            part.push(c);
        }
    }
    parts
}

/// Every path after a keyword such as `use `, with the name under which it is known then.
fn paths(code: &str, keyword: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for (place, _) in code.match_indices(keyword) {
        let statement = code[place + keyword.len()..].split(';').next().unwrap_or_default();
        for path in expanded(&statement.split_whitespace().collect::<Vec<_>>().join(" ").replace(", ", ",")) {
            let (path, name) = path.split_once(" as ").map_or((path.as_str(), None), |(p, n)| (p, Some(n.to_string())));
            let parts: Vec<String> = path.split("::").map(|part| part.trim().to_string()).collect();
            let name = name.or_else(|| parts.last().cloned()).unwrap_or_default();
            found.push((parts, name));
        }
    }
    found
}

/// The file that a path leads to from a module, through what modules re-export.
fn resolved(from: &[String], path: &[String], modules: &BTreeMap<Vec<String>, String>, depth: usize) -> Vec<String> {
    let mut module = from.to_vec();
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        match first.as_str() {
            "crate" => module.clear(),
            "self" => {}
            "super" => drop(module.pop()),
            name => {
                module.push(name.to_string());
                if !modules.keys().any(|known| known.starts_with(&module)) {
                    module.pop();
                    break;
                }
            }
        }
        rest = after;
    }
    let Some((item, after)) = rest.split_first().filter(|_| depth < 6) else { return module };
    let exported = modules.get(&module).map(|code| paths(code, "pub use ")).unwrap_or_default();
    let found = exported.into_iter().find(|(_, name)| name == item);
    found.map_or(module.clone(), |(path, _)| resolved(&module, &[&path, after].concat(), modules, depth + 1))
}

/// The files that a file uses: in `use` statements, and in paths that begin with `crate::`.
fn used(path: &[String], code: &str, modules: &BTreeMap<Vec<String>, String>) -> BTreeSet<Vec<String>> {
    let imports = paths(code, "\nuse ").into_iter().map(|(parts, _)| parts);
    let inline = code.match_indices("crate::").map(|(place, _)| {
        let word = |c: &char| c.is_alphanumeric() || *c == '_' || *c == ':';
        let path: String = code[place..].chars().take_while(word).collect();
        path.split("::").map(str::to_string).collect()
    });
    let all = imports.chain(inline).filter(|parts: &Vec<String>| ["crate", "super"].contains(&parts[0].as_str()));
    all.map(|parts| resolved(path, &parts, modules, 0)).filter(|module| !module.is_empty()).collect()
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
                let computes = COMPUTES.contains(&module[0].as_str()) && !WORDS.contains(&text(&module).as_str());
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
