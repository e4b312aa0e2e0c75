//! Marks at the points of a chart: filled and open ones, rings, dots, and whiskers.

use plotters::style::RGBColor;

use super::canvas::Canvas;
use super::theme::{ArmStyle, MARK, PAPER};

/// What stands at a point; its outline is the marker of the arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mark {
    /// A mark of this radius, with a thin white rim, so that marks on top of each other stay countable. An open one is
    /// white inside, so that the line below it does not show.
    Solid(f64),
    /// A ring, wide enough to be seen around a filled mark of the same value.
    Ring,
    /// A small mark that lets others show through, for clouds of points.
    Dot,
}

/// Radius of a dot.
const DOT: f64 = 6.0;
/// Opacity of a dot.
const DOT_ALPHA: f64 = 0.6;

impl Mark {
    pub fn draw(self, canvas: &mut Canvas, center: (f64, f64), style: ArmStyle) {
        let outline = |radius: f64| -> Vec<(f64, f64)> {
            style.marker.outline(radius).into_iter().map(|(dx, dy)| (center.0 + dx, center.1 + dy)).collect()
        };
        match self {
            Mark::Solid(radius) => {
                canvas.fill(&outline(radius + 2.5), PAPER, 1.0);
                canvas.fill(&outline(radius), style.color, 1.0);
                if style.open {
                    canvas.fill(&outline(radius - 3.5), PAPER, 1.0);
                }
            }
            Mark::Ring => {
                let mut corners = outline(MARK + 6.0);
                corners.extend(corners.first().copied());
                canvas.path(&corners, 3.0, style.color);
            }
            Mark::Dot => canvas.fill(&outline(DOT), style.color, DOT_ALPHA),
        }
    }
}

/// A vertical line with caps, from its upper end down to a height.
pub(super) fn whisker(canvas: &mut Canvas, top: (f64, f64), bottom: f64, color: RGBColor) {
    canvas.line(top, (top.0, bottom), 3.0, color, 1.0);
    for y in [top.1, bottom] {
        canvas.line((top.0 - 8.0, y), (top.0 + 8.0, y), 3.0, color, 1.0);
    }
}
