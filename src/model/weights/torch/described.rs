//! Tensors as a pickle describes them.

use candle_core::DType;

/// How the elements of a storage are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// None of what no weights are made of.
    pub(super) dtype: Option<DType>,
    pub(super) width: usize,
}

impl Kind {
    pub(super) fn of(class: &str) -> Option<Self> {
        let (dtype, width) = match class {
            "FloatStorage" => (Some(DType::F32), 4),
            "DoubleStorage" => (Some(DType::F64), 8),
            "HalfStorage" => (Some(DType::F16), 2),
            "BFloat16Storage" => (Some(DType::BF16), 2),
            "ByteStorage" | "CharStorage" | "BoolStorage" | "QInt8Storage" | "QUInt8Storage" => (None, 1),
            "ShortStorage" => (None, 2),
            "IntStorage" | "QInt32Storage" => (None, 4),
            "LongStorage" | "ComplexFloatStorage" => (None, 8),
            "ComplexDoubleStorage" => (None, 16),
            _ => return None,
        };
        Some(Self { dtype, width })
    }
}

/// A tensor as a pickle describes it.
pub(super) struct Described<'a> {
    pub(super) name: &'a str,
    pub(super) class: &'a str,
    pub(super) storage: &'a str,
    pub(super) offset: usize,
    pub(super) dims: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// The tensors of a dictionary, and the keys that lead to it.
pub(super) type Found<'a> = (String, Vec<Described<'a>>);
