// CUDA's thread model on one CPU thread, for tests: a CUDA thread is a fiber, and a barrier lets others run.
//
// Besides wrong arithmetic it finds: reads of shared memory that nobody wrote (it starts as NaN), missing barriers
// (fibers run in an order drawn anew at each barrier, from a seed), barriers that not all threads reach (reported, not
// hung), and with -fsanitize=address accesses out of bounds. Barriers count what an observer of memory accesses needs to
// tell which of them have an order (`Fiber`, `Block`, `Warp`), and one may be taken out (`without`). It does not show what
// weak memory order, alignment or occupancy do on a GPU.
//
// All state is of the calling thread: several launches may run at once on threads of their own.
#pragma once
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#define __global__
#define __device__
#define __forceinline__
#define __launch_bounds__(...)
#define SHARED(T, name) T* name = (T*)emu::now->block->shared

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace emu {

struct Block;

struct Fiber {
  void* stack_pointer = nullptr;
  dim3 index;
  int lane = 0, warp = 0;
  Block* block = nullptr;
  const int* waits_on = nullptr;  // runs again once this is no longer waits_for
  int waits_for = 0;
  bool done = false, started = false;
  char* stack = nullptr;
#ifdef __SANITIZE_ADDRESS__
  void* fake_stack = nullptr;
#endif
};

struct Barrier {
  int alive = 0, arrived = 0, turn = 0;
};

// Shuffles exchange values and do not order memory, so they have a barrier of their own.
struct Warp {
  Barrier barrier, shuffle;
  uint32_t slots[2][32];
};

struct Block {
  dim3 index;
  unsigned number = 0;  // in the grid
  char* shared = nullptr;
  size_t shared_bytes = 0;
  Barrier barrier;
  std::vector<Warp> warps;
  std::vector<Fiber> fibers;
};

inline thread_local Fiber* now = nullptr;
inline thread_local uint64_t products = 0;
inline thread_local void* scheduler = nullptr;
inline thread_local dim3 grid_size, block_size;
inline thread_local void (*body)(void*) = nullptr;
inline thread_local void* body_data = nullptr;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t STACK = 64 << 10;
#else
constexpr size_t STACK = 16 << 10;
#endif

// A barrier to leave out, by its place in the source, and how many threads went past it.
struct Without {
  const char* file = nullptr;
  int line = 0;
  std::atomic<size_t> passed{0};
};
inline Without without;

// Saves the callee-saved registers and the stack pointer of one fiber, and continues another.
extern "C" void emu_switch(void** save, void* load);
#if defined(__x86_64__)
asm(R"(
.text
.weak emu_switch
.type emu_switch,@function
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
#else
#error "emulate.h: write emu_switch for this processor"
#endif

#ifdef __SANITIZE_ADDRESS__
inline thread_local void* scheduler_fake = nullptr;
inline thread_local const void* scheduler_bottom = nullptr;
inline thread_local size_t scheduler_size = 0;
#endif

inline void yield() {
  Fiber* self = now;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(self->done ? nullptr : &self->fake_stack, scheduler_bottom, scheduler_size);
#endif
  emu_switch(&self->stack_pointer, scheduler);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(self->fake_stack, nullptr, nullptr);
#endif
}

inline void arrive(Barrier& barrier) {
  if (++barrier.arrived == barrier.alive) {
    barrier.arrived = 0;
    ++barrier.turn;
    return;
  }
  now->waits_on = &barrier.turn;
  now->waits_for = barrier.turn;
  yield();
}

inline void leave(Barrier& barrier) {
  if (--barrier.alive > 0 && barrier.arrived == barrier.alive) {
    barrier.arrived = 0;
    ++barrier.turn;
  }
}

// Whether the barrier at this place was taken out.
inline bool taken_out(const char* path, int line) {
  if (line != without.line || !without.file) return false;
  const char* name = std::strrchr(path, '/');
  if (std::strcmp(name ? name + 1 : path, without.file)) return false;
  ++without.passed;
  return true;
}

inline void entry() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_size);
#endif
  body(body_data);
  now->done = true;
  leave(now->block->warps[now->warp].barrier);
  leave(now->block->warps[now->warp].shuffle);
  leave(now->block->barrier);
  yield();
  std::abort();
}

inline void resume(Fiber& fiber) {
  now = &fiber;
  fiber.waits_on = nullptr;
  if (!fiber.started) {
    fiber.started = true;
    auto top = (uintptr_t)(fiber.stack + STACK) & ~uintptr_t(15);
    void** sp = (void**)top;
    *--sp = nullptr;
    *--sp = (void*)entry;
    for (int i = 0; i < 6; ++i) *--sp = nullptr;
    fiber.stack_pointer = sp;
  }
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&scheduler_fake, fiber.stack, STACK);
#endif
  emu_switch(&scheduler, fiber.stack_pointer);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#endif
}

// SplitMix64 (Steele, Lea & Flood, 2014): orders are drawn at every barrier, so that a draw has to be cheap.
struct Random {
  uint64_t state;
  unsigned below(size_t count) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (unsigned)(((z ^ (z >> 31)) >> 32) * count >> 32);
  }
};

// Runs the threads of a block to their end, in an order drawn anew at each round.
inline void run(Block& block, Random& random) {
  std::vector<Fiber*> left;
  for (auto& fiber : block.fibers) left.push_back(&fiber);
  while (!left.empty()) {
    for (size_t i = left.size(); i > 1; --i) std::swap(left[i - 1], left[random.below(i)]);
    bool moved = false;
    for (Fiber* fiber : left) {
      if (fiber->waits_on && *fiber->waits_on == fiber->waits_for) continue;
      moved = true;
      resume(*fiber);
    }
    size_t kept = 0;
    for (Fiber* fiber : left)
      if (!fiber->done) left[kept++] = fiber;
    left.resize(kept);
    if (!moved && !left.empty()) {
      std::fprintf(stderr, "emulate: %zu threads of block %u,%u,%u wait at a barrier that the others do not reach\n",
                   left.size(), block.index.x, block.index.y, block.index.z);
      std::abort();
    }
  }
}

constexpr std::align_val_t ALIGNMENT_OF_SHARED{16};
struct Aligned {
  void operator()(char* bytes) const { ::operator delete[](bytes, ALIGNMENT_OF_SHARED); }
};

// Launches `kernel`, a callable that calls a kernel with its arguments. Blocks run one after the other, in an order
// drawn from `seed`; `part` of `parts` of that order, so that several host threads can share a launch.
template <typename F>
void launch(dim3 grid, dim3 threads, size_t shared, uint64_t seed, F kernel, unsigned part = 0, unsigned parts = 1) {
  Random random{seed};
  grid_size = grid;
  block_size = threads;
  body = [](void* data) { (*(F*)data)(); };
  body_data = &kernel;
  unsigned count = threads.x * threads.y * threads.z, total = grid.x * grid.y * grid.z;
  std::vector<unsigned> order(total);
  for (unsigned i = 0; i < total; ++i) order[i] = i;
  for (unsigned i = total; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  std::unique_ptr<char[]> stacks(new char[count * STACK]);
  for (unsigned at = part; at < total; at += parts) {
    unsigned i = order[at];
    Block block;
    block.index = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
    block.number = i;
    // Exactly as long as asked for, so that an address sanitizer sees what is beyond it.
    std::unique_ptr<char[], Aligned> bytes(new (ALIGNMENT_OF_SHARED) char[shared ? shared : 1]);
    std::memset(bytes.get(), 0xff, shared);
    block.shared = bytes.get();
    block.shared_bytes = shared;
    block.barrier.alive = count;
    block.warps.resize((count + 31) / 32);
    block.fibers.resize(count);
    for (unsigned t = 0; t < count; ++t) {
      Fiber& fiber = block.fibers[t];
      fiber.index = {t % threads.x, t / threads.x % threads.y, t / threads.x / threads.y};
      fiber.lane = t % 32;
      fiber.warp = t / 32;
      fiber.block = &block;
      fiber.stack = stacks.get() + t * STACK;
      ++block.warps[fiber.warp].barrier.alive;
      ++block.warps[fiber.warp].shuffle.alive;
    }
    run(block, random);
    now = nullptr;
  }
}

template <typename T>
T exchange(T value, int from) {
  static_assert(sizeof(T) == 4);
  Warp& warp = now->block->warps[now->warp];
  int turn = warp.shuffle.turn & 1;
  std::memcpy(&warp.slots[turn][now->lane], &value, 4);
  arrive(warp.shuffle);
  T out;
  std::memcpy(&out, &warp.slots[turn][from & 31], 4);
  return out;
}

}  // namespace emu

#ifdef __SANITIZE_THREAD__
// Counted: what a launch computes.
#define fmaf(a, b, c) (++emu::products, __builtin_fmaf(a, b, c))
#endif
#define threadIdx (emu::now->index)
#define blockIdx (emu::now->block->index)
#define blockDim (emu::block_size)
#define gridDim (emu::grid_size)
static inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!emu::taken_out(file, line)) emu::arrive(emu::now->block->barrier);
}
static inline void __syncwarp(unsigned = ~0u, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!emu::taken_out(file, line)) emu::arrive(emu::now->block->warps[emu::now->warp].barrier);
}
template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return emu::exchange(value, emu::now->lane ^ mask);
}
