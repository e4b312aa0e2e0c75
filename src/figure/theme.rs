//! Colours, markers and type sizes of every chart, so that an arm looks the same wherever it appears.

use std::f64::consts::TAU;

use plotters::style::RGBColor;

use Marker::{Diamond, Disc, Square, Triangle, Wedge};

const fn rgb(hex: u32) -> RGBColor {
    RGBColor((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// Okabe-Ito blue, vermillion and bluish green: the three arms of the paper, apart under every common colour blindness;
/// reddish purple: the network that is trained for certificates.
const ARMS: [RGBColor; 4] = [rgb(0x0072b2), rgb(0xd55e00), rgb(0x009e73), rgb(0xcc79a7)];

/// Further arms: what is left of the palette, then brown and those of Paul Tol's muted colours that are apart from the four
/// above, darkened where a thin line would be faint; yellow is last because a yellow line is faint on white.
const FURTHER: [u32; 12] = [
    0xe69f00, 0x56b4e9, 0x000000, 0x781446, 0x40a5a0, 0x332288, 0x968c14, 0x8b5a2b, 0x117733, 0x787878, 0xaa4499,
    0xf0e442,
];
const FURTHER_MARKERS: [Marker; 5] = [Diamond, Square, Disc, Triangle, Wedge];

pub(super) const PAPER: RGBColor = RGBColor(255, 255, 255);
pub(super) const INK: RGBColor = RGBColor(28, 28, 32);
pub(super) const SOFT_INK: RGBColor = RGBColor(80, 80, 88);
pub(super) const AXIS: RGBColor = RGBColor(110, 110, 118);
pub(super) const GRID: RGBColor = RGBColor(226, 226, 230);
/// Tints of orange and blue that also differ in lightness, so the classes survive a greyscale print.
pub(super) const CLASSES: [RGBColor; 2] = [RGBColor(253, 236, 202), RGBColor(150, 196, 232)];
/// Laid over the colour of a misclassified cell, thin enough to leave the class readable.
pub(super) const WRONG: RGBColor = RGBColor(150, 20, 90);
pub(super) const WRONG_ALPHA: f64 = 0.42;

/// Opacity of the band between the lowest and the highest seed: three of them may lie on top of each other.
pub(super) const BAND_ALPHA: f64 = 0.18;
/// Sizes in pixels of the finished image, which is meant to be shown at about half its width.
pub(super) const LINE: f64 = 4.5;
pub(super) const MARK: f64 = 11.0;
/// The line that the others of its chart are compared with, and one of those others, with its marks.
pub(super) const THICK: f64 = 7.0;
pub(super) const THIN: f64 = 3.0;
pub(super) const SMALL_MARK: f64 = 8.0;
/// Width of the frame around a picture that is taken for something else.
pub(super) const FRAME: f64 = 5.0;
/// Opacity of an area that several arms may share.
pub(super) const AREA_ALPHA: f64 = 0.09;

/// What is wrong and has to be read as text.
pub(super) const WRONG_INK: RGBColor = RGBColor(176, 20, 40);

/// From the most negative to the most positive number: purple, white, orange; no arm has these colours, and they are
/// apart under every common colour blindness.
const DIVERGING: [u32; 5] = [0x3e1470, 0x9484c0, 0xffffff, 0xf0a03c, 0x8a3e00];

/// Colour of a signed number from -1 to 1; 0 is white.
pub(super) fn diverging(value: f64) -> RGBColor {
    let steps = (DIVERGING.len() - 1) as f64;
    let place = (value.clamp(-1.0, 1.0) + 1.0) / 2.0 * steps;
    let below = (place.floor() as usize).min(DIVERGING.len() - 2);
    mixed(rgb(DIVERGING[below]), rgb(DIVERGING[below + 1]), place - below as f64)
}

/// A colour on the way from one to another.
pub(super) fn mixed(from: RGBColor, to: RGBColor, part: f64) -> RGBColor {
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// How a line is broken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    Solid,
    Dashed,
    Dotted,
}

/// Type of one role: size in pixels, colour, and extra stroke width, because the bundled font has no bold face.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub size: f64,
    pub color: RGBColor,
    pub embolden: f64,
}

pub(super) const TITLE: Type = Type { size: 50.0, color: INK, embolden: 1.5 };
pub(super) const PANEL_TITLE: Type = Type { size: 40.0, color: INK, embolden: 1.0 };
pub(super) const NOTE: Type = Type { size: 33.0, color: SOFT_INK, embolden: 0.5 };
pub(super) const AXIS_LABEL: Type = Type { size: 35.0, color: INK, embolden: 0.5 };
pub(super) const TICK: Type = Type { size: 32.0, color: SOFT_INK, embolden: 0.5 };
pub(super) const LEGEND: Type = Type { size: 34.0, color: INK, embolden: 0.5 };
pub(super) const DIRECT: Type = Type { size: 31.0, color: INK, embolden: 0.8 };

/// Shape of an arm's data points: the second way, besides colour, to tell arms apart. A diamond is a square on its corner,
/// a wedge a triangle that points down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Disc,
    Square,
    Triangle,
    Diamond,
    Wedge,
}

impl Marker {
    /// Corners of the marker around (0, 0); sizes are matched by area, so no arm looks weightier than another.
    pub(super) fn outline(self, radius: f64) -> Vec<(f64, f64)> {
        let (corners, start, scale) = match self {
            Disc => (48, 0.0, 1.0),
            Square => (4, 0.125, 1.25),
            Diamond => (4, 0.0, 1.25),
            Triangle => (3, -0.25, 1.45),
            Wedge => (3, 0.25, 1.45),
        };
        (0..corners)
            .map(|corner| {
                let angle = TAU * (f64::from(corner) / f64::from(corners) + start);
                (radius * scale * angle.cos(), radius * scale * angle.sin())
            })
            .collect()
    }
}

/// How one arm is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ArmStyle {
    pub color: RGBColor,
    pub marker: Marker,
    /// Whether marks are white inside: the first ones are not, and colours that are alike may differ in this.
    pub open: bool,
    /// How its lines are broken up, where that means nothing else.
    pub stroke: Stroke,
}

impl ArmStyle {
    const fn new(color: RGBColor, marker: Marker) -> ArmStyle {
        ArmStyle { color, marker, open: false, stroke: Stroke::Solid }
    }

    /// Style by number from lists of colours and markers: no two numbers below twice as many as colours have the same.
    fn numbered(colors: &[u32], markers: [Marker; 5], number: usize) -> ArmStyle {
        let even = |length: usize| (number / length).is_multiple_of(2);
        ArmStyle {
            color: rgb(colors[number % colors.len()]),
            marker: markers[number % markers.len()],
            open: !even(markers.len()),
            stroke: if even(colors.len()) { Stroke::Solid } else { Stroke::Dashed },
        }
    }
}

/// What belongs to no arm.
pub(super) const NO_ARM: ArmStyle = ArmStyle::new(SOFT_INK, Disc);

/// The fixed style of a known arm, `None` for any other name: one colour has one meaning on all charts of an experiment, and
/// what is like an arm of the paper in another experiment has its colour.
fn fixed(name: &str) -> Option<ArmStyle> {
    let (color, marker) = match name {
        "hannet" | "mixer-4-han-12" => (ARMS[0], Disc),
        "fcnet" | "fcnet-30" | "mixer-4" => (ARMS[1], Square),
        "resnet" | "resnet-30" | "resnet32" => (ARMS[2], Triangle),
        "certified" => (ARMS[3], Wedge),
        "hannet-passing" => (rgb(0x56b4e9), Wedge),
        "hannet-adam" => (rgb(0x332288), Disc),
        "fcnet-adam" => (rgb(0x781446), Square),
        "fcnet-small" => (rgb(0xdc3c5a), Diamond),
        "fcnet-small-bounded" => (rgb(0xe69f00), Diamond),
        "fcnet-bounded" => (rgb(0x8b5a2b), Triangle),
        "fcnet-xavier" => (rgb(0x40a5a0), Diamond),
        "fcnet-orthogonal" => (rgb(0x968c14), Wedge),
        "fcnet-30-orthogonal-abs" => (rgb(0xaa4499), Diamond),
        "mixer-8" => (rgb(0xe69f00), Diamond),
        "extra-trees" => (rgb(0x117733), Triangle),
        "f64" => (rgb(0x000000), Disc),
        "f32" => (rgb(0x787878), Square),
        _ => return None,
    };
    Some(ArmStyle { open: OPEN.contains(&name), ..ArmStyle::new(color, marker) })
}

/// Fixed styles with white marks: another network of the same charts has their marker.
const OPEN: [&str; 3] = ["fcnet-small-bounded", "hannet-adam", "fcnet-adam"];

/// Moments of a training, from light to dark: they are no arms, and their order is seen.
const MOMENTS: [(u32, Marker); 4] = [(0xb4b4bc, Disc), (0x82828c, Square), (0x50505a, Diamond), (0x1c1c20, Wedge)];

/// The style of a moment of a training among so many.
fn moment(place: usize, of: usize) -> ArmStyle {
    let (color, marker) = MOMENTS[(MOMENTS.len() - 1) * place / of.saturating_sub(1).max(1)];
    ArmStyle::new(rgb(color), marker)
}

/// What the names of moments begin with.
pub const MOMENT: &str = "moment ";

/// Styles of all arms of a chart, in the order given; names without a fixed style take the further ones as they first
/// appear, but no colour of a fixed one among them.
pub(super) fn styles(names: &[&str]) -> Vec<ArmStyle> {
    if names.iter().all(|name| name.starts_with(MOMENT)) {
        return (0..names.len()).map(|place| moment(place, names.len())).collect();
    }
    let taken: Vec<RGBColor> = names.iter().filter_map(|name| fixed(name)).map(|style| style.color).collect();
    let mut further: Vec<&str> = Vec::new();
    let mut style = |name| {
        fixed(name).unwrap_or_else(|| {
            let known = further.iter().position(|known| *known == name);
            further.extend(known.is_none().then_some(name));
            let all = (0..).map(|number| ArmStyle::numbered(&FURTHER, FURTHER_MARKERS, number));
            // Yellow is no fixed arm's, so there are always more.
            all.filter(|style| !taken.contains(&style.color)).nth(known.unwrap_or(further.len() - 1)).unwrap_or(NO_ARM)
        })
    };
    names.iter().map(|name| style(*name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAPER_ARMS: [&str; 4] = ["hannet", "fcnet", "resnet", "certified"];
    const ATTACKED: [&str; 7] =
        ["hannet", "fcnet", "fcnet-small", "fcnet-bounded", "fcnet-small-bounded", "hannet-adam", "fcnet-adam"];
    const OTHERS: [&str; 15] = [
        "mixer-4-han-12",
        "fcnet-30",
        "mixer-4",
        "resnet-30",
        "resnet32",
        "hannet-passing",
        "fcnet-xavier",
        "fcnet-orthogonal",
        "fcnet-30-orthogonal-abs",
        "mixer-8",
        "extra-trees",
        "f64",
        "f32",
        "resnet",
        "certified",
    ];

    #[test]
    fn known_arms_keep_their_style_and_further_ones_differ() {
        let chosen = styles(&["extra", "resnet", "other", "hannet", "extra"]);
        assert_eq!((Some(chosen[1]), Some(chosen[3])), (fixed("resnet"), fixed("hannet")));
        assert!(chosen[0] == chosen[4] && chosen[0] != chosen[2]);
    }

    /// What a reader can tell apart: colours that are not close, or else another marker and another kind of line.
    fn apart(a: &ArmStyle, b: &ArmStyle) -> bool {
        let off = |a: u8, b: u8| f64::from(a) - f64::from(b);
        let color = off(a.color.0, b.color.0).hypot(off(a.color.1, b.color.1)).hypot(off(a.color.2, b.color.2));
        a.stroke != b.stroke || color > 75.0 || (color > 45.0 && (a.marker, a.open) != (b.marker, b.open))
    }

    fn assert_apart(names: &[&str]) {
        let chosen = styles(names);
        assert_eq!(chosen, styles(names));
        for (index, style) in chosen.iter().enumerate() {
            for (other, before) in chosen[..index].iter().enumerate() {
                assert!(apart(style, before), "{} and {}", names[index], names[other]);
            }
        }
    }

    #[test]
    fn a_dozen_arms_of_a_sweep_can_be_told_apart() {
        let widths: Vec<String> = (0..12).map(|index| format!("hannet-width{}", 8 * index)).collect();
        let beside = |fixed: &[&str]| {
            assert!(fixed.iter().all(|name| super::fixed(name).is_some()), "{fixed:?}");
            let names = fixed.iter().copied().chain(widths.iter().map(String::as_str));
            assert_apart(&names.collect::<Vec<&str>>());
        };
        beside(&PAPER_ARMS);
        ATTACKED.iter().chain(&OTHERS).for_each(|name| beside(&[*name]));
    }

    #[test]
    fn networks_under_attack_can_be_told_apart_without_colours() {
        let names: Vec<&str> = ATTACKED.into_iter().chain(["certified"]).collect();
        assert_apart(&names);
        let marks: Vec<(Marker, bool)> = styles(&names).iter().map(|style| (style.marker, style.open)).collect();
        let first = |mark: &(Marker, bool)| marks.iter().position(|other| other == mark);
        assert!(marks.iter().enumerate().all(|(place, mark)| first(mark) == Some(place)), "{marks:?}");
    }

    #[test]
    fn zero_is_white_and_the_ends_are_dark() {
        assert_eq!((diverging(0.0), diverging(-7.0), diverging(1.0)), (PAPER, rgb(DIVERGING[0]), rgb(DIVERGING[4])));
    }
}
