// The parts of image networks beside products and Han-layers, on a GPU: windows of a convolution, norms, biases with their activation.
//
// Nothing is added with atomics: a block leaves the sums of its rows, and a `finish` kernel adds up the blocks in a fixed order, all in
// double precision.
//
// The program is compiled at run time with REAL, float or double, THREADS, those of a block, and EPSILON, what norms add to a variance.

typedef REAL real;

constexpr int LANES = 32;
constexpr unsigned ALL = 0xffffffffu;

template <typename T> __device__ T sum_of_lanes(T value) {
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(ALL, value, distance);
    }
    return value;
}

// The place of a thread among all, and of all.
__device__ long long place() {
    return blockIdx.x * (long long)blockDim.x + threadIdx.x;
}

// How windows lie on images of (height, width, inputs): as Shape in src/nn/kernels/conv.rs.
struct Windows {
    int height, width, inputs, edge, stride, padding, rows, columns;
};

// rows[position][ky][kx][input] = x[pixel][input], 0 beyond the edges.
extern "C" __global__ void unfold(const real *x, real *rows, long long count, Windows at) {
    const long long i = place();
    if (i >= count) {
        return;
    }
    const int input = i % at.inputs;
    long long rest = i / at.inputs;
    const int kx = rest % at.edge;
    rest /= at.edge;
    const int ky = rest % at.edge;
    rest /= at.edge;
    const int column = rest % at.columns;
    rest /= at.columns;
    const int row = rest % at.rows;
    const long long sample = rest / at.rows;
    const int up = row * at.stride + ky - at.padding, left = column * at.stride + kx - at.padding;
    const bool inside = up >= 0 && up < at.height && left >= 0 && left < at.width;
    rows[i] = inside ? x[((sample * at.height + up) * at.width + left) * at.inputs + input] : real(0);
}

// The transpose: for every pixel the sum over the windows that see it.
extern "C" __global__ void fold(const real *rows, real *x, long long count, Windows at) {
    const long long i = place();
    if (i >= count) {
        return;
    }
    const int input = i % at.inputs;
    long long rest = i / at.inputs;
    const int left = rest % at.width;
    rest /= at.width;
    const int up = rest % at.height;
    const long long sample = rest / at.height;
    real sum = 0;
    for (int ky = 0; ky < at.edge; ky++) {
        const int down = up + at.padding - ky;
        if (down < 0 || down % at.stride != 0 || down / at.stride >= at.rows) {
            continue;
        }
        for (int kx = 0; kx < at.edge; kx++) {
            const int right = left + at.padding - kx;
            if (right < 0 || right % at.stride != 0 || right / at.stride >= at.columns) {
                continue;
            }
            const long long position = (sample * at.rows + down / at.stride) * at.columns + right / at.stride;
            sum += rows[((position * at.edge + ky) * at.edge + kx) * at.inputs + input];
        }
    }
    x[i] = sum;
}

// Layer norm: a warp for each row, which leaves its mean and 1 / deviation.
extern "C" __global__ void layer_norm(
    const real *x,
    const real *weight,
    const real *bias,
    real *y,
    real *moments,
    long long rows,
    int channels
) {
    const int lane = threadIdx.x % LANES;
    const long long row = place() / LANES;
    if (row >= rows) {
        return;
    }
    x += row * channels;
    y += row * channels;
    real sum = 0;
    for (int c = lane; c < channels; c += LANES) {
        sum += x[c];
    }
    const real mean = sum_of_lanes(sum) / channels;
    real squares = 0;
    for (int c = lane; c < channels; c += LANES) {
        squares += (x[c] - mean) * (x[c] - mean);
    }
    const real scale = real(1) / sqrt(sum_of_lanes(squares) / channels + real(EPSILON));
    for (int c = lane; c < channels; c += LANES) {
        y[c] = (x[c] - mean) * scale * weight[c] + bias[c];
    }
    if (lane == 0) {
        moments[2 * row] = mean;
        moments[2 * row + 1] = scale;
    }
}

extern "C" __global__ void layer_norm_back(
    const real *x,
    const real *weight,
    const real *moments,
    const real *gradient,
    real *dx,
    long long rows,
    int channels
) {
    const int lane = threadIdx.x % LANES;
    const long long row = place() / LANES;
    if (row >= rows) {
        return;
    }
    x += row * channels;
    gradient += row * channels;
    const real mean = moments[2 * row], scale = moments[2 * row + 1];
    real sum = 0, along = 0;
    for (int c = lane; c < channels; c += LANES) {
        const real g = gradient[c] * weight[c];
        sum += g;
        along += g * (x[c] - mean) * scale;
    }
    sum = sum_of_lanes(sum) / channels;
    along = sum_of_lanes(along) / channels;
    for (int c = lane; c < channels; c += LANES) {
        dx[row * channels + c] = scale * (gradient[c] * weight[c] - sum - (x[c] - mean) * scale * along);
    }
}

// Two sums over rows for every column: a block takes up to THREADS columns of a run of rows, and leaves partial[block][sum][column].
// `terms(row, column, first, second)` says what is added.
template <typename Terms> __device__ void column_sums(Terms terms, double *partial, long long rows, int columns, int tiles) {
    const int tile = blockIdx.x % tiles, block = blockIdx.x / tiles, blocks = gridDim.x / tiles;
    const int from = tile * THREADS, wide = min(columns - from, THREADS);
    const int groups = THREADS / wide, group = threadIdx.x / wide, column = threadIdx.x % wide;
    const long long run = (rows + blocks - 1) / blocks, start = block * run, end = min(rows, start + run);
    double first = 0, second = 0;
    if (group < groups) {
        for (long long row = start + group; row < end; row += groups) {
            terms(row, from + column, first, second);
        }
    }
    __shared__ double shared[2][THREADS];
    shared[0][threadIdx.x] = first;
    shared[1][threadIdx.x] = second;
    __syncthreads();
    if (group == 0) {
        double sums[2] = {0, 0};
        for (int other = 0; other < groups; other++) {
            sums[0] += shared[0][other * wide + column];
            sums[1] += shared[1][other * wide + column];
        }
        partial[(2LL * block + 0) * columns + from + column] = sums[0];
        partial[(2LL * block + 1) * columns + from + column] = sums[1];
    }
}

// The sums of all blocks for a column, in every lane of the warp that asks.
__device__ void total(const double *partial, int blocks, int columns, int column, double (&sums)[2]) {
    sums[0] = sums[1] = 0;
    for (long long block = threadIdx.x % LANES; block < blocks; block += LANES) {
        sums[0] += partial[(2 * block + 0) * columns + column];
        sums[1] += partial[(2 * block + 1) * columns + column];
    }
    sums[0] = sum_of_lanes(sums[0]);
    sums[1] = sum_of_lanes(sums[1]);
}

// A warp for each column, here and in batch_norm_finish.
extern "C" __global__ void finish(const double *partial, real *first, real *second, int blocks, int columns) {
    const int column = place() / LANES;
    if (column < columns) {
        double sums[2];
        total(partial, blocks, columns, column, sums);
        if (threadIdx.x % LANES == 0) {
            first[column] = sums[0];
            second[column] = sums[1];
        }
    }
}

// Of layer norm: dL/d(weight) and dL/d(bias).
extern "C" __global__ void layer_norm_sums(
    const real *x,
    const real *moments,
    const real *gradient,
    double *partial,
    long long rows,
    int channels,
    int tiles
) {
    const auto terms = [=](long long row, int column, double &first, double &second) {
        const real g = gradient[row * channels + column];
        first += g * (x[row * channels + column] - moments[2 * row]) * moments[2 * row + 1];
        second += g;
    };
    column_sums(terms, partial, rows, channels, tiles);
}

// Of batch norm: sums and squares about the first row, in double precision, so that nothing of a variance is lost to the mean.
extern "C" __global__ void batch_norm_moments(const real *x, double *partial, long long rows, int channels, int tiles) {
    const auto terms = [=](long long row, int column, double &first, double &second) {
        const double apart = double(x[row * channels + column]) - double(x[column]);
        first += apart;
        second += apart * apart;
    };
    column_sums(terms, partial, rows, channels, tiles);
}

extern "C" __global__ void batch_norm_finish(
    const double *partial,
    const real *x,
    real *mean,
    real *variance,
    long long rows,
    int blocks,
    int channels
) {
    const int column = place() / LANES;
    if (column < channels) {
        double sums[2];
        total(partial, blocks, channels, column, sums);
        if (threadIdx.x % LANES == 0) {
            mean[column] = x[column] + sums[0] / rows;
            const double v = (sums[1] - sums[0] * sums[0] / rows) / rows;
            variance[column] = v < 0 ? 0 : v; // a NaN stays one
        }
    }
}

// Running statistics: what they were and what a batch measured.
extern "C" __global__ void blend(real *running, const real *measured, int count, double keep, double take) {
    const int i = place();
    if (i < count) {
        running[i] = real(keep) * running[i] + real(take) * measured[i];
    }
}

__device__ real deviation(real variance) {
    return sqrt(variance + real(EPSILON));
}

extern "C" __global__ void batch_norm(
    const real *x,
    const real *weight,
    const real *bias,
    const real *mean,
    const real *variance,
    real *y,
    long long count,
    int channels,
    int relu
) {
    const long long i = place();
    if (i < count) {
        const int c = i % channels;
        const real z = (x[i] - mean[c]) / deviation(variance[c]) * weight[c] + bias[c];
        y[i] = relu && z <= 0 ? real(0) : z;
    }
}

// Of batch norm: dL/d(weight) and dL/d(bias).
extern "C" __global__ void batch_norm_sums(
    const real *x,
    const real *mean,
    const real *variance,
    const real *y,
    const real *gradient,
    double *partial,
    long long rows,
    int channels,
    int tiles,
    int relu
) {
    const auto terms = [=](long long row, int column, double &first, double &second) {
        const long long i = row * channels + column;
        const real g = relu && y[i] <= 0 ? real(0) : gradient[i];
        first += g * (x[i] - mean[column]) / deviation(variance[column]);
        second += g;
    };
    column_sums(terms, partial, rows, channels, tiles);
}

extern "C" __global__ void batch_norm_back(
    const real *x,
    const real *weight,
    const real *mean,
    const real *variance,
    const real *y,
    const real *gradient,
    const real *of_weight,
    const real *of_bias,
    real *dx,
    long long rows,
    int channels,
    int relu
) {
    const long long i = place();
    if (i < rows * channels) {
        const int c = i % channels;
        const real scale = real(1) / deviation(variance[c]);
        const real g = relu && y[i] <= 0 ? real(0) : gradient[i];
        dx[i] = weight[c] * scale * (g - of_bias[c] / rows - (x[i] - mean[c]) * scale * of_weight[c] / rows);
    }
}

// y = x + b, or gelu(x + b) = z Phi(z).
extern "C" __global__ void bias(const real *x, const real *bias, real *y, long long count, int columns, int gelu) {
    const long long i = place();
    if (i < count) {
        const real z = x[i] + bias[i % columns];
        y[i] = gelu ? z * real(0.5) * (real(1) + erf(z * real(0.70710678118654752440))) : z;
    }
}

// dL/dx of the latter.
extern "C" __global__ void gelu_back(
    const real *x,
    const real *bias,
    const real *gradient,
    real *dx,
    long long count,
    int columns
) {
    const long long i = place();
    if (i < count) {
        const real z = x[i] + bias[i % columns];
        const real density = exp(real(-0.5) * z * z) * real(0.39894228040143267794);
        dx[i] = gradient[i] * (real(0.5) * (real(1) + erf(z * real(0.70710678118654752440))) + z * density);
    }
}

extern "C" __global__ void sum_of_rows(const real *x, double *partial, long long rows, int columns, int tiles) {
    const auto terms = [=](long long row, int column, double &first, double &) {
        first += x[row * columns + column];
    };
    column_sums(terms, partial, rows, columns, tiles);
}
