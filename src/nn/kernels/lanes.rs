//! f32 and f64 behind one name: the few vector operations that the kernels need, over any instruction set of `pulp`.

use super::normal::Normal;
use candle_core::WithDType;
use pulp::Simd;

/// A scalar that the kernels compute with, and its vector type for an instruction set `S`.
pub trait Element: WithDType + Default + Normal {
    /// A register of this scalar.
    type Lanes<S: Simd>: Copy;

    /// How many scalars a register of `S` holds.
    fn lane_count<S: Simd>() -> usize;
    /// The whole registers in a slice, and what is left over.
    fn split<S: Simd>(slice: &[Self]) -> (&[Self::Lanes<S>], &[Self]);
    /// As [`Element::split`], to write to.
    fn split_mut<S: Simd>(slice: &mut [Self]) -> (&mut [Self::Lanes<S>], &mut [Self]);
    /// The scalar in every lane.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Lanes<S>;
    /// The square root of one scalar
    fn square_root(self) -> Self;
    /// A whole number
    fn of_i8(value: i8) -> Self;
    /// a + b
    fn plus<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    /// a * b
    fn times<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    /// a * b + c, rounded once where the machine can
    fn mul_add<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>, c: Self::Lanes<S>) -> Self::Lanes<S>;
    /// |a|
    fn abs<S: Simd>(simd: S, a: Self::Lanes<S>) -> Self::Lanes<S>;
    /// a * sign(z) with sign(0) = 0: the sub-gradient of |z| that PyTorch takes as well
    fn mul_sign<S: Simd>(simd: S, a: Self::Lanes<S>, z: Self::Lanes<S>) -> Self::Lanes<S>;
    /// The sum of all lanes
    fn reduce_sum<S: Simd>(simd: S, a: Self::Lanes<S>) -> Self;
}

macro_rules! element {
    ($t:ty, $lanes:ident, $count:ident, $as_simd:ident, $as_mut_simd:ident, $splat:ident, $add:ident,
     $mul:ident, $mul_add:ident, $abs:ident, $xor:ident, $and:ident, $select:ident, $equal:ident, $sum:ident) => {
        impl Element for $t {
            type Lanes<S: Simd> = S::$lanes;

            #[inline(always)]
            fn lane_count<S: Simd>() -> usize {
                S::$count
            }
            #[inline(always)]
            fn split<S: Simd>(slice: &[Self]) -> (&[S::$lanes], &[Self]) {
                S::$as_simd(slice)
            }
            #[inline(always)]
            fn split_mut<S: Simd>(slice: &mut [Self]) -> (&mut [S::$lanes], &mut [Self]) {
                S::$as_mut_simd(slice)
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$lanes {
                simd.$splat(value)
            }
            #[inline(always)]
            fn square_root(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn of_i8(value: i8) -> Self {
                value.into()
            }
            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes) -> S::$lanes {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn times<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes) -> S::$lanes {
                simd.$mul(a, b)
            }
            #[inline(always)]
            fn mul_add<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes, c: S::$lanes) -> S::$lanes {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn abs<S: Simd>(simd: S, a: S::$lanes) -> S::$lanes {
                simd.$abs(a)
            }
            #[inline(always)]
            fn mul_sign<S: Simd>(simd: S, a: S::$lanes, z: S::$lanes) -> S::$lanes {
                let sign = simd.$and(z, simd.$splat(-0.0));
                let zero = simd.$splat(0.0);
                simd.$select(simd.$equal(z, zero), zero, simd.$xor(a, sign))
            }
            #[inline(always)]
            fn reduce_sum<S: Simd>(simd: S, a: S::$lanes) -> Self {
                simd.$sum(a)
            }
        }
    };
}

element!(
    f32,
    f32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    mul_f32s,
    mul_add_e_f32s,
    abs_f32s,
    xor_f32s,
    and_f32s,
    select_f32s,
    equal_f32s,
    reduce_sum_f32s
);
element!(
    f64,
    f64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    mul_f64s,
    mul_add_e_f64s,
    abs_f64s,
    xor_f64s,
    and_f64s,
    select_f64s,
    equal_f64s,
    reduce_sum_f64s
);
