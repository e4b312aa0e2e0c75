//! Tensors from the bytes of storages.

use super::super::content::{Content, Section, entries};
use super::described::{Described, Found, Kind};
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use std::collections::HashMap;

/// Tensors may share storages, as tied weights do, but may not repeat one without end.
const SHARING: usize = 4;

/// The tensors from their descriptions and the storages by name.
///
/// # Errors
/// When a storage is missing, or a tensor is larger than what it is made of.
pub(super) fn sections(found: &[Found<'_>], storages: &HashMap<&str, &[u8]>) -> Result<Vec<Section>> {
    let stored: usize = storages.values().map(|data| data.len()).sum();
    let mut left = stored.saturating_mul(SHARING);
    let mut sections = Vec::new();
    for (key, tensors) in found {
        let read = tensors.iter().map(|described| {
            let content = described.content(storages, &mut left).with_context(|| described.name.to_string())?;
            Ok((described.name.to_string(), content))
        });
        sections.push(Section { key: key.clone(), tensors: read.collect::<Result<_>>()? });
    }
    Ok(sections)
}

impl Described<'_> {
    fn content(&self, storages: &HashMap<&str, &[u8]>, left: &mut usize) -> Result<Content> {
        let Some(Kind { dtype: Some(dtype), width }) = Kind::of(self.class) else {
            let reason = format!("its numbers are those of a {}, not of weights", self.class);
            return Ok(Content::Refused { reason, dims: self.dims.clone() });
        };
        let data = *storages.get(self.storage).with_context(|| format!("its storage {} is missing", self.storage))?;
        let elements = data.len() / width;
        let count = entries(&self.dims).filter(|count| *count <= elements);
        let count = count.with_context(|| format!("shape {:?} is more than its storage of {elements}", self.dims))?;
        let last = self.dims.iter().zip(&self.strides).try_fold(self.offset, |last, (dim, stride)| {
            dim.saturating_sub(1).checked_mul(*stride).and_then(|step| last.checked_add(step))
        });
        ensure!(count == 0 || last.is_some_and(|last| last < elements), "it reaches beyond its storage of {elements}");
        *left = left.checked_sub(count * width).context("too many tensors share a storage")?;
        let mut gathered = Vec::with_capacity(count * width);
        let mut index = vec![0; self.dims.len()];
        let mut place = self.offset;
        for _ in 0..count {
            gathered.extend_from_slice(&data[place * width..(place + 1) * width]);
            place = self.next(&mut index, place);
        }
        Ok(Content::Tensor(Tensor::from_raw_buffer(&gathered, dtype, &self.dims, &Device::Cpu)?))
    }

    /// Where the next element lies in the storage, in row-major order. The stride of an axis with one element is never taken
    /// and may be any number.
    fn next(&self, index: &mut [usize], mut place: usize) -> usize {
        for axis in (0..index.len()).rev() {
            let (dim, stride) = (self.dims[axis], self.strides[axis]);
            index[axis] += 1;
            if index[axis] < dim {
                return place + stride;
            }
            index[axis] = 0;
            place -= if dim > 1 { (dim - 1) * stride } else { 0 };
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    fn content(dims: &[usize], strides: &[usize], offset: usize) -> Result<Vec<f32>> {
        let data: Vec<u8> = (0..6).flat_map(|number| (number as f32).to_le_bytes()).collect();
        let (dims, strides) = (dims.to_vec(), strides.to_vec());
        let described = Described { name: "x", class: "FloatStorage", storage: "0", offset, dims, strides };
        match described.content(&HashMap::from([("0", &data[..])]), &mut 1000)? {
            Content::Tensor(tensor) => Ok(tensor.flatten_all()?.to_vec1()?),
            Content::Refused { reason, .. } => bail!(reason),
        }
    }

    #[test]
    fn strided_tensors_are_read_in_row_major_order() {
        assert_eq!(content(&[2, 3], &[3, 1], 0).expect("a matrix"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(content(&[3, 2], &[1, 3], 0).expect("its transpose"), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(content(&[2], &[2], 1).expect("a part"), [1.0, 3.0]);
        assert_eq!(content(&[], &[], 5).expect("a number"), [5.0]);
        assert_eq!(content(&[2, 1, 2], &[1, usize::MAX, 3], 0).expect("an axis of one"), [0.0, 3.0, 1.0, 4.0]);
        for dims in [[0, 9], [9, 0], [10_000_000_000, 0]] {
            assert_eq!(content(&dims, &[9, 1], 0).expect("nothing"), [0.0; 0]);
        }
    }

    #[test]
    fn tied_tensors_share_a_storage_but_not_without_end() {
        let data = [0; 4000];
        let tensor = |name| {
            let (dims, strides) = (vec![1000], vec![1]);
            Described { name, class: "FloatStorage", storage: "0", offset: 0, dims, strides }
        };
        let share = |count: usize| {
            let tensors = (0..count).map(|_| tensor("0.weight")).collect();
            sections(&[(String::new(), tensors)], &HashMap::from([("0", &data[..])]))
        };
        assert_eq!(share(2).expect("tied weights")[0].tensors.len(), 2);
        let told = format!("{:#}", share(500).expect_err("a file that makes more of itself"));
        assert!(told.contains("too many tensors share a storage"), "{told}");
    }

    #[test]
    fn no_tensor_is_larger_than_its_storage() {
        for (dims, strides, offset) in [
            (&[1_000_000_000][..], &[0][..], 0),
            (&[usize::MAX, 2], &[0, 0], 0),
            (&[0, usize::MAX, 2], &[0, 0, 0], 0),
            (&[6], &[1], 1),
            (&[2], &[usize::MAX], 2),
            (&[1], &[1], usize::MAX),
        ] {
            content(dims, strides, offset).expect_err("a tensor beyond its storage");
        }
    }
}
