// Dense layers, the loss, and the gradient down to the features.
#pragma once
#include "forward.h"

// [slice][seed][group of images]: sums of the first dense layer over a slice of its inputs. A thread takes an output
// of some of the images.
template <typename Net>
__device__ __forceinline__ void dense_split_of(const Args& a) {
  SHARED(float, inputs);  // [image][SLICE]
  const auto& s = Net::shape(a);
  const Dense& d = s.dense[0];
  const int seed = blockIdx.y, slice = blockIdx.x, start = blockIdx.z * IMAGES;
  const int images = least(IMAGES, now_of(a, seed).step.count - start);
  if (images <= 0) return;
  const int from = slice * SLICE, size = least(SLICE, d.inputs - from), t = threadIdx.x;
  const int features = s.conv[s.convs - 1].value;
#pragma unroll 8
  for (int i = t; i < IMAGES * SLICE; i += THREADS)
    inputs[i] = i / SLICE < images && i % SLICE < size
                    ? slot_of(a, s, seed, start + i / SLICE)[features + from + i % SLICE]
                    : 0.0f;
  __syncthreads();
  const float* w = a.weights + (size_t)seed * s.parameters + d.weight + (size_t)from * d.padded;
  constexpr int EACH = 8, ACROSS = THREADS / (IMAGES / EACH);
  const int n = t / ACROSS * EACH;
  for (int j = t % ACROSS; j < d.padded; j += ACROSS) {
    float sum[EACH] = {};
#pragma unroll 4
    for (int i = 0; i < size; i += 4) {
      float k[4];
#pragma unroll
      for (int m = 0; m < 4; ++m) k[m] = w[(i + m) * d.padded + j];
#pragma unroll
      for (int e = 0; e < EACH; ++e) {
        const float4 x = *(const float4*)&inputs[(n + e) * SLICE + i];
        sum[e] = fmaf(x.w, k[3], fmaf(x.z, k[2], fmaf(x.y, k[1], fmaf(x.x, k[0], sum[e]))));
      }
    }
    float* to = slot_of(a, s, seed, start + n) + s.part + slice * d.padded + j;
#pragma unroll
    for (int e = 0; e < EACH; ++e)
      if (n + e < images) to[(size_t)e * s.slot] = sum[e];
  }
}

// One dense layer of one image, from `in` to `out`; the sums of shares of the inputs meet in `sums`, [T] floats.
// The order of additions depends on the shape alone.
template <int T>
__device__ __forceinline__ void dense_layer(const float* w, const Dense& d, const float* in, float* out, float* sums,
                                            bool last) {
  const int t = threadIdx.x, across = least(d.padded, T);
  const int shares = most(1, least(least(T / d.padded, 16), d.inputs / 8));
  const int each = (d.inputs + shares - 1) / shares;
  for (int from = 0; from < d.padded; from += T) {
    const int j = from + t % across, share = t / across;
    if (share < shares && j < d.padded) {
      float sum = 0;
      const int end = least(d.inputs, share * each + each);
      const float* k = w + d.weight + j;
#pragma unroll 16
      for (int i = share * each; i < end; ++i) sum = fmaf(in[i], k[i * d.padded], sum);
      sums[t] = sum;
    }
    __syncthreads();
    if (t < across && from + t < d.padded) {
      float sum = w[d.bias + from + t];
#pragma unroll 16
      for (int p = 0; p < shares; ++p) sum += sums[p * across + t];
      out[from + t] = last ? sum : relu(sum);
    }
    __syncthreads();
  }
}

// The gradient of a dense layer's inputs, from `delta`; eight lanes take an input together. `sink(i, gradient)` is
// called once for each input.
template <int T, typename Sink>
__device__ __forceinline__ void dense_layer_back(const float* w, const Dense& d, const float* delta, const Sink& sink) {
  const int t = threadIdx.x, sub = t & 7;
#pragma unroll 4
  for (int from = 0; from < d.inputs; from += T / 8) {
    const int i = from + t / 8;
    float sum = 0;
    if (i < d.inputs) {
#pragma unroll 4
      for (int j = sub * 4; j < d.padded; j += 32) {
        const float4 k = *(const float4*)&w[d.weight + i * d.padded + j], e = *(const float4*)&delta[j];
        sum = fmaf(k.w, e.w, fmaf(k.z, e.z, fmaf(k.y, e.y, fmaf(k.x, e.x, sum))));
      }
    }
#pragma unroll
    for (int mask = 4; mask; mask >>= 1) sum += __shfl_xor_sync(~0u, sum, mask);
    if (sub == 0 && i < d.inputs) sink(i, sum);
  }
}

// What an image is trained towards.
struct Target {
  int label, partner;
  float share;
  __device__ __forceinline__ Target(const Args& a, int seed, int image) {
    if (a.logits) return;
    const Feed& feed = a.feeds[seed];
    const int row = row_of(feed, now_of(a, seed).step.begin + image);
    label = partner = feed.labels[row];
    share = 1;
    if (feed.shares) partner = feed.partners[row], share = feed.shares[row];
  }
};

// Softmax, cross-entropy and its gradient of one image, by the first warp; `scores` becomes the gradient.
__device__ __forceinline__ void loss_of(const Args& a, const Shape& s, const Dense& d, const Target& target_of, int count,
                                        float* scores, float* slot) {
  const int lane = threadIdx.x, label = target_of.label, partner = target_of.partner;
  const float share = target_of.share;
  float top = scores[0];
  int best = 0;
#pragma unroll 16
  for (int o = 1; o < s.classes; ++o)
    if (scores[o] > top) top = scores[o], best = o;
  float all = 0, target = 0;
  const float scale = 1.0f / count;
  const float rest = a.smoothing / s.classes, hit = 1.0f - a.smoothing;
  for (int o = lane; o < s.classes; o += 32) {
    all += expf(scores[o] - top);
    target += (hit * ((o == label) * share + (o == partner) * (1.0f - share)) + rest) * (scores[o] - top);
  }
  all = warp_sum(all);
  target = warp_sum(target);
  __syncwarp();
  if (lane == 0) {
    slot[s.loss] = logf(all) - target;
    slot[s.loss + 1] = best == label;
  }
  for (int o = lane; o < d.padded; o += 32) {
    float g = 0;
    if (o < s.classes) {
      const float wanted = hit * ((o == label) * share + (o == partner) * (1.0f - share)) + rest;
      g = (expf(scores[o] - top) / all - wanted) * scale;
    }
    scores[o] = g;
    slot[d.delta + o] = g;
  }
}

// Where the values of a dense layer lie in `tail`'s shared memory, in floats behind those of the first.
__device__ __forceinline__ int place_of(const Shape& s, int layer) {
  int at = 0;
  for (int l = 0; l < MAX_DENSES; ++l) at += l < layer ? s.dense[l].padded : 0;
  return at;
}

// The dense layers of one image, and in training the loss and the gradient of every dense layer's output; that of
// the features too, unless the first layer is split.
//
// `features` is shared memory: features (unless split), then the values of the layers one after the other, then [T] sums.
template <typename Net, int T>
__device__ __forceinline__ void tail_of(const Args& a, const Target& target, float* features) {
  const auto& s = Net::shape(a);
  const int seed = blockIdx.y, image = blockIdx.x, t = threadIdx.x;
  const Now& now = now_of(a, seed);
  const float* w = a.weights + (size_t)seed * s.parameters;
  float* slot = slot_of(a, s, seed, image);
  const Conv& last = s.conv[s.convs - 1];
  float* values = features + (s.slices ? 0 : s.dense[0].inputs);
  float* sums = values + place_of(s, s.denses);

  if (s.slices) {
    const Dense& d = s.dense[0];
    for (int j = t; j < d.padded; j += T) {
      float sum = w[d.bias + j];
#pragma unroll 32
      for (int i = 0; i < s.slices; ++i) sum += slot[s.part + i * d.padded + j];
      values[j] = s.denses > 1 ? relu(sum) : sum;
    }
  } else {
    for (int i = t; i < s.dense[0].inputs; i += T) features[i] = slot[last.value + i];
  }
  __syncthreads();
  each<Net::FIXED>(s.slices ? 1 : 0, s.denses, [&](auto l) INLINE {
    const Dense& d = s.dense[l];
    float* out = values + place_of(s, l);
    const float* in = l == 0 ? features : out - s.dense[before(l)].padded;
    dense_layer<T>(w, d, in, out, sums, l + 1 == s.denses);
  });
  const Dense& top = s.dense[s.denses - 1];
  float* scores = values + place_of(s, s.denses - 1);
  if (a.logits) {
    for (int o = t; o < s.classes; o += T) a.logits[(size_t)(now.step.begin + image) * s.classes + o] = scores[o];
    return;
  }

  each<Net::FIXED>(0, s.denses - 1, [&](auto l) INLINE {
    const Dense& d = s.dense[l];
    for (int j = t; j < d.padded; j += T) slot[d.value + j] = values[place_of(s, l) + j];
  });
  if (t < 32) loss_of(a, s, top, target, now.step.count, scores, slot);
  __syncthreads();
  // The values of the layer before become its gradient.
  each<Net::FIXED>(1, s.denses, [&](auto up) INLINE {
    const auto back = [&](int l) INLINE {
      const Dense &d = s.dense[l], &before = s.dense[l - 1];
      float* delta = values + place_of(s, l);
      float* to = delta - before.padded;
      dense_layer_back<T>(w, d, delta, [&](int i, float g) {
        g = to[i] > 0 ? g : 0.0f;
        to[i] = g;
        slot[before.delta + i] = g;
      });
      for (int i = d.inputs + t; i < before.padded; i += T) to[i] = slot[before.delta + i] = 0;
      __syncthreads();
    };
    back(s.denses - up);
  });
  if (s.slices || !a.encoder_moves) return;
  const byte* marks = marks_of(a, s, seed, image) + last.mark;
  dense_layer_back<T>(w, s.dense[0], values, [&](int i, float g) { slot[last.grad + i] = marks[i] & 4 ? g : 0.0f; });
}

// [image][seed]: see `tail_of`.
template <typename Net>
__device__ __forceinline__ void tail_alone_of(const Args& a) {
  SHARED(float, features);
  if (blockIdx.x >= now_of(a, blockIdx.y).step.count) return;
  tail_of<Net, THREADS>(a, Target(a, blockIdx.y, blockIdx.x), features);
}

// [slice][seed][group of images]: the gradient of the features where the first dense layer is split. A thread takes an
// input and some of the images.
template <typename Net>
__device__ __forceinline__ void dense_back_of(const Args& a) {
  SHARED(float, deltas);  // [image][padded]
  const auto& s = Net::shape(a);
  const Dense& d = s.dense[0];
  const Conv& last = s.conv[s.convs - 1];
  const int seed = blockIdx.y, slice = blockIdx.x, start = blockIdx.z * IMAGES, t = threadIdx.x;
  const int images = least(IMAGES, now_of(a, seed).step.count - start);
  if (images <= 0) return;
#pragma unroll 8
  for (int i = t; i < IMAGES * d.padded; i += THREADS)
    deltas[i] = i / d.padded < images ? slot_of(a, s, seed, start + i / d.padded)[d.delta + i % d.padded] : 0.0f;
  __syncthreads();
  constexpr int EACH = 8;
  const int input = slice * SLICE + t % SLICE, n = t / SLICE * EACH;
  if (input >= d.inputs) return;
  const float* w = a.weights + (size_t)seed * s.parameters + d.weight + (size_t)input * d.padded;
  float sum[EACH] = {};
#pragma unroll 8
  for (int j = 0; j < d.padded; j += 4) {
    const float4 k = *(const float4*)&w[j];
#pragma unroll
    for (int e = 0; e < EACH; ++e) {
      const float4 x = *(const float4*)&deltas[(n + e) * d.padded + j];
      sum[e] = fmaf(k.w, x.w, fmaf(k.z, x.z, fmaf(k.y, x.y, fmaf(k.x, x.x, sum[e]))));
    }
  }
#pragma unroll
  for (int e = 0; e < EACH; ++e)
    if (n + e < images) {
      const byte mark = marks_of(a, s, seed, start + n + e)[last.mark + input];
      slot_of(a, s, seed, start + n + e)[last.grad + input] = mark & 4 ? sum[e] : 0.0f;
    }
}
