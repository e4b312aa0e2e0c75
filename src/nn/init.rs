//! Initial values, drawn from a seeded stream in double precision.

use crate::rng::Stream;

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// All the same.
    Constant {
        /// That number.
        value: f64,
    },
    /// Uniform in [-bound, bound].
    Uniform {
        /// Largest magnitude.
        bound: f64,
    },
    /// Uniform in [center - bound, center + bound].
    UniformAround {
        /// Its mean.
        center: f64,
        /// Largest distance from it.
        bound: f64,
    },
    /// Normal with standard deviation sqrt(2 / fan_in) (He et al. 2015, equation 10).
    KaimingNormal {
        /// Inputs of one output.
        fan_in: usize,
    },
    /// Normal with standard deviation sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 12).
    XavierNormal {
        /// Inputs of one output.
        fan_in: usize,
        /// Outputs of one input.
        fan_out: usize,
    },
    /// A random orthogonal matrix: orthonormal rows or, where there are more rows than columns, columns.
    Orthogonal,
    /// Every row uniform on the unit sphere.
    UnitRows,
    /// Every row uniform on the part of a sphere whose entries add up to 0; at least two entries.
    BalancedRows {
        /// Radius of the sphere.
        length: f64,
    },
    /// As [`Init::BalancedRows`], but all rows are the same.
    EqualRows {
        /// Radius of the sphere.
        length: f64,
    },
}

impl Init {
    /// Whether a tensor is drawn row by row, whatever its shape.
    pub(super) fn is_of_rows(self) -> bool {
        matches!(self, Self::UnitRows | Self::BalancedRows { .. } | Self::EqualRows { .. })
    }
}

/// The entries of a new parameter in row-major order. A matrix is `[rows, columns]`; further axes count as columns.
pub fn values(init: Init, dims: &[usize], stream: &mut Stream) -> Vec<f64> {
    let len: usize = dims.iter().product();
    if len == 0 {
        return Vec::new();
    }
    match init {
        Init::Zeros => vec![0.0; len],
        Init::Constant { value } => vec![value; len],
        Init::Ones => vec![1.0; len],
        Init::Uniform { bound } => (0..len).map(|_| bound * (2.0 * stream.uniform() - 1.0)).collect(),
        Init::UniformAround { center, bound } => {
            (0..len).map(|_| center + bound * (2.0 * stream.uniform() - 1.0)).collect()
        }
        Init::KaimingNormal { fan_in } => normal(2.0 / fan_in as f64, len, stream),
        Init::XavierNormal { fan_in, fan_out } => normal(2.0 / (fan_in as f64 + fan_out as f64), len, stream),
        Init::Orthogonal => {
            let rows = dims.first().copied().unwrap_or(1);
            orthogonal(rows, len / rows.max(1), stream)
        }
        Init::UnitRows => {
            let columns = dims.last().copied().unwrap_or(1);
            (0..len / columns).flat_map(|_| unit_vector(columns, stream)).collect()
        }
        Init::BalancedRows { length } => {
            let columns = dims.last().copied().unwrap_or(1);
            (0..len / columns).flat_map(|_| balanced(columns, length, stream)).collect()
        }
        Init::EqualRows { length } => {
            let columns = dims.last().copied().unwrap_or(1);
            balanced(columns, length, stream).repeat(len / columns)
        }
    }
}

fn normal(variance: f64, len: usize, stream: &mut Stream) -> Vec<f64> {
    let deviation = variance.sqrt();
    (0..len).map(|_| deviation * stream.normal()).collect()
}

/// A vector of that length, uniform among those whose entries add up to 0: a unit vector without its mean, scaled.
fn balanced(len: usize, length: f64, stream: &mut Stream) -> Vec<f64> {
    loop {
        let vector = unit_vector(len, stream);
        let mean = vector.iter().sum::<f64>() / len as f64;
        let rest: Vec<f64> = vector.into_iter().map(|x| x - mean).collect();
        let norm = rest.iter().map(|x| x * x).sum::<f64>().sqrt();
        // A single entry leaves nothing, however often it is drawn.
        if norm > 1e-6 || len < 2 {
            return rest.into_iter().map(|x| length * x / norm).collect();
        }
    }
}

/// A vector uniform on the unit sphere: a normal vector, scaled.
fn unit_vector(len: usize, stream: &mut Stream) -> Vec<f64> {
    loop {
        let vector: Vec<f64> = (0..len).map(|_| stream.normal()).collect();
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 1e-6 {
            return vector.into_iter().map(|x| x / norm).collect();
        }
    }
}

/// A `[rows, columns]` matrix, uniform among those with orthonormal rows (or columns, if there are fewer of them):
/// Gram-Schmidt on normal vectors (Saxe et al. 2014), twice, which is enough for full precision.
fn orthogonal(rows: usize, columns: usize, stream: &mut Stream) -> Vec<f64> {
    let (count, len) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector = unit_vector(len, stream);
        for _ in 0..2 {
            for other in &basis {
                let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 1e-6 {
            basis.push(vector.into_iter().map(|x| x / norm).collect());
        }
    }
    if rows <= columns {
        return basis.concat();
    }
    (0..rows).flat_map(|row| basis.iter().map(move |vector| vector[row])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn orthogonal_matrices_are_orthogonal() {
        for (rows, columns) in [(1, 1), (3, 7), (7, 3), (30, 30), (100, 2)] {
            let matrix = values(Init::Orthogonal, &[rows, columns], &mut Seed(1).stream("test"));
            let entry = |r: usize, c: usize| matrix[r * columns + c];
            for i in 0..rows.min(columns) {
                for j in 0..rows.min(columns) {
                    let product: f64 = match rows <= columns {
                        true => (0..columns).map(|k| entry(i, k) * entry(j, k)).sum(),
                        false => (0..rows).map(|k| entry(k, i) * entry(k, j)).sum(),
                    };
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-14, "{rows} x {columns}: ({i}, {j}) is {product}");
                }
            }
        }
    }

    #[test]
    fn kaiming_normal_has_the_deviation_of_its_fan_in() {
        let values = values(Init::KaimingNormal { fan_in: 50 }, &[200, 50], &mut Seed(1).stream("test"));
        let variance = values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64;
        assert!((variance - 0.04).abs() < 0.002, "variance {variance}");
    }
}
