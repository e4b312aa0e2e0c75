//! PyTorch state dicts. candle opens the zip format; its pickle machine, which only builds data and runs nothing, also
//! understands the format that `torch.save` wrote before 2020.

use anyhow::{Context, Result, anyhow, bail, ensure};
use candle_core::pickle::{self, Object, PthTensors, Stack, TensorInfo};
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The pickled magic number that a legacy file begins with: protocol 2, LONG1 of ten bytes, stop.
pub const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";

/// Keys under which training programs keep the state dict beside other things.
const NESTED_KEYS: [&str; 4] = ["state_dict", "model_state_dict", "model", "net"];

/// Tensors of a zip file, in the order of the state dict.
pub fn read_zip(path: &Path) -> Result<Vec<(String, Tensor)>> {
    guarded(|| {
        let mut keys = vec![None];
        keys.extend(NESTED_KEYS.map(Some));
        for key in keys {
            // A key that is not there is an error or an empty list, as the file has it; the next one may be.
            let infos = pickle::read_pth_tensor_info(path, false, key).or_else(|e| key.map(|_| vec![]).ok_or(e))?;
            if infos.is_empty() {
                continue;
            }
            let tensors = PthTensors::new(path, key)?;
            let mut named = Vec::new();
            for info in in_order(infos) {
                let tensor = tensors.get(&info.name)?.with_context(|| format!("{} has no data", info.name))?;
                named.push((info.name, tensor));
            }
            return Ok(named);
        }
        bail!("it holds no tensors")
    })
}

/// Tensors of a legacy file, in the order of the state dict.
///
/// After the magic number come three pickles (protocol version, system information, the state dict), then one with
/// the list of storage keys, then for each key the number of its elements (i64) and their bytes, little-endian.
pub fn read_legacy(bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    guarded(|| {
        let mut reader = Cursor::new(&bytes[LEGACY_MAGIC.len()..]);
        let mut next = || -> Result<Object> {
            let mut stack = Stack::empty();
            stack.read_loop(&mut reader)?;
            Ok(stack.finalize()?)
        };
        let (_protocol, _system) = (next()?, next()?);
        let infos = in_order(tensor_infos(next()?)?);
        ensure!(!infos.is_empty(), "it holds no tensors");
        let keys = match next()? {
            Object::List(keys) => keys,
            _ => bail!("the list of storages is missing"),
        };
        let widths: HashMap<String, usize> =
            infos.iter().map(|info| (storage_key(info), info.dtype.size_in_bytes())).collect();
        let mut storages = HashMap::new();
        for key in keys {
            let key = key.unicode().map_err(|_| anyhow!("a storage has no name"))?;
            let width = *widths.get(&key).with_context(|| format!("storage {key} belongs to no tensor"))?;
            storages.insert(key, read_storage(&mut reader, width)?);
        }
        infos.into_iter().map(|info| tensor(info, &storages)).collect()
    })
}

fn tensor_infos(state: Object) -> Result<Vec<TensorInfo>> {
    let Object::Dict(entries) = state else { bail!("its content is no dictionary") };
    let nested = entries.iter().position(|(key, value)| {
        matches!(key, Object::Unicode(key) if NESTED_KEYS.contains(&key.as_str())) && matches!(value, Object::Dict(_))
    });
    if let Some(place) = nested {
        return tensor_infos(entries.into_iter().nth(place).map(|(_, value)| value).context("the place was found")?);
    }
    let infos = entries.into_iter().map(|(key, value)| value.into_tensor_info(key, Path::new("")));
    Ok(infos.collect::<candle_core::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// candle's machine pops the entries of a dictionary off a stack: they come last first.
fn in_order(mut infos: Vec<TensorInfo>) -> Vec<TensorInfo> {
    infos.reverse();
    infos
}

fn storage_key(info: &TensorInfo) -> String {
    info.path.trim_start_matches('/').to_string()
}

fn read_storage(reader: &mut Cursor<&[u8]>, width: usize) -> Result<Vec<u8>> {
    let mut count = [0; 8];
    reader.read_exact(&mut count).context("the file ends before its storages")?;
    let length = usize::try_from(i64::from_le_bytes(count)).ok().and_then(|count| count.checked_mul(width));
    let left = reader.get_ref().len() as u64 - reader.position();
    let length = length.filter(|length| *length as u64 <= left).context("the file ends within a storage")?;
    let mut data = vec![0; length];
    reader.read_exact(&mut data)?;
    Ok(data)
}

fn tensor(info: TensorInfo, storages: &HashMap<String, Vec<u8>>) -> Result<(String, Tensor)> {
    let name = info.name.clone();
    let data = storages.get(&storage_key(&info)).with_context(|| format!("{name} has no storage"))?;
    let width = info.dtype.size_in_bytes();
    // candle gives the offset in bytes.
    let offset = info.layout.start_offset() / width;
    let mut gathered = Vec::with_capacity(info.layout.shape().elem_count() * width);
    for index in places(info.layout.dims(), info.layout.stride(), offset) {
        let element = data.get(index * width..(index + 1) * width);
        gathered.extend_from_slice(element.with_context(|| format!("{name} reaches beyond its storage"))?);
    }
    ensure!(info.dtype != DType::U8, "{name} is a tensor of bytes, not of weights");
    Ok((name, Tensor::from_raw_buffer(&gathered, info.dtype, info.layout.dims(), &Device::Cpu)?))
}

/// Where the elements of a strided tensor lie in its storage, in row-major order.
fn places(dims: &[usize], strides: &[usize], offset: usize) -> Vec<usize> {
    dims.iter().zip(strides).fold(vec![offset], |starts, (&dim, &stride)| {
        starts.iter().flat_map(|start| (0..dim).map(move |step| start + step * stride)).collect()
    })
}

/// candle's reader takes the structure of a file for granted and panics on some broken ones; for a user that is an
/// error like any other.
fn guarded<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(read));
    std::panic::set_hook(hook);
    result.unwrap_or_else(|_| Err(anyhow!("its structure is broken")))
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn strided_tensors_are_gathered_in_row_major_order() {
        assert_eq!(places(&[2, 3], &[3, 1], 5), [5, 6, 7, 8, 9, 10]);
        assert_eq!(places(&[2, 3], &[1, 2], 0), [0, 2, 4, 1, 3, 5]);
        assert_eq!(places(&[], &[], 7), [7]);
    }
}
