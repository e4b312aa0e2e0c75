//! CIFAR's batches for Python in small, as Python and NumPy pickle them.

#![allow(dead_code, reason = "every test program uses its own part of this")]

use super::checkpoint::{Protocol, Py, pickle};

/// What Python 2 wrote for a name.
pub fn string(text: &str) -> Py {
    Py::Bytes(text.into())
}

/// NumPy's array: the kind of its entries, extents, whether they are stored column by column, and their bytes.
pub fn array(kind: &str, extents: &[usize], by_column: bool, bytes: &[u8]) -> Py {
    let call = |module, name, from: Vec<Py>, state: Vec<Py>| {
        Py::Call(Box::new(Py::Global(module, name)), from, Some(Box::new(Py::Tuple(state))))
    };
    let rest = [Py::Int(3), string("|"), Py::None, Py::None, Py::None, Py::Int(-1), Py::Int(-1), Py::Int(0)];
    let kind = call("numpy", "dtype", vec![string(kind), Py::Int(0), Py::Int(1)], rest.into());
    let extents = Py::Tuple(extents.iter().map(|extent| Py::Int(*extent as i64)).collect());
    let state = vec![Py::Int(1), extents, kind, Py::Bool(by_column), Py::Bytes(bytes.to_vec())];
    let empty = vec![Py::Global("numpy", "ndarray"), Py::Tuple(vec![Py::Int(0)]), string("b")];
    call("numpy.core.multiarray", "_reconstruct", empty, state)
}

/// A list of labels.
pub fn list(labels: &[u8]) -> Py {
    Py::List(labels.iter().map(|label| Py::Int(i64::from(*label))).collect())
}

/// A batch of the planes of images, with lists of labels by their keys, and what else a batch holds.
pub fn batch(data: Py, labels: &[(&str, &[u8])], protocol: Protocol) -> Vec<u8> {
    let mut entries = vec![(string("batch_label"), string("training batch 1 of 5"))];
    entries.extend(labels.iter().map(|(key, labels)| (string(key), list(labels))));
    entries.extend([(string("data"), data), (string("filenames"), Py::List(vec![string("camion_s_000148.png")]))]);
    pickle(&Py::Dict(entries), protocol).0
}
