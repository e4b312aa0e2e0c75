//! Jacobians, assembled from backward passes.

use super::RowFunction;
use candle_core::{DType, Result, Tensor, Var, bail};

/// The exact Jacobian of a function at one point, from a single backward pass: the point stands in as many rows as the
/// function has outputs, and row i is asked for the gradient of output i.
///
/// # Shapes
/// - point: (inputs) -> (outputs, inputs)
pub fn of_one_point(function: &RowFunction<'_>, point: &Tensor, outputs: usize) -> Result<Tensor> {
    let rows = Var::from_tensor(&point.unsqueeze(0)?.repeat((outputs, 1))?)?;
    let identity = Tensor::eye(outputs, point.dtype(), point.device())?;
    gradient(&function(&rows)?, &identity, &rows)
}

/// d(sum_ik c_ik y_ik)/dx; 0 where no gradient gets through.
pub(super) fn gradient(output: &Tensor, cotangents: &Tensor, input: &Var) -> Result<Tensor> {
    let gradients = (output * cotangents)?.sum_all()?.backward()?;
    Ok(match gradients.get(input.as_tensor()) {
        Some(gradient) => gradient.clone(),
        None => input.as_tensor().zeros_like()?,
    })
}

/// The largest entry, by absolute value, of J^T J less the identity: 0 for an orthogonal J, NaN if an entry is
/// that. Computed in f64.
///
/// # Shapes
/// - jacobian: (outputs, width)
///
/// # Errors
/// When it is no matrix, or has no columns.
pub fn deviation(jacobian: &Tensor) -> Result<f64> {
    let jacobian = jacobian.to_dtype(DType::F64)?;
    let gram = jacobian.t()?.contiguous()?.matmul(&jacobian)?;
    if gram.elem_count() == 0 {
        bail!("a Jacobian of shape {:?} deviates from nothing", jacobian.dims());
    }
    let identity = Tensor::eye(gram.dims()[0], DType::F64, jacobian.device())?;
    let entries = (gram - identity)?.abs()?.flatten_all()?.to_vec1::<f64>()?;
    // candle's own maximum passes over NaN.
    Ok(entries.into_iter().fold(0.0, |most, entry| if entry > most || entry.is_nan() { entry } else { most }))
}

/// The largest and the smallest singular value of the Jacobian of a function of the plane: by how much a small step
/// grows in the direction in which it grows most, and least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// The largest singular value.
    pub most: f64,
    /// The smallest.
    pub least: f64,
}

/// Singular values at many points of a function of two inputs that treats every row by itself.
///
/// # Shapes
/// - points: (points, 2)
///
/// # Errors
/// When the function is of more or fewer inputs, or does not return a row for every point.
pub fn extents(function: &RowFunction<'_>, points: &Tensor) -> Result<Vec<Extent>> {
    let (count, inputs) = points.dims2()?;
    if inputs != 2 {
        bail!("points of shape {:?} are not points of the plane", points.dims());
    }
    let input = Var::from_tensor(points)?;
    let output = function(&input)?;
    let (points, outputs) = output.dims2()?;
    if points != count {
        bail!("a function of {count} points returned {points} rows");
    }
    // The two columns of J, for every point
    let mut columns = vec![[const { Vec::new() }; 2]; points];
    for place in 0..outputs {
        let ones = Tensor::ones((points, 1), output.dtype(), output.device())?;
        let cotangents = ones.pad_with_zeros(1, place, outputs - place - 1)?;
        let rows: Vec<Vec<f64>> = gradient(&output, &cotangents, &input)?.to_dtype(DType::F64)?.to_vec2()?;
        for (columns, row) in columns.iter_mut().zip(rows) {
            columns.iter_mut().zip(row).for_each(|(column, entry)| column.push(entry));
        }
    }
    Ok(columns.iter().map(Extent::of_columns).collect())
}

impl Extent {
    fn of_columns([first, second]: &[Vec<f64>; 2]) -> Self {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (a, b, c) = (dot(first, first), dot(first, second), dot(second, second));
        let most = ((a + c) / 2.0 + ((a - c) / 2.0).hypot(b)).sqrt();
        // The product of both is the area that the columns span. From the longer column and what is left of the shorter one
        // beside it: a c - b^2 would lose a small area to rounding.
        let (long, short, length) = if a >= c { (first, second, a) } else { (second, first, c) };
        if length == 0.0 {
            return Self { most: 0.0, least: 0.0 };
        }
        let rest: Vec<f64> = short.iter().zip(long).map(|(s, l)| s - b / length * l).collect();
        Self { most, least: (length * dot(&rest, &rest)).sqrt() / most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_jacobian_of_a_linear_function_is_its_matrix() -> Result<()> {
        let matrix = Tensor::new(&[[1f64, 2.0], [3.0, -4.0], [0.5, 0.0]], &Device::Cpu)?;
        let function = |xs: &Tensor| xs.matmul(&matrix.t()?);
        let point = Tensor::new(&[0.3f64, -0.7], &Device::Cpu)?;
        assert_eq!(of_one_point(&function, &point, 3)?.to_vec2::<f64>()?, matrix.to_vec2::<f64>()?);
        // Singular values of [[1, 2], [3, -4], [0.5, 0]]: their squares add up to 30.25, their product is det(J^T J).
        let extent = extents(&function, &point.unsqueeze(0)?)?[0];
        let (sum, product) = (extent.most.powi(2) + extent.least.powi(2), (extent.most * extent.least).powi(2));
        let flat = Tensor::new(&[[1f64, 2.0], [1.0, 2.0 + 1e-12]], &Device::Cpu)?;
        let least = extents(&|xs| xs.matmul(&flat.t()?), &point.unsqueeze(0)?)?[0].least;
        assert!((least / (1e-12 / 10f64.sqrt()) - 1.0).abs() < 1e-3, "{least}");
        assert!((sum - 30.25).abs() < 1e-12 && (product - (10.25 * 20.0 - 100.0)).abs() < 1e-10, "{extent:?}");
        Ok(())
    }

    #[test]
    fn a_rotation_deviates_by_nothing_and_a_shear_does() -> Result<()> {
        let (sine, cosine) = (0.6f64, 0.8f64);
        let rotation = Tensor::new(&[[cosine, -sine], [sine, cosine]], &Device::Cpu)?;
        assert!(deviation(&rotation)? < 1e-15);
        let shear = Tensor::new(&[[1f64, 0.5], [0.0, 1.0]], &Device::Cpu)?;
        assert!((deviation(&shear)? - 0.5).abs() < 1e-15);
        Ok(())
    }
}
