// What the driver has handed out, and the rule of all calls: one at a time, on a device that has not failed.
#pragma once
#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "codes.h"
#include "settings.h"

using Address = unsigned long long;
// Work of a device: what a stream queues and a graph repeats.
using Work = std::function<int()>;

struct Device {
  int index = 0, uses = 0;
  size_t taken = 0;
};

struct Capture {
  std::thread::id thread;
  std::vector<Work> nodes;
  bool broken = false;
};

struct Stream {
  std::deque<Work> queue;
  std::unique_ptr<Capture> capture;
  bool busy = false;  // with work that waits for another stream
};

struct Moment {
  int queued = 0, done = 0;  // records
  Stream* captured_by = nullptr;
  std::chrono::steady_clock::time_point time;
};

struct Event {
  std::shared_ptr<Moment> moment = std::make_shared<Moment>();
};

struct Graph {
  std::vector<Work> nodes;
};

inline std::recursive_mutex lock;
inline bool started = false;
inline std::vector<Device> devices;
inline std::set<Stream*> streams;
inline Stream default_stream;
inline int fault = 0;  // of a kernel: every later call returns it
inline thread_local Device* current = nullptr;

inline bool tracing() {
  static bool on = settings::number("TRACE", 0);
  return on;
}
#define TRACE(...)                       \
  do {                                   \
    if (tracing()) {                     \
      fprintf(stderr, "[cuda] ");        \
      fprintf(stderr, __VA_ARGS__);      \
      fputc('\n', stderr);               \
    }                                    \
  } while (0)

// Begins every call that needs a context.
#define ENTER()                                          \
  std::lock_guard<std::recursive_mutex> held(lock);      \
  if (!started) return NOT_INITIALIZED;                  \
  if (!current || !current->uses) return INVALID_CONTEXT; \
  if (fault) return fault

// A handle of a stream, 0 being the default one.
inline Stream* stream_of(void* handle) { return handle ? (Stream*)handle : &default_stream; }
inline bool known(Stream* stream) { return stream == &default_stream || streams.count(stream); }

// Does the next work of a stream. Nothing runs on a device that has failed.
inline void advance(Stream& stream) {
  if (fault) {
    stream.queue.clear();
    return;
  }
  Work work = std::move(stream.queue.front());
  stream.queue.pop_front();
  stream.busy = true;
  int code = work();
  stream.busy = false;
  if (code) fault = code;
}
inline int finish(Stream& stream) {
  while (!stream.queue.empty()) advance(stream);
  return fault;
}
inline int finish_all() {
  finish(default_stream);
  for (Stream* stream : streams) finish(*stream);
  return fault;
}

// What may not be called by a thread that records: it invalidates what was recorded.
inline bool recording_here() {
  bool any = false;
  for (Stream* stream : streams) {
    if (stream->capture && stream->capture->thread == std::this_thread::get_id()) {
      stream->capture->broken = true;
      any = true;
    }
  }
  return any;
}
#define NOT_WHILE_RECORDING() \
  if (recording_here()) return STREAM_CAPTURE_UNSUPPORTED

// Queues or records work. Work is done when somebody waits for it, so that whoever forgets to wait is found out.
inline int submit(Stream& stream, Work work) {
  if (stream.capture) {
    if (stream.capture->broken) return STREAM_CAPTURE_INVALIDATED;
    stream.capture->nodes.push_back(std::move(work));
  } else {
    stream.queue.push_back(std::move(work));
  }
  return SUCCESS;
}
