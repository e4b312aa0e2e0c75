//! Gradients along the matrices with orthonormal rows (or columns, if there are fewer of them).

use super::lanes::Element;
use super::matmul::{Matrix, matmul, matmul_add};

/// The part of `gradient` along the manifold at the orthonormal `weight`, both `[rows, columns]`:
/// G - sym(G W^T) W for orthonormal rows, G - W sym(W^T G) for orthonormal columns, with sym(S) = (S + S^T) / 2
/// (Edelman, Arias and Smith 1998, "The Geometry of Algorithms with Orthogonality Constraints", Section 2.2.1).
pub fn tangent<T: Element>(rows: usize, columns: usize, weight: &[T], gradient: &[T]) -> Vec<T> {
    let w = Matrix::new(weight, rows, columns);
    let g = Matrix::new(gradient, rows, columns);
    let side = rows.min(columns);
    let mut product = match rows <= columns {
        true => matmul(g, w.transposed()),
        false => matmul(w.transposed(), g),
    };
    negate_symmetric_part(&mut product, side);
    let symmetric = Matrix::new(&product, side, side);
    let mut along = gradient.to_vec();
    match rows <= columns {
        true => matmul_add(symmetric, w, &mut along),
        false => matmul_add(w, symmetric, &mut along),
    }
    along
}

/// S becomes -(S + S^T) / 2.
fn negate_symmetric_part<T: Element>(square: &mut [T], side: usize) {
    let half = T::from_f64(-0.5);
    for row in 0..side {
        for column in 0..=row {
            let mean = half * (square[row * side + column] + square[column * side + row]);
            square[row * side + column] = mean;
            square[column * side + row] = mean;
        }
    }
}
