//! Seeded parameters in a fixed order.
//!
//! candle's `VarMap` iterates in the random order of a hash map and its CPU initialisers cannot be seeded. Here the
//! order is that of construction, and the initial value of a parameter is a function of the seed and of its name.

use super::init::{self, Init};
use super::kernels::han::SHORTEST;
use super::{spectral, stiefel};
use crate::rng::Seed;
use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

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

/// Tensors of one shape whose initial values are drawn together, from the stream named after the first of them.
#[derive(Debug, Clone)]
pub struct Draw {
    /// How they start.
    pub init: Init,
    /// What they are saved as.
    pub stored: Vec<Stored>,
}

impl Draw {
    fn values(&self, seed: &Seed) -> Result<Vec<f64>> {
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
    /// A factor on the learning rate for each of them; empty where all of them learn at the usual rate. The tensors are
    /// then of equal size.
    pub paces: Vec<f64>,
}

/// All parameters of a model, in the order in which its layers asked for them.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Vec<Parameter>);

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
            // A sum is not finite if one of its terms is not; it overflows only when the weights are useless anyway.
            let sum = parameter.var.as_detached_tensor().abs()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            if !sum.is_finite() {
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
    /// When a name is missing, a tensor has another number of entries, a direction is zero or not finite, or a matrix
    /// that has to be orthonormal is not. Nothing is changed then.
    pub fn assign(&self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        let mut values = Vec::with_capacity(self.0.len());
        for Parameter { var, stored, role, .. } in self.iter() {
            let mut pieces = Vec::with_capacity(stored.len());
            for part in stored {
                let Some(tensor) = tensors.get(&part.name) else { bail!("weights lack the tensor {}", part.name) };
                let piece = tensor.to_device(var.device())?.to_dtype(var.dtype())?.flatten_all()?;
                if *role == Role::Direction
                    && let Some(problem) = problem_of_direction(&piece.to_dtype(DType::F64)?.to_vec1()?)
                {
                    bail!("the direction {} {problem}", part.name);
                }
                pieces.push(piece);
            }
            let whole = Tensor::cat(&pieces, 0)?;
            if whole.elem_count() != var.elem_count() {
                let names: Vec<_> = stored.iter().map(|p| p.name.as_str()).collect();
                bail!("{} hold {} entries, the model needs {}", names.join(", "), whole.elem_count(), var.elem_count());
            }
            let whole = whole.reshape(var.shape())?;
            match role {
                Role::Orthonormal => stiefel::check(&whole)?,
                // A wider norm in a foreign file is what it is; certificates measure it.
                Role::Trained | Role::Direction | Role::Bounded { .. } | Role::Buffer => {}
            }
            values.push(whole);
        }
        self.iter().zip(values).try_for_each(|(parameter, value)| parameter.var.set(&value))
    }
}

/// Holds the rows of a tensor against what a direction u may be.
///
/// # Errors
/// When a row is zero (or shorter than any that training makes) or not finite: its reflection is undefined.
pub fn check_directions(direction: &Tensor) -> Result<()> {
    for (layer, row) in direction.detach().to_dtype(DType::F64)?.to_vec2::<f64>()?.iter().enumerate() {
        if let Some(problem) = problem_of_direction(row) {
            bail!("direction u of Han-layer {layer} {problem}");
        }
    }
    Ok(())
}

fn problem_of_direction(u: &[f64]) -> Option<&'static str> {
    if u.iter().any(|u| !u.is_finite()) {
        return Some("is not finite");
    }
    u.iter().all(|u| u.abs() < SHORTEST).then_some("is zero: its reflection is undefined")
}

/// Where layers get their parameters from while a model is built: a seed, a device, and the name so far.
#[derive(Debug, Clone)]
pub struct Scope {
    seed: Seed,
    dtype: DType,
    device: Device,
    path: String,
    made: Rc<RefCell<Parameters>>,
    purpose: Purpose,
}

/// Whether layers are made for training or share what others train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// New variables, tracked by the graph.
    Train,
    /// The values of existing variables, as constants to the graph.
    Frozen,
}

impl Scope {
    /// A root scope without parameters.
    pub fn new(seed: Seed, dtype: DType, device: &Device) -> Self {
        Self { seed, dtype, device: device.clone(), path: String::new(), made: Rc::default(), purpose: Purpose::Train }
    }

    /// A scope that gives the parameters made so far again, as constants: layers built from it always compute with the
    /// current values, but no graph is recorded for them.
    pub fn frozen(&self) -> Self {
        Self { purpose: Purpose::Frozen, ..self.clone() }
    }

    /// The scope of a part.
    pub fn enter(&self, name: impl std::fmt::Display) -> Self {
        let path = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        Self { path, ..self.clone() }
    }

    /// A trained parameter, saved under its own name.
    pub fn parameter(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Tensor> {
        Ok(self.tensor(&self.single(name, shape.into(), init, Role::Trained)?))
    }

    /// A buffer that the layer updates itself.
    pub fn buffer(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Var> {
        self.single(name, shape.into(), init, Role::Buffer)
    }

    /// A trained parameter that is saved as several tensors, one after the other in its entries.
    pub fn stacked(&self, shape: impl Into<Shape>, draws: Vec<Draw>, role: Role) -> Result<Tensor> {
        self.stacked_at(shape, draws, role, Vec::new())
    }

    /// The same with a factor on the learning rate for each of the tensors.
    pub fn stacked_at(&self, shape: impl Into<Shape>, draws: Vec<Draw>, role: Role, paces: Vec<f64>) -> Result<Tensor> {
        let rename = |part: Stored| Stored { name: self.enter(part.name).path, ..part };
        let draws = draws
            .into_iter()
            .map(|Draw { init, stored }| Draw { init, stored: stored.into_iter().map(rename).collect() });
        Ok(self.tensor(&self.make(shape.into(), draws.collect(), role, paces)?))
    }

    /// The parameters made so far, by this scope and all that were entered from it.
    pub fn parameters(&self) -> Parameters {
        self.made.borrow().clone()
    }

    fn single(&self, name: &str, shape: Shape, init: Init, role: Role) -> Result<Var> {
        let stored = Stored { name: self.enter(name).path, shape: shape.dims().to_vec() };
        self.make(shape, vec![Draw { init, stored: vec![stored] }], role, Vec::new())
    }

    fn tensor(&self, var: &Var) -> Tensor {
        match self.purpose {
            Purpose::Train => var.as_tensor().clone(),
            Purpose::Frozen => var.as_detached_tensor(),
        }
    }

    fn make(&self, shape: Shape, draws: Vec<Draw>, role: Role, paces: Vec<f64>) -> Result<Var> {
        let stored: Vec<Stored> = draws.iter().flat_map(|draw| draw.stored.iter().cloned()).collect();
        if self.purpose == Purpose::Frozen {
            return match self.made.borrow().iter().find(|parameter| parameter.stored == stored) {
                Some(parameter) => Ok(parameter.var.clone()),
                None => bail!("there is no parameter {stored:?} to share"),
            };
        }
        let values = draws.iter().map(|draw| draw.values(&self.seed)).collect::<Result<Vec<_>>>()?.concat();
        let tensor = Tensor::from_vec(values, shape, &self.device)?.to_dtype(self.dtype)?;
        let var = Var::from_tensor(&tensor)?;
        self.made.borrow_mut().0.push(Parameter { var: var.clone(), role, stored, paces });
        Ok(var)
    }
}
