//! Figures over many certified images, and the check that no attack contradicts them.

use candle_core::{Result, bail};

/// How many images are certified up to a radius.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CertifiedAccuracy {
    /// In L2, in the inputs' unit.
    pub radius: f64,
    /// Images that are classified right and certified for more than the radius.
    pub certified: usize,
}

/// Figures over all images, wrong ones included.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Number of images.
    pub images: usize,
    /// Of these, those classified right.
    pub correct: usize,
    /// Mean certified radius, 0 for a wrong image.
    pub mean_radius: f64,
    /// Median over the images that are classified right; None without one.
    pub median_correct: Option<f64>,
    /// At each radius asked for.
    pub certified: Vec<CertifiedAccuracy>,
}

impl Summary {
    /// Summarises radii, one for each image; those of wrong images count as 0. A NaN is no radius.
    ///
    /// # Errors
    /// When there are no images, or not as many radii as images.
    pub fn of(radii: &[f64], correct: &[bool], at: &[f64]) -> Result<Self> {
        if radii.is_empty() || radii.len() != correct.len() {
            bail!("{} radii of {} images cannot be summarised", radii.len(), correct.len());
        }
        let counted = |(radius, correct): (&f64, &bool)| if *correct && *radius > 0.0 { *radius } else { 0.0 };
        let counted: Vec<f64> = radii.iter().zip(correct).map(counted).collect();
        let mut of_correct: Vec<f64> = counted.iter().zip(correct).filter(|(_, c)| **c).map(|(r, _)| *r).collect();
        of_correct.sort_by(f64::total_cmp);
        let middle = of_correct.len() / 2;
        let median = match of_correct.len() {
            0 => None,
            n if n % 2 == 1 => Some(of_correct[middle]),
            _ => Some((of_correct[middle - 1] + of_correct[middle]) / 2.0),
        };
        let beyond = |radius: f64| counted.iter().filter(|certified| **certified > radius).count();
        Ok(Self {
            images: counted.len(),
            correct: of_correct.len(),
            mean_radius: counted.iter().sum::<f64>() / counted.len() as f64,
            median_correct: median,
            certified: at.iter().map(|&radius| CertifiedAccuracy { radius, certified: beyond(radius) }).collect(),
        })
    }
}

/// Holds certified radii against the distances at which attacks found another class: infinite where none did, 0 where
/// the image is classified wrong to begin with.
///
/// Attacks on an f32 program belong to the radii [`super::Radii::rounded`]: where an attack is as good as the
/// certificate, rounding alone gets it inside a radius of real arithmetic.
///
/// # Errors
/// At the first image whose prediction was changed inside its radius, with both numbers; when a number is NaN; when
/// the lists differ in length.
pub fn check_sandwich(radii: &[f64], attack_distances: &[f64]) -> Result<()> {
    if radii.len() != attack_distances.len() {
        bail!("{} radii cannot be held against {} attacks", radii.len(), attack_distances.len());
    }
    for (image, (radius, distance)) in radii.iter().zip(attack_distances).enumerate() {
        // Written so that NaN is refused.
        let holds = distance >= radius;
        if !holds {
            bail!("image {image} is certified up to {radius:.9}, but an attack changed its class at {distance:.9}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_images_count_as_radius_0_and_stay_in_the_denominator() -> Result<()> {
        let radii = [0.5, 2.0, 9.0, 1.0, f64::NAN, -1.0];
        let correct = [true, true, false, true, true, true];
        let summary = Summary::of(&radii, &correct, &[0.0, 0.5, 1.0, 1.5])?;
        assert_eq!((summary.images, summary.correct), (6, 5));
        assert_eq!(summary.mean_radius, 3.5 / 6.0);
        assert_eq!(summary.median_correct, Some(0.5));
        // Strictly above: an image is not certified at its own radius.
        assert_eq!(summary.certified.iter().map(|at| at.certified).collect::<Vec<_>>(), [3, 2, 1, 1]);
        Ok(())
    }

    #[test]
    fn summaries_of_nothing_and_of_wrong_images_alone() -> Result<()> {
        assert!(Summary::of(&[], &[], &[]).is_err());
        assert!(Summary::of(&[1.0], &[], &[]).is_err());
        let wrong = Summary::of(&[1.0, 2.0], &[false, false], &[0.0])?;
        assert_eq!((wrong.median_correct, wrong.mean_radius, wrong.certified[0].certified), (None, 0.0, 0));
        Ok(())
    }

    #[test]
    fn an_attack_inside_a_radius_is_an_error_that_names_it() {
        assert!(check_sandwich(&[1.0, 0.0, 2.0], &[1.0, 0.0, f64::INFINITY]).is_ok());
        let message = check_sandwich(&[0.5, 1.5], &[0.7, 1.25]).expect_err("1.25 < 1.5").to_string();
        for part in ["image 1", "1.500000000", "1.250000000"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(check_sandwich(&[f64::NAN], &[1.0]).is_err() && check_sandwich(&[1.0], &[f64::NAN]).is_err());
        assert!(check_sandwich(&[1.0], &[]).is_err());
    }
}
