//! What is left of the images as the distance grows, as a line of steps.

use crate::figure::axes::Frame;

/// The part of the images whose value is above a distance, as the distance grows.
#[derive(Debug)]
pub(super) struct Steps {
    /// The values of all images, growing.
    values: Vec<f64>,
}

impl Steps {
    pub fn of(values: &[f64]) -> Steps {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        Steps { values }
    }

    /// The part of the images that is left just beyond a distance.
    pub fn left(&self, distance: f64) -> f64 {
        let gone = self.values.partition_point(|&value| value <= distance);
        (self.values.len() - gone) as f64 / self.values.len() as f64
    }

    /// The distance at which no more than this part is left, if it was more before.
    pub fn crossing(&self, part: f64) -> Option<f64> {
        let value = self.values.iter().copied().find(|&value| self.left(value) <= part)?;
        (value > 0.0 && value.is_finite() && self.left(0.0) > part).then_some(value)
    }

    /// Corners of the line. What is less than half a pixel apart is one step: thousands of shorter ones would be drawn
    /// over each other.
    pub fn corners(&self, frame: &Frame) -> Vec<(f64, f64)> {
        let height = |distance: f64| frame.at(0.0, 100.0 * self.left(distance)).1;
        let mut corners = vec![frame.at(0.0, 100.0 * self.left(0.0))];
        for &value in self.values.iter().filter(|&&value| value > 0.0 && value < frame.x.high) {
            let (x, y) = (frame.at(value, 0.0).0, height(value));
            let last = corners.len() - 1;
            let (near, before) = corners[last];
            if last > 0 && x - near < 0.5 {
                corners[last].1 = y;
            } else {
                corners.extend([(x, before), (x, y)]);
            }
        }
        corners.push((frame.area.2, corners[corners.len() - 1].1));
        corners
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::axes::{length_axis, percent_axis};

    #[test]
    fn an_image_is_left_up_to_its_distance() {
        let steps = Steps::of(&[2.0, 0.0, f64::INFINITY, 1.0]);
        assert_eq!([0.0, 0.9, 1.0, 1.5, 2.0, 99.0].map(|at| steps.left(at)), [0.75, 0.75, 0.5, 0.5, 0.25, 0.25]);
        assert_eq!([0.9, 0.5, 0.25, 0.1].map(|part| steps.crossing(part)), [None, Some(1.0), Some(2.0), None]);
    }

    #[test]
    fn thousands_of_images_make_no_more_corners_than_pixels() {
        let distances: Vec<f64> = (0..50000).map(|index| f64::from(index) / 50000.0).collect();
        let frame =
            Frame { area: (0.0, 0.0, 300.0, 300.0), x: length_axis(1.0), y: percent_axis([0.0, 1.0].into_iter()) };
        let corners = Steps::of(&distances).corners(&frame);
        assert!(corners.len() < 1300, "{}", corners.len());
        assert!(corners.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!(corners.last().map(|corner| corner.0), Some(300.0));
    }
}
