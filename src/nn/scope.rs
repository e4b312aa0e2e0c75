//! Where layers get their parameters from.

use super::init::Init;
use super::params::{Draw, Parameter, Parameters, Role, Stored};
use crate::rng::Seed;
use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

/// More entries than any memory has room for.
const LARGEST: usize = 1 << 40;

/// Where layers get their parameters from while a model is built: a seed, a device, and the name so far.
///
/// ```
/// use candle_core::{DType, Device};
/// use han_exp::nn::{Init, Scope};
/// use han_exp::rng::Seed;
///
/// let scope = Scope::new(Seed(1), DType::F32, &Device::Cpu);
/// let bias = scope.enter("first").parameter("bias", 4, Init::Uniform { bound: 0.5 })?;
/// assert_eq!((bias.dims(), scope.parameters().count()), (&[4][..], 4));
/// assert_eq!(scope.parameters().to_stored()?[0].0, "first.bias");
/// # Ok::<(), candle_core::Error>(())
/// ```
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
        self.check_new(&shape, &stored)?;
        let values = draws.iter().map(|draw| draw.values(&self.seed)).collect::<Result<Vec<_>>>()?.concat();
        let largest = match self.dtype {
            DType::F64 => f64::MAX,
            DType::F16 => 65504.0,
            DType::BF16 => 3.3895313892515355e38,
            _ => f64::from(f32::MAX),
        };
        if !values.iter().all(|value| value.abs() <= largest) {
            bail!("the initial values of {stored:?} are no finite numbers of type {}", self.dtype.as_str());
        }
        let tensor = Tensor::from_vec(values, shape, &self.device)?.to_dtype(self.dtype)?;
        let var = Var::from_tensor(&tensor)?;
        self.made.borrow_mut().0.push(Parameter { var: var.clone(), role, stored, paces });
        Ok(var)
    }

    /// Whether a parameter of that shape can be made and saved so.
    fn check_new(&self, shape: &Shape, stored: &[Stored]) -> Result<()> {
        let path = if self.path.is_empty() { "the model" } else { &self.path };
        if !self.dtype.is_float() {
            bail!("parameters are floating-point numbers, not entries of type {}", self.dtype.as_str());
        }
        if shape.dims().contains(&0) || stored.iter().any(|part| part.shape.contains(&0)) {
            bail!("a parameter of shape {:?} of {path}, or a tensor that it is saved as, has no entries", shape.dims());
        }
        let size = |dims: &[usize]| dims.iter().try_fold(1usize, |size, len| size.checked_mul(*len));
        let parts = stored.iter().try_fold(0usize, |sum, part| sum.checked_add(size(&part.shape)?));
        if size(shape.dims()).is_none_or(|size| size > LARGEST) || parts != size(shape.dims()) {
            bail!(
                "a parameter of shape {:?} of {path} cannot be made, or not of the tensors it is saved as",
                shape.dims()
            );
        }
        let names: HashSet<&str> = stored.iter().map(|part| part.name.as_str()).collect();
        let made = self.made.borrow();
        let taken = made.iter().flat_map(|parameter| &parameter.stored).find(|part| names.contains(part.name.as_str()));
        match taken {
            Some(part) => bail!("two parameters are both named {}", part.name),
            None if names.len() < stored.len() => bail!("two tensors of a parameter of {path} have one name"),
            None => Ok(()),
        }
    }
}
