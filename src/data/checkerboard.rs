//! The checkerboard: a square grid of points on [-1, 1]^2, two classes in alternating cells.
//!
//! The paper's board has 12 x 12 cells of 6 x 6 points, centred on an 81 x 81 grid; the points around it are class 0.

use super::Points;
use crate::rng::Seed;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Shape of the board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Grid points along an axis.
    pub side: usize,
    /// Cells along an axis.
    pub cells: usize,
}

impl Board {
    /// Why there is no such board, if so.
    pub fn problem(&self) -> Option<String> {
        if !(2..=1001).contains(&self.side) {
            return Some(format!("side is {}; use 2 to 1001 grid points", self.side));
        }
        let fits = (1..=self.side).contains(&self.cells);
        (!fits).then(|| format!("cells is {}; use 1 to {}, the grid points along an axis", self.cells, self.side))
    }

    /// Number of grid points.
    pub fn points(&self) -> usize {
        self.side.saturating_mul(self.side)
    }

    /// Row and column of a point given by its place in row-major order.
    pub fn place(&self, point: usize) -> (usize, usize) {
        (point / self.side.max(1), point % self.side.max(1))
    }

    /// Coordinate of a row or column.
    pub fn coordinate(&self, index: usize) -> f64 {
        2.0 * index as f64 / self.side.saturating_sub(1) as f64 - 1.0
    }

    /// Class of a point. Cells are as large as fits, the board is centred, its first cell is class 0.
    pub fn label(&self, point: usize) -> u8 {
        let Some(cell) = self.side.checked_div(self.cells) else { return 0 };
        let margin = (self.side - cell * self.cells) / 2;
        let inside = margin..margin + cell * self.cells;
        let (row, column) = self.place(point);
        if !inside.contains(&row) || !inside.contains(&column) {
            return 0;
        }
        (((row - margin) / cell + (column - margin) / cell) % 2) as u8
    }

    /// Coordinates and labels of some points; the label is the target of both outputs.
    ///
    /// # Errors
    /// When there is no such board or point.
    pub fn select(&self, points: &[usize], device: &Device) -> candle_core::Result<Points> {
        if let Some(problem) = self.problem() {
            candle_core::bail!("{problem}");
        }
        if let Some(point) = points.iter().find(|point| **point >= self.points()) {
            candle_core::bail!("there is no point {point}; the last is {}", self.points() - 1);
        }
        let mut inputs = Vec::with_capacity(2 * points.len());
        let mut targets = Vec::with_capacity(2 * points.len());
        for &point in points {
            let (row, column) = self.place(point);
            inputs.extend([self.coordinate(row) as f32, self.coordinate(column) as f32]);
            targets.extend([f32::from(self.label(point)); 2]);
        }
        let shape = (points.len(), 2);
        Ok(Points {
            inputs: Tensor::from_vec(inputs, shape, device)?,
            targets: Tensor::from_vec(targets, shape, device)?,
        })
    }
}

/// Training and test points, ascending, without overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// For training (and validation).
    pub train: Vec<usize>,
    /// For testing.
    pub test: Vec<usize>,
}

impl Split {
    /// A random split; an empty one where there is no such board, see [`Split::problem`].
    pub fn seeded(board: &Board, train_fraction: f64, seed: Seed) -> Self {
        let points = if board.problem().is_none() { board.points() } else { 0 };
        let mut order = seed.stream("split").permutation(points);
        let mut test = order.split_off(count(points, train_fraction));
        order.sort_unstable();
        test.sort_unstable();
        Self { train: order, test }
    }

    /// Why a board cannot be cut so, if so: training needs a point to train on and one to validate on, a test one as well.
    pub fn problem(board: &Board, train_fraction: f64) -> Option<String> {
        if board.problem().is_some() {
            return board.problem();
        }
        let points = board.points();
        let train = (points as f64 * train_fraction).round();
        let told =
            |cure: &str| Some(format!("train_fraction is {train_fraction:?}, {train} of {points} points; {cure}"));
        if train.is_nan() || train < 2.0 {
            return told("use more, two at least are for training");
        }
        if train >= points as f64 { told("use fewer, one at least is for testing") } else { None }
    }

    /// Cuts validation points out of the training points: (remaining training points, validation points).
    pub fn cut_validation(&self, fraction: f64, seed: Seed) -> (Vec<usize>, Vec<usize>) {
        let mut order = self.train.clone();
        let validation = count(order.len(), fraction);
        seed.stream("validation").shuffle_front(&mut order, validation);
        let mut rest = order.split_off(validation);
        order.sort_unstable();
        rest.sort_unstable();
        (rest, order)
    }
}

/// So many of the points, at least one, and not all.
fn count(points: usize, fraction: f64) -> usize {
    ((points as f64 * fraction).round() as usize).max(1).min(points.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper_board() -> Board {
        Board { side: 81, cells: 12 }
    }

    #[test]
    fn the_paper_board_has_its_class_counts() {
        let board = paper_board();
        let ones = (0..board.points()).filter(|point| board.label(*point) == 1).count();
        assert_eq!((board.points(), ones), (6561, 2592));
        let label = |row: usize, column: usize| board.label(row * 81 + column);
        assert_eq!((label(4, 4), label(4, 9), label(4, 10), label(10, 10)), (0, 0, 1, 0));
        assert_eq!((label(3, 10), label(4, 75), label(4, 76), label(75, 75)), (0, 1, 0, 0));
        assert_eq!((board.coordinate(0), board.coordinate(40), board.coordinate(80)), (-1.0, 0.0, 1.0));
    }

    #[test]
    fn what_is_no_board_and_no_split_is_refused() {
        for (side, cells) in [(0, 0), (1, 1), (0, 1), (81, 0), (81, 82), (usize::MAX, 2)] {
            let board = Board { side, cells };
            assert!(board.select(&[0], &Device::Cpu).is_err(), "{board:?}");
            assert!(Split::problem(&board, 0.25).is_some(), "{board:?}");
            // None of these is of use, and none may panic.
            let split = Split::seeded(&board, 0.25, Seed(1));
            let _ = (split.cut_validation(0.2, Seed(1)), board.label(0), board.place(0), board.coordinate(0));
        }
        let board = paper_board();
        let told = board.select(&[6561], &Device::Cpu).expect_err("no such point").to_string();
        assert!(told.contains("no point 6561; the last is 6560"), "{told}");
        for (train_fraction, told) in [
            (0.0001, "train_fraction is 0.0001, 1 of 6561 points; use more"),
            (0.99999, "train_fraction is 0.99999, 6561 of 6561 points; use fewer"),
            (0.0, "use more"),
            (-1.0, "use more"),
            (f64::NAN, "use more"),
            (f64::INFINITY, "use fewer"),
        ] {
            let problem = Split::problem(&board, train_fraction).expect("no split");
            assert!(problem.contains(told), "{problem}");
        }
    }

    #[test]
    fn splits_cover_the_grid_once_and_follow_their_seed() {
        let board = paper_board();
        let split = Split::seeded(&board, 0.25, Seed(1));
        assert_eq!((split.train.len(), split.test.len()), (1640, 4921));
        let mut all = [split.train.clone(), split.test.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..6561).collect::<Vec<_>>());
        assert_eq!(split, Split::seeded(&board, 0.25, Seed(1)));
        assert_ne!(split, Split::seeded(&board, 0.25, Seed(2)));

        let (rest, validation) = split.cut_validation(0.2, Seed(1));
        assert_eq!((rest.len(), validation.len()), (1312, 328));
        let mut all = [rest, validation].concat();
        all.sort_unstable();
        assert_eq!(all, split.train);
    }
}
