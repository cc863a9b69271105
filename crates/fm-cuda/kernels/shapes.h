// Networks that the compiler knows. Made by `cargo run -p fm-cuda --example shapes`; a test compares.
#pragma once
#include "args.h"
#include "cuda.h"

// 28x28, filters [32, 64, 64], units [128, 10]
struct CnnFew {
  static constexpr bool FIXED = true;
  static constexpr int UNROLL = 2;
  __device__ __forceinline__ static constexpr Shape shape(const Args&) {
    return {
      65612, 55296, 6940, 4288, 28, 28, 1, 22, 22, 3, 2, 10, 5656, 6936, 6936, 0,
      {
        {10, 10, 1, 32, 0, 288, 0, 0, 3200, 0, 1, 1, 16, 1, 10, 1, 1},
        {4, 4, 32, 64, 320, 18752, 0, 3200, 4224, 3200, 8, 8, 16, 1, 1, 1, 1},
        {1, 1, 64, 64, 18816, 55680, 18432, 5248, 5312, 4224, 16, 8, 64, 1, 1, 2, 3},
      },
      {
        {64, 128, 128, 55744, 63936, 5376, 5504},
        {128, 10, 12, 64064, 65600, 5632, 5644},
      },
    };
  }
};

// 28x28, filters [32, 64, 64], units [128, 10]
struct CnnMany {
  static constexpr bool FIXED = true;
  static constexpr int UNROLL = 1;
  __device__ __forceinline__ static constexpr Shape shape(const Args&) {
    return {
      65612, 55296, 6940, 4288, 28, 28, 1, 22, 22, 3, 2, 10, 5656, 6936, 6936, 0,
      {
        {10, 10, 1, 32, 0, 288, 0, 0, 3200, 0, 1, 1, 32, 1, 10, 1, 9},
        {4, 4, 32, 64, 320, 18752, 0, 3200, 4224, 3200, 8, 8, 64, 1, 1, 1, 9},
        {1, 1, 64, 64, 18816, 55680, 18432, 5248, 5312, 4224, 16, 8, 64, 4, 1, 8, 9},
      },
      {
        {64, 128, 128, 55744, 63936, 5376, 5504},
        {128, 10, 12, 64064, 65600, 5632, 5644},
      },
    };
  }
};

// 28x28, filters [32, 64], units [64, 32, 10]
struct MlpFew {
  static constexpr bool FIXED = true;
  static constexpr int UNROLL = 1;
  __device__ __forceinline__ static constexpr Shape shape(const Args&) {
    return {
      123756, 18432, 11228, 6208, 28, 28, 1, 26, 26, 2, 3, 10, 8024, 9624, 11224, 25,
      {
        {12, 12, 1, 32, 0, 288, 0, 0, 4608, 0, 1, 1, 16, 1, 12, 1, 1},
        {5, 5, 32, 64, 320, 18752, 0, 4608, 6208, 4608, 8, 4, 16, 1, 1, 1, 1},
      },
      {
        {1600, 64, 64, 18816, 121216, 7808, 7872},
        {64, 32, 32, 121280, 123328, 7936, 7968},
        {32, 10, 12, 123360, 123744, 8000, 8012},
      },
    };
  }
};

// 28x28, filters [32, 64], units [64, 32, 10]
struct MlpMany {
  static constexpr bool FIXED = true;
  static constexpr int UNROLL = 1;
  __device__ __forceinline__ static constexpr Shape shape(const Args&) {
    return {
      123756, 18432, 11228, 6208, 28, 28, 1, 26, 26, 2, 3, 10, 8024, 9624, 11224, 25,
      {
        {12, 12, 1, 32, 0, 288, 0, 0, 4608, 0, 1, 1, 32, 1, 12, 1, 9},
        {5, 5, 32, 64, 320, 18752, 0, 4608, 6208, 4608, 8, 4, 64, 1, 1, 1, 9},
      },
      {
        {1600, 64, 64, 18816, 121216, 7808, 7872},
        {64, 32, 32, 121280, 123328, 7936, 7968},
        {32, 10, 12, 123360, 123744, 8000, 8012},
      },
    };
  }
};
