// Updates of a variable, as src/nn/kernels/optimizer.rs defines them. Compiled at run time with REAL, float or double.

typedef REAL real;

extern "C" __global__ void sgd(
    real *weight,
    real *velocity,
    const real *gradient,
    int count,
    double rate,
    double momentum,
    double decay
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) {
        const real v = real(momentum) * velocity[i] + (gradient[i] + real(decay) * weight[i]);
        velocity[i] = v;
        weight[i] -= real(rate) * v;
    }
}

extern "C" __global__ void adam(
    real *weight,
    real *first,
    real *second,
    const real *gradient,
    int count,
    double beta1,
    double beta2,
    double size,
    double correction,
    double epsilon,
    double shrink
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) {
        const real g = gradient[i];
        const real m = real(beta1) * first[i] + real(1 - beta1) * g;
        const real v = real(beta2) * second[i] + real(1 - beta2) * g * g;
        first[i] = m;
        second[i] = v;
        weight[i] = real(shrink) * weight[i] - real(size) * m / (sqrt(v) * real(correction) + real(epsilon));
    }
}
