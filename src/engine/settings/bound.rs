//! What an expectation asks for.

use super::file::{File, Statistic};
use super::limits::check_fraction;
use super::names::check_other;
use anyhow::{Result, bail, ensure};

/// A least value of a network, or another that it has to stay above, by the statistic and in every seed.
#[derive(Clone, Copy)]
pub struct Bound<'e> {
    pub arm: &'e str,
    /// Over the seeds.
    pub statistic: Statistic,
    /// 0 to 1.
    pub at_least: Option<f64>,
    pub above: Option<&'e str>,
}

impl Bound<'_> {
    /// Whether the networks that it names are there.
    pub fn is_about(&self, file: &impl File) -> bool {
        std::iter::once(self.arm).chain(self.above).all(|name| file.arm(name).is_some())
    }

    /// Checks it; `origin` names the file.
    pub fn check(&self, file: &impl File, origin: &str) -> Result<()> {
        let Self { arm, at_least, above, .. } = *self;
        check_fraction(origin, &format!("expect of {arm}: at_least"), at_least)?;
        check_other(origin, arm, "above", above)?;
        if let Some(unknown) = std::iter::once(arm).chain(above).find(|name| file.arm(name).is_none()) {
            bail!("{origin}: expect names the unknown arm {unknown:?}");
        }
        let wanted = at_least.is_some() || above.is_some();
        ensure!(wanted, "{origin}: an expectation of {arm} lacks at_least and above");
        Ok(())
    }
}

/// [`Bound`] of a type with the fields.
macro_rules! bound {
    ($expectation:expr) => {
        $crate::engine::settings::Bound {
            arm: &$expectation.arm,
            statistic: $expectation.statistic,
            at_least: $expectation.at_least,
            above: $expectation.above.as_deref(),
        }
    };
}
pub(crate) use bound;
