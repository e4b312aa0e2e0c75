//! The signs of z, one bit for each entry and layer.
//!
//! A strip is a list of registers ([`super::strip`]). Its signs in one layer are cut into chunks of as many steps as an
//! integer of the scalar's size has bits: bit k of a lane's integer belongs to one step of the chunk. A chunk that is
//! not full has its bits at the top, so that the last step is always the highest bit.
//!
//! An exact 0 has no slope. It is rare, so the chunks with zeros are a list beside the signs, with one bit more for
//! each of their entries.

use crate::nn::kernels::lanes::Element;
use pulp::Simd;
use std::array;

/// Signs of some strips in all layers.
#[derive(Debug)]
pub struct Signs<T: Element> {
    /// Where z is negative, `[strips, depth, chunks, lanes]`.
    negative: Vec<T::Flags>,
    zeros: Vec<Zeros<T>>,
}

/// Where z is 0 in a strip.
#[derive(Debug)]
struct Zeros<T: Element> {
    /// Chunks with zeros, ascending: `layer * chunks + chunk`.
    places: Vec<usize>,
    /// `[places, lanes]`
    flags: Vec<T::Flags>,
}

impl<T: Element> Signs<T> {
    /// For `strips` strips of `chunks` registers of flags, over all layers.
    pub(super) fn new(strips: usize, chunks: usize, lanes: usize) -> Self {
        let zeros = (0..strips).map(|_| Zeros { places: Vec::new(), flags: Vec::new() });
        Self { negative: vec![T::Flags::default(); strips * chunks * lanes], zeros: zeros.collect() }
    }

    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let of_zeros = |zeros: &Zeros<T>| size_of_val(&*zeros.places) + size_of_val(&*zeros.flags);
        size_of_val(&*self.negative) + self.zeros.iter().map(of_zeros).sum::<usize>()
    }

    fn per_strip(&self) -> usize {
        self.negative.len() / self.zeros.len()
    }

    /// To write those of `G` strips.
    #[inline(always)]
    pub(super) fn writer<S: Simd, const G: usize>(&mut self, first: usize) -> Writer<'_, T, S, G> {
        let per_strip = self.per_strip();
        let mut strips = self.negative[first * per_strip..].chunks_exact_mut(per_strip);
        let negative = array::from_fn(|_| T::split_flags_mut::<S>(strips.next().unwrap_or_default()));
        Writer { negative, zeros: &mut self.zeros[first..first + G] }
    }

    /// To read those of `G` strips from the last place to the first.
    #[inline(always)]
    pub(super) fn reader<S: Simd, const G: usize>(&self, first: usize) -> Reader<'_, T, S, G> {
        let per_strip = self.per_strip();
        let strip = |strip| &self.negative[(first + strip) * per_strip..][..per_strip];
        let zeros = &self.zeros[first..first + G];
        Reader {
            negative: array::from_fn(|place| T::split_flags::<S>(strip(place))),
            zeros,
            ends: array::from_fn(|strip| zeros[strip].places.len()),
        }
    }
}

/// See [`Signs::writer`].
pub(super) struct Writer<'a, T: Element, S: Simd, const G: usize> {
    negative: [&'a mut [T::FlagLanes<S>]; G],
    zeros: &'a mut [Zeros<T>],
}

impl<T: Element, S: Simd, const G: usize> Writer<'_, T, S, G> {
    #[inline(always)]
    pub fn write(&mut self, place: usize, negative: [T::FlagLanes<S>; G]) {
        for (strip, flags) in self.negative.iter_mut().zip(negative) {
            strip[place] = flags;
        }
    }

    /// Adds a place with zeros, which is behind all that the strip has.
    #[inline(always)]
    pub fn write_zeros(&mut self, strip: usize, place: usize, zeros: T::FlagLanes<S>) {
        let Zeros { places, flags } = &mut self.zeros[strip];
        places.push(place);
        let end = flags.len();
        flags.resize(end + T::lane_count::<S>(), T::Flags::default());
        T::split_flags_mut::<S>(&mut flags[end..])[0] = zeros;
    }
}

/// See [`Signs::reader`].
pub(super) struct Reader<'a, T: Element, S: Simd, const G: usize> {
    negative: [&'a [T::FlagLanes<S>]; G],
    zeros: &'a [Zeros<T>],
    /// Behind the last place with zeros that was not passed yet.
    ends: [usize; G],
}

impl<T: Element, S: Simd, const G: usize> Reader<'_, T, S, G> {
    #[inline(always)]
    pub fn negative(&self, place: usize) -> [T::FlagLanes<S>; G] {
        self.negative.map(|strip| strip[place])
    }

    /// The zeros of a place, if there are any. Places are asked for from the last to the first.
    #[inline(always)]
    pub fn zeros(&mut self, simd: S, place: usize) -> Option<[T::FlagLanes<S>; G]> {
        let found: [bool; G] = array::from_fn(|strip| {
            let Zeros { places, .. } = &self.zeros[strip];
            places[..self.ends[strip]].last() == Some(&place)
        });
        found.contains(&true).then(|| {
            array::from_fn(|strip| {
                if !found[strip] {
                    return T::no_flags(simd);
                }
                self.ends[strip] -= 1;
                T::split_flags::<S>(&self.zeros[strip].flags)[self.ends[strip]]
            })
        })
    }
}
