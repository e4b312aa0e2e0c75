//! Matrix products on slices, through the `gemm` crate that candle itself uses.

use super::lanes::Element;
use super::threads;
use gemm::Parallelism;
use std::sync::Once;

/// A row-major or transposed view of a slice as a matrix.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// The slice as `rows` rows of `columns` entries.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(Some(data.len()), rows.checked_mul(columns), "a {rows} x {columns} matrix");
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same entries with rows and columns exchanged; nothing is moved.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// Multiply-adds from which several threads pay: below, waking them costs more than the product. candle's own bound is
/// 590 thousand; at the million of a 100 x 100 layer two threads took twice the time of one.
pub const PARALLEL_WORK: usize = 1 << 24;

/// Up to this many times the height of gemm's tile (16 rows of f32 with AVX2) the right operand is read where it lies.
/// gemm's own value is 2, and copying it first costs an eighth of a 100 x 100 x 100 product, and of a 1,000 x 784 by
/// 784 x 100 one; the bits are the same.
const UNPACKED_TILES: usize = 16;

/// Tells gemm, once.
fn prefer_unpacked() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| gemm::set_rhs_packing_threshold(UNPACKED_TILES));
}

/// Entries of a product. It may have more than a `usize` can count although its factors have none.
fn entries<T>(a: &Matrix<'_, T>, b: &Matrix<'_, T>) -> usize {
    a.rows.checked_mul(b.columns).expect("a product has fewer than 2^64 entries")
}

/// a b, row-major.
///
/// The bits of the result do not depend on the number of threads, which share rows and columns. `gemm` cuts the sum by the sizes
/// of the caches.
pub fn matmul<T: Element>(a: Matrix<'_, T>, b: Matrix<'_, T>) -> Vec<T> {
    let mut c = Vec::new();
    matmul_onto(a, b, &mut c);
    c
}

/// Appends a b, row-major, to `c`.
pub fn matmul_onto<T: Element>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut Vec<T>) {
    append(a, b, c, parallelism(a, b));
}

/// As [`matmul_onto`], on this thread alone: for kernels that cut the batch themselves.
pub fn serial_matmul_onto<T: Element>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut Vec<T>) {
    append(a, b, c, Parallelism::None);
}

#[allow(unsafe_code, reason = "the result is not filled before it is written")]
fn append<T: Element>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut Vec<T>, parallelism: Parallelism) {
    let (start, len) = (c.len(), entries(&a, &b));
    if a.columns == 0 {
        c.resize(start + len, T::default());
        return;
    }
    c.reserve_exact(len);
    // SAFETY: there is room for `len` entries behind `start`, and `gemm` told not to read its target writes every one
    // of them.
    unsafe {
        multiply(a, b, c.as_mut_ptr().add(start), false, parallelism);
        c.set_len(start + len);
    }
}

/// c + a b, written over the row-major `c`.
#[allow(unsafe_code, reason = "gemm takes raw pointers")]
pub fn matmul_add<T: Element>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T]) {
    assert_eq!(c.len(), entries(&a, &b), "the target has the shape of the product");
    // SAFETY: `c` is borrowed exclusively, is initialised and has the length of the product.
    unsafe { multiply(a, b, c.as_mut_ptr(), true, parallelism(a, b)) }
}

/// a b, written over the row-major `c`, on this thread alone.
#[allow(unsafe_code, reason = "gemm takes raw pointers")]
pub fn serial_matmul<T: Element>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T]) {
    assert_eq!(c.len(), entries(&a, &b), "the target has the shape of the product");
    // SAFETY: `c` is borrowed exclusively, is initialised and has the length of the product.
    unsafe { multiply(a, b, c.as_mut_ptr(), false, Parallelism::None) }
}

/// c + a b, likewise.
#[allow(unsafe_code, reason = "gemm takes raw pointers")]
pub fn serial_matmul_add<T: Element>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: &mut [T]) {
    assert_eq!(c.len(), entries(&a, &b), "the target has the shape of the product");
    // SAFETY: `c` is borrowed exclusively, is initialised and has the length of the product.
    unsafe { multiply(a, b, c.as_mut_ptr(), true, Parallelism::None) }
}

/// Threads for a product of its own.
fn parallelism<T>(a: Matrix<'_, T>, b: Matrix<'_, T>) -> Parallelism {
    match entries(&a, &b).saturating_mul(a.columns) >= PARALLEL_WORK && threads::count() > 1 {
        true => Parallelism::Rayon(0),
        false => Parallelism::None,
    }
}

/// a b into `c`, added to what is there if `keep`.
///
/// # Safety
/// `c` is valid for writes of a.rows x b.columns entries, which are initialised if `keep`.
#[allow(unsafe_code, reason = "gemm takes raw pointers")]
unsafe fn multiply<T: Element>(a: Matrix<'_, T>, b: Matrix<'_, T>, c: *mut T, keep: bool, parallelism: Parallelism) {
    assert_eq!(a.columns, b.rows, "inner dimensions agree");
    prefer_unpacked();
    let (m, n, k) = (a.rows, b.columns, a.columns);
    let one = T::from_f64(1.0);
    let alpha = if keep { one } else { T::default() };
    // SAFETY: `Matrix::new` and the assertion above hold every index inside its slice for these dimensions and strides,
    // the caller answers for `c`, and `Element` is implemented for f32 and f64 alone, which gemm supports.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c,
            1,
            n as isize,
            keep,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            alpha,
            one,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a product has fewer than 2^64 entries")]
    fn a_product_larger_than_any_memory_is_refused() {
        let [tall, wide] = [(1 << 33, 0), (0, 1 << 31)].map(|(rows, columns)| Matrix::<f32>::new(&[], rows, columns));
        serial_matmul(tall, wide, &mut []);
    }

    #[test]
    #[should_panic(expected = "matrix")]
    fn a_matrix_has_as_many_entries_as_it_says() {
        Matrix::<f32>::new(&[], 1 << 33, 1 << 31);
    }
}
