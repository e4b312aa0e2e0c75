//! Attempts at what the library has to refuse, and small tensors for them.

#![allow(dead_code, reason = "every test program uses its own part of this")]

use candle_core::{DType, Device, Result, Tensor, Var};
use han_exp::nn::Scope;
use han_exp::rng::Seed;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is wrong, and an attempt at it.
pub type Attempt<'a> = (String, Box<dyn Fn() -> Result<()> + 'a>);

pub fn attempt<'a, V>(what: impl Into<String>, make: impl Fn() -> Result<V> + 'a) -> Attempt<'a> {
    (what.into(), Box::new(move || make().map(drop)))
}

/// Every attempt has to end in an error.
pub fn all_refused(attempts: &[Attempt<'_>]) {
    let mut wrong = Vec::new();
    for (what, make) in attempts {
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(Err(_)) => {}
            Ok(Ok(())) => wrong.push(format!("accepted: {what}")),
            Err(_) => wrong.push(format!("panicked: {what}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

pub fn zeros(dims: &[usize]) -> Tensor {
    Tensor::zeros(dims, DType::F32, &Device::Cpu).expect("zeros")
}

pub fn ones(dims: &[usize]) -> Tensor {
    Tensor::ones(dims, DType::F32, &Device::Cpu).expect("ones")
}

pub fn whole(dims: &[usize]) -> Tensor {
    Tensor::ones(dims, DType::U32, &Device::Cpu).expect("whole numbers")
}

pub fn var(dims: &[usize]) -> Var {
    Var::from_tensor(&ones(dims)).expect("a variable")
}

pub fn scope() -> Scope {
    Scope::new(Seed(1), DType::F32, &Device::Cpu)
}
