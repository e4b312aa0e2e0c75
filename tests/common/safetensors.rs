//! Files of tensors, byte by byte.

#![allow(dead_code, reason = "every test program uses its own part of this")]

/// A .safetensors file: its list of tensors as JSON, and their bytes.
pub fn safetensors(list: &str, bytes: &[u8]) -> Vec<u8> {
    [&(list.len() as u64).to_le_bytes()[..], list.as_bytes(), bytes].concat()
}

/// One with these tensors.
pub fn tensors(named: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let (mut list, mut bytes) = (Vec::new(), Vec::new());
    for (name, shape, values) in named {
        let start = bytes.len();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let end = bytes.len();
        list.push(format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}"#));
    }
    safetensors(&format!("{{{}}}", list.join(",")), &bytes)
}

/// One with tensors of zeros.
pub fn zeros(named: &[(String, Vec<usize>)]) -> Vec<u8> {
    let zeros = |shape: &[usize]| vec![0.0; shape.iter().product()];
    let named = named.iter().map(|(name, shape)| (name.clone(), shape.clone(), zeros(shape)));
    tensors(&named.collect::<Vec<_>>())
}
