// What the device is.
#pragma once
#include "state.h"

struct Capability {
  int major = 9, minor = 0;
};
inline Capability capability() {
  Capability c;
  settings::pair("CAPABILITY", "9.0", '.', c.major, c.minor);
  return c;
}

// Shared memory that a block may ask for, by chip (CUDA C++ Programming Guide, table of compute capabilities).
inline int most_shared() {
  auto [major, minor] = capability();
  int kib = 48;
  if (major == 7) kib = minor == 5 ? 64 : 96;
  if (major == 8) kib = minor == 0 || minor == 7 ? 163 : 99;
  if (major >= 9) kib = 227;
  if (major == 12) kib = 99;
  return kib << 10;
}
inline int shared_of_multiprocessor() { return most_shared() + 1024; }
inline int threads_of_multiprocessor() {
  auto [major, minor] = capability();
  if (major == 7 && minor == 5) return 1024;
  return (major == 8 && minor != 0) || major == 12 ? 1536 : 2048;
}

// As many as there are and CUDA_VISIBLE_DEVICES lets through: it counts up to the first that is none.
inline int visible() {
  int there = (int)settings::number("DEVICES", 1), count = 0;
  const char* list = getenv("CUDA_VISIBLE_DEVICES");
  if (!list) return there;
  while (*list) {
    char* end;
    long index = strtol(list, &end, 10);
    if (end == list || index < 0 || index >= there) break;
    ++count;
    list = *end == ',' ? end + 1 : end;
    if (*end && *end != ',') break;
  }
  return count;
}

inline int attribute(int which) {
  std::string mode = settings::text("MODE", "default");
  switch (which) {
    case 1: return 1024;                             // MAX_THREADS_PER_BLOCK
    case 8: return 48 << 10;                         // MAX_SHARED_MEMORY_PER_BLOCK
    case 10: return 32;                              // WARP_SIZE
    case 13: return 1980000;                         // CLOCK_RATE, kHz
    case 16: return 132;                             // MULTIPROCESSOR_COUNT
    case 20: return mode == "exclusive" ? 3 : mode == "prohibited" ? 2 : 0;  // COMPUTE_MODE
    case 38: return 50 << 20;                        // L2_CACHE_SIZE
    case 39: return threads_of_multiprocessor();     // MAX_THREADS_PER_MULTIPROCESSOR
    case 75: return capability().major;
    case 76: return capability().minor;
    case 81: return shared_of_multiprocessor();
    case 97: return most_shared();
    default: return 0;
  }
}
