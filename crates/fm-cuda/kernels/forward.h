// Forward passes of the convolution blocks.
//
// `Net` says what is known of the network when a kernel is compiled: `Any` knows nothing, the others (shapes.h) all.
#pragma once
#include "args.h"
#include "cuda.h"

struct Any {
  static constexpr bool FIXED = false;
  static constexpr int UNROLL = 1;  // of the loop over the inputs of a convolution
  __device__ __forceinline__ static const Shape& shape(const Args& a) { return a.shape; }
};

__device__ __forceinline__ const Now& now_of(const Args& a, int seed) { return a.now[2 * seed]; }

__device__ __forceinline__ float* slot_of(const Args& a, const Shape& s, int seed, int image) {
  return a.slots + ((size_t)seed * a.batch + image) * s.slot;
}

__device__ __forceinline__ byte* marks_of(const Args& a, const Shape& s, int seed, int image) {
  return a.marks + ((size_t)seed * a.batch + image) * s.marked;
}

// The row of the training file, or of what was prepared, that a position of the batch stands for.
__device__ __forceinline__ int row_of(const Feed& feed, int position) {
  return feed.order ? feed.order[position] : position;
}

// The first kernel of a step tells `update` which step it is.
__device__ __forceinline__ void hand_on(const Args& a, int seed) {
  if (blockIdx.x == 0 && blockIdx.z == 0 && threadIdx.x == 0) a.now[2 * seed + 1] = a.now[2 * seed];
}

// Pixels of what the network sees, from 0 to 1: [channel][row][column].
__device__ __forceinline__ void load_pixels(const Shape& s, const Feed& feed, int row, float* pixels) {
  const int size = s.seen_height * s.seen_width;
  const byte* image = feed.images + (size_t)row * s.channels * s.height * s.width;
#pragma unroll 2
  for (int i = threadIdx.x; i < s.channels * size; i += THREADS) {
    const int channel = i / size, at = i % size, y = at / s.seen_width, x = at % s.seen_width;
    pixels[i] = image[(channel * s.height + y) * s.width + x] * (1.0f / 255.0f);
  }
}

// ReLU that keeps what is no number.
__device__ __forceinline__ float relu(float x) { return x > 0 ? x : x != x ? x : 0.0f; }

// The first block's weights of one output.
template <int CHANNELS>
struct Filter {
  float k[CHANNELS * 9], bias;
  __device__ __forceinline__ Filter(const Args& a, const Shape& s, int seed, int f) {
    const Conv& c = s.conv[0];
    const float* w = a.weights + (size_t)seed * s.parameters;
    f = least(f, c.outputs - 1);
#pragma unroll
    for (int i = 0; i < CHANNELS * 9; ++i) k[i] = w[c.weight + i * c.outputs + f];
    bias = w[c.bias + f];
  }
};

// The first block of one image: a warp takes a window, a lane an output. Leaves the map in `map` (`stride` floats from
// one position to the next), and in the slot where `writes` says so.
template <int CHANNELS>
__device__ __forceinline__ void first_block(const Args& a, const Shape& s, int seed, Filter<CHANNELS> filter,
                                            const float* pixels, float* map, int stride, float* slot, byte* marks,
                                            bool writes) {
  const Conv& c = s.conv[0];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, size = s.seen_height * s.seen_width;
  for (int f = lane; f < c.outputs; f += 32) {
    if (f >= 32) filter = Filter<CHANNELS>(a, s, seed, f);
#pragma unroll 2
    for (int p = warp; p < c.rows * c.cols; p += THREADS / 32) {
      const float* at = pixels + p / c.cols * 2 * s.seen_width + p % c.cols * 2;
      float sum[4] = {0, 0, 0, 0};
#pragma unroll
      for (int channel = 0; channel < CHANNELS; ++channel) {
        float patch[16];
#pragma unroll
        for (int j = 0; j < 16; ++j) patch[j] = at[channel * size + j / 4 * s.seen_width + j % 4];
#pragma unroll
        for (int i = 0; i < 9; ++i)
#pragma unroll
          for (int q = 0; q < 4; ++q)
            sum[q] = fmaf(patch[(q / 2 + i / 3) * 4 + q % 2 + i % 3], filter.k[channel * 9 + i], sum[q]);
      }
      float best = sum[0];
      int which = 0;
#pragma unroll
      for (int q = 1; q < 4; ++q)
        if (sum[q] > best) best = sum[q], which = q;
      best = relu(best + filter.bias);
      if (map) map[p * stride + f] = best;
      if (writes) {
        slot[c.value + p * c.outputs + f] = best;
        marks[c.mark + p * c.outputs + f] = which | (best > 0 ? 4 : 0);
      }
    }
  }
}

// Loads the image at a position of the batch and computes its first block. The weights are on their way meanwhile.
template <int CHANNELS>
__device__ __forceinline__ void image_of(const Args& a, const Shape& s, int seed, int image, float* pixels, float* map,
                                         int stride, bool writes) {
  const Filter<CHANNELS> filter(a, s, seed, threadIdx.x & 31);
  const Feed& feed = a.feeds[seed];
  load_pixels(s, feed, row_of(feed, now_of(a, seed).step.begin + image), pixels);
  __syncthreads();
  first_block<CHANNELS>(a, s, seed, filter, pixels, map, stride, slot_of(a, s, seed, image), marks_of(a, s, seed, image),
                        writes);
}

// A later block, for the windows of `images` images that lie one after the other: a thread of T takes EACH windows, four
// outputs and a share of the inputs; the shares are added up through `sums`, floats of [16 * EACH][T].
//
// `maps` has an input map each `image_stride` floats, with `stride` floats from one position to the next.
template <int UNROLL, int EACH, int T>
__device__ __forceinline__ void block_of(const Args& a, const Shape& s, int seed, const Conv& c, int part, int first_image,
                                         int images, const float* maps, size_t image_stride, int stride, float* sums) {
  const float* w = a.weights + (size_t)seed * s.parameters;
  const int windows = c.rows * c.cols, all = images * windows, packs = (all + EACH - 1) / EACH;
  const int from = part * c.filters;
  const int groups = (c.outputs % c.filters ? least(c.filters, c.outputs - from) : c.filters) / 4;
  const int at_once = least(T / (groups * c.split), packs), inputs = c.inputs / c.split;
  const int row = (2 * c.cols + 2) * stride;
  const int t = threadIdx.x, group = t % groups, pack = t / groups % at_once, share = t / groups / at_once;
  for (int start = 0; start < packs; start += at_once) {
    const int taken = least(at_once, packs - start);
    if (share < c.split && pack < taken) {
      const float* at[EACH];
#pragma unroll
      for (int i = 0; i < EACH; ++i) {
        const int window = least((start + pack) * EACH + i, all - 1), image = window / windows, p = window % windows;
        at[i] = maps + image * image_stride + p / c.cols * 2 * row + p % c.cols * 2 * stride + share * inputs;
      }
      float sum[EACH][4][4] = {};
      const float* k = w + c.weight + share * inputs * c.outputs + from + group * 4;
#pragma unroll UNROLL
      for (int channel = 0; channel < inputs; ++channel) {
        float patch[EACH][16];
#pragma unroll
        for (int i = 0; i < EACH; ++i)
#pragma unroll
          for (int j = 0; j < 16; ++j) patch[i][j] = at[i][j / 4 * row + j % 4 * stride + channel];
#pragma unroll
        for (int tap = 0; tap < 9; ++tap) {
          const float4 v = *(const float4*)(k + (tap * c.inputs + channel) * c.outputs);
#pragma unroll
          for (int i = 0; i < EACH; ++i)
#pragma unroll
            for (int q = 0; q < 4; ++q) {
              const float x = patch[i][(q / 2 + tap / 3) * 4 + q % 2 + tap % 3];
              sum[i][q][0] = fmaf(x, v.x, sum[i][q][0]);
              sum[i][q][1] = fmaf(x, v.y, sum[i][q][1]);
              sum[i][q][2] = fmaf(x, v.z, sum[i][q][2]);
              sum[i][q][3] = fmaf(x, v.w, sum[i][q][3]);
            }
        }
      }
#pragma unroll
      for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int q = 0; q < 4; ++q)
#pragma unroll
          for (int j = 0; j < 4; ++j) sums[((i * 4 + j) * 4 + q) * T + t] = sum[i][q][j];
    }
    __syncthreads();
    // A thread takes an output of a window: the sums of its four positions.
    for (int item = t; item < taken * groups * 4 * EACH; item += T) {
      const int g = item % groups, rest = item / groups, p = rest % taken, i = rest / taken / 4, j = rest / taken % 4;
      const int window = (start + p) * EACH + i;
      if (window >= all) continue;
      float best = 0;
      int which = 0;
#pragma unroll
      for (int q = 0; q < 4; ++q) {
        float sum = 0;
#pragma unroll 16
        for (int h = 0; h < c.split; ++h) sum += sums[((i * 4 + j) * 4 + q) * T + (h * at_once + p) * groups + g];
        if (q == 0 || sum > best) best = sum, which = q;
      }
      const int f = from + g * 4 + j;
      best = relu(best + w[c.bias + f]);
      const int image = first_image + window / windows, at = window % windows * c.outputs + f;
      slot_of(a, s, seed, image)[c.value + at] = best;
      marks_of(a, s, seed, image)[c.mark + at] = which | (best > 0 ? 4 : 0);
    }
    if (start + at_once < packs) __syncthreads();
  }
}

// [image][seed]: the first block alone.
template <typename Net>
__device__ __forceinline__ void first_of(const Args& a) {
  SHARED(float, pixels);
  const auto& s = Net::shape(a);
  const int seed = blockIdx.y, image = blockIdx.x;
  const Now& now = now_of(a, seed);
  hand_on(a, seed);
  if (image >= now.step.count) return;
  if (s.channels == 1) image_of<1>(a, s, seed, image, pixels, 0, 0, true);
  else image_of<3>(a, s, seed, image, pixels, 0, 0, true);
}

// [image][seed][part of the second block's outputs]: the first two blocks. Each part computes the first block for
// itself, which costs less than another launch.
template <typename Net>
__device__ __forceinline__ void first_conv_of(const Args& a) {
  SHARED(float, map);
  const auto& s = Net::shape(a);
  const Conv &c = s.conv[0], &next = s.conv[1];
  const int seed = blockIdx.y, image = blockIdx.x, stride = c.outputs + 4;
  float* sums = map + c.rows * c.cols * stride;
  float* pixels = sums;
  const Now& now = now_of(a, seed);
  hand_on(a, seed);
  if (image >= now.step.count) return;
  if (s.channels == 1) image_of<1>(a, s, seed, image, pixels, map, stride, blockIdx.z == 0);
  else image_of<3>(a, s, seed, image, pixels, map, stride, blockIdx.z == 0);
  __syncthreads();
  block_of<Net::UNROLL, 2, THREADS>(a, s, seed, next, blockIdx.z, image, 1, map, 0, stride, sums);
}

// [group of images][seed][part of the outputs]: a later block, from the maps in the slots.
template <typename Net, typename Layer>
__device__ __forceinline__ void conv_of(const Args& a, Layer layer) {
  SHARED(float, sums);
  const auto& s = Net::shape(a);
  const Conv& c = s.conv[layer];
  const int seed = blockIdx.y, image = blockIdx.x * c.images;
  const int count = now_of(a, seed).step.count;
  if (image >= count) return;
  const float* maps = slot_of(a, s, seed, image) + s.conv[layer - 1].value;
  block_of<Net::UNROLL, 2, THREADS>(a, s, seed, c, blockIdx.z, image, least(c.images, count - image), maps, s.slot, c.inputs, sums);
}

// [image][seed]: features from codes in place of the convolution blocks.
__device__ __forceinline__ void gather_of(const Args& a) {
  const Shape& s = a.shape;
  const int seed = blockIdx.y, image = blockIdx.x, size = s.dense[0].inputs;
  const Now& now = now_of(a, seed);
  hand_on(a, seed);
  if (image >= now.step.count) return;
  const Feed& feed = a.feeds[seed];
  const float* code = feed.codes + (size_t)row_of(feed, now.step.begin + image) * size;
  float* features = slot_of(a, s, seed, image) + s.conv[s.convs - 1].value;
  for (int i = threadIdx.x; i < size; i += THREADS) features[i] = code[i];
}

// [image][seed]: the features of each position of the batch, as codes [position][feature].
__device__ __forceinline__ void codes_of(const Args& a) {
  const Shape& s = a.shape;
  const int seed = blockIdx.y, image = blockIdx.x, size = s.dense[0].inputs;
  const Now& now = now_of(a, seed);
  if (image >= now.step.count) return;
  const float* features = slot_of(a, s, seed, image) + s.conv[s.convs - 1].value;
  for (int i = threadIdx.x; i < size; i += THREADS) a.logits[(size_t)(now.step.begin + image) * size + i] = features[i];
}
