#define KERNELS(X) X(scale) X(reverse)
