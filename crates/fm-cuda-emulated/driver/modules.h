// Kernels: those that were compiled into this library. An image is only looked at, to refuse what a device would.
#pragma once
#include <atomic>

#include KERNEL_SOURCE
#include KERNEL_TABLE

#include "device.h"
#include "races.h"

struct Kernel {
  const char* name;
  void (*run)(const Args&);
};
#define X(name) {#name, [](const Args& args) { name(args); }},
static const Kernel kernels[] = {KERNELS(X)};
#undef X

struct Function {
  const Kernel* kernel = nullptr;
  int shared = 48 << 10;
};

struct Module {
  std::map<std::string, Function> functions;
};

// CUDA's version for a version of PTX, by the release notes of both.
inline int needed(int major, int minor) {
  if (major == 8 && minor <= 6) return 12000 + 10 * minor;
  if (major == 8) return minor == 7 ? 12080 : 12090;
  return major < 8 ? 11000 : 13000 + 10 * minor;
}

inline int look_at(const char* image, std::string& log) {
  auto [major, minor] = capability();
  if (!memcmp(image, "\x7f" "ELF", 4)) {
    // e_ident[EI_ABIVERSION] and e_flags, as LLVM's ELF.h has them: CUDA 13 has moved the chip.
    bool moved = image[8] >= 8;
    int chip = (unsigned char)image[moved ? 49 : 48];
    if (moved && settings::number("VERSION", 13000) < 13000) {
      log = "device kernel image was made for a newer driver";
      return INVALID_IMAGE;
    }
    return chip / 10 == major && chip % 10 <= minor ? SUCCESS : NO_BINARY_FOR_GPU;
  }
  int version[2], chip;
  const char *says = strstr(image, ".version "), *target = strstr(image, ".target sm_");
  if (!says || sscanf(says, ".version %d.%d", &version[0], &version[1]) != 2) {
    log = "ptxas application ptx input, line 1; fatal   : Missing .version directive at start of file";
    return INVALID_PTX;
  }
  if (needed(version[0], version[1]) > settings::number("VERSION", 13000)) {
    log = "ptxas application ptx input, line 1; fatal   : Unsupported .version";
    return UNSUPPORTED_PTX_VERSION;
  }
  if (!target || sscanf(target, ".target sm_%d", &chip) != 1) {
    log = "ptxas application ptx input, line 2; fatal   : Missing .target directive at start of file";
    return INVALID_PTX;
  }
  return chip > 10 * major + minor ? NO_BINARY_FOR_GPU : SUCCESS;
}

inline int launched = 0;

// Heeds the setting WITHOUT.
inline void leave_out() {
  static std::string place = settings::text("WITHOUT", "");
  size_t colon = place.find(':');
  if (colon == std::string::npos) return;
  emu::without.line = atoi(&place[colon + 1]);
  place.resize(colon);
  emu::without.file = place.c_str();
}

// Runs a launch whose limits were checked. Blocks are shared by host threads: on a device, too, they know nothing of
// each other.
inline int run(const Kernel& kernel, dim3 grid, dim3 block, size_t shared, const Args& args) {
  int at, code;
  ++launched;
  if (settings::pair("FAIL", "", ':', at, code) && launched == at) return code;
  static long long first = settings::number("SEED", 1), threads = settings::number("THREADS", std::thread::hardware_concurrency());
  leave_out();
  unsigned blocks = grid.x * grid.y * grid.z;
  unsigned parts = races::WATCHED ? 1 : (unsigned)std::max(1ll, std::min<long long>(threads, blocks));
  uint64_t seed = first + launched;
  auto part = [&, seed](unsigned i) {
    emu::launch(grid, block, shared, seed, [&] { kernel.run(args); }, i, parts);
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < parts; ++i) others.emplace_back(part, i);
  if constexpr (races::WATCHED) {
    races::begin(kernel.name);
    emu::products = 0;
  }
  part(0);
  for (auto& other : others) other.join();
  if constexpr (races::WATCHED) {
    if (races::found()) return LAUNCH_FAILED;
    TRACE("ran %s: %u blocks of %u threads and %zu bytes, %lu products", kernel.name, blocks, block.x, shared, emu::products);
  }
  return SUCCESS;
}

inline int launch(const Function& function, dim3 grid, dim3 block, size_t shared, const void* args, Stream& stream) {
  unsigned threads = block.x * block.y * block.z;
  if (!threads || threads > 1024 || !grid.x || !grid.y || !grid.z || grid.y > 65535 || grid.z > 65535) return INVALID_VALUE;
  if (shared > (size_t)function.shared) return INVALID_VALUE;
  auto copied = std::make_shared<Args>();
  memcpy((void*)copied.get(), args, sizeof(Args));
  return submit(stream, [=, kernel = function.kernel] { return run(*kernel, grid, block, shared, *copied); });
}
