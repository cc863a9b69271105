// The last block, the dense layers and their backward passes in one launch, for networks whose last map is small.
#pragma once
#include "back.h"
#include "dense.h"

// [image][seed]: as `conv`, `tail` and `back` one after the other. The last block may have up to two tiles of inputs.
//
// Shared memory: sums of `block_of`, or what `tail_of` needs, or the patches of the tiles, whichever is most.
template <typename Net, typename Layer>
__device__ __forceinline__ void middle_of(const Args& a, Layer layer) {
  SHARED(float, shared);
  const auto& s = Net::shape(a);
  const Conv &c = s.conv[layer], &under = s.conv[before(layer)];
  const int seed = blockIdx.y, image = blockIdx.x;
  if (image >= now_of(a, seed).step.count) return;
  // Long before it is needed: three loads one after the other.
  const Target target(a, seed, image);
  const float* map = slot_of(a, s, seed, image) + under.value;
  block_of<4, 1, WIDE>(a, s, seed, c, 0, image, 1, map, 0, c.inputs, shared);
  // What a block of threads has written it reads again.
  __syncthreads();
  tail_of<Net, WIDE>(a, target, shared);
  if (!a.encoder_moves) return;
  __syncthreads();
  const int windows = c.rows * c.cols, tile = threadIdx.x / THREADS;
  float* patches = shared + tile * c.back_split * windows * 16 * TILE;
  patches_of<8>(a, s, seed, c, tile, image, 0, windows, windows, patches);
  inputs_of(a, s, seed, c, under, tile, image, 1, c.rows, patches);
}
