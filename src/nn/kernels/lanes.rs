//! f32 and f64 behind one name: the few vector operations that the kernels need, over any instruction set of `pulp`.

use super::normal::Normal;
use candle_core::WithDType;
use pulp::{Simd, bytemuck};

/// No instruction set has more lanes.
const MOST_LANES: usize = 16;

/// A scalar that the kernels compute with, and its vector type for an instruction set `S`.
pub trait Element: WithDType + Default + Normal {
    /// A register of this scalar.
    type Lanes<S: Simd>: Copy;
    /// An unsigned integer of the scalar's size: its bits are flags.
    type Flags: Copy + Default + std::fmt::Debug + Send + Sync + 'static;
    /// A register of flags: one integer for each lane.
    type FlagLanes<S: Simd>: Copy;
    /// Flags in an integer.
    const FLAGS: usize;

    /// How many scalars a register of `S` holds.
    fn lane_count<S: Simd>() -> usize;
    /// The whole registers in a slice, and what is left over.
    fn split<S: Simd>(slice: &[Self]) -> (&[Self::Lanes<S>], &[Self]);
    /// As [`Element::split`], to write to.
    fn split_mut<S: Simd>(slice: &mut [Self]) -> (&mut [Self::Lanes<S>], &mut [Self]);
    /// The scalars of some registers.
    fn scalars<S: Simd>(lanes: &[Self::Lanes<S>]) -> &[Self];
    /// The scalar in every lane.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Lanes<S>;
    /// The square root of one scalar
    fn square_root(self) -> Self;
    /// a + b
    fn plus<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    /// a * b
    fn times<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    /// a * b + c, rounded once where the machine can
    fn mul_add<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>, c: Self::Lanes<S>) -> Self::Lanes<S>;
    /// |a|
    fn abs<S: Simd>(simd: S, a: Self::Lanes<S>) -> Self::Lanes<S>;
    /// The sum of all lanes
    fn reduce_sum<S: Simd>(simd: S, a: Self::Lanes<S>) -> Self;
    /// With a distance of d = 2^stage: a_i + a_(i + d) in lanes i where i / d is even, b_i + b_(i + d) in the others, round
    /// and round. All stages after each other make a sum in lane i of the i-th of as many registers as there are lanes.
    fn merge_sums<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>, stage: u32) -> Self::Lanes<S>;
    /// The smaller number in every lane. With NaN for `a` it is `b` or NaN, never forgotten as a number of `b`'s.
    fn minimum<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    /// The smallest of all lanes
    fn reduce_min<S: Simd>(simd: S, a: Self::Lanes<S>) -> Self;

    /// The whole registers of flags in a slice.
    fn split_flags<S: Simd>(slice: &[Self::Flags]) -> &[Self::FlagLanes<S>];
    /// As [`Element::split_flags`], to write to.
    fn split_flags_mut<S: Simd>(slice: &mut [Self::Flags]) -> &mut [Self::FlagLanes<S>];
    /// No flag in any lane.
    fn no_flags<S: Simd>(simd: S) -> Self::FlagLanes<S>;
    /// One flag in every lane, 0 for the lowest bit.
    fn flag<S: Simd>(simd: S, place: usize) -> Self::FlagLanes<S>;
    /// Every flag one place up; the highest is lost.
    fn shift_flags<S: Simd>(simd: S, flags: Self::FlagLanes<S>) -> Self::FlagLanes<S>;
    /// Adds a flag in lanes whose sign bit is set.
    fn flag_signs<S: Simd>(
        simd: S,
        flags: Self::FlagLanes<S>,
        flag: Self::FlagLanes<S>,
        a: Self::Lanes<S>,
    ) -> Self::FlagLanes<S>;
    /// Adds a flag in lanes that are 0.
    fn flag_zeros<S: Simd>(
        simd: S,
        flags: Self::FlagLanes<S>,
        flag: Self::FlagLanes<S>,
        a: Self::Lanes<S>,
    ) -> Self::FlagLanes<S>;
    /// -1 in lanes whose highest flag is set, 1 elsewhere
    fn highest_as_sign<S: Simd>(simd: S, flags: Self::FlagLanes<S>) -> Self::Lanes<S>;
    /// 0 in lanes whose highest flag is set, `a` elsewhere
    fn clear_at_highest<S: Simd>(simd: S, flags: Self::FlagLanes<S>, a: Self::Lanes<S>) -> Self::Lanes<S>;
}

macro_rules! element {
    ($t:ty, $lanes:ident, $count:ident, $as_simd:ident, $as_mut_simd:ident, $splat:ident, $add:ident, $mul:ident,
     $mul_add:ident, $abs:ident, $select:ident, $equal:ident, $sum:ident, $min:ident, $reduce_min:ident, $bits:ty,
     $flag_lanes:ident, $as_flags:ident, $as_mut_flags:ident, $splat_flags:ident, $add_flags:ident, $and_flags:ident,
     $or_flags:ident, $select_flags:ident, $to_float:ident, $to_flags:ident, $to_signed:ident, $splat_signed:ident,
     $less:ident, $equal_flags:ident, $rotate:ident) => {
        impl Element for $t {
            type Lanes<S: Simd> = S::$lanes;
            type Flags = $bits;
            type FlagLanes<S: Simd> = S::$flag_lanes;
            const FLAGS: usize = <$bits>::BITS as usize;

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
            fn scalars<S: Simd>(lanes: &[S::$lanes]) -> &[Self] {
                bytemuck::cast_slice(lanes)
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
            fn reduce_sum<S: Simd>(simd: S, a: S::$lanes) -> Self {
                simd.$sum(a)
            }
            #[inline(always)]
            fn merge_sums<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes, stage: u32) -> S::$lanes {
                let odd: [$bits; MOST_LANES] = std::array::from_fn(|lane| (lane as $bits >> stage) & 1);
                let even = simd.$equal_flags(S::$as_flags(&odd).0[0], simd.$splat_flags(0));
                let far = simd.$to_flags(simd.$select(even, b, a));
                simd.$add(simd.$select(even, a, b), simd.$to_float(simd.$rotate(far, 1 << stage)))
            }
            #[inline(always)]
            fn minimum<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes) -> S::$lanes {
                simd.$min(a, b)
            }
            #[inline(always)]
            fn reduce_min<S: Simd>(simd: S, a: S::$lanes) -> Self {
                simd.$reduce_min(a)
            }
            #[inline(always)]
            fn split_flags<S: Simd>(slice: &[$bits]) -> &[S::$flag_lanes] {
                S::$as_flags(slice).0
            }
            #[inline(always)]
            fn split_flags_mut<S: Simd>(slice: &mut [$bits]) -> &mut [S::$flag_lanes] {
                S::$as_mut_flags(slice).0
            }
            #[inline(always)]
            fn no_flags<S: Simd>(simd: S) -> S::$flag_lanes {
                simd.$splat_flags(0)
            }
            #[inline(always)]
            fn flag<S: Simd>(simd: S, place: usize) -> S::$flag_lanes {
                simd.$splat_flags(1 << place)
            }
            #[inline(always)]
            fn shift_flags<S: Simd>(simd: S, flags: S::$flag_lanes) -> S::$flag_lanes {
                simd.$add_flags(flags, flags)
            }
            #[inline(always)]
            fn flag_signs<S: Simd>(
                simd: S,
                flags: S::$flag_lanes,
                flag: S::$flag_lanes,
                a: S::$lanes,
            ) -> S::$flag_lanes {
                let negative = simd.$less(simd.$to_signed(simd.$to_flags(a)), simd.$splat_signed(0));
                simd.$or_flags(flags, simd.$select_flags(negative, flag, simd.$splat_flags(0)))
            }
            #[inline(always)]
            fn flag_zeros<S: Simd>(
                simd: S,
                flags: S::$flag_lanes,
                flag: S::$flag_lanes,
                a: S::$lanes,
            ) -> S::$flag_lanes {
                let zero = simd.$equal(a, simd.$splat(0.0));
                simd.$or_flags(flags, simd.$select_flags(zero, flag, simd.$splat_flags(0)))
            }
            #[inline(always)]
            fn highest_as_sign<S: Simd>(simd: S, flags: S::$flag_lanes) -> S::$lanes {
                let highest = simd.$and_flags(flags, simd.$splat_flags(1 << (<$bits>::BITS - 1)));
                simd.$to_float(simd.$or_flags(highest, simd.$splat_flags((1.0 as $t).to_bits())))
            }
            #[inline(always)]
            fn clear_at_highest<S: Simd>(simd: S, flags: S::$flag_lanes, a: S::$lanes) -> S::$lanes {
                let set = simd.$less(simd.$to_signed(flags), simd.$splat_signed(0));
                simd.$select(set, simd.$splat(0.0), a)
            }
        }
    };
}

element!(
    f32, f32s, F32_LANES, as_simd_f32s, as_mut_simd_f32s, splat_f32s, add_f32s, mul_f32s, mul_add_e_f32s, abs_f32s,
    select_f32s, equal_f32s, reduce_sum_f32s, min_f32s, reduce_min_f32s, u32, u32s, as_simd_u32s, as_mut_simd_u32s,
    splat_u32s, add_u32s, and_u32s, or_u32s, select_u32s, transmute_f32s_u32s, transmute_u32s_f32s,
    transmute_i32s_u32s, splat_i32s, less_than_i32s, equal_u32s, rotate_left_u32s
);
element!(
    f64, f64s, F64_LANES, as_simd_f64s, as_mut_simd_f64s, splat_f64s, add_f64s, mul_f64s, mul_add_e_f64s, abs_f64s,
    select_f64s, equal_f64s, reduce_sum_f64s, min_f64s, reduce_min_f64s, u64, u64s, as_simd_u64s, as_mut_simd_u64s,
    splat_u64s, add_u64s, and_u64s, or_u64s, select_u64s, transmute_f64s_u64s, transmute_u64s_f64s,
    transmute_i64s_u64s, splat_i64s, less_than_i64s, equal_u64s, rotate_left_u64s
);
