//! The layers of the chart of robust accuracy: what covers what, and how each role is drawn.

use super::accuracy::{Role, Series};
use crate::figure::axes::Frame;
use crate::figure::canvas::Canvas;
use crate::figure::marks::{attack_mark, mark, open, whisker};
use crate::figure::theme::{AREA_ALPHA, BAND_ALPHA, LINE, SMALL_MARK, Stroke, THICK, THIN, attack_style};
use crate::figure::{Arm, ArmStyle};

/// Most points of a certificate that are marked.
const MOST_MARKS: usize = 12;

/// An attack marks every third of its points, another third than the next attack: where the lines of several attacks
/// lie on top of each other, each can still be seen.
const EVERY: usize = 3;

/// A point of a line in the image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    x: f64,
    low: f64,
    mean: f64,
    high: f64,
    /// Height of 0 %.
    floor: f64,
}

/// One layer of a plot.
#[derive(Debug, Clone)]
pub(super) enum Layer {
    /// The tint below a certificate.
    Proved(Vec<Spot>, ArmStyle),
    /// The band of the seeds.
    Seeds(Vec<Spot>, ArmStyle),
    /// A line, with its marks but for those of attacks.
    Line(Vec<Spot>, ArmStyle, Role),
    /// The marks of an attack.
    AttackMarks(Vec<Spot>, usize),
}

/// The layers of a panel from the lowest to the uppermost, whatever the order of its series: areas, then noise,
/// certificates, worst cases, attacks, and the marks of attacks. Among equals the first arm, and the first attack, lies
/// above the others.
pub(super) fn layers(series: &[Series], arms: &[(Arm, ArmStyle)], frame: &Frame) -> Vec<Layer> {
    let place = |name: &str| arms.iter().position(|(arm, _)| arm.name == name).unwrap_or(arms.len());
    let mut sorted: Vec<&Series> = series.iter().collect();
    sorted.sort_by_key(|series| match series.role {
        Role::Attack(number) => (Role::Attack(0), usize::MAX - number, usize::MAX - place(&series.arm)),
        role => (role, usize::MAX - place(&series.arm), 0),
    });
    let (mut areas, mut lines, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    for series in sorted {
        let style = match (series.role, arms.get(place(&series.arm))) {
            (Role::Attack(number), _) => attack_style(number).style,
            (_, Some((_, style))) => *style,
            (_, None) => continue,
        };
        let spots = spots(series, frame);
        match series.role {
            Role::Certificate => areas.push(Layer::Proved(spots.clone(), style)),
            Role::WorstCase => areas.push(Layer::Seeds(spots.clone(), style)),
            Role::Attack(number) => marks.push(Layer::AttackMarks(spots.clone(), number)),
            Role::Noise => {}
        }
        lines.push(Layer::Line(spots, style, series.role));
    }
    areas.into_iter().chain(lines).chain(marks).collect()
}

/// Where the points lie that the axis reaches.
fn spots(series: &Series, frame: &Frame) -> Vec<Spot> {
    let shown = series.points.iter().filter(|point| point.eps <= frame.x.high);
    let floor = frame.at(frame.x.low, 0.0).1;
    shown
        .map(|point| {
            let height = |value: f64| frame.at(point.eps, 100.0 * value).1;
            let (x, mean) = frame.at(point.eps, 100.0 * point.mean);
            Spot { x, low: height(point.low), mean, high: height(point.high), floor }
        })
        .collect()
}

impl Layer {
    pub fn draw(&self, canvas: &mut Canvas) {
        match self {
            Layer::Proved(spots, style) => {
                for pair in spots.windows(2) {
                    let edge = |spot: &Spot| ((spot.x, spot.mean), spot.floor);
                    canvas.band(edge(&pair[0]), edge(&pair[1]), style.color, AREA_ALPHA);
                }
            }
            Layer::Seeds(spots, style) => {
                for pair in spots.windows(2) {
                    let edge = |spot: &Spot| ((spot.x, spot.high), spot.low);
                    canvas.band(edge(&pair[0]), edge(&pair[1]), style.color, BAND_ALPHA);
                }
            }
            Layer::Line(spots, style, role) => draw_line(canvas, spots, *style, *role),
            Layer::AttackMarks(spots, number) => {
                let every = if spots.len() > EVERY { EVERY } else { 1 };
                for spot in spots.iter().skip(number % every).step_by(every) {
                    attack_mark(canvas, (spot.x, spot.mean), attack_style(*number));
                }
            }
        }
    }
}

fn draw_line(canvas: &mut Canvas, spots: &[Spot], style: ArmStyle, role: Role) {
    let line: Vec<(f64, f64)> = spots.iter().map(|spot| (spot.x, spot.mean)).collect();
    match role {
        Role::Noise => canvas.stroke(&line, Stroke::Dotted, LINE, style.color),
        Role::Certificate => {
            canvas.stroke(&line, Stroke::Dashed, LINE, style.color);
            // A certificate is known at every size; marks on each of many points would hide the line.
            if line.len() <= MOST_MARKS {
                line.iter().for_each(|&at| open(canvas, at, style, SMALL_MARK));
            }
        }
        Role::WorstCase => {
            canvas.path(&line, THICK, style.color);
            line.iter().for_each(|&at| mark(canvas, at, style));
            if let [only] = spots {
                whisker(canvas, (only.x, only.high), only.low, style.color);
            }
        }
        Role::Attack(number) => canvas.stroke(&line, attack_style(number).stroke, THIN, style.color),
    }
}
