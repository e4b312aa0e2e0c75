//! Advice after an interruption: what is kept, and what the next command makes.

use super::page::counted;
use super::runs::Walk;

/// Old runs that are named.
const NAMED: usize = 10;

/// What the next command does, and how to make again what `--force` did not get to; `needs_all` is a flag that cannot be combined
/// with `--run`.
pub(super) fn going_on(walk: &Walk<'_>, force: bool, needs_all: Option<&str>) -> String {
    let again = match walk.repeated {
        0 => String::new(),
        count => format!("; it repeats {}", counted(count, "finished run")),
    };
    let anew = "--force starts every run anew; without it the command";
    let names: Vec<&str> = walk.old.iter().take(NAMED).map(String::as_str).collect();
    match (force, walk.old.len()) {
        (false, _) => format!("run the same command again to resume{again}"),
        (true, 0) => format!("{anew} resumes{again}"),
        (true, count) => {
            let more = if count > NAMED { ",.." } else { "" };
            let without = needs_all.map_or_else(String::new, |flag| format!(" without {flag}"));
            let (runs, names) = (counted(count, "run"), names.join(","));
            format!(
                "{anew} keeps the old results of {runs}; --force --run {names}{more}{without} repeats exactly these"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::runs::Store;

    #[test]
    fn who_stops_a_command_is_told_what_the_next_one_keeps_and_what_it_makes_again() {
        let store = Store::new("nowhere");
        let mut walk = Walk::looking(&store, "cpu");
        let anew = "--force starts every run anew; without it the command";
        assert_eq!(going_on(&walk, false, None), "run the same command again to resume");
        assert_eq!(going_on(&walk, true, None), format!("{anew} resumes"));
        walk.repeated = 1;
        assert_eq!(
            going_on(&walk, false, Some("--all")),
            "run the same command again to resume; it repeats 1 finished run"
        );
        walk.old = vec!["a".into(), "b".into()];
        let told = going_on(&walk, true, None);
        assert_eq!(told, format!("{anew} keeps the old results of 2 runs; --force --run a,b repeats exactly these"));
        let told = going_on(&walk, true, Some("--all"));
        assert!(told.ends_with("--force --run a,b without --all repeats exactly these"), "{told}");
        walk.old = (0..=NAMED).map(|run| run.to_string()).collect();
        let told = going_on(&walk, true, None);
        assert!(told.contains(" of 11 runs; ") && told.contains("--run 0,1,2,3,4,5,6,7,8,9,.. repeats"), "{told}");
    }
}
