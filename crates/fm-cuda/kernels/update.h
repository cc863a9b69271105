// Gradients of the parameters over the batch, in a fixed order, and the step of the optimizer, in one pass.
#pragma once
#include "forward.h"

// What a parameter was before the step.
struct Old {
  float w, m, v, average;
};

__device__ __forceinline__ Old old_of(const Args& a, size_t at) {
  return {a.weights[at], a.m[at], a.method ? 0.0f : a.v[at], a.average ? a.average[at] : 0.0f};
}

// One parameter's step; returns its new value. Adam is in Keras' form, with the epsilon and the rate of the step.
__device__ __forceinline__ float move(const Args& a, const Part& part, float keep, float fresh, size_t at, Old old,
                                      float g) {
  float w;
  if (a.method) {
    const float b = fmaf(a.momentum, old.m, g);
    a.m[at] = b;
    w = old.w * keep - part.rate * fmaf(a.momentum, b, g);
  } else {
    const float m = old.m + (g - old.m) * a.fresh1, v = old.v + (g * g - old.v) * a.fresh2;
    a.m[at] = m;
    a.v[at] = v;
    w = old.w * keep - part.rate * m / (sqrtf(v) + part.eps);
  }
  a.weights[at] = w;
  if (a.average) a.average[at] = old.average + (w - old.average) * fresh;
  return w;
}

// Positions of a row of the map in shared memory: four neighbours of any lane must lie in different banks.
__device__ __forceinline__ int padded_row(int width) {
  while (width % 8 < 2 || width % 8 > 6) ++width;
  return width;
}

// TAPS taps (one, a row of three, or all) of four inputs of a later block, for 32 outputs. A warp takes every
// eighth image, a lane an output.
//
// Shared memory: [image of a chunk][position] four inputs each, of the positions that the taps see; then [2][8][4][32]
// sums.
template <int TAPS, int AHEAD>
__device__ __forceinline__ void update_conv(const Args& a, const Shape& s, int seed, const Now& now, const Conv& c,
                                            const Conv& under, int staging, int index, float4* staged) {
  constexpr int SETS = 9 / TAPS;
  const int tiles = (c.outputs + 31) / 32, t = threadIdx.x, part = t >> 5, lane = t & 31;
  const int f = index % tiles * 32 + lane, set = index / tiles % SETS, input = index / tiles / SETS * 4;
  const bool active = f < c.outputs;
  // What the taps see of a map, from (oy, ox) on.
  const int oy = TAPS == 9 ? 0 : TAPS == 3 ? set : set / 3, ox = TAPS == 1 ? set % 3 : 0;
  const int high = 2 * c.rows + (TAPS == 9 ? 2 : 0), wide = 2 * c.cols + (TAPS == 1 ? 0 : 2);
  const int row = staging ? padded_row(wide) : under.cols, size = high * row, places = high * wide;
  const int windows = c.rows * c.cols, chunk = staging ? staging : now.step.count;
  const size_t base = (size_t)seed * s.parameters;
  float* wt = a.turned + (size_t)seed * s.turned_size + c.turned;
  const auto place = [&](int tap) {
    return base + c.weight + (size_t)((set * TAPS + tap) * c.inputs + input + (part & 3)) * c.outputs + f;
  };
  // The parameter that this thread will move first, before its gradient is there.
  Old old = {};
  if (active && (part >> 2) < TAPS) old = old_of(a, place(part >> 2));

  float4 sum[TAPS];
  float bias = 0;
#pragma unroll
  for (int i = 0; i < TAPS; ++i) sum[i] = make_float4(0, 0, 0, 0);
  const int step = staging ? 1 : c.inputs / 4;
  for (int start = 0; start < now.step.count; start += chunk) {
    const int images = least(chunk, now.step.count - start);
    const float* slots = slot_of(a, s, seed, start);
    const byte* bytes = marks_of(a, s, seed, start) + c.mark + f;
    // Gradients and marks of AHEAD windows of an image, loaded before those ahead of them are used.
    float g_next[AHEAD];
    int m_next[AHEAD];
    const auto load = [&](int n, int from) {
#pragma unroll
      for (int j = 0; j < AHEAD; ++j) {
        const bool there = active && n < images && from + j < windows;
        g_next[j] = there ? slots[(size_t)n * s.slot + c.grad + f + (from + j) * c.outputs] : 0.0f;
        m_next[j] = there ? bytes[(size_t)n * s.marked + (from + j) * c.outputs] : 0;
      }
    };
    // Blocks that take other inputs begin with other images, so that not all ask the same part of the L2 cache at once.
    const int groups = (images + 7) / 8, turn = input / 4 % groups;
    load(part + turn * 8, 0);
    if (staging) {
      const float* from = slots + under.value + (oy * under.cols + ox) * c.inputs + input;
      for (int i = t; i < images * places; i += 4 * THREADS) {
        float4 v[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int k = i + j * THREADS, n = (k / places + turn * 8) % images, p = k % places;
          if (k < images * places)
            v[j] = *(const float4*)&from[(size_t)n * s.slot + (p / wide * under.cols + p % wide) * c.inputs];
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int k = i + j * THREADS, n = (k / places + turn * 8) % images, p = k % places;
          if (k < images * places) staged[n * size + p / wide * row + p % wide] = v[j];
        }
      }
      __syncthreads();
    }
    for (int k = 0; k < groups; ++k) {
      const int group = k + turn < groups ? k + turn : k + turn - groups, n = group * 8 + part;
      const int next = k + 1 == groups ? images : (group + 1 < groups ? group + 1 : 0) * 8 + part;
      if (n >= images) {
        load(next, 0);
        continue;
      }
      const float4* map = staging ? staged + n * size
                                  : (const float4*)(slots + (size_t)n * s.slot + under.value +
                                                    (oy * under.cols + ox) * c.inputs + input);
#pragma unroll
      for (int from = 0; from < windows; from += AHEAD) {
        float now_g[AHEAD];
        int now_m[AHEAD];
#pragma unroll
        for (int j = 0; j < AHEAD; ++j) now_g[j] = g_next[j], now_m[j] = m_next[j];
        if (from + AHEAD < windows) load(n, from + AHEAD);
        else load(next, 0);
#pragma unroll
        for (int j = 0; j < AHEAD; ++j) {
          const int p = from + j, mark = now_m[j];
          if (p >= windows) break;
          const float g = now_g[j];
          const int at = (p / c.cols * 2 + (mark >> 1 & 1)) * row + p % c.cols * 2 + (mark & 1);
          bias += g;
#pragma unroll
          for (int i = 0; i < TAPS; ++i) {
            const float4 v = map[(at + (TAPS == 9 ? i / 3 * row + i % 3 : i)) * step];
            sum[i].x = fmaf(g, v.x, sum[i].x);
            sum[i].y = fmaf(g, v.y, sum[i].y);
            sum[i].z = fmaf(g, v.z, sum[i].z);
            sum[i].w = fmaf(g, v.w, sum[i].w);
          }
        }
      }
    }
    if (staging) __syncthreads();
  }

  float* sums = (float*)(staged + (staging ? least(staging, a.batch) * size : 0));  // [2][8][4][32]
  const float fresh = now.step.fresh;
  // Two taps at a time: a thread takes one of them and one of the four inputs.
#pragma unroll
  for (int i = 0; i < TAPS; i += 2) {
#pragma unroll
    for (int j = 0; j < 2; ++j)
      if (i + j < TAPS) {
        const float4 v = sum[i + j < TAPS ? i + j : 0];
        float* to = sums + (j * 8 + part) * 128 + lane;
        to[0] = v.x;
        to[32] = v.y;
        to[64] = v.z;
        to[96] = v.w;
      }
    __syncthreads();
    const int tap = i + (part >> 2);
    if (active && tap < TAPS) {
      const float* from = sums + (part >> 2) * 1024 + (part & 3) * 32 + lane;
      float g = 0;
#pragma unroll
      for (int p = 0; p < 8; ++p) g += from[p * 128];
      const size_t at = place(tap);
      if (i) old = old_of(a, at);
      const float w = move(a, now.step.encoder, now.step.encoder.keep_weight, fresh, at, old, g);
      wt[((size_t)(set * TAPS + tap) * c.outputs + f) * c.inputs + input + (part & 3)] = w;
    }
    __syncthreads();
  }
  if (set == 0 && input == 0) {
    sums[t] = bias;
    __syncthreads();
    if (t < 32 && active) {
      float g = 0;
#pragma unroll
      for (int p = 0; p < 8; ++p) g += sums[p * 32 + t];
      const size_t at = base + c.bias + f;
      move(a, now.step.encoder, now.step.encoder.keep_bias, fresh, at, old_of(a, at), g);
    }
  }
}

// 64 inputs and 64 outputs of a dense layer. A thread takes an output and sixteen inputs.
//
// Shared memory: [image][64] inputs, then [image][64] gradients, of IMAGES images at a time.
__device__ __forceinline__ void update_dense(const Args& a, const Shape& s, int seed, const Now& now, const Dense& d, int values,
                                             int index, float* shared) {
  const int tiles = (d.padded + 63) / 64, t = threadIdx.x, from = index / tiles * 64, to = index % tiles * 64;
  const int j = to + (t & 63), group = t >> 6;
  float *in = shared, *out = shared + IMAGES * 64;
  float sum[16] = {}, bias = 0;
  for (int start = 0; start < now.step.count; start += IMAGES) {
    const int images = least(IMAGES, now.step.count - start);
#pragma unroll 4
    for (int i = t; i < images * 64; i += THREADS) {
      const float* slot = slot_of(a, s, seed, start + i / 64);
      const int at = i % 64;
      in[i] = from + at < d.inputs ? slot[values + from + at] : 0.0f;
      out[i] = to + at < d.padded ? slot[d.delta + to + at] : 0.0f;
    }
    __syncthreads();
#pragma unroll 4
    for (int n = 0; n < images; ++n) {
      const float g = out[n * 64 + (t & 63)];
#pragma unroll
      for (int i = 0; i < 16; i += 4) {
        const float4 x = *(const float4*)&in[n * 64 + group * 16 + i];
        sum[i] = fmaf(x.x, g, sum[i]);
        sum[i + 1] = fmaf(x.y, g, sum[i + 1]);
        sum[i + 2] = fmaf(x.z, g, sum[i + 2]);
        sum[i + 3] = fmaf(x.w, g, sum[i + 3]);
      }
      bias += g;
    }
    __syncthreads();
  }
  if (j >= d.padded) return;
  const size_t base = (size_t)seed * s.parameters;
  const float fresh = now.step.fresh;
  // Loads of four come before their stores, which might be to the same places for all that the compiler
  // knows.
  const size_t first = base + d.weight + (size_t)(from + group * 16) * d.padded + j;
#pragma unroll
  for (int four = 0; four < 16; four += 4) {
    Old old[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (from + group * 16 + four + i < d.inputs) old[i] = old_of(a, first + (four + i) * d.padded);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (from + group * 16 + four + i < d.inputs)
        move(a, now.step.head, now.step.head.keep_weight, fresh, first + (four + i) * d.padded, old[i], sum[four + i]);
  }
  if (from == 0 && group == 0) {
    const size_t at = base + d.bias + j;
    move(a, now.step.head, now.step.head.keep_bias, fresh, at, old_of(a, at), bias);
  }
}

// 64 of the first block's parameters, from the images' gradients: a thread takes a parameter and every fourth image.
__device__ __forceinline__ void update_first(const Args& a, const Shape& s, int seed, const Now& now, int index, float* sums) {
  const Conv& c = s.conv[0];
  const int weights = 9 * s.channels * c.outputs, all = weights + c.outputs;
  const int parts = s.convs > 1 ? (s.conv[1].rows + s.conv[1].back_rows - 1) / s.conv[1].back_rows : 1;
  const int t = threadIdx.x, i = index * 64 + (t & 63), share = t >> 6;
  const size_t at = (size_t)seed * s.parameters + (i < weights ? c.weight + i : c.bias + i - weights);
  Old old = {};
  float g = 0;
  if (i < all) {
    if (share == 0) old = old_of(a, at);
    const float* grads = slot_of(a, s, seed, 0) + s.first + i;
#pragma unroll 4
    for (int n = share; n < now.step.count; n += 4)
#pragma unroll 4
      for (int p = 0; p < parts; ++p) g += grads[(size_t)n * s.slot + p * all];
  }
  sums[t] = g;
  __syncthreads();
  if (share || i >= all) return;
  g = 0;
#pragma unroll
  for (int h = 0; h < 4; ++h) g += sums[h * 64 + t];
  const Part& part = now.step.encoder;
  move(a, part, i < weights ? part.keep_weight : part.keep_bias, now.step.fresh, at, old, g);
}

// The records of a step, and which one is next.
__device__ __forceinline__ void record(const Args& a, const Shape& s, int seed, const Now& now) {
  const int t = threadIdx.x;
  if (t >= 32) return;
  const Feed& feed = a.feeds[seed];
  Now next = {now.index + 1, {}};
  if (next.index < feed.until) next.step = feed.steps[next.index];
  float loss = 0, correct = 0;
#pragma unroll 2
  for (int n = t; n < now.step.count; n += 32) {
    const float* slot = slot_of(a, s, seed, n);
    loss += slot[s.loss];
    correct += slot[s.loss + 1];
  }
  loss = warp_sum(loss);
  correct = warp_sum(correct);
  if (t) return;
  a.sums[(size_t)seed * a.steps + now.index] = {loss, (int)correct};
  a.now[2 * seed] = next;
}

// [task][seed]: the records, dense layers, the first block, later blocks.
template <typename Net>
__device__ __forceinline__ void update_of(const Args& a) {
  SHARED(float4, shared);
  const auto& s = Net::shape(a);
  const int seed = blockIdx.y;
  const Now now = a.now[2 * seed + 1];
  if (now.step.count == 0) return;
  if (blockIdx.x == 0) return record(a, s, seed, now);
  int index = blockIdx.x - 1;
  if (a.head_moves)
    each<Net::FIXED>(0, s.denses, [&](auto l) INLINE {
      // A copy: where code of several layers is merged, a reference would keep the whole shape in memory.
      const Dense d = s.dense[l];
      const int tasks = (d.inputs + 63) / 64 * ((d.padded + 63) / 64);
      const int values = l == 0 ? s.conv[s.convs - 1].value : s.dense[before(l)].value;
      if (index >= 0 && index < tasks) update_dense(a, s, seed, now, d, values, index, (float*)shared);
      index -= tasks;
    });
  if (a.encoder_moves) {
    const int tasks = ((9 * s.channels + 1) * s.conv[0].outputs + 63) / 64;
    if (index >= 0 && index < tasks) update_first(a, s, seed, now, index, (float*)shared);
    index -= tasks;
    each<Net::FIXED>(1, s.convs, [&](auto l) INLINE {
      const Conv c = s.conv[l], under = s.conv[before(l)];
      const int tasks = (c.outputs + 31) / 32 * (9 / c.taps) * (c.inputs / 4), staging = a.staged[l];
      if (index >= 0 && index < tasks) {
        if (c.taps == 1) update_conv<1, 4>(a, s, seed, now, c, under, staging, index, shared);
        else if (c.taps == 3) update_conv<3, 2>(a, s, seed, now, c, under, staging, index, shared);
        else update_conv<9, 1>(a, s, seed, now, c, under, staging, index, shared);
      }
      index -= tasks;
    });
  }
}

// [block][seed][later convolution block - 1]: the turned weights of new parameters.
__device__ __forceinline__ void derive_of(const Args& a) {
  const Shape& s = a.shape;
  const Conv& c = s.conv[blockIdx.z + 1];
  const int seed = blockIdx.y, all = 9 * c.inputs * c.outputs;
  const float* w = a.weights + (size_t)seed * s.parameters + c.weight;
  float* wt = a.turned + (size_t)seed * s.turned_size + c.turned;
  for (int i = blockIdx.x * THREADS + threadIdx.x; i < all; i += gridDim.x * THREADS) {
    const int f = i % c.outputs, channel = i / c.outputs % c.inputs, tap = i / c.outputs / c.inputs;
    wt[((size_t)tap * c.outputs + f) * c.inputs + channel] = w[i];
  }
}
