// Stacks of Han-layers on a GPU, fused over their layers. With the unit vector v of a layer, z = x - 2 (v.x) v + b and y = |z|;
// src/nn/kernels/han/mod.rs has the gradients.
//
// A warp takes SAMPLES vectors through all layers in its registers: entry i of a vector is in lane i % 32. A block has WARPS of them.
// The forward pass keeps two bits for each entry and layer, whether z > 0 and whether z < 0. From those and the output the backward
// pass undoes layer after layer: z = +-y, x = H (z - b), and v.x = -v.(z - b).
//
// Nothing is added with atomics: a block adds up the gradients of its samples in the order of its warps, and `finish` adds up the
// blocks in double precision in an order of its own that depends on their number alone.
//
// The program is compiled at run time (compile.rs, variant.rs) with these constants:
//
//   REAL      float or double
//   WIDTH     entries of a vector
//   WARPS     warps of a block
//   SAMPLES   vectors of a warp, a divisor of 32
//   SHORTEST  directions shorter than this count as zero

typedef REAL real;

constexpr int LANES = 32;
constexpr unsigned ALL = 0xffffffffu;
// Entries of a vector in each lane, and with the lanes that have none at the end.
constexpr int ENTRIES = (WIDTH + LANES - 1) / LANES;
constexpr int PADDED = ENTRIES * LANES;
constexpr int THREADS = WARPS * LANES;
// Vectors of a block.
constexpr int TILE = WARPS * SAMPLES;
// Distance of two vectors in shared memory. It is odd, so that entries of neighbouring vectors are in different banks.
constexpr int STRIDE = WIDTH | 1;
// Numbers in shared memory: vectors on their way to another order, or two sums for each warp and entry.
constexpr int SCRATCH = 2 * WARPS * PADDED > TILE * STRIDE ? 2 * WARPS * PADDED : TILE * STRIDE;

static_assert(LANES % SAMPLES == 0, "the lanes are shared evenly among samples");
static_assert(ENTRIES <= LANES, "a lane writes the signs of one word");

template <typename T> __device__ T sum_of_lanes(T value) {
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(ALL, value, distance);
    }
    return value;
}

__device__ double largest_of_lanes(double value) {
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        value = fmax(value, __shfl_xor_sync(ALL, value, distance));
    }
    return value;
}

// Where the first entry of a vector is; the others are `inner` apart.
__device__ long long offset(long long sample, long long inner) {
    return sample / inner * inner * WIDTH + sample % inner;
}

// The vectors of this block in registers. Where their entries are apart, neighbouring threads read neighbouring vectors.
__device__ void load(
    real (&vectors)[SAMPLES][ENTRIES],
    const real *from,
    real *scratch,
    long long first,
    long long samples,
    long long inner
) {
    const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
    if (inner > 1) {
        const int column = threadIdx.x % TILE;
        if (first + column < samples) {
            const real *vector = from + offset(first + column, inner);
            for (int entry = threadIdx.x / TILE; entry < WIDTH; entry += THREADS / TILE) {
                scratch[column * STRIDE + entry] = vector[entry * inner];
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int s = 0; s < SAMPLES; s++) {
        const int column = warp * SAMPLES + s;
        const bool exists = first + column < samples;
        const real *vector = inner > 1 ? scratch + column * STRIDE : from + (first + column) * WIDTH;
#pragma unroll
        for (int k = 0; k < ENTRIES; k++) {
            const int entry = k * LANES + lane;
            vectors[s][k] = exists && entry < WIDTH ? vector[entry] : real(0);
        }
    }
    if (inner > 1) {
        __syncthreads();
    }
}

// The way back. `to` may be where the vectors were read.
__device__ void store(
    const real (&vectors)[SAMPLES][ENTRIES],
    real *to,
    real *scratch,
    long long first,
    long long samples,
    long long inner
) {
    const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
#pragma unroll
    for (int s = 0; s < SAMPLES; s++) {
        const int column = warp * SAMPLES + s;
        real *vector = inner > 1 ? scratch + column * STRIDE : to + (first + column) * WIDTH;
#pragma unroll
        for (int k = 0; k < ENTRIES; k++) {
            const int entry = k * LANES + lane;
            if (first + column < samples && entry < WIDTH) {
                vector[entry] = vectors[s][k];
            }
        }
    }
    if (inner > 1) {
        __syncthreads();
        const int column = threadIdx.x % TILE;
        if (first + column < samples) {
            real *vector = to + offset(first + column, inner);
            for (int entry = threadIdx.x / TILE; entry < WIDTH; entry += THREADS / TILE) {
                vector[entry * inner] = scratch[column * STRIDE + entry];
            }
        }
        __syncthreads();
    }
}

// A row of the parameters, as the vectors are.
__device__ void load_row(real (&row)[ENTRIES], const real *__restrict__ from) {
#pragma unroll
    for (int k = 0; k < ENTRIES; k++) {
        const int entry = k * LANES + threadIdx.x % LANES;
        row[k] = entry < WIDTH ? from[entry] : real(0);
    }
}

// Where the words of a sample's signs are: first those of z > 0, then those of z < 0.
__device__ long long sign_words(int layer, long long sample, long long samples) {
    return (layer * samples + sample) * 2 * ENTRIES;
}

// Unit vectors and lengths of directions, a warp for each layer. A zero row stands for the identity; NaN stays NaN.
extern "C" __global__ void __launch_bounds__(LANES) normalise(const real *direction, real *unit, double *length) {
    const real *row = direction + (long long)blockIdx.x * WIDTH;
    double largest = 0, total = 0, squares = 0;
    for (int entry = threadIdx.x; entry < WIDTH; entry += LANES) {
        const double size = fabs((double)row[entry]);
        largest = fmax(largest, size);
        total += size;
    }
    largest = largest_of_lanes(largest);
    // Squares of the numbers themselves may be out of range.
    for (int entry = threadIdx.x; entry < WIDTH; entry += LANES) {
        const double part = (double)row[entry] / largest;
        squares += part * part;
    }
    total = sum_of_lanes(total);
    squares = sum_of_lanes(squares);
    // All zero, or broken: the sum keeps a NaN that the maximum passes over.
    const bool usual = largest > 0 && largest <= 1.7976931348623157e308;
    const double norm = usual ? largest * sqrt(squares) : total;
    const bool zero = norm < SHORTEST;
    const double scale = 1 / norm;
    for (int entry = threadIdx.x; entry < WIDTH; entry += LANES) {
        unit[(long long)blockIdx.x * WIDTH + entry] = zero ? real(0) : (real)((double)row[entry] * scale);
    }
    if (threadIdx.x == 0) {
        length[blockIdx.x] = zero ? 0 : norm;
    }
}

// Without an `input` it is in `output`, which is overwritten. Without `signs` nothing is kept for `backward`.
extern "C" __global__ void __launch_bounds__(THREADS) forward(
    const real *input,
    real *output,
    const real *__restrict__ unit,
    const real *__restrict__ bias,
    unsigned *signs,
    long long samples,
    long long inner,
    int depth
) {
    __shared__ real scratch[SCRATCH];
    const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
    const long long first = (long long)blockIdx.x * TILE;
    real x[SAMPLES][ENTRIES];
    load(x, input ? input : output, scratch, first, samples, inner);
    for (int layer = 0; layer < depth; layer++) {
        real v[ENTRIES], b[ENTRIES];
        load_row(v, unit + (long long)layer * WIDTH);
        load_row(b, bias + (long long)layer * WIDTH);
        real along[SAMPLES];
#pragma unroll
        for (int s = 0; s < SAMPLES; s++) {
            along[s] = 0;
#pragma unroll
            for (int k = 0; k < ENTRIES; k++) {
                along[s] += v[k] * x[s][k];
            }
        }
#pragma unroll
        for (int s = 0; s < SAMPLES; s++) {
            along[s] = 2 * sum_of_lanes(along[s]);
        }
#pragma unroll
        for (int s = 0; s < SAMPLES; s++) {
            unsigned above = 0, below = 0;
#pragma unroll
            for (int k = 0; k < ENTRIES; k++) {
                const real z = x[s][k] - along[s] * v[k] + b[k];
                x[s][k] = fabs(z);
                if (signs) {
                    const unsigned is_above = __ballot_sync(ALL, z > 0), is_below = __ballot_sync(ALL, z < 0);
                    above = lane == k ? is_above : above;
                    below = lane == k ? is_below : below;
                }
            }
            const long long sample = first + warp * SAMPLES + s;
            if (signs && sample < samples && lane < ENTRIES) {
                unsigned *words = signs + sign_words(layer, sample, samples);
                words[lane] = above;
                words[ENTRIES + lane] = below;
            }
        }
    }
    store(x, output, scratch, first, samples, inner);
}

// `input` is the input again, up to rounding; without it that is not written. Without an `output` it is in `input`, and without an
// `output_gradient` that is in `input_gradient`; both are overwritten. `partial` gets two rows of PADDED numbers for each layer and
// block: the sums of (t x + p g), and of g, over its samples, with g = dL/dz, t = v.g and p = v.x. Without it nobody wants them.
extern "C" __global__ void __launch_bounds__(THREADS) backward(
    const real *output,
    const real *output_gradient,
    real *input,
    real *input_gradient,
    const real *__restrict__ unit,
    const real *__restrict__ bias,
    const unsigned *__restrict__ signs,
    real *partial,
    long long samples,
    long long inner,
    int depth
) {
    __shared__ real scratch[SCRATCH];
    const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
    const long long first = (long long)blockIdx.x * TILE;
    real x[SAMPLES][ENTRIES], g[SAMPLES][ENTRIES];
    load(x, output ? output : input, scratch, first, samples, inner);
    load(g, output_gradient ? output_gradient : input_gradient, scratch, first, samples, inner);
    for (int layer = depth - 1; layer >= 0; layer--) {
        real v[ENTRIES], b[ENTRIES];
        load_row(v, unit + (long long)layer * WIDTH);
        load_row(b, bias + (long long)layer * WIDTH);
        real t[SAMPLES], p[SAMPLES];
#pragma unroll
        for (int s = 0; s < SAMPLES; s++) {
            const long long sample = first + warp * SAMPLES + s;
            const unsigned *words = signs + sign_words(layer, sample, samples);
            t[s] = 0;
            p[s] = 0;
#pragma unroll
            for (int k = 0; k < ENTRIES; k++) {
                const unsigned above = sample < samples ? words[k] : 0, below = sample < samples ? words[ENTRIES + k] : 0;
                const int sign = (int)(above >> lane & 1) - (int)(below >> lane & 1);
                g[s][k] *= sign;
                x[s][k] = x[s][k] * sign - b[k];
                t[s] += v[k] * g[s][k];
                p[s] -= v[k] * x[s][k];
            }
        }
#pragma unroll
        for (int s = 0; s < SAMPLES; s++) {
            t[s] = sum_of_lanes(t[s]);
            p[s] = sum_of_lanes(p[s]);
        }
        real *sums = scratch + warp * 2 * PADDED;
#pragma unroll
        for (int k = 0; k < ENTRIES; k++) {
            real of_direction = 0, of_bias = 0;
#pragma unroll
            for (int s = 0; s < SAMPLES; s++) {
                x[s][k] += 2 * p[s] * v[k];
                of_direction += t[s] * x[s][k] + p[s] * g[s][k];
                of_bias += g[s][k];
                g[s][k] -= 2 * t[s] * v[k];
            }
            if (partial) {
                sums[k * LANES + lane] = of_direction;
                sums[PADDED + k * LANES + lane] = of_bias;
            }
        }
        if (!partial) {
            continue;
        }
        __syncthreads();
        real *of_block = partial + ((long long)layer * gridDim.x + blockIdx.x) * 2 * PADDED;
        for (int column = threadIdx.x; column < 2 * PADDED; column += THREADS) {
            real sum = 0;
            for (int other = 0; other < WARPS; other++) {
                sum += scratch[other * 2 * PADDED + column];
            }
            of_block[column] = sum;
        }
        __syncthreads();
    }
    store(g, input_gradient, scratch, first, samples, inner);
    if (input) {
        store(x, input, scratch, first, samples, inner);
    }
}

// The gradients of directions and biases from the sums of all blocks, a block of 32 warps for each layer.
extern "C" __global__ void __launch_bounds__(LANES *LANES) finish(
    const real *partial,
    const real *unit,
    const double *length,
    real *direction_gradient,
    real *bias_gradient,
    int blocks
) {
    // A warp adds up 32 neighbouring columns, of every row or of every so many.
    constexpr int GROUPS = 2 * ENTRIES;
    constexpr int PHASES = GROUPS < LANES ? LANES / GROUPS : 1;
    __shared__ double sums[PHASES][2 * PADDED];
    const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES, layer = blockIdx.x;
    const real *rows = partial + (long long)layer * blocks * 2 * PADDED;
    for (int task = warp; task < GROUPS * PHASES; task += LANES) {
        const int column = task % GROUPS * LANES + lane, phase = task / GROUPS;
        double sum = 0;
        for (int row = phase; row < blocks; row += PHASES) {
            sum += rows[(long long)row * 2 * PADDED + column];
        }
        sums[phase][column] = sum;
    }
    __syncthreads();
    if (warp > 0) {
        return;
    }
    // From here on a lane reads its own columns alone.
    const real *v = unit + (long long)layer * WIDTH;
    double along = 0;
    for (int column = lane; column < 2 * PADDED; column += LANES) {
        for (int phase = 1; phase < PHASES; phase++) {
            sums[0][column] += sums[phase][column];
        }
        if (column < WIDTH) {
            along += sums[0][column] * v[column];
        }
    }
    along = sum_of_lanes(along);
    for (int entry = lane; entry < WIDTH; entry += LANES) {
        const long long place = (long long)layer * WIDTH + entry;
        const double across = sums[0][entry] - along * v[entry];
        // dL/dv = -2 sum (t x + p g); what is along v turns nothing.
        direction_gradient[place] = length[layer] == 0 ? real(0) : (real)(-2 / length[layer] * across);
        bias_gradient[place] = (real)sums[0][PADDED + entry];
    }
}
