//! Ctrl-C and polite kills: a command saves the state of its runs and ends.

use super::exit::Exit;
use crate::console::note;
use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Between two looks whether somebody wants to be told that it stops.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Who kills politely kills otherwise a little later. By then everything that can be saved is.
const PATIENCE: Duration = Duration::from_millis(1700);

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
    for signal in SIGNALS {
        register(signal).context("cannot wait for Ctrl-C")?;
    }
    let watched = stop.clone();
    let watch = move || {
        while !watched.is_wanted() {
            thread::sleep(LOOK_AGAIN);
        }
        let again = if watched.is_interrupt() { " (Ctrl-C again to stop at once)" } else { "" };
        note(&format!("stopping; finished runs and the state of the others are kept{again}"));
        // Whoever waits at a terminal may still be killed by somebody else.
        while watched.is_interrupt() {
            thread::sleep(LOOK_AGAIN);
        }
        thread::sleep(PATIENCE);
        signal_hook::low_level::exit(128 + watched.signal() as i32);
    };
    let thread = thread::Builder::new().name("signals".into()).spawn(watch);
    thread.context("cannot start the thread that waits for Ctrl-C; allow more processes or memory")?;
    Ok(stop)
}
