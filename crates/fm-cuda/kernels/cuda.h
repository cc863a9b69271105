// One source, two worlds: CUDA's compilers, and a C++ compiler with the thread model of emulate.h.
//
// Kernels are plain CUDA C++ but for SHARED, which names a block's dynamic shared memory.
#pragma once

#ifdef __CUDACC__
#define SHARED(T, name)                                        \
  extern __shared__ __align__(16) unsigned char shared_bytes[]; \
  T* name = (T*)shared_bytes
#define ARGUMENT const __grid_constant__ Args
#else
#include "emulate.h"
#define ARGUMENT const Args
#endif

typedef unsigned char byte;

// Behind the parameters of a function object: what it refers to can only be taken apart where it is inlined.
#define INLINE __attribute__((always_inline))

// A number that the compiler knows.
template <int N>
struct Int {
  __device__ __forceinline__ constexpr operator int() const { return N; }
};

// The number before, but not below 0.
__device__ __forceinline__ int before(int n) { return n ? n - 1 : 0; }
template <int N>
__device__ __forceinline__ Int<(N > 0 ? N - 1 : 0)> before(Int<N>) {
  return {};
}

// Calls `work` with each number of a range. With a network that the compiler knows, each call has a number that it
// knows.
template <bool FIXED, int L = 0, typename Work>
__device__ __forceinline__ void each(int from, int to, const Work& work) {
  if constexpr (!FIXED) {
    for (int l = from; l < to; ++l) work(l);
  } else if constexpr (L < 8) {
    if (L >= from && L < to) work(Int<L>());
    each<FIXED, L + 1>(from, to, work);
  }
}

// The sum of a value over the lanes of a warp, in every lane; always added up in the same order.
__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int mask = 16; mask; mask >>= 1) value += __shfl_xor_sync(~0u, value, mask);
  return value;
}

__device__ __forceinline__ int least(int a, int b) { return a < b ? a : b; }
__device__ __forceinline__ int most(int a, int b) { return a > b ? a : b; }
