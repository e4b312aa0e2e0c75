//! Ctrl-C and polite kills: a command saves the state of its runs and ends.

use super::exit::Exit;
use crate::console::note;
use crate::files;
use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Between two looks whether somebody wants to be told that it stops.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Who kills politely kills otherwise a little later.
const PATIENCE: Duration = Duration::from_millis(1700);
/// A step of a large network and its checkpoint may take longer than that. Nothing is lost by trying: one that is cut short
/// leaves the one before it.
const MOST_PATIENCE: Duration = Duration::from_secs(60);

/// Held by every training under way: a command that has to end waits for their checkpoints.
pub(super) static UNDER_WAY: LazyLock<Arc<()>> = LazyLock::new(Arc::default);

/// The signal that has come, if any.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Whether the command has to end.
    pub fn is_wanted(&self) -> bool {
        self.signal() != 0
    }

    /// Whether somebody at a terminal wants it, who can wait for tables of what is there.
    pub fn is_interrupt(&self) -> bool {
        self.signal() == SIGINT as usize
    }

    /// How a command ends that was stopped.
    pub fn exit(&self) -> Exit {
        Exit::Stopped(u8::try_from(128 + self.signal()).unwrap_or(u8::MAX))
    }

    fn signal(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether nohup has started the program: then the end of its terminal is not its own. False where the system does not say.
fn outlives_terminal() -> bool {
    let status = files::read_text(Path::new("/proc/self/status")).unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    // The first bit is that of signal 1, SIGHUP.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

/// Takes note of the signals that ask a command to end. A second Ctrl-C ends it at once; the others, of which several may come
/// together, a moment after the first.
///
/// # Errors
/// When the system allows no handler or no thread.
pub fn stop_on_signals() -> Result<Stop> {
    let (stop, armed) = (Stop::default(), Arc::new(AtomicBool::new(false)));
    let register = |signal: i32| {
        if signal == SIGINT {
            // In this order: what ends the program at once is armed by the first signal.
            flag::register_conditional_shutdown(signal, 128 + signal, armed.clone())?;
            flag::register(signal, armed.clone())?;
        }
        flag::register_usize(signal, stop.0.clone(), signal as usize)
    };
    let wanted = |signal: &i32| [SIGINT, SIGTERM].contains(signal) || !outlives_terminal();
    for signal in SIGNALS.into_iter().filter(wanted) {
        register(signal).context("cannot wait for Ctrl-C")?;
    }
    let watched = stop.clone();
    let watch = move || {
        while !watched.is_wanted() {
            thread::sleep(LOOK_AGAIN);
        }
        let again = if watched.is_interrupt() { " (Ctrl-C again to stop at once)" } else { "" };
        note(&format!("stopping as soon as the state of the runs is saved{again}"));
        // Whoever waits at a terminal may still be killed by somebody else.
        while watched.is_interrupt() {
            thread::sleep(LOOK_AGAIN);
        }
        let since = Instant::now();
        thread::sleep(PATIENCE);
        while Arc::strong_count(&UNDER_WAY) > 1 && since.elapsed() < MOST_PATIENCE {
            thread::sleep(LOOK_AGAIN);
        }
        signal_hook::low_level::exit(128 + watched.signal() as i32);
    };
    let thread = thread::Builder::new().name("signals".into()).spawn(watch);
    thread.context("cannot start the thread that waits for Ctrl-C; allow more processes or memory")?;
    Ok(stop)
}
