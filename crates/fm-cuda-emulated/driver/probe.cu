// Kernels for the tests of the binding itself.
#include "emulate.h"

struct Args {
  float* values;
  float factor;
  int count;
};

// Multiplies.
extern "C" __global__ void scale(const Args a) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < a.count; i += gridDim.x * blockDim.x) a.values[i] *= a.factor;
}

// Each block reverses its part by way of shared memory.
extern "C" __global__ void reverse(const Args a) {
  SHARED(float, part);
  int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at < a.count) part[threadIdx.x] = a.values[at];
  __syncthreads();
  int last = a.count - 1 < (int)(blockIdx.x * blockDim.x + blockDim.x - 1) ? a.count - 1 - blockIdx.x * blockDim.x : blockDim.x - 1;
  if (at < a.count) a.values[at] = part[last - threadIdx.x];
}
