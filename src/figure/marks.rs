//! Marks at the points of a chart: filled and open ones, rings, and whiskers.

use plotters::style::RGBColor;

use super::canvas::Canvas;
use super::theme::{ArmStyle, AttackStyle, Fill, MARK, PAPER, SMALL_MARK};

/// A filled mark with a thin white rim, so that marks on top of each other stay countable.
pub(super) fn mark(canvas: &mut Canvas, center: (f64, f64), style: ArmStyle) {
    filled(canvas, center, style, MARK);
}

fn filled(canvas: &mut Canvas, center: (f64, f64), style: ArmStyle, radius: f64) {
    canvas.fill(&around(center, style, radius + 2.5), PAPER);
    canvas.fill(&around(center, style, radius), style.color);
}

/// A mark that is white inside, so that the line below it does not show.
pub(super) fn open(canvas: &mut Canvas, center: (f64, f64), style: ArmStyle, radius: f64) {
    filled(canvas, center, style, radius);
    canvas.fill(&around(center, style, radius - 3.5), PAPER);
}

/// The mark of an attack, smaller than that of an arm.
pub(super) fn attack_mark(canvas: &mut Canvas, center: (f64, f64), style: AttackStyle) {
    match style.mark {
        Fill::Filled => filled(canvas, center, style.style, SMALL_MARK),
        Fill::Open => open(canvas, center, style.style, SMALL_MARK),
    }
}

/// A ring in the shape of the mark, wide enough to be seen around a filled mark of the same value.
pub(super) fn hollow(canvas: &mut Canvas, center: (f64, f64), style: ArmStyle) {
    let mut corners = around(center, style, MARK + 6.0);
    corners.extend(corners.first().copied());
    canvas.path(&corners, 3.0, style.color);
}

/// A vertical line with caps, from its upper end down to a height.
pub(super) fn whisker(canvas: &mut Canvas, top: (f64, f64), bottom: f64, color: RGBColor) {
    canvas.line(top, (top.0, bottom), 3.0, color, 1.0);
    for y in [top.1, bottom] {
        canvas.line((top.0 - 8.0, y), (top.0 + 8.0, y), 3.0, color, 1.0);
    }
}

fn around(center: (f64, f64), style: ArmStyle, radius: f64) -> Vec<(f64, f64)> {
    style.marker.outline(radius).into_iter().map(|(dx, dy)| (center.0 + dx, center.1 + dy)).collect()
}
