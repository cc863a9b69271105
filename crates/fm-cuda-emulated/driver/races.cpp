// A detector of races between the threads of a launch, by happens-before: two accesses to one place, at least one of them
// a write, by threads of two blocks, or of one block with no barrier in between (of one warp: no __syncwarp either). It
// needs no luck with the order of threads. Shared memory and that of the device are watched.
//
// GCC's -fsanitize=thread calls these functions at each access of the kernels, in place of its own library. This file
// itself is compiled without the flag. Words are looked at as words and bytes as bytes: a place that is written as the
// one and read as the other is not seen. Launches have an order, so a new one begins with nothing.
#include "races.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include "emulate.h"

namespace {

constexpr uint32_t NOBODY = ~0u, MANY = ~0u - 1;

struct Who {
  uint32_t block, warp, thread;  // NOBODY, MANY
  int turn, sync;                // barriers that the block and the warp have passed
};

struct alignas(64) Cell {
  uint64_t stamp;  // of the launch, and of the block where memory is the block's
  Who writer, reader;
};

// The cells of a range of memory, in address space of which only what is touched takes memory.
class Cells {
 public:
  explicit Cells(size_t count) : bytes(count * sizeof(Cell)) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
      std::fprintf(stderr, "races: no address space for the shadow of memory\n");
      std::abort();
    }
    cells = (Cell*)at;
  }
  ~Cells() { munmap(cells, bytes); }
  Cells(const Cells&) = delete;
  Cell& operator[](size_t at) { return cells[at]; }

 private:
  size_t bytes;
  Cell* cells;
};

constexpr size_t MOST_SHARED = 256 << 10;
Cells words(races::ARENA / 4), bytes(races::ARENA), shared_words(MOST_SHARED / 4), shared_bytes(MOST_SHARED);

const char* kernel = "";
bool raced = false;
uint64_t launches = 0;

void report(const char* how, const Who& other, const Who& me, const char* what, size_t at, const void* from) {
  if (raced) return;
  raced = true;
  Dl_info info = {};
  dladdr(from, &info);
  std::fprintf(stderr, "races: %s: %s of byte %zu of %s has no order: block %u, thread %d; block %u, thread %d (at %#tx)\n",
               kernel, how, at, what, other.block, (int)other.thread, me.block, (int)me.thread,
               (const char*)from - (const char*)info.dli_fbase);
}

// Whether what a thread of this block did is behind us.
bool ordered(const Who& other, const Who& me) {
  return other.turn != me.turn || (other.warp == me.warp && (other.sync != me.sync || other.thread == me.thread));
}

void look(Cell& cell, uint64_t stamp, const Who& me, bool writes, const char* what, size_t at, const void* from) {
  if (cell.stamp != stamp) cell = {stamp, {NOBODY, 0, 0, 0, 0}, {NOBODY, 0, 0, 0, 0}};
  Who &writer = cell.writer, &reader = cell.reader;
  if (writer.block != NOBODY && (writer.block != me.block || !ordered(writer, me)))
    report(writes ? "a write after a write" : "a read after a write", writer, me, what, at, from);
  if (writes) {
    if (reader.block != NOBODY && (reader.block != me.block || !ordered(reader, me)))
      report("a write after a read", reader, me, what, at, from);
    writer = me;
    reader.block = NOBODY;
  } else if (reader.block == NOBODY || (reader.block == me.block && reader.turn != me.turn)) {
    reader = me;
  } else if (reader.block != me.block) {
    reader.block = MANY;
  } else if (reader.warp != me.warp) {
    reader.warp = reader.thread = MANY;
  } else if (reader.sync != me.sync) {
    reader = me;
  } else if (reader.thread != me.thread) {
    reader.thread = MANY;
  }
}

void access(const void* address, size_t size, bool writes, const void* from) {
  emu::Fiber* now = emu::now;
  if (!now) return;
  const emu::Block& block = *now->block;
  const char* at = (const char*)address;
  const bool shared = at >= block.shared && at < block.shared + block.shared_bytes;
  if (!shared && (at < races::arena || at >= races::arena + races::ARENA)) return;
  const dim3& size_of = emu::block_size;
  const uint32_t thread = now->index.x + size_of.x * (now->index.y + size_of.y * now->index.z);
  const Who me = {block.number, (uint32_t)now->warp, thread, block.barrier.turn, block.warps[now->warp].barrier.turn};
  const size_t offset = at - (shared ? block.shared : races::arena), step = size >= 4 ? 4 : 1;
  const uint64_t stamp = launches << 32 | (shared ? block.number + 1 : 0);
  Cells& cells = size >= 4 ? shared ? shared_words : words : shared ? shared_bytes : bytes;
  for (size_t i = 0; i < size; i += step)
    look(cells[(offset + i) / step], stamp, me, writes, shared ? "shared memory" : "the device's memory", offset + i, from);
}

}  // namespace

void races::begin(const char* name) {
  kernel = name;
  raced = false;
  ++launches;
}
bool races::found() { return raced; }

#define HERE __builtin_return_address(0)
#define ACCESS(SIZE)                                                                         \
  extern "C" void __tsan_read##SIZE(const void* at) { access(at, SIZE, false, HERE); }        \
  extern "C" void __tsan_write##SIZE(const void* at) { access(at, SIZE, true, HERE); }        \
  extern "C" void __tsan_unaligned_read##SIZE(const void* at) { access(at, SIZE, false, HERE); } \
  extern "C" void __tsan_unaligned_write##SIZE(const void* at) { access(at, SIZE, true, HERE); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
extern "C" void __tsan_read_range(const void* at, size_t size) { access(at, size, false, HERE); }
extern "C" void __tsan_write_range(const void* at, size_t size) { access(at, size, true, HERE); }
// Of the emulation's own parts.
extern "C" void __tsan_init() {}
extern "C" void __tsan_vptr_update(void**, void*) {}
extern "C" void __tsan_vptr_read(void**) {}
#define ATOMIC(BITS, T)                                                                                              \
  extern "C" T __tsan_atomic##BITS##_load(const volatile T* at, int) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); } \
  extern "C" void __tsan_atomic##BITS##_store(volatile T* at, T value, int) {                                          \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                                     \
  }                                                                                                                    \
  extern "C" T __tsan_atomic##BITS##_fetch_add(volatile T* at, T value, int) {                                         \
    return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST);                                                            \
  }
ATOMIC(8, char)
ATOMIC(32, int)
ATOMIC(64, long)
