//! Rounding of a single operation.

/// What a program computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Single.
    F32,
    /// Double.
    F64,
}

impl Precision {
    /// Largest relative error of one operation, to nearest.
    pub(super) fn unit(self) -> f64 {
        match self {
            Self::F32 => f64::from(f32::EPSILON) / 2.0,
            Self::F64 => f64::EPSILON / 2.0,
        }
    }

    /// Largest finite number.
    pub(super) fn largest(self) -> f64 {
        match self {
            Self::F32 => f64::from(f32::MAX),
            Self::F64 => f64::MAX,
        }
    }

    /// Largest absolute error where numbers underflow, even if the machine flushes them to zero.
    pub(super) fn underflow(self) -> f64 {
        match self {
            Self::F32 => f64::from(f32::MIN_POSITIVE),
            Self::F64 => f64::MIN_POSITIVE,
        }
    }

    pub(super) fn gamma(self, operations: usize) -> f64 {
        let errors = operations as f64 * self.unit();
        // Beyond 1 the analysis says nothing, and an infinite bound certifies nothing.
        if errors < 1.0 { errors / (1.0 - errors) } else { f64::INFINITY }
    }
}
