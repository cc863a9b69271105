// Backward passes of the convolution blocks: gradients of their inputs, and of the first block's parameters.
#pragma once
#include "forward.h"

// Adds g times nine weights to a patch of 4x4 inputs, at the place of the window where the maximum was.
#define SCATTER(OY, OX)                                       \
  _Pragma("unroll") for (int tap = 0; tap < 9; ++tap)         \
    patch[i][(OY + tap / 3) * 4 + OX + tap % 3] =             \
        fmaf(g, k[tap], patch[i][(OY + tap / 3) * 4 + OX + tap % 3])

// The gradients of 4x4 inputs of the windows from `first` on, `all` of them over `images` images of which each has
// `windows` here: a warp takes four windows and a share of the outputs, a lane an input. Where the gradient behind the
// pool is zero, nothing is computed. Each THREADS threads take a tile of inputs, with patches of their own:
// `patches` is [share][window][16][TILE]; in the end its first share has the sums.
template <int UNROLL>
__device__ __forceinline__ void patches_of(const Args& a, const Shape& s, int seed, const Conv& c, int tile,
                                           int first_image, int first, int windows, int all, float* patches) {
  const float* turned = a.turned + (size_t)seed * s.turned_size + c.turned;
  const float* slots = slot_of(a, s, seed, first_image) + c.grad + first * c.outputs;
  const byte* bytes = marks_of(a, s, seed, first_image) + c.mark + first * c.outputs;
  const int lane = threadIdx.x & 31, warp = threadIdx.x % THREADS >> 5;
  const int shares = c.back_split, share = warp % shares, at_once = THREADS / 32 / shares;
  const int each = (c.outputs + shares - 1) / shares, begin = share * each, end = least(c.outputs, begin + each);
  const int channel = least(tile * TILE + lane, c.inputs - 1), plane = c.outputs * c.inputs;
  for (int start = 0; start * 4 < all; start += at_once) {
    const int window = (start + warp / shares) * 4, taken = least(4, all - window);
    if (taken <= 0) continue;
    float patch[4][16] = {};
    int grads[4], marks[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int w = least(window + i, all - 1), image = w / windows, p = w % windows * c.outputs;
      grads[i] = image * s.slot + p;
      marks[i] = image * s.marked + p;
    }
    // Loaded an output ahead. The marks of the four windows share a word.
    float next[9], g_next[4];
    unsigned m_next = 0;
    const auto ahead = [&](int f) {
      const float* weights = turned + f * c.inputs + channel;
#pragma unroll
      for (int tap = 0; tap < 9; ++tap) next[tap] = weights[tap * plane];
      m_next = 0;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        g_next[i] = i < taken ? slots[grads[i] + f] : 0.0f;
        m_next |= (bytes[marks[i] + f] & 3u) << i * 8;
      }
    };
    if (begin < end) ahead(begin);
#pragma unroll UNROLL
    for (int f = begin; f < end; ++f) {
      float k[9], now[4];
      const unsigned mark = m_next;
#pragma unroll
      for (int tap = 0; tap < 9; ++tap) k[tap] = next[tap];
#pragma unroll
      for (int i = 0; i < 4; ++i) now[i] = g_next[i];
      if (f + 1 < end) ahead(f + 1);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float g = now[i];
        if (g == 0) continue;
        switch (mark >> i * 8 & 3) {
          case 0: SCATTER(0, 0); break;
          case 1: SCATTER(0, 1); break;
          case 2: SCATTER(1, 0); break;
          default: SCATTER(1, 1);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (i < taken)
#pragma unroll
        for (int j = 0; j < 16; ++j) patches[((size_t)(share * all + window + i) * 16 + j) * TILE + lane] = patch[i][j];
  }
  __syncthreads();
  if (shares == 1) return;
  // The shares are added up into the first one.
  const int size = all * 16 * TILE;
  for (int at = threadIdx.x % THREADS; at < size; at += THREADS) {
    float sum = 0;
#pragma unroll 8
    for (int h = 0; h < shares; ++h) sum += patches[h * size + at];
    patches[at] = sum;
  }
  __syncthreads();
}

// The gradient of an input position: the sum over the windows that see it, always in the same order. `rows` rows of
// windows have patches.
__device__ __forceinline__ float position_of(const Conv& c, int rows, const float* patches, int y, int x, int lane) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int wy = y / 2 - i / 2, wx = x / 2 - i % 2, py = (y & 1) + i / 2 * 2, px = (x & 1) + i % 2 * 2;
    const bool there = wy >= 0 && wy < rows && wx >= 0 && wx < c.cols;
    sum += there ? patches[((wy * c.cols + wx) * 16 + py * 4 + px) * TILE + lane] : 0.0f;
  }
  return sum;
}

// The gradient of the first block's parameters from `rows` rows of windows of one image, from row `first` on: a warp
// takes positions, a lane an output. `grad(y, x, f)` is the gradient behind the pool, y counted from `first`. The sums
// of the warps meet in `sums`, [warp][9 * CHANNELS + 1][TILE].
template <int CHANNELS, typename Grad>
__device__ __forceinline__ void first_grads(const Args& a, const Shape& s, int seed, int image, int part, int tile, int first,
                                            int rows, const float* pixels, float* sums, const Grad& grad) {
  constexpr int ROWS = 9 * CHANNELS + 1;
  const Conv& c = s.conv[0];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, f = least(tile * TILE + lane, c.outputs - 1);
  const int size = s.seen_height * s.seen_width;
  const byte* marks = marks_of(a, s, seed, image) + c.mark + first * c.cols * c.outputs + f;
  const float* from = pixels + first * 2 * s.seen_width;
  float sum[ROWS] = {};
#pragma unroll 5
  for (int p = warp; p < rows * c.cols; p += THREADS / 32) {
    const int mark = marks[p * c.outputs], y = p / c.cols, x = p % c.cols;
    const float g = mark & 4 ? grad(y, x, f) : 0.0f;
    const float* at = from + (y * 2 + (mark >> 1 & 1)) * s.seen_width + x * 2 + (mark & 1);
#pragma unroll
    for (int channel = 0; channel < CHANNELS; ++channel)
#pragma unroll
      for (int i = 0; i < 9; ++i)
        sum[channel * 9 + i] = fmaf(g, at[channel * size + i / 3 * s.seen_width + i % 3], sum[channel * 9 + i]);
    sum[ROWS - 1] += g;
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < ROWS; ++i) sums[(warp * ROWS + i) * TILE + lane] = sum[i];
  __syncthreads();
  float* out = slot_of(a, s, seed, image) + s.first + part * ROWS * c.outputs;
  for (int i = threadIdx.x; i < ROWS * TILE; i += THREADS) {
    const int output = tile * TILE + i % TILE;
    if (output >= c.outputs) continue;
    float all = 0;
#pragma unroll
    for (int w = 0; w < THREADS / 32; ++w) all += sums[w * ROWS * TILE + i];
    out[i / TILE * c.outputs + output] = all;
  }
}

// Writes the gradient of the input maps of some images from their patches, of all windows: a warp takes positions.
__device__ __forceinline__ void inputs_of(const Args& a, const Shape& s, int seed, const Conv& c, const Conv& before, int tile,
                                          int image, int images, int rows, const float* patches) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x % THREADS >> 5;
  const int f = tile * TILE + lane, places = before.rows * before.cols, windows = rows * c.cols;
  if (f >= c.inputs) return;
#pragma unroll 2
  for (int item = warp; item < images * places; item += THREADS / 32) {
    const int i = item / places, p = item % places, at = p * c.inputs + f;
    const float g = position_of(c, rows, patches + (size_t)i * windows * 16 * TILE, p / before.cols, p % before.cols, lane);
    slot_of(a, s, seed, image + i)[before.grad + at] = marks_of(a, s, seed, image + i)[before.mark + at] & 4 ? g : 0.0f;
  }
}

// [group of images][seed][tile of inputs, part]: the gradient of a later block's input map. For the second block it
// goes straight into the gradient of the first block's parameters, one image and some rows of windows at a time.
//
// Shared memory: patches (or the first block's sums, which may be larger), then pixels.
template <typename Net, typename Layer>
__device__ __forceinline__ void back_of(const Args& a, Layer layer) {
  SHARED(float, shared);
  const auto& s = Net::shape(a);
  const Conv &c = s.conv[layer], &before = s.conv[layer - 1];
  const int tiles = (c.inputs + TILE - 1) / TILE, tile = blockIdx.z % tiles, part = blockIdx.z / tiles;
  const int seed = blockIdx.y, image = blockIdx.x * c.back_images, lane = threadIdx.x & 31;
  const Now& now = now_of(a, seed);
  const int count = now.step.count;
  if (image >= count) return;
  const int images = least(c.back_images, count - image), top = part * c.back_rows;
  const int rows = least(c.back_rows, c.rows - top), windows = rows * c.cols, most_windows = c.back_rows * c.cols;
  const int sums = THREADS / 32 * (9 * s.channels + 1) * TILE;
  float* patches = shared;
  float* pixels = shared + most(c.back_images * c.back_split * most_windows * 16 * TILE, layer == 1 ? sums : 0);
  if (!Net::FIXED && a.scratch) {
    const size_t block = ((size_t)seed * gridDim.x + blockIdx.x) * gridDim.z + blockIdx.z;
    patches = a.scratch + block * c.back_images * c.back_split * most_windows * 16 * TILE;
    pixels = shared + sums;
  }
  // Loaded here, needed behind the patches.
  int row = 0;
  if (layer == 1) row = row_of(a.feeds[seed], now.step.begin + image);
  patches_of<1>(a, s, seed, c, tile, image, top * c.cols, windows, images * windows, patches);
  if (layer == 1) {
    load_pixels(s, a.feeds[seed], row, pixels);
    __syncthreads();
    const auto grad = [&](int y, int x, int) { return position_of(c, rows, patches, y, x, lane); };
    const int seen = 2 * rows + 2;
    if (s.channels == 1) first_grads<1>(a, s, seed, image, part, tile, 2 * top, seen, pixels, shared, grad);
    else first_grads<3>(a, s, seed, image, part, tile, 2 * top, seen, pixels, shared, grad);
    return;
  }
  inputs_of(a, s, seed, c, before, tile, image, images, rows, patches);
}

// [image][seed][tile of outputs]: the gradient of the first block's parameters where no other block follows.
//
// Shared memory: the warps' sums, then pixels.
template <typename Net>
__device__ __forceinline__ void first_back_of(const Args& a) {
  SHARED(float, sums);
  const auto& s = Net::shape(a);
  const int seed = blockIdx.y, image = blockIdx.x;
  const Now& now = now_of(a, seed);
  if (image >= now.step.count) return;
  float* pixels = sums + THREADS / 32 * (9 * s.channels + 1) * TILE;
  const Feed& feed = a.feeds[seed];
  load_pixels(s, feed, row_of(feed, now.step.begin + image), pixels);
  const Conv& c = s.conv[0];
  const float* grads = slot_of(a, s, seed, image) + c.grad;
  const auto grad = [&](int y, int x, int f) { return grads[(y * c.cols + x) * c.outputs + f]; };
  __syncthreads();
  if (s.channels == 1) first_grads<1>(a, s, seed, image, 0, blockIdx.z, 0, c.rows, pixels, sums, grad);
  else first_grads<3>(a, s, seed, image, 0, blockIdx.z, 0, c.rows, pixels, sums, grad);
}
