//! How many threads a kernel may use.

use rayon::ThreadPoolBuilder;
use std::error::Error;
use std::sync::OnceLock;

/// Threads of the pool that this thread would hand work to; 1 where none can be started, as under a limit on processes.
/// Then nothing may be given to rayon, which panics without a pool: whoever counts one thread works on its own.
pub fn count() -> usize {
    // A thread of a pool asks that pool, and starts no other.
    if rayon::current_thread_index().is_some() || global_pool_runs() { rayon::current_num_threads() } else { 1 }
}

fn global_pool_runs() -> bool {
    static RUNS: OnceLock<bool> = OnceLock::new();
    *RUNS.get_or_init(|| match ThreadPoolBuilder::new().build_global() {
        Ok(()) => true,
        // An error without a cause says that there is a pool already.
        Err(error) => error.source().is_none(),
    })
}
