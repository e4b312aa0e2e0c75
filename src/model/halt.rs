//! Stopping in the middle of work that makes no steps: attacks, certificates, scores of large sets.

use super::{Chain, Network, Part};
use crate::nn::{Mode, Trace};
use candle_core::{Result, Tensor, bail};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a run has to stop, asked from any thread.
pub struct Halt<'a> {
    wanted: &'a (dyn Fn() -> bool + Sync),
    /// Whether somebody has asked and was stopped.
    obeyed: AtomicBool,
}

impl<'a> Halt<'a> {
    /// That of one run.
    pub fn new(wanted: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { wanted, obeyed: AtomicBool::new(false) }
    }

    /// Whether the run has to stop.
    pub fn is_wanted(&self) -> bool {
        (self.wanted)()
    }

    /// Goes on, or not.
    ///
    /// # Errors
    /// When the run has to stop. Its error is then no failure: see [`Halt::obeyed`].
    pub fn check(&self) -> Result<()> {
        if self.is_wanted() {
            self.obeyed.store(true, Ordering::Relaxed);
            bail!("the run was stopped");
        }
        Ok(())
    }

    /// Whether a [`Halt::check`] has stopped the run.
    pub fn obeyed(&self) -> bool {
        self.obeyed.load(Ordering::Relaxed)
    }

    /// What a run came to: None if it was stopped, whatever came out. Work that takes an error for "there is none" would
    /// otherwise leave a result that lacks something.
    ///
    /// # Errors
    /// The run's own.
    pub fn whole<T>(&self, result: anyhow::Result<Option<T>>) -> anyhow::Result<Option<T>> {
        if self.obeyed() { Ok(None) } else { result }
    }

    /// The same network, which checks before every pass. Whatever attacks, certifies or scores a network makes passes of
    /// some hundred rows; no such work has to know of this.
    pub fn network<'n>(&'n self, network: &'n dyn Network) -> Halting<'n> {
        Halting { network, halt: self }
    }
}

/// See [`Halt::network`].
pub struct Halting<'n> {
    network: &'n dyn Network,
    halt: &'n Halt<'n>,
}

impl Network for Halting<'_> {
    fn forward(&self, xs: &Tensor, mode: Mode) -> Result<Tensor> {
        self.halt.check()?;
        self.network.forward(xs, mode)
    }

    fn in_words(&self) -> Result<String> {
        self.network.in_words()
    }

    fn traced(&self, xs: &Tensor) -> Result<Option<(Tensor, Trace)>> {
        self.halt.check()?;
        self.network.traced(xs)
    }

    fn parts(&self) -> Result<Vec<Part<'_>>> {
        Ok(self.network.parts()?.into_iter().map(|part| checked(self.halt, part)).collect())
    }

    fn chain(&self) -> Result<&Chain> {
        // No pass is made, and whoever asks takes an error for a network that is none.
        self.network.chain()
    }
}

fn checked<'p>(halt: &'p Halt<'p>, part: Part<'p>) -> Part<'p> {
    Box::new(move |xs, mode| {
        halt.check()?;
        part(xs, mode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FcNetConfig, ModelConfig};
    use crate::rng::Seed;
    use candle_core::{DType, Device};

    #[test]
    fn a_network_stops_at_its_next_pass_and_says_that_it_did() -> Result<()> {
        let stop = AtomicBool::new(false);
        let wanted = || stop.load(Ordering::Relaxed);
        let halt = Halt::new(&wanted);
        let model = ModelConfig::Fcnet(FcNetConfig::new(4, 2)).build(3, 2, Seed(1), &Device::Cpu)?;
        let network = halt.network(model.frozen.as_ref());
        let xs = Tensor::ones((5, 3), DType::F32, &Device::Cpu)?;
        let expected = model.frozen.forward(&xs, Mode::Eval)?.to_vec2::<f32>()?;
        assert_eq!(network.forward(&xs, Mode::Eval)?.to_vec2::<f32>()?, expected);
        let parts = network.parts()?;
        let chained = parts.iter().try_fold(xs.clone(), |h, part| part(&h, Mode::Eval))?;
        assert_eq!(chained.dims(), [5, 2]);
        assert!(!halt.obeyed());
        stop.store(true, Ordering::Relaxed);
        assert!(!halt.obeyed());
        assert!(
            network.forward(&xs, Mode::Eval).is_err()
                && network.traced(&xs).is_err()
                && parts[0](&xs, Mode::Eval).is_err()
        );
        assert!(halt.obeyed());
        Ok(())
    }

    #[test]
    fn a_run_that_was_stopped_has_no_result_even_if_it_returns_one() {
        let wanted = AtomicBool::new(false);
        let halt = || wanted.load(Ordering::Relaxed);
        let halt = Halt::new(&halt);
        assert!(halt.check().is_ok());
        assert_eq!(halt.whole(Ok(Some(7))).expect("a result"), Some(7));
        assert!(halt.whole::<u8>(Err(anyhow::anyhow!("broken"))).is_err());
        wanted.store(true, Ordering::Relaxed);
        // Nobody has been stopped yet.
        assert_eq!(halt.whole(Ok(Some(7))).expect("a result"), Some(7));
        assert!(halt.check().is_err());
        assert_eq!(halt.whole(Ok(Some(7))).expect("no result"), None);
        assert_eq!(halt.whole::<u8>(Err(anyhow::anyhow!("the run was stopped"))).expect("no result"), None);
    }
}
