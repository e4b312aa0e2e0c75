//! Proofs that no perturbation of less than a radius (L2) changes a prediction.
//!
//! Logits are z = W_o phi(x) + b_o, and phi is a chain of layers. A Householder reflection is an isometry, |.| and ReLU
//! are 1-Lipschitz and biases shift, so phi is Lipschitz with L, the product of the spectral norms of its dense weights
//! (Szegedy et al. 2014, Section 4.3). z_t - z_j moves by at most L ||w_t - w_j|| ||dx||, so class t is predicted
//! everywhere closer to x than
//!
//! ```text
//! r = min_{j != t} (z_t - z_j) / (L ||w_t - w_j||)      pair form (Leino, Wang and Fredrikson 2021, Section 2.2)
//! r = min_{j != t} (z_t - z_j) / (sqrt(2) L ||W_o||)    global form, never larger (Tsuzuku et al. 2018, Prop. 1)
//! ```
//!
//! Every step is bounded from the safe side: spectral norms by [`spectral::upper_bound`], logits in f64, and the
//! rounding of the f32 program by [`rounding`]. Ties and NaN are never certified.

mod certifier;
mod precision;
pub mod rounding;
mod rounding_han;
pub mod spectral;
mod summary;

pub use certifier::{Certificate, Certificates, Certifier, Radii};
pub use summary::{CertifiedAccuracy, Summary, check_sandwich};

/// The L-infinity radius that an L2 radius implies for `inputs` numbers: a box of half side r / sqrt(inputs) lies in the
/// ball of radius r. Nothing more follows: of 784 pixels a radius of 2.8 covers changes of 0.1.
pub fn linf_radius(l2_radius: f64, inputs: usize) -> f64 {
    l2_radius / (inputs as f64).sqrt()
}
