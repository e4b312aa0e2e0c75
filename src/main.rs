//! The `han-exp` program: sets up the process, parses, dispatches, turns the outcome into an exit code.

use han_exp::cli::{Cli, Exit};
use han_exp::console::{note, one_line, something_was_lost};
use han_exp::memory::keep_freed_memory;
use std::io::ErrorKind;
use std::process::ExitCode;

/// Training allocates and frees the same tensors in every step. The system allocator hands large ones back to the
/// kernel each time and pays for it in page faults: a step of the small networks here takes a fifth longer with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// More threads than any processor has.
const MOST_THREADS: usize = 1 << 12;

fn main() -> ExitCode {
    keep_freed_memory();
    let cli = match Cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) => return print(&usage),
    };
    set_threads(cli.threads_per_run());
    let exit = cli.run().unwrap_or_else(|error| {
        note(&format!("error: {}", one_line(&error)));
        Exit::Failure
    });
    let exit = if exit == Exit::Success && something_was_lost() { Exit::Failure } else { exit };
    exit.into()
}

/// Help and version go to standard output, mistakes to standard error.
fn print(usage: &clap::Error) -> ExitCode {
    match usage.print() {
        Err(error) if !usage.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            note(&format!("error: cannot write the help: {error}"));
            Exit::Failure.into()
        }
        // Nobody may be there to read about a mistake; the exit code says it as well.
        _ => u8::try_from(usage.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}

/// candle reads the number of threads from the environment, and where it is not set it parses /proc/cpuinfo at every
/// matrix product. What the user has set stays, if it is a number of threads.
#[allow(unsafe_code, reason = "setting a variable of the environment is unsafe")]
fn set_threads(threads: usize) {
    for (name, value) in [("RAYON_NUM_THREADS", threads.to_string()), ("CANDLE_NUM_THREADS", "1".to_string())] {
        // rayon panics where there can be no such number of threads.
        let usable = |set: &std::ffi::OsStr| {
            set.to_str()?.parse::<usize>().ok().filter(|threads| (1..=MOST_THREADS).contains(threads))
        };
        if std::env::var_os(name).as_deref().and_then(usable).is_none() {
            // SAFETY: this is the start of main, and no other thread is running that could read the environment.
            unsafe { std::env::set_var(name, value) };
        }
    }
}
