// Memory of the devices: the host's, filled with NaN, between pages that nobody may touch.
#pragma once
#include <sys/mman.h>

#include "races.h"
#include "state.h"

struct Block {
  char* map;
  size_t mapped, bytes;
  Device* device;
};

constexpr size_t PAGE = 4096;
constexpr size_t ALIGNMENT = 16;
inline std::map<Address, Block> blocks;
inline std::map<Address, size_t> pinned;
inline size_t pinned_bytes = 0;

inline size_t total_memory() { return (size_t)settings::number("MEMORY", 4ll << 30); }

// Whether a range lies within one allocation.
template <typename Map, typename Size>
bool within(const Map& map, Address at, size_t bytes, Size size) {
  auto next = map.upper_bound(at);
  if (next == map.begin()) return false;
  auto& [start, block] = *std::prev(next);
  return at - start <= size(block) && bytes <= size(block) - (at - start);
}
inline bool on_device(Address at, size_t bytes) {
  return within(blocks, at, bytes, [](const Block& block) { return block.bytes; });
}
inline bool on_host(const void* at, size_t bytes) {
  return within(pinned, (Address)at, bytes, [](size_t size) { return size; });
}

// Address space, of which nothing may be touched.
inline char* reserve(char* at, size_t bytes) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0);
  void* map = mmap(at, bytes, PROT_NONE, flags, -1, 0);
  return map == MAP_FAILED ? nullptr : (char*)map;
}

// The same for an allocation: from the arena where races are watched.
inline char* reserve(size_t bytes) {
  if constexpr (!races::WATCHED) return reserve(nullptr, bytes);
  static size_t used = 0;
  if (!races::arena) races::arena = reserve(nullptr, races::ARENA);
  if (!races::arena || races::ARENA - used < bytes) return nullptr;
  return races::arena + std::exchange(used, used + bytes);
}

inline void give_back(char* map, size_t bytes) {
  if constexpr (races::WATCHED) reserve(map, bytes);
  else munmap(map, bytes);
}

inline int allocate(Address* at, size_t bytes) {
  if (!bytes) return INVALID_VALUE;
  if (bytes > total_memory() - std::min(total_memory(), current->taken)) return OUT_OF_MEMORY;
  size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t body = (rounded + PAGE - 1) / PAGE * PAGE;
  char* map = reserve(body + 2 * PAGE);
  if (!map) return OUT_OF_MEMORY;
  if (mprotect(map + PAGE, body, PROT_READ | PROT_WRITE)) {
    give_back(map, body + 2 * PAGE);
    return OUT_OF_MEMORY;
  }
  memset(map + PAGE, 0xff, body);
  *at = (Address)(map + PAGE + body - rounded);
  blocks[*at] = {map, body + 2 * PAGE, bytes, current};
  current->taken += bytes;
  return SUCCESS;
}

inline int release(Address at) {
  auto found = blocks.find(at);
  if (found == blocks.end()) return INVALID_VALUE;
  Block block = found->second;
  // Between the end and the guard there may be a few bytes, and before the start up to a page.
  for (char* byte = block.map + PAGE; byte < block.map + block.mapped - PAGE; ++byte) {
    if (byte == (char*)at) byte += block.bytes;
    if (byte < block.map + block.mapped - PAGE && *byte != (char)0xff) {
      fprintf(stderr, "emulated driver: something wrote %td bytes from the start of a buffer of %zu bytes\n",
              byte - (char*)at, block.bytes);
      abort();
    }
  }
  block.device->taken -= block.bytes;
  blocks.erase(found);
  give_back(block.map, block.mapped);
  return SUCCESS;
}

// Copies between places that were checked when this was queued, and are checked again when it is done.
inline Work copy(void* to, const void* from, size_t bytes, bool to_device, bool from_device) {
  return [=]() -> int {
    if (to_device && !on_device((Address)to, bytes)) return ILLEGAL_ADDRESS;
    if (from_device && !on_device((Address)from, bytes)) return ILLEGAL_ADDRESS;
    memmove(to, from, bytes);
    return SUCCESS;
  };
}

// A copy on the default stream waits for nothing else here; all others do what they do in their order.
inline int copy_in(Address to, const void* from, size_t bytes, Stream& stream) {
  if (!on_device(to, bytes)) return INVALID_VALUE;
  if (on_host(from, bytes)) return submit(stream, copy((void*)to, from, bytes, true, false));
  if (stream.capture) {
    stream.capture->broken = true;
    return STREAM_CAPTURE_UNSUPPORTED;
  }
  // The driver takes a copy of memory that is not locked before the call returns.
  auto staged = std::make_shared<std::vector<char>>((const char*)from, (const char*)from + bytes);
  return submit(stream, [=] { return copy((void*)to, staged->data(), bytes, true, false)(); });
}

inline int copy_out(void* to, Address from, size_t bytes, Stream& stream) {
  if (!on_device(from, bytes)) return INVALID_VALUE;
  Work work = copy(to, (const void*)from, bytes, false, true);
  if (on_host(to, bytes)) return submit(stream, work);
  if (stream.capture) {
    stream.capture->broken = true;
    return STREAM_CAPTURE_UNSUPPORTED;
  }
  // And to memory that is not locked, it copies before the call returns.
  if (int code = submit(stream, work)) return code;
  return finish(stream);
}
