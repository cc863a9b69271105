// CUresult, as far as this driver returns it: numbers, names and texts are NVIDIA's.
#pragma once

#define CODES(X)                                                                                        \
  X(INVALID_VALUE, 1, "invalid argument")                                                               \
  X(OUT_OF_MEMORY, 2, "out of memory")                                                                  \
  X(NOT_INITIALIZED, 3, "initialization error")                                                         \
  X(DEVICE_UNAVAILABLE, 46, "CUDA-capable device(s) is/are busy or unavailable")                        \
  X(NO_DEVICE, 100, "no CUDA-capable device is detected")                                               \
  X(INVALID_DEVICE, 101, "invalid device ordinal")                                                      \
  X(INVALID_IMAGE, 200, "device kernel image is invalid")                                               \
  X(INVALID_CONTEXT, 201, "invalid device context")                                                     \
  X(NO_BINARY_FOR_GPU, 209, "no kernel image is available for execution on the device")                 \
  X(ECC_UNCORRECTABLE, 214, "uncorrectable ECC error encountered")                                      \
  X(INVALID_PTX, 218, "a PTX JIT compilation failed")                                                   \
  X(UNSUPPORTED_PTX_VERSION, 222, "the provided PTX was compiled with an unsupported toolchain.")       \
  X(INVALID_HANDLE, 400, "invalid resource handle")                                                     \
  X(ILLEGAL_STATE, 401, "the operation cannot be performed in the present state")                       \
  X(NOT_FOUND, 500, "named symbol not found")                                                           \
  X(NOT_READY, 600, "device not ready")                                                                 \
  X(ILLEGAL_ADDRESS, 700, "an illegal memory access was encountered")                                   \
  X(LAUNCH_OUT_OF_RESOURCES, 701, "too many resources requested for launch")                            \
  X(LAUNCH_TIMEOUT, 702, "the launch timed out and was terminated")                                     \
  X(LAUNCH_FAILED, 719, "unspecified launch failure")                                                   \
  X(NOT_SUPPORTED, 801, "operation not supported")                                                      \
  X(SYSTEM_NOT_READY, 802, "system not yet initialized")                                                \
  X(SYSTEM_DRIVER_MISMATCH, 803, "system has unsupported display driver / cuda driver combination")     \
  X(COMPAT_NOT_SUPPORTED_ON_DEVICE, 804, "forward compatibility was attempted on non supported HW")     \
  X(STREAM_CAPTURE_UNSUPPORTED, 900, "operation not permitted when stream is capturing")                \
  X(STREAM_CAPTURE_INVALIDATED, 901, "operation failed due to a previous error during capture")         \
  X(STREAM_CAPTURE_ISOLATION, 905, "dependency created on uncaptured work in another stream")           \
  X(CAPTURED_EVENT, 907, "operation not permitted on an event last recorded in a capturing stream")     \
  X(STREAM_CAPTURE_WRONG_THREAD, 908, "attempt to terminate a thread-local capture sequence from another thread") \
  X(UNKNOWN, 999, "unknown error")

enum Code {
  SUCCESS = 0,
#define X(name, number, text) name = number,
  CODES(X)
#undef X
};
