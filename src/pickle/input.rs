//! Bytes that are read from front to back.

use anyhow::{Context, Result};

/// Bytes, and how many were read.
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let left = &self.bytes[self.at..];
        let taken = left.get(..length).context("it ends too soon")?;
        self.at += length;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// A number without a sign, little-endian.
    pub(super) fn number(&mut self, width: usize) -> Result<usize> {
        let number = self.take(width)?.iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        usize::try_from(number).context("a length is beyond this machine")
    }

    pub(super) fn line(&mut self) -> Result<&'a str> {
        let end = self.bytes[self.at..].iter().position(|byte| *byte == b'\n').context("it ends too soon")?;
        let line = self.take(end + 1)?;
        std::str::from_utf8(&line[..end]).context("a name is not UTF-8")
    }
}
