// libcuda.so.1 for tests. What it does not do as NVIDIA's: registers, occupancy, time, and kernels of the image; it
// has its own, compiled from the same source. It checks what a device would refuse and what it would not notice.
#include "device.h"
#include "memory.h"
#include "modules.h"

#define API extern "C" __attribute__((visibility("default"))) int

API cuDriverGetVersion(int* version) {
  *version = (int)settings::number("VERSION", 13000);
  return SUCCESS;
}
API cuInit(unsigned) {
  std::lock_guard<std::recursive_mutex> held(lock);
  if (int code = (int)settings::number("INIT", 0)) return code;
  int count = visible();
  if (!count) return NO_DEVICE;
  devices.resize(count);
  for (int i = 0; i < count; ++i) devices[i].index = i;
  started = true;
  return SUCCESS;
}
API cuGetErrorName(int code, const char** text) {
  switch (code) {
#define X(name, number, words) \
  case number: *text = "CUDA_ERROR_" #name; return SUCCESS;
    CODES(X)
#undef X
  }
  *text = nullptr;
  return INVALID_VALUE;
}
API cuGetErrorString(int code, const char** text) {
  switch (code) {
#define X(name, number, words) \
  case number: *text = words; return SUCCESS;
    CODES(X)
#undef X
  }
  *text = nullptr;
  return INVALID_VALUE;
}

API cuDeviceGetCount(int* count) {
  if (!started) return NOT_INITIALIZED;
  *count = (int)devices.size();
  return SUCCESS;
}
API cuDeviceGet(int* device, int index) {
  if (!started) return NOT_INITIALIZED;
  *device = index;
  return index >= 0 && index < (int)devices.size() ? SUCCESS : INVALID_DEVICE;
}
API cuDeviceGetName(char* name, int size, int) {
  snprintf(name, size, "Emulated GPU");
  return SUCCESS;
}
API cuDeviceTotalMem_v2(size_t* bytes, int) {
  *bytes = total_memory();
  return SUCCESS;
}
API cuDeviceGetAttribute(int* value, int which, int) {
  *value = attribute(which);
  return SUCCESS;
}

API cuDevicePrimaryCtxRetain(void** context, int device) {
  std::lock_guard<std::recursive_mutex> held(lock);
  if (!started) return NOT_INITIALIZED;
  if (settings::text("MODE", "default") != "default") return DEVICE_UNAVAILABLE;
  if (int code = (int)settings::number("CONTEXT", 0)) return code;
  ++devices[device].uses;
  *context = &devices[device];
  return SUCCESS;
}
API cuDevicePrimaryCtxRelease_v2(int device) {
  std::lock_guard<std::recursive_mutex> held(lock);
  if (!started || !devices[device].uses) return INVALID_CONTEXT;
  if (--devices[device].uses) return SUCCESS;
  finish_all();
  if (settings::number("LEAKS", 0) && (!blocks.empty() || !pinned.empty() || !streams.empty())) {
    fprintf(stderr, "emulated driver: %zu buffers, %zu pinned ones and %zu streams were not freed\n", blocks.size(),
            pinned.size(), streams.size());
    abort();
  }
  return SUCCESS;
}
API cuCtxSetCurrent(void* context) {
  current = (Device*)context;
  return SUCCESS;
}
API cuCtxGetCurrent(void** context) {
  *context = current;
  return SUCCESS;
}

API cuMemGetInfo_v2(size_t* free, size_t* total) {
  ENTER();
  *total = total_memory();
  *free = *total - std::min(*total, current->taken);
  return SUCCESS;
}
API cuMemAlloc_v2(Address* at, size_t bytes) {
  ENTER();
  NOT_WHILE_RECORDING();
  TRACE("allocate %zu", bytes);
  return allocate(at, bytes);
}
API cuMemFree_v2(Address at) {
  ENTER();
  NOT_WHILE_RECORDING();
  finish_all();
  return release(at);
}
API cuMemAllocHost_v2(void** at, size_t bytes) {
  ENTER();
  NOT_WHILE_RECORDING();
  if (bytes > (size_t)settings::number("PINNED", 1ll << 40) - pinned_bytes || !(*at = malloc(bytes))) return OUT_OF_MEMORY;
  memset(*at, 0xff, bytes);
  pinned[(Address)*at] = bytes;
  pinned_bytes += bytes;
  return SUCCESS;
}
API cuMemFreeHost(void* at) {
  ENTER();
  NOT_WHILE_RECORDING();
  finish_all();
  auto found = pinned.find((Address)at);
  if (found == pinned.end()) return INVALID_VALUE;
  pinned_bytes -= found->second;
  pinned.erase(found);
  free(at);
  return SUCCESS;
}

#define STREAM(name)                     \
  Stream& name = *stream_of(name##_handle); \
  if (!known(&name)) return INVALID_HANDLE

API cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, void* stream_handle) {
  ENTER();
  STREAM(stream);
  TRACE("copy %zu to the device", bytes);
  return copy_in(to, from, bytes, stream);
}
API cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, void* stream_handle) {
  ENTER();
  STREAM(stream);
  TRACE("copy %zu to the host", bytes);
  return copy_out(to, from, bytes, stream);
}
API cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void* stream_handle) {
  ENTER();
  STREAM(stream);
  if (!on_device(to, bytes) || !on_device(from, bytes)) return INVALID_VALUE;
  return submit(stream, copy((void*)to, (const void*)from, bytes, true, true));
}
API cuMemsetD8Async(Address to, unsigned char byte, size_t bytes, void* stream_handle) {
  ENTER();
  STREAM(stream);
  if (!on_device(to, bytes)) return INVALID_VALUE;
  return submit(stream, [=]() -> int {
    if (!on_device(to, bytes)) return ILLEGAL_ADDRESS;
    memset((void*)to, byte, bytes);
    return SUCCESS;
  });
}

API cuModuleLoadDataEx(void** module, const void* image, unsigned count, int* names, void** values) {
  ENTER();
  NOT_WHILE_RECORDING();
  std::string log;
  int code = look_at((const char*)image, log);
  char* buffer = nullptr;
  size_t size = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (names[i] == 5) buffer = (char*)values[i];
    if (names[i] == 6) size = (size_t)values[i];
  }
  if (buffer && size) snprintf(buffer, size, "%s", log.c_str());
  if (!code) *module = new Module;
  return code;
}
API cuModuleUnload(void* module) {
  ENTER();
  NOT_WHILE_RECORDING();
  finish_all();
  delete (Module*)module;
  return SUCCESS;
}
API cuModuleGetFunction(void** function, void* module, const char* name) {
  ENTER();
  for (const Kernel& kernel : kernels) {
    if (strcmp(kernel.name, name)) continue;
    Function& found = ((Module*)module)->functions[name];
    found.kernel = &kernel;
    *function = &found;
    return SUCCESS;
  }
  return NOT_FOUND;
}
API cuFuncGetAttribute(int* value, int which, void* function) {
  ENTER();
  *value = which == 8 ? ((Function*)function)->shared : which == 0 ? 1024 : 0;
  return SUCCESS;
}
API cuFuncSetAttribute(void* function, int which, int value) {
  ENTER();
  if (which != 8) return SUCCESS;
  if (value < 0 || value > most_shared()) return INVALID_VALUE;
  ((Function*)function)->shared = value;
  return SUCCESS;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* count, void*, int block, size_t shared) {
  ENTER();
  if (block < 1 || block > 1024) return INVALID_VALUE;
  *count = std::min(threads_of_multiprocessor() / block, shared_of_multiprocessor() / ((int)shared + 1024));
  return SUCCESS;
}

struct LaunchAttribute {
  int id;
  char padding[4];
  union {
    int flag;
    char bytes[64];
  } value;
};
struct LaunchConfig {
  unsigned grid[3], block[3], shared;
  void* stream;
  LaunchAttribute* attributes;
  unsigned count;
};
API cuLaunchKernelEx(const LaunchConfig* config, void* function, void** args, void**) {
  ENTER();
  void* stream_handle = config->stream;
  STREAM(stream);
  for (unsigned i = 0; i < config->count; ++i) {
    // A kernel that starts before the last has ended: only that it may is known here, it does not.
    if (config->attributes[i].id != 6 || capability().major < 9) return NOT_SUPPORTED;
  }
  auto [gx, gy, gz] = config->grid;
  auto [bx, by, bz] = config->block;
  TRACE("launch %s (%u, %u, %u) x %u", ((Function*)function)->kernel->name, gx, gy, gz, bx);
  return launch(*(Function*)function, {gx, gy, gz}, {bx, by, bz}, config->shared, args[0], stream);
}

API cuStreamCreate(void** stream, unsigned) {
  ENTER();
  auto* made = new Stream;
  streams.insert(made);
  *stream = made;
  return SUCCESS;
}
API cuStreamDestroy_v2(void* stream) {
  std::lock_guard<std::recursive_mutex> held(lock);
  if (!streams.count((Stream*)stream)) return INVALID_HANDLE;
  finish(*(Stream*)stream);
  streams.erase((Stream*)stream);
  delete (Stream*)stream;
  return fault;
}
API cuStreamSynchronize(void* stream_handle) {
  ENTER();
  STREAM(stream);
  if (stream.capture) {
    stream.capture->broken = true;
    return STREAM_CAPTURE_UNSUPPORTED;
  }
  TRACE("wait for %zu", stream.queue.size());
  return finish(stream);
}
API cuCtxSynchronize() {
  ENTER();
  NOT_WHILE_RECORDING();
  return finish_all();
}
API cuStreamBeginCapture_v2(void* stream_handle, int) {
  ENTER();
  STREAM(stream);
  if (&stream == &default_stream) return STREAM_CAPTURE_UNSUPPORTED;
  if (stream.capture) return ILLEGAL_STATE;
  stream.capture = std::make_unique<Capture>();
  stream.capture->thread = std::this_thread::get_id();
  return SUCCESS;
}
API cuStreamEndCapture(void* stream_handle, void** graph) {
  ENTER();
  STREAM(stream);
  *graph = nullptr;
  if (!stream.capture) return ILLEGAL_STATE;
  if (stream.capture->thread != std::this_thread::get_id()) return STREAM_CAPTURE_WRONG_THREAD;
  auto capture = std::move(stream.capture);
  if (capture->broken) return STREAM_CAPTURE_INVALIDATED;
  *graph = new Graph{std::move(capture->nodes)};
  TRACE("recorded %zu", ((Graph*)*graph)->nodes.size());
  return SUCCESS;
}

API cuGraphGetNodes(void* graph, void**, size_t* count) {
  ENTER();
  *count = ((Graph*)graph)->nodes.size();
  return SUCCESS;
}
API cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) {
  ENTER();
  *exec = new Graph(*(Graph*)graph);
  return SUCCESS;
}
API cuGraphDestroy(void* graph) {
  delete (Graph*)graph;
  return SUCCESS;
}
API cuGraphExecDestroy(void* exec) {
  delete (Graph*)exec;
  return SUCCESS;
}
API cuGraphUpload(void*, void* stream_handle) {
  ENTER();
  STREAM(stream);
  return stream.capture ? STREAM_CAPTURE_UNSUPPORTED : SUCCESS;
}
API cuGraphLaunch(void* exec, void* stream_handle) {
  ENTER();
  STREAM(stream);
  TRACE("launch a graph of %zu", ((Graph*)exec)->nodes.size());
  for (const Work& node : ((Graph*)exec)->nodes) {
    if (int code = submit(stream, node)) return code;
  }
  return SUCCESS;
}

API cuEventCreate(void** event, unsigned) {
  ENTER();
  *event = new Event;
  return SUCCESS;
}
API cuEventDestroy_v2(void* event) {
  delete (Event*)event;
  return SUCCESS;
}
API cuEventRecord(void* event, void* stream_handle) {
  ENTER();
  STREAM(stream);
  auto moment = ((Event*)event)->moment;
  if (stream.capture) {
    moment->captured_by = &stream;
    return submit(stream, [] { return 0; });
  }
  moment->captured_by = nullptr;
  ++moment->queued;
  return submit(stream, [moment]() -> int {
    moment->time = std::chrono::steady_clock::now();
    ++moment->done;
    return SUCCESS;
  });
}

// Work goes on where somebody looks: each question does the next piece of every stream.
static void step_all() {
  auto step = [](Stream& stream) {
    if (!stream.queue.empty() && !stream.busy) advance(stream);
  };
  step(default_stream);
  for (Stream* stream : streams) step(*stream);
}
static int wait_for(const Moment& moment, int records) {
  while (moment.done < records && !fault) step_all();
  return fault;
}
API cuEventQuery(void* event) {
  ENTER();
  const Moment& moment = *((Event*)event)->moment;
  if (moment.captured_by) {
    if (moment.captured_by->capture) moment.captured_by->capture->broken = true;
    return CAPTURED_EVENT;
  }
  if (moment.done == moment.queued) return SUCCESS;
  step_all();
  return fault ? fault : moment.done < moment.queued ? NOT_READY : SUCCESS;
}
API cuEventSynchronize(void* event) {
  ENTER();
  const Moment& moment = *((Event*)event)->moment;
  if (moment.captured_by) {
    if (moment.captured_by->capture) moment.captured_by->capture->broken = true;
    return CAPTURED_EVENT;
  }
  return wait_for(moment, moment.queued);
}
API cuEventElapsedTime(float* milliseconds, void* start, void* end) {
  ENTER();
  const Moment &from = *((Event*)start)->moment, &to = *((Event*)end)->moment;
  if (!from.queued || !to.queued) return INVALID_HANDLE;
  if (from.done < from.queued || to.done < to.queued) return NOT_READY;
  *milliseconds = std::chrono::duration<float, std::milli>(to.time - from.time).count();
  return SUCCESS;
}
API cuStreamWaitEvent(void* stream_handle, void* event, unsigned) {
  ENTER();
  STREAM(stream);
  auto moment = ((Event*)event)->moment;
  if (stream.capture || moment->captured_by) {
    // Recordings of several streams are not needed here; within one stream there is nothing to wait for.
    if (moment->captured_by == &stream) return SUCCESS;
    if (stream.capture) stream.capture->broken = true;
    return STREAM_CAPTURE_ISOLATION;
  }
  // What is awaited is queued already, in a stream that goes on meanwhile.
  return submit(stream, [moment, records = moment->queued] { return wait_for(*moment, records); });
}

// For tests within a process.
extern "C" __attribute__((visibility("default"))) void fm_emulated_set(const char* name, const char* value) {
  std::lock_guard<std::recursive_mutex> held(lock);
  settings::given()[name] = value;
}
extern "C" __attribute__((visibility("default"))) size_t fm_emulated_live() {
  std::lock_guard<std::recursive_mutex> held(lock);
  return blocks.size() + pinned.size() + streams.size();
}
// How many threads went past the barrier of the setting WITHOUT.
extern "C" __attribute__((visibility("default"))) size_t fm_emulated_passed() { return emu::without.passed; }
