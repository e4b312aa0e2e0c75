//! The rows of the CSV files of a measurement, one type a file. All but `cost.csv` are the same for the same seed.

use serde::{Deserialize, Serialize};

/// `jacobian.csv`: how far the Jacobian of a Han-layer is from orthogonal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JacobianRow {
    /// Number of the layer, from 0.
    pub layer: usize,
    pub width: usize,
    /// f32 or f64.
    pub precision: String,
    /// One entry of z, where it is chosen; empty for a random layer and point.
    pub z: Option<f64>,
    /// The largest entry, by absolute value, of J^T J less the identity.
    pub deviation: f64,
    /// Length of the row of J that belongs to the chosen entry.
    pub row_length: Option<f64>,
}

/// `extents.csv`: by how much a small step in the plane grows, at a point of the board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExtentRow {
    pub arm: String,
    pub seed: u64,
    /// start or trained.
    pub state: String,
    /// hidden (the last hidden state) or outputs.
    pub to: String,
    /// Grid row of the point.
    pub row: usize,
    pub column: usize,
    /// The largest singular value of the Jacobian.
    pub most: f64,
    /// The smallest.
    pub least: f64,
}

/// `flow.csv`: the gradient's length at a hidden layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowRow {
    pub arm: String,
    /// What was measured: start-depth and a number for an untrained network, course for one in training.
    pub point: String,
    pub seed: u64,
    /// Number of layers that its name on charts counts.
    pub depth: usize,
    /// Part of the training that is done; 0 at the start.
    pub moment: f64,
    /// f32 or f64.
    pub precision: String,
    /// Hidden layer, from 1; of a ResNet, the last layer of the stem or of a block.
    pub layer: usize,
    /// Root mean square over the samples of the length of the loss's gradient by the layer's output, but for a factor
    /// that is the same for all layers.
    pub norm: f64,
    /// The smallest ratio of a sample's length to that at the last hidden layer.
    pub least: Option<f64>,
    /// The largest.
    pub most: Option<f64>,
}

/// `neighbours.csv`: how alike an untrained network's gradients are at neighbouring points of the board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeighbourRow {
    pub arm: String,
    pub seed: u64,
    /// Number of layers that its name on charts counts.
    pub depth: usize,
    /// Pairs of points, one step of the grid apart, at which neither gradient is 0.
    pub pairs: usize,
    /// Mean cosine between the gradients of the mean output by the point; none without a pair.
    pub cosine: Option<f64>,
}

/// `stretch.csv`: the Lipschitz constant of the hidden layers, from below and from above.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StretchRow {
    pub arm: String,
    /// What was measured: stretch-depth and a number for an untrained network with as many inputs as it is wide, course
    /// for one of the plane, in training.
    pub point: String,
    pub seed: u64,
    /// Number of layers that its name on charts counts.
    pub depth: usize,
    /// start or trained.
    pub state: String,
    /// The largest ||f(x) - f(y)|| / ||x - y|| that gradient ascent found; none where all differences were rounding.
    pub found: Option<f64>,
    /// The largest one of the pairs that it began with.
    pub at_random: Option<f64>,
    /// Decimal logarithm of the product of the layers' spectral norms, which may leave the range of numbers; none where
    /// there are skip connections and batch norm.
    pub log10_of_norms: Option<f64>,
}

/// `cost.csv`: parameters and wall-clock time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostRow {
    /// han or dense.
    pub layer: String,
    pub width: usize,
    /// Number of layers.
    pub depth: usize,
    /// Samples of a pass.
    pub batch: usize,
    /// forward (nothing is kept) or training (forward and backward, all gradients).
    pub pass: String,
    /// Trained scalars.
    pub parameters: usize,
    /// Seconds of a pass: the fastest of the rounds.
    pub seconds: f64,
    /// The middle one.
    pub seconds_median: f64,
    pub rounds: usize,
}
