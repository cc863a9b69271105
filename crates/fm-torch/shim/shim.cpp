// The C face of the few libtorch functions that tch does not wrap.
//
// Every function catches what libtorch throws and returns the message as a malloc'ed string, or null when
// all went well: an exception must never cross into Rust. Tensors are the heap pointers that torch-sys
// hands out; they stay the caller's.

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Version.h>
#include <c10/core/GradMode.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/record_function.h>
#include <torch/version.h>

#include <cstring>
#include <exception>
#include <string>
#include <vector>

namespace {

template <typename F>
char *guarded(F body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception &e) {
    return strdup(e.what());
  } catch (...) {
    return strdup("unknown C++ exception");
  }
}

std::vector<at::Tensor> list(at::Tensor *const *tensors, size_t n) {
  std::vector<at::Tensor> out;
  out.reserve(n);
  for (size_t i = 0; i < n; ++i) out.push_back(*tensors[i]);
  return out;
}

// Whether element k in memory is the same element of both; strides of dimensions of size 1 say nothing.
bool same_layout(const at::Tensor &a, const at::Tensor &b) {
  if (a.sizes() != b.sizes()) return false;
  for (int64_t d = 0; d < a.dim(); ++d)
    if (a.size(d) > 1 && a.stride(d) != b.stride(d)) return false;
  return true;
}

// The operators that this thread has called since fm_trace_start.
thread_local std::string trace_names;
thread_local at::CallbackHandle trace_handle = at::INVALID_CALLBACK_HANDLE;

}  // namespace

extern "C" {

// Begins to write down the name of every operator that this thread calls. A backward pass on the CPU is this
// thread's, too.
char *fm_trace_start() {
  return guarded([] {
    TORCH_CHECK(trace_handle == at::INVALID_CALLBACK_HANDLE, "operators are being traced already");
    trace_names.clear();
    auto note = [](const at::RecordFunction &call) -> std::unique_ptr<at::ObserverContext> {
      (trace_names += call.name()) += '\n';
      return nullptr;
    };
    trace_handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback(note).scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  });
}

// Ends that and hands over the names, a line each.
char *fm_trace_stop(char **names) {
  return guarded([&] {
    TORCH_CHECK(trace_handle != at::INVALID_CALLBACK_HANDLE, "no operators are being traced");
    at::removeCallback(trace_handle);
    trace_handle = at::INVALID_CALLBACK_HANDLE;
    *names = strdup(trace_names.c_str());
  });
}

// One Adam step over n parameters in one kernel call, from their gradients, which it then drops: the next
// backward pass hands over its own buffers instead of adding into cleared ones.
char *fm_fused_adam(size_t n, at::Tensor *const *params, at::Tensor *const *m, at::Tensor *const *v,
                    at::Tensor *count, double lr, double beta1, double beta2, double eps) {
  return guarded([&] {
    c10::NoGradGuard guard;
    std::vector<at::Tensor> grads;
    grads.reserve(n);
    for (size_t i = 0; i < n; ++i) {
      TORCH_CHECK(params[i]->grad().defined(), "parameter ", i, " of shape ", params[i]->sizes(),
                  " has no gradient");
      // The CPU kernel walks memory, not indices: a gradient laid out otherwise would be applied to the
      // wrong weights without a word.
      TORCH_CHECK(same_layout(params[i]->grad(), *params[i]), "gradient ", i, " has strides ",
                  params[i]->grad().strides(), ", its parameter ", params[i]->strides());
      grads.push_back(params[i]->grad());
    }
    at::_fused_adam_(list(params, n), grads, list(m, n), list(v, n), {}, std::vector<at::Tensor>(n, *count), lr,
                     beta1, beta2, /*weight_decay=*/0.0, eps, /*amsgrad=*/false, /*maximize=*/false);
    for (size_t i = 0; i < n; ++i) params[i]->mutable_grad().reset();
  });
}

// Changes a tensor's storage, in place, to channels-last strides.
char *fm_channels_last_(at::Tensor *tensor) {
  return guarded([&] {
    c10::NoGradGuard guard;
    tensor->set_data(tensor->detach().contiguous(at::MemoryFormat::ChannelsLast));
  });
}

// Forgets a tensor's gradient.
char *fm_drop_grad(at::Tensor *tensor) {
  return guarded([&] { tensor->mutable_grad().reset(); });
}

// Denormal numbers count as zero, on this thread and those it starts. *done tells whether the CPU can.
char *fm_flush_denormal(bool on, bool *done) {
  return guarded([&] { *done = at::globalContext().setFlushDenormal(on); });
}

// Whether products on CUDA may round their inputs to TF32, in cuDNN and in cuBLAS.
char *fm_allow_tf32(bool allowed) {
  return guarded([&] {
    at::globalContext().setAllowTF32CuDNN(allowed);
    at::globalContext().setAllowTF32CuBLAS(allowed);
  });
}

// Every switch towards repeatable results. TF32 is another matter: it rounds, and always alike.
char *fm_make_deterministic() {
  return guarded([] {
    auto &context = at::globalContext();
    context.setDeterministicAlgorithms(true, /*warn_only=*/false);
    context.setDeterministicCuDNN(true);
    context.setDeterministicMkldnn(true);
    context.setBenchmarkCuDNN(false);
    // Or every new tensor is filled with NaN first: a launch each, for memory that is written before it is read.
    context.setDeterministicFillUninitializedMemory(false);
  });
}

// As `Switches` in switches.rs.
struct fm_switch_states {
  bool deterministic_algorithms, deterministic_cudnn, deterministic_onednn, benchmark_cudnn, tf32_cudnn, tf32_cublas,
      fills_memory;
};

char *fm_switches(fm_switch_states *now) {
  return guarded([&] {
    const auto &context = at::globalContext();
    *now = {context.deterministicAlgorithms(), context.deterministicCuDNN(), context.deterministicMkldnn(),
            context.benchmarkCuDNN(), context.allowTF32CuDNN(), context.allowTF32CuBLAS(),
            context.deterministicFillUninitializedMemory()};
  });
}

const char *fm_torch_version() { return TORCH_VERSION; }

// libtorch's build and parallelism settings, several lines; free with fm_free.
char *fm_show_config(char **text) {
  return guarded([&] { *text = strdup((at::show_config() + at::get_cpu_capability()).c_str()); });
}

}  // extern "C"
