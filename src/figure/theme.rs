//! Colours, markers and type sizes of every chart, so that an arm looks the same wherever it appears.

use std::f64::consts::TAU;

use plotters::style::RGBColor;

/// Okabe-Ito blue, vermillion and bluish green: the three arms of the paper, apart under every common colour blindness.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const VERMILLION: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);

/// Reddish purple: the network that is trained for certificates.
const PURPLE: RGBColor = RGBColor(204, 121, 167);

/// What is left of the palette for further arms; its yellow is last because a yellow line is faint on white.
const FURTHER: [ArmStyle; 4] = [
    ArmStyle { color: RGBColor(230, 159, 0), marker: Marker::Diamond },
    ArmStyle { color: RGBColor(86, 180, 233), marker: Marker::Square },
    ArmStyle { color: RGBColor(0, 0, 0), marker: Marker::Disc },
    ArmStyle { color: RGBColor(240, 228, 66), marker: Marker::Triangle },
];

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
/// A line that the others of its chart are held against, and one of the many beside it, with its marks.
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
const DIVERGING: [RGBColor; 5] = [
    RGBColor(62, 20, 112),
    RGBColor(148, 132, 192),
    RGBColor(255, 255, 255),
    RGBColor(240, 160, 60),
    RGBColor(138, 62, 0),
];

/// Colour of a signed number from -1 to 1; 0 is white.
pub(super) fn diverging(value: f64) -> RGBColor {
    let steps = (DIVERGING.len() - 1) as f64;
    let place = (value.clamp(-1.0, 1.0) + 1.0) / 2.0 * steps;
    let below = (place.floor() as usize).min(DIVERGING.len() - 2);
    let (from, to, part) = (DIVERGING[below], DIVERGING[below + 1], place - below as f64);
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

/// Shape of an arm's data points: the second way, besides colour, to tell arms apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// A circle.
    Disc,
    /// A square on its side.
    Square,
    /// A triangle that points up.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A triangle that points down.
    Wedge,
}

impl Marker {
    /// Corners of the marker around (0, 0); sizes are matched by area, so no arm looks weightier than another.
    pub(super) fn outline(self, radius: f64) -> Vec<(f64, f64)> {
        let (corners, start, scale) = match self {
            Marker::Disc => (48, 0.0, 1.0),
            Marker::Square => (4, 0.125, 1.25),
            Marker::Diamond => (4, 0.0, 1.25),
            Marker::Triangle => (3, -0.25, 1.45),
            Marker::Wedge => (3, 0.25, 1.45),
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
pub struct ArmStyle {
    /// Colour of its lines, bands and marks.
    pub color: RGBColor,
    /// Shape of its marks.
    pub marker: Marker,
}

/// How one attack is drawn beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AttackStyle {
    pub style: ArmStyle,
    /// Filled marks come first; colours that are alike differ in this.
    pub mark: Fill,
    pub stroke: Stroke,
}

/// Whether a mark is filled, or white inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Filled,
    Open,
}

/// Paul Tol's muted colours, less those that would be taken for an arm, darkened where a thin line would be faint.
const ATTACKS: [RGBColor; 8] = [
    RGBColor(170, 68, 153),
    RGBColor(17, 119, 51),
    RGBColor(51, 34, 136),
    RGBColor(150, 140, 20),
    RGBColor(64, 165, 160),
    RGBColor(120, 20, 70),
    RGBColor(225, 110, 140),
    RGBColor(120, 120, 120),
];

/// Number of attacks that can be told apart: the colours solid, and once more dashed.
pub(super) const ATTACK_STYLES: usize = 2 * ATTACKS.len();

/// Style of an attack by its number; numbers from [`ATTACK_STYLES`] on repeat the styles.
pub(super) fn attack_style(number: usize) -> AttackStyle {
    const MARKERS: [Marker; 5] = [Marker::Disc, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Wedge];
    let marker = MARKERS[number % MARKERS.len()];
    let even = (number / MARKERS.len()).is_multiple_of(2);
    AttackStyle {
        style: ArmStyle { color: ATTACKS[number % ATTACKS.len()], marker },
        mark: if even { Fill::Filled } else { Fill::Open },
        stroke: if (number / ATTACKS.len()).is_multiple_of(2) { Stroke::Solid } else { Stroke::Dashed },
    }
}

/// The fixed style of a known arm, `None` for any other name.
fn fixed(name: &str) -> Option<ArmStyle> {
    match name {
        "hannet" | "mixer-4-han-12" => Some(ArmStyle { color: BLUE, marker: Marker::Disc }),
        "fcnet" | "fcnet-30" | "mixer-4" => Some(ArmStyle { color: VERMILLION, marker: Marker::Square }),
        "resnet" | "resnet-30" | "resnet32" => Some(ArmStyle { color: GREEN, marker: Marker::Triangle }),
        "certified" | "hannet-passing" | "mixer-8" => Some(ArmStyle { color: PURPLE, marker: Marker::Wedge }),
        _ => None,
    }
}

/// Style of one arm on its own: a name other than hannet, fcnet, resnet and certified gets the first further style.
pub fn style(name: &str) -> ArmStyle {
    fixed(name).unwrap_or(FURTHER[0])
}

/// Styles of all arms of a chart, in the order given; further names take the remaining styles as they first appear.
pub fn styles(names: &[&str]) -> Vec<ArmStyle> {
    let mut further: Vec<&str> = Vec::new();
    names
        .iter()
        .map(|&name| {
            fixed(name).unwrap_or_else(|| {
                let place = further.iter().position(|&known| known == name).unwrap_or_else(|| {
                    further.push(name);
                    further.len() - 1
                });
                FURTHER[place % FURTHER.len()]
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_arms_keep_their_style_and_further_ones_differ() {
        let chosen = styles(&["extra", "resnet", "other", "hannet", "extra"]);
        assert_eq!(chosen[1], style("resnet"));
        assert_eq!(chosen[3], style("hannet"));
        assert_eq!(chosen[0], chosen[4]);
        assert_ne!(chosen[0], chosen[2]);
    }

    #[test]
    fn attacks_differ_from_each_other_and_from_the_arms_of_the_paper() {
        let styles: Vec<AttackStyle> = (0..ATTACK_STYLES).map(attack_style).collect();
        for (index, style) in styles.iter().enumerate() {
            assert!(!styles[..index].contains(style), "attack {index}");
            assert!(["hannet", "fcnet", "resnet"].iter().all(|name| fixed(name).unwrap().color != style.style.color));
        }
    }

    #[test]
    fn zero_is_white_and_the_ends_are_dark() {
        assert_eq!(diverging(0.0), PAPER);
        assert_eq!(diverging(-7.0), DIVERGING[0]);
        assert_eq!(diverging(1.0), DIVERGING[4]);
    }
}
