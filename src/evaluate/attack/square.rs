//! The Square attack: random search over squares, with logits alone and no gradient.
//!
//! Andriushchenko et al., "Square Attack: a query-efficient black-box adversarial attack via random search", 2020,
//! Algorithms 1 to 3. A proposal is taken if the margin falls. Linf: it starts with vertical stripes of +-eps, and a
//! proposal sets a square to +-eps. L2: it starts with a tiling of bumps, and a proposal moves the mass of one window to
//! a bump in another.
//!
//! As in AutoAttack, except that every image draws its own squares, and that a square may touch the last row and column.

use super::ball::{clip, length};
use super::bump::bump;
use super::classifier::{Classifier, Want};
use super::examples::{Example, Examples};
use super::goal::{Goal, Stop};
use super::outcome::Outcome;
use super::pgd::check;
use super::random::{Source, rescale, shift, sign};
use super::record::Visit;
use super::search::{Gradients, Next, Search, run};
use super::shape::ImageShape;
use super::threat::{Norm, Threat};
use crate::rng::{Seed, Stream};
use candle_core::{FloatDType, Result, bail};

/// Part of the image that the first squares cover.
const FIRST_PART: f64 = 0.8;
/// After which queries the part is halved.
const HALVINGS: [usize; 9] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

/// Settings of the Square attack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Square {
    /// The ball.
    pub threat: Threat,
    /// How pixels lie.
    pub image: ImageShape,
    /// Proposals in a run, at least 1.
    pub queries: usize,
    /// Number of runs, at least 1.
    pub restarts: usize,
    /// When to leave an example alone.
    pub stop: Stop,
}

impl Square {
    /// 5,000 proposals, once.
    pub fn new(threat: Threat, image: ImageShape) -> Self {
        Self { threat, image, queries: 5000, restarts: 1, stop: Stop::AtSuccess }
    }

    /// Attacks every example that is classified right.
    ///
    /// # Errors
    /// When a setting is out of range, the shape is not that of the images, or the network fails.
    pub fn run<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        seed: Seed,
    ) -> Result<Vec<Outcome<T>>> {
        check(self.threat, ("proposals", self.queries), &[("runs", self.restarts)])?;
        if self.image.pixels() != classifier.inputs() {
            bail!("images of {} pixels are not of shape {:?}", classifier.inputs(), self.image);
        }
        run(classifier, examples, Goal::within(self.threat, self.stop), |example| {
            let source = Source { seed, attack: "square", example: example.index };
            Proposals {
                example,
                settings: *self,
                stream: source.run(0),
                source,
                current: 0,
                asked: 0,
                best: example.image.to_vec(),
                best_margin: f64::INFINITY,
            }
        })
    }

    /// Side of the square of a query, counted from 0.
    fn side(&self, query: usize) -> usize {
        let halvings = HALVINGS.iter().filter(|place| query > **place).count();
        let part = FIRST_PART / f64::from(1u32 << halvings);
        let area = part * (self.image.height * self.image.width) as f64;
        match self.threat.norm {
            Norm::Linf => (area.sqrt().round() as usize).clamp(1, self.image.shorter_side()),
            Norm::L2 => odd_side((area.sqrt().round() as usize).max(3), self.image.shorter_side()),
        }
    }
}

/// The odd number from `side` up, or the largest that fits.
fn odd_side(side: usize, limit: usize) -> usize {
    let side = side | 1;
    if side <= limit { side } else { (limit - 1) | 1 }
}

struct Proposals<'e, T> {
    example: Example<'e, T>,
    settings: Square,
    source: Source,
    stream: Stream,
    /// Which run.
    current: usize,
    /// Points observed in it.
    asked: usize,
    best: Vec<T>,
    best_margin: f64,
}

/// A square in the image.
#[derive(Debug, Clone, Copy)]
struct Window {
    row: usize,
    column: usize,
    side: usize,
}

impl Window {
    /// Places of its pixels in a channel, row by row.
    fn places(self, shape: ImageShape, channel: usize) -> impl Iterator<Item = usize> {
        let rows = self.row..self.row + self.side;
        rows.flat_map(move |row| {
            let start = shape.place(channel, row, self.column);
            start..start + self.side
        })
    }
}

impl<T: FloatDType> Proposals<'_, T> {
    fn window(&mut self, side: usize) -> Window {
        let shape = self.settings.image;
        let row = self.stream.index(shape.height - side + 1);
        Window { row, column: self.stream.index(shape.width - side + 1), side }
    }

    /// Vertical stripes of +-eps.
    fn stripes(&mut self, point: &mut [T]) {
        let (shape, eps) = (self.settings.image, T::from_f64(self.settings.threat.eps));
        for channel in 0..shape.channels {
            for column in 0..shape.width {
                let change = eps * sign::<T>(&mut self.stream);
                for row in 0..shape.height {
                    point[shape.place(channel, row, column)] = change;
                }
            }
        }
        shift(self.example.image, point);
    }

    /// A tiling of bumps of random signs, of length eps.
    fn tiles(&mut self, point: &mut [T]) {
        let shape = self.settings.image;
        let side = (shape.height / 5).clamp(1, shape.shorter_side());
        point.fill(T::zero());
        let first = |length: usize| length % side / 2;
        for row in (first(shape.height)..=shape.height - side).step_by(side) {
            for column in (first(shape.width)..=shape.width - side).step_by(side) {
                let bump = bump(side, &mut self.stream);
                for channel in 0..shape.channels {
                    let sign: T = sign(&mut self.stream);
                    let places = Window { row, column, side }.places(shape, channel);
                    places.zip(&bump).for_each(|(place, b)| point[place] = sign * T::from_f64(*b));
                }
            }
        }
        rescale(self.settings.threat, point);
        shift(self.example.image, point);
    }

    /// Sets a square to +-eps.
    fn propose_linf(&mut self, point: &mut [T]) {
        let (shape, eps) = (self.settings.image, T::from_f64(self.settings.threat.eps));
        let side = self.settings.side(self.asked - 1);
        let window = self.window(side);
        point.copy_from_slice(&self.best);
        for channel in 0..shape.channels {
            let change = eps * sign::<T>(&mut self.stream);
            window.places(shape, channel).for_each(|place| point[place] = clip(self.example.image[place] + change));
        }
    }

    /// Empties a window and puts its mass, and what the box took from the ball, into a bump in another.
    fn propose_l2(&mut self, point: &mut [T]) {
        let (shape, threat, image) = (self.settings.image, self.settings.threat, self.example.image);
        let side = self.settings.side(self.asked - 1);
        let (target, emptied) = (self.window(side), self.window(side));
        for ((d, x), x0) in point.iter_mut().zip(&self.best).zip(image) {
            *d = *x - *x0;
        }
        let free = (threat.eps.powi(2) - length(point).powi(2)).max(0.0) / shape.channels as f64;
        let bump = bump(side, &mut self.stream);
        let all = |window: Window| (0..shape.channels).flat_map(move |channel| window.places(shape, channel));
        let old: Vec<f64> = all(target).map(|place| point[place].to_f64()).collect();
        // The target goes first, so that what both windows share is not counted twice.
        all(target).for_each(|place| point[place] = T::zero());
        let emptied_mass = all(emptied).map(|place| point[place].to_f64().powi(2)).sum::<f64>();
        all(emptied).for_each(|place| point[place] = T::zero());
        let mass = old.iter().map(|d| d * d).sum::<f64>() + emptied_mass;
        for (channel, old) in old.chunks_exact(side * side).enumerate() {
            let sign: f64 = sign(&mut self.stream);
            let old_length = old.iter().map(|d| d * d).sum::<f64>().sqrt() + 1e-12;
            let new: Vec<f64> = bump.iter().zip(old).map(|(b, d)| sign * b + d / old_length).collect();
            let new_length = new.iter().map(|d| d * d).sum::<f64>().sqrt() + 1e-12;
            let scale = (free + mass).sqrt() / new_length;
            let places = target.places(shape, channel);
            places.zip(new).for_each(|(place, d)| point[place] = T::from_f64(scale * d));
        }
        rescale(threat, point);
        shift(image, point);
    }
}

impl<T: FloatDType> Search<T> for Proposals<'_, T> {
    const WANT: Want = Want::Logits;

    fn begin(&mut self, point: &mut [T]) {
        self.stream = self.source.run(self.current);
        (self.asked, self.best_margin) = (0, f64::INFINITY);
        match self.settings.threat.norm {
            Norm::Linf => self.stripes(point),
            Norm::L2 => self.tiles(point),
        }
    }

    fn observe(&mut self, visit: &Visit<'_, T>, _wanted: &mut Vec<f64>) -> Next {
        if visit.margin < self.best_margin {
            self.best_margin = visit.margin;
            self.best.copy_from_slice(visit.point);
        }
        self.asked += 1;
        if self.asked <= self.settings.queries {
            return Next::Step;
        }
        self.current += 1;
        if self.current < self.settings.restarts { Next::Restart } else { Next::End }
    }

    fn advance(&mut self, _gradients: Gradients<'_, T>, point: &mut [T]) {
        match self.settings.threat.norm {
            Norm::Linf => self.propose_linf(point),
            Norm::L2 => self.propose_l2(point),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fall_as_in_the_standard_cascade() {
        let square = Square::new(Threat::linf(0.1), ImageShape::grey(28, 28));
        let sides: Vec<usize> = [0, 10, 11, 51, 201, 501, 1001, 2001, 4001, 8001].map(|q| square.side(q)).to_vec();
        assert_eq!(sides, [25, 25, 18, 13, 9, 6, 4, 3, 2, 1]);
        let square = Square { threat: Threat::l2(1.0), ..square };
        assert_eq!([0, 51, 8001].map(|q| square.side(q)), [25, 13, 3]);
        assert_eq!([odd_side(3, 2), odd_side(3, 1), odd_side(25, 24), odd_side(4, 9)], [1, 1, 23, 5]);
    }
}
