//! The constants with which `han.cu` is compiled. They depend on type, width and number of vectors alone, and with them every bit of
//! a result.

use crate::nn::kernels::han::{Geometry, SHORTEST};

/// Lanes of a warp.
const LANES: usize = 32;
/// The widest vectors of which a warp keeps one in its registers.
pub const WIDEST: usize = 1024;
/// From so many vectors on the GPU is busy although a warp takes several, which read the parameters once.
const MANY: usize = 4096;
/// Bytes of vectors in each lane up to which a warp takes several: the backward pass has twice as many in registers.
const MOST_IN_LANE: usize = 128;
/// Bytes of one vector in each lane, times warps, up to which the sums of a block fit into the 48 kB of shared memory that every GPU has.
const MOST_IN_BLOCK: usize = 512;

/// A type that vectors may have.
pub trait Real {
    /// In C.
    const NAME: &'static str;
}

impl Real for f32 {
    const NAME: &'static str = "float";
}

impl Real for f64 {
    const NAME: &'static str = "double";
}

/// A program made of `han.cu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    real: &'static str,
    width: usize,
    warps: usize,
    samples: usize,
}

impl Variant {
    /// The one for vectors of a type by its name in C and its size.
    pub fn of(real: &'static str, size: usize, geometry: Geometry) -> Self {
        let in_lane = size * geometry.width.div_ceil(LANES);
        let is_many = geometry.samples() >= MANY;
        let samples = [4, 2].into_iter().find(|samples| is_many && samples * in_lane <= MOST_IN_LANE).unwrap_or(1);
        let warps = [8, 4, 2].into_iter().find(|warps| warps * in_lane <= MOST_IN_BLOCK).unwrap_or(1);
        Self { real, width: geometry.width, warps, samples }
    }

    /// Threads of a block.
    pub fn threads(self) -> usize {
        self.warps * LANES
    }

    /// Blocks for so many vectors.
    pub fn blocks(self, vectors: usize) -> usize {
        vectors.div_ceil(self.warps * self.samples)
    }

    /// Words for the signs of a vector after one layer.
    pub fn sign_words(self) -> usize {
        2 * self.width.div_ceil(LANES)
    }

    /// Sums of a layer that each block leaves.
    pub fn sums(self) -> usize {
        2 * self.width.next_multiple_of(LANES)
    }

    /// A name that no other program has.
    pub fn name(self) -> String {
        let Self { real, width, warps, samples } = self;
        format!("han-exp-han-{real}-{width}-{warps}x{samples}")
    }

    /// Its options for the compiler.
    pub fn options(self) -> Vec<String> {
        let Self { real, width, warps, samples } = self;
        vec![
            format!("-DREAL={real}"),
            format!("-DWIDTH={width}"),
            format!("-DWARPS={warps}"),
            format!("-DSAMPLES={samples}"),
            format!("-DSHORTEST={SHORTEST:e}"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_fits_into_shared_memory_and_registers() {
        for (real, size) in [("float", 4), ("double", 8)] {
            for width in 1..=WIDEST {
                for outer in [1, MANY] {
                    let variant = Variant::of(real, size, Geometry { outer, width, inner: 1 });
                    let Variant { warps, samples, .. } = variant;
                    let tile = warps * samples * (width | 1);
                    assert!(size * tile.max(warps * variant.sums()) <= 48 << 10, "{variant:?}");
                    // x and g of the backward pass, in registers of 4 bytes of which a thread has 255.
                    assert!(2 * samples * size * width.div_ceil(LANES) <= 128 * 4, "{variant:?}");
                    assert!(LANES.is_multiple_of(samples) && variant.threads() >= LANES);
                    assert_eq!(variant.blocks(outer), outer.div_ceil(warps * samples));
                }
            }
        }
    }

    #[test]
    fn the_check_without_a_gpu_compiles_the_same_programs() {
        let python = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nvrtc/check.py");
        let calls = "import sys; sys.path.insert(0, sys.argv[1]); import check\n\
                     for real, width, many in check.PROGRAMS: print(*check.options(real, width, many))\n\
                     print(*check.OTHERS['image.cu'])";
        let folder = std::path::Path::new(python).parent().expect("a folder");
        let Ok(output) = std::process::Command::new("python3").args(["-B", "-c", calls]).arg(folder).output() else {
            println!("skipped: there is no python3");
            return;
        };
        let programs = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && !programs.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let ours = |real: &'static str, size: usize, outer: usize, width: usize| {
            Variant::of(real, size, Geometry { outer, width, inner: 1 }).options().join(" ")
        };
        // One program has both norms.
        assert_eq!(crate::nn::batch_norm::EPSILON, crate::nn::kernels::layer_norm::EPSILON);
        let of_images = format!("-DTHREADS=256 -DEPSILON={:e}", crate::nn::batch_norm::EPSILON);
        let (han, images): (Vec<&str>, Vec<&str>) = programs.lines().partition(|line| line.contains("-DWIDTH="));
        assert_eq!(images, [of_images]);
        for line in han {
            let width: usize = line
                .split_once("-DWIDTH=")
                .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
                .expect("a width");
            let known = [("float", 4), ("double", 8)]
                .into_iter()
                .flat_map(|(real, size)| [1, MANY].map(|outer| ours(real, size, outer, width)));
            assert!(known.into_iter().any(|options| options == line), "{line}");
        }
    }
}
