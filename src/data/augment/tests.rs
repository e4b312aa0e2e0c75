//! Operations against Pillow, and what is random against its seed.

use super::Operation::{
    AutoContrast, Brightness, Color, Contrast, Equalize, Invert, Posterize, Rotate, Sharpness, ShearX, ShearY,
    Solarize, TranslateX, TranslateY,
};
use super::*;
use crate::data::images::{Dataset, ImageData, sample::read as load_sample};
use crate::data::source::sha256;

/// SHA-256 of the results of each operation on the first ten test images of the sample, for all magnitudes and both
/// directions, as Pillow 13.0.0 made them (`tests/golden/make_augment.py`).
const OF_PILLOW: [(Operation, &str); 14] = [
    (ShearX, "b974143a4b67bf8c3420c27d0943bccc7e0594eb4e9e153cd23c87e6b91dd1b1"),
    (ShearY, "2e432725e9ca91b0c2865e6e047bbd762fb77ff3c179a3a1598c93051c51fbfb"),
    (TranslateX, "1540964263d0acf305a81fffc8953030cd6351fd4017c8c0538838d65000b6e5"),
    (TranslateY, "8cdb61873e90fc4315174f8a43caffeb6f3dfb8d2d51fb9fa312334f65287af1"),
    (Rotate, "6951ded7fab51d82722155ca5e1020d4010b9e03774d5dba23d81aa79908aba0"),
    (AutoContrast, "c726ae5513bb45f2aa90e5432525dcd731250fec3ec2029d994a59d1cbe3f75e"),
    (Equalize, "0288230e1d9333025b672909298715b83c7c41c1f19fc18a872884c7d8fcd685"),
    (Invert, "e7e909cc670538195997c380cf69bdf7ed0ec2338368c5bc56e161eed36f181d"),
    (Solarize, "b5c1b4937ed119de76ae5ad16f2f9522e68ed7bf1c192388282f72b837f4a702"),
    (Posterize, "3ce62df526daee0ed1f79c700896bd01ad7d2e87663ce1fe5304c79ed03b1544"),
    (Contrast, "da600bb9011f81e2bb54af2b647b0ef5618b4f0788226f1614fb0d94c89084cb"),
    (Color, "fd14b69eabcdb58edbdabb2ef70e056caa37e3ea7041c9ae27c741f0e24d73f5"),
    (Brightness, "3d73b18fc69c1e1826293716f4427cf9e9af99e2f555d2a3ba712d456d45c42d"),
    (Sharpness, "2662d787694728b8e52a89e56dde00e4e328b47f9a59eceb7df951f4a9cf940f"),
];

fn sample() -> ImageData {
    load_sample(Dataset::Cifar10).expect("a sample").expect("the embedded files")
}

#[test]
fn operations_give_the_bytes_of_pillow() {
    let images = sample().test;
    for (operation, expected) in OF_PILLOW {
        let mut results = Vec::new();
        for row in 0..10 {
            for (magnitude, sign) in (0..10).flat_map(|magnitude| [(magnitude, -1.0), (magnitude, 1.0)]) {
                let mut pixels = images.image(row).expect("an image").to_vec();
                operation.apply(&mut pixels, images.shape, magnitude, sign);
                results.extend(pixels);
            }
        }
        assert_eq!(sha256(&results), expected, "{operation:?}");
    }
}

#[test]
fn the_policy_is_the_one_of_the_paper() {
    // How often each operation stands in the table of the appendix.
    let entries = CIFAR10_POLICY.into_iter().flatten();
    let times = |wanted: Operation| entries.clone().filter(|(operation, ..)| *operation == wanted).count();
    let counted = [
        (Equalize, 9),
        (AutoContrast, 7),
        (TranslateY, 5),
        (Sharpness, 5),
        (Color, 5),
        (Brightness, 4),
        (Solarize, 4),
        (Invert, 3),
        (Contrast, 2),
        (ShearY, 2),
        (TranslateX, 2),
        (Rotate, 1),
        (Posterize, 1),
        (ShearX, 0),
    ];
    for (operation, count) in counted {
        assert_eq!(times(operation), count, "{operation:?}");
    }
    assert!(entries.clone().all(|(_, probability, magnitude)| (0.0..=0.9).contains(&probability) && magnitude <= 9));
}

fn augmented(images: &Images, augment: Augment, seed: u64, rows: Vec<usize>) -> Augmented<'_> {
    Augmented { augment, seed: Seed(seed), workers: 3, ..Augmented::plain(images, rows, &Device::Cpu) }
}

fn inputs(set: &Augmented<'_>, epoch: usize, rows: &[u32]) -> Vec<Vec<f32>> {
    let (inputs, labels) = set.batch(epoch, rows).expect("a batch");
    assert_eq!((inputs.dims(), labels.dims()), (&[rows.len(), 32, 32, 3][..], &[rows.len()][..]));
    inputs.flatten_from(1).and_then(|inputs| inputs.to_vec2()).expect("a matrix")
}

#[test]
fn an_image_changes_with_seed_and_epoch_and_with_nothing_else() {
    let images = sample().train;
    for augment in [Augment::Basic, Augment::Autoaugment] {
        let set = augmented(&images, augment, 1, (0..100).collect());
        let first = inputs(&set, 3, &[5, 6, 7, 8]);
        // Another batch, another order, another choice of training images.
        assert_eq!(inputs(&set, 3, &[8, 5]), [first[3].clone(), first[0].clone()]);
        let fewer = augmented(&images, augment, 1, vec![40, 8, 7]);
        assert_eq!(inputs(&fewer, 3, &[1, 2]), [first[3].clone(), first[2].clone()]);
        // Single images may come out alike; of all of them most do not.
        let all: Vec<u32> = (0..100).collect();
        let differ = |other: &Augmented<'_>, epoch| {
            let pairs = inputs(&set, 3, &all).into_iter().zip(inputs(other, epoch, &all));
            pairs.filter(|(a, b)| a != b).count()
        };
        assert_eq!(differ(&set, 3), 0);
        assert!(differ(&set, 4) > 90, "{}", augment.name());
        assert!(differ(&augmented(&images, augment, 2, (0..100).collect()), 3) > 90, "{}", augment.name());
    }
}

#[test]
fn images_to_score_on_are_normalised_and_no_more() {
    let images = sample().test;
    let set = Augmented::plain(&images, vec![7, 3], &Device::Cpu);
    let found = inputs(&set, 5, &[1]);
    assert_eq!(found, inputs(&set, 6, &[1]));
    let bytes = images.image(3).expect("an image");
    for (at, value) in found[0].iter().enumerate() {
        let expected = (f64::from(bytes[at]) / 255.0 - f64::from(MEAN[at % 3])) / f64::from(DEVIATION[at % 3]);
        assert!((f64::from(*value) - expected).abs() < 1e-6, "{at}: {value}, {expected}");
    }
    let labels = set.batch(0, &[0, 1]).and_then(|(_, labels)| labels.to_vec1::<u32>()).expect("labels");
    assert_eq!(labels, [7, 3]); // their classes take turns in the sample
    assert!(set.batch(0, &[2]).expect_err("no such row").to_string().contains("no row 2"));
}

#[test]
fn basic_is_a_part_of_the_image_with_a_black_border_or_its_mirror_image() {
    let shape = Shape::colour(32);
    // Every pixel says where it is; none is black.
    let pixels: Vec<u8> = (0..1024).flat_map(|at| [1 + (at / 32) as u8, 1 + (at % 32) as u8, 200]).collect();
    let (mut shifts, mut mirrored) = (std::collections::BTreeSet::new(), 0);
    for draw in 0..400 {
        let mut changed = pixels.clone();
        Augment::Basic.apply(&mut changed, shape, &mut Seed(draw).stream("augment"));
        let at = |row: usize, column: usize| &changed[(row * 32 + column) * 3..][..3];
        // The middle is inside for any shift.
        let [row, left, right] = [at(16, 16)[0], at(16, 15)[1], at(16, 16)[1]].map(i32::from);
        let mirror = left > right;
        mirrored += usize::from(mirror);
        let shift = (row - 17, if mirror { right - 16 } else { right - 17 });
        shifts.insert(shift);
        for (row, column) in (0..32).flat_map(|row| (0..32).map(move |column| (row, column))) {
            let from = if mirror { 31 - column } else { column };
            let (y, x) = (row + shift.0, from + shift.1);
            let inside = (0..32).contains(&y) && (0..32).contains(&x);
            let expected = if inside { [1 + y as u8, 1 + x as u8, 200] } else { [0; 3] };
            assert_eq!(at(row as usize, column as usize), expected, "{draw}: {row}, {column}");
        }
    }
    assert!((160..240).contains(&mirrored), "{mirrored} of 400");
    assert!(shifts.len() > 75 && shifts.iter().all(|(y, x)| y.abs() <= 4 && x.abs() <= 4), "{}", shifts.len());
}

#[test]
fn cutout_is_a_square_that_may_be_cut_off() {
    let shape = Shape::colour(32);
    let mut sizes = Vec::new();
    for draw in 0..200 {
        let mut pixels = vec![255; shape.features()];
        geometry::cut_out(&mut pixels, shape, hole(shape), &mut Seed(draw).stream("augment"));
        let black: Vec<usize> = (0..1024).filter(|at| pixels[3 * at..3 * at + 3] == [0; 3]).collect();
        let span = |of: fn(usize) -> usize| {
            let (low, high) = (black.iter().map(|at| of(*at)).min(), black.iter().map(|at| of(*at)).max());
            high.expect("a square") - low.expect("a square") + 1
        };
        let (high, wide) = (span(|at| at / 32), span(|at| at % 32));
        assert_eq!(black.len(), high * wide);
        sizes.push((high, wide));
    }
    assert!(
        sizes.contains(&(16, 16))
            && sizes.iter().all(|(high, wide)| (8..=16).contains(high) && (8..=16).contains(wide))
    );
    assert_eq!((hole(Shape::colour(96)), padding(Shape::colour(96)), padding(shape)), (32, 12, 4));
}

#[test]
fn grey_images_are_refused() {
    let images = load_sample(Dataset::Mnist).expect("a sample").expect("the embedded files").test;
    let told = Augmented::plain(&images, vec![0], &Device::Cpu).batch(0, &[0]).expect_err("grey").to_string();
    assert!(told.contains("1 channels"), "{told}");
}
