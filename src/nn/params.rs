//! Seeded parameters in a fixed order.
//!
//! candle's `VarMap` iterates in the random order of a hash map and its CPU initialisers cannot be seeded. Here the
//! order is that of construction, and the initial value of a parameter is a function of the seed and of its name.

use super::init::{self, Init};
use super::kernels::han::{SHORTEST, norms};
use super::{spectral, stiefel};
use crate::rng::Seed;
use candle_core::{DType, Result, Tensor, Var, bail};
use std::collections::HashMap;

pub use super::scope::Scope;

/// What a parameter is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Role {
    /// Trained by gradients; counts as a parameter.
    Trained,
    /// Trained; every stored tensor is a direction u of a Han-layer, which may not be zero.
    Direction,
    /// Trained; a matrix with orthonormal rows or columns, brought back by [`Parameters::retract`].
    Orthonormal,
    /// Trained; a matrix whose spectral norm stays within a bound, brought back by [`Parameters::retract`].
    Bounded {
        /// The largest norm.
        norm: f64,
    },
    /// Kept by the layer itself (running statistics); saved, but not a parameter.
    Buffer,
}

/// One tensor of a weights file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
}

/// Whether a tensor of the shape `found` can stand for one of the shape `wanted`: a vector may come flat, as a row or as a
/// column; otherwise shapes are equal.
pub(crate) fn same_shape(wanted: &[usize], found: &[usize]) -> bool {
    let longer_than_1 = |dims: &[usize]| dims.iter().copied().filter(|len| *len != 1).collect::<Vec<_>>();
    let is_vector = wanted.len() <= 1 || wanted[1..] == [1];
    wanted == found || (is_vector && found.len() <= 2 && longer_than_1(wanted) == longer_than_1(found))
}

/// Tensors of one shape whose initial values are drawn together, from the stream named after the first of them.
#[derive(Debug, Clone)]
pub struct Draw {
    /// How they start.
    pub init: Init,
    /// What they are saved as.
    pub stored: Vec<Stored>,
}

impl Draw {
    pub(super) fn values(&self, seed: &Seed) -> Result<Vec<f64>> {
        let Some(first) = self.stored.first() else { bail!("a parameter is stored as at least one tensor") };
        // A tensor by itself keeps its rows and columns; several, and unit vectors in any case, are one row each.
        let rows = [self.stored.len(), first.shape.iter().product()];
        let alone = self.stored.len() == 1 && !self.init.is_of_rows();
        let dims = if alone { first.shape.as_slice() } else { &rows };
        Ok(init::values(self.init, dims, &mut seed.stream(&format!("init/{}", first.name))))
    }
}

/// A variable and how it is saved: as one tensor, or, for the layers of a stack, as one tensor for each part.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The variable that layers share.
    pub var: Var,
    /// What it is for.
    pub role: Role,
    /// The tensors it is saved as, one after the other in its entries.
    pub stored: Vec<Stored>,
    /// Factors on the learning rate, each for as many of the variable's entries; empty where all learn at the usual rate.
    pub paces: Vec<f64>,
}

/// All parameters of a model, in the order in which its layers asked for them.
#[derive(Debug, Clone, Default)]
pub struct Parameters(pub(super) Vec<Parameter>);

impl Parameters {
    /// Every parameter and buffer, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.0.iter()
    }

    /// The variables that an optimizer updates, in order.
    pub fn trained(&self) -> Vec<Var> {
        self.iter().filter(|p| p.role != Role::Buffer).map(|p| p.var.clone()).collect()
    }

    /// Number of trained scalars.
    pub fn count(&self) -> usize {
        self.iter().filter(|p| p.role != Role::Buffer).map(|p| p.var.elem_count()).sum()
    }

    /// Whether every entry of every parameter is a finite number.
    pub fn all_finite(&self) -> Result<bool> {
        for parameter in self.iter() {
            // A sum is not finite if one of its terms is not. In fewer digits it would overflow with weights that are fine.
            let values = parameter.var.as_detached_tensor().to_dtype(DType::F64)?;
            if !values.abs()?.sum_all()?.to_scalar::<f64>()?.is_finite() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Brings every orthonormal and every bounded matrix back to where it has to be: call it after each update of the
    /// parameters.
    ///
    /// # Errors
    /// When a matrix has lost its rank, so that there is no way back. One that is not finite stays as it is.
    pub fn retract(&self) -> Result<()> {
        for Parameter { var, role, .. } in self.iter() {
            match role {
                Role::Orthonormal => var.set(&stiefel::nearest(&var.as_detached_tensor())?)?,
                Role::Bounded { norm } => {
                    if let Some(scaled) = spectral::within(&var.as_detached_tensor(), *norm)? {
                        var.set(&scaled)?;
                    }
                }
                Role::Trained | Role::Direction | Role::Buffer => {}
            }
        }
        Ok(())
    }

    /// The tensors of a weights file, in order.
    pub fn to_stored(&self) -> Result<Vec<(String, Tensor)>> {
        let mut tensors = Vec::new();
        for Parameter { var, stored, .. } in self.iter() {
            let entries = var.as_detached_tensor().flatten_all()?;
            let mut start = 0;
            for Stored { name, shape } in stored {
                let len = shape.iter().product();
                tensors.push((name.clone(), entries.narrow(0, start, len)?.reshape(shape.as_slice())?.copy()?));
                start += len;
            }
        }
        Ok(tensors)
    }

    /// Sets every parameter from the tensors of a weights file, given by name.
    ///
    /// # Errors
    /// When a name is missing, a tensor has another shape or whole numbers for entries, a direction is zero or not finite,
    /// or a matrix that has to be orthonormal is not. Nothing is changed then.
    pub fn assign(&self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        self.set(tensors, true)
    }

    /// Sets every parameter to what [`Parameters::to_stored`] gave, whatever that is: a training that goes on may just have
    /// made a value that is not finite.
    ///
    /// # Errors
    /// When a name is missing, or a tensor has another shape or whole numbers for entries. Nothing is changed then.
    pub fn restore(&self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        self.set(tensors, false)
    }

    fn set(&self, tensors: &HashMap<String, Tensor>, checked: bool) -> Result<()> {
        let mut values = Vec::with_capacity(self.0.len());
        for Parameter { var, stored, role, .. } in self.iter() {
            let mut pieces = Vec::with_capacity(stored.len());
            for part in stored {
                let Some(tensor) = tensors.get(&part.name) else { bail!("weights lack the tensor {}", part.name) };
                if !same_shape(&part.shape, tensor.dims()) {
                    bail!("{}: expected shape {:?}, found {:?}", part.name, part.shape, tensor.dims());
                }
                if !tensor.dtype().is_float() {
                    bail!("{}: expected floating-point numbers, found type {}", part.name, tensor.dtype().as_str());
                }
                let piece = tensor.to_device(var.device())?.to_dtype(var.dtype())?.flatten_all()?;
                if checked
                    && *role == Role::Direction
                    && let Some((_, problem)) =
                        wrong_direction(&piece.to_dtype(DType::F64)?.to_vec1()?, piece.elem_count())
                {
                    bail!("the direction {} {problem}", part.name);
                }
                pieces.push(piece);
            }
            let whole = Tensor::cat(&pieces, 0)?.reshape(var.shape())?;
            match role {
                Role::Orthonormal if checked => stiefel::check(&whole)?,
                // A wider norm in a foreign file is what it is; certificates measure it.
                Role::Orthonormal | Role::Trained | Role::Direction | Role::Bounded { .. } | Role::Buffer => {}
            }
            values.push(whole);
        }
        self.iter().zip(values).try_for_each(|(parameter, value)| parameter.var.set(&value))
    }
}

/// Holds the rows of a tensor against what a direction u may be.
///
/// # Errors
/// When a row is zero (or shorter than any that training makes), not finite, or so long that its length overflows: its reflection
/// is undefined.
pub fn check_directions(direction: &Tensor) -> Result<()> {
    let (_, width) = direction.dims2()?;
    let entries: Vec<f64> = direction.detach().to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    if let Some((layer, problem)) = wrong_direction(&entries, width) {
        bail!("direction u of Han-layer {layer} {problem}");
    }
    Ok(())
}

/// The first row that cannot be a direction, and why.
fn wrong_direction(directions: &[f64], width: usize) -> Option<(usize, &'static str)> {
    let width = width.max(1);
    let problem = |(u, norm): (&[f64], f64)| {
        if u.iter().any(|u| !u.is_finite()) {
            return Some("is not finite");
        }
        if norm.is_infinite() {
            return Some("is too long: its length overflows");
        }
        u.iter().all(|u| u.abs() < SHORTEST).then_some("is zero: its reflection is undefined")
    };
    let rows = directions.chunks_exact(width).zip(norms(directions, width)).enumerate();
    rows.filter_map(|(row, u)| Some((row, problem(u)?))).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Scope;
    use candle_core::Device;

    #[test]
    fn the_first_direction_that_is_none_is_named_with_its_fault() -> Result<()> {
        let largest = f64::MAX;
        for (row, problem) in [
            ([1.0, f64::NAN], Some("is not finite")),
            ([f64::INFINITY, 0.0], Some("is not finite")),
            ([largest, largest], Some("is too long: its length overflows")),
            ([0.0, -0.0], Some("is zero: its reflection is undefined")),
            ([1e-19, 0.0], Some("is zero: its reflection is undefined")),
            ([largest / 2.0, largest / 2.0], None),
            ([1e-17, 0.0], None),
        ] {
            let rows = [[1.0, 2.0], [3.0, 4.0], row, [0.0, 0.0]];
            let told = check_directions(&Tensor::new(&rows, &Device::Cpu)?).expect_err("the last is zero").to_string();
            let expected = match problem {
                Some(problem) => format!("direction u of Han-layer 2 {problem}"),
                None => "direction u of Han-layer 3 is zero: its reflection is undefined".into(),
            };
            assert!(told.contains(&expected), "{told}");
        }
        Ok(())
    }

    #[test]
    fn vectors_may_be_columns_rows_or_flat_but_matrices_may_not_be_transposed() {
        assert!(same_shape(&[30, 1], &[30]) && same_shape(&[30], &[30, 1]) && same_shape(&[30, 1], &[1, 30]));
        assert!(!same_shape(&[30, 2], &[2, 30]) && !same_shape(&[30, 1], &[31]) && !same_shape(&[2, 30], &[60]));
    }

    #[test]
    fn weights_in_half_precision_may_add_up_to_more_than_it_can_say() -> Result<()> {
        let scope = Scope::new(Seed(1), DType::F16, &Device::Cpu);
        let weight = scope.buffer("weight", 70_000, Init::Constant { value: 1.0 })?;
        assert!(scope.parameters().all_finite()?);
        weight.set(&(weight.as_detached_tensor() * f64::INFINITY)?)?;
        assert!(!scope.parameters().all_finite()?);
        Ok(())
    }
}
