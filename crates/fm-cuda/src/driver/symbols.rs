//! The driver's functions. Names, argument types and the numbers below are those of NVIDIA's `cuda.h` (12.2 to 13.0).
//!
//! All handles are pointers that only the driver reads; they are kept as integers, which the calling convention
//! passes alike and which may move between threads, as the driver allows.

use std::ffi::{c_char, c_int, c_uint, c_void};

use libloading::os::unix::Library;

/// An opaque pointer of the driver's.
pub(crate) type Handle = usize;

macro_rules! functions {
    ($($name:ident = $symbol:literal ( $($arg:ident : $type:ty),* );)*) => {
        /// Pointers to the driver's functions; every one returns an error number or 0.
        #[derive(Debug)]
        pub(crate) struct Functions {
            $(pub(crate) $name: unsafe extern "C" fn($($arg: $type),*) -> c_int,)*
        }

        impl Functions {
            /// Looks every function up, or names the first that is missing.
            pub(crate) fn find(library: &Library) -> Result<Self, &'static str> {
                // SAFETY: the types are those that `cuda.h` declares for these symbols, and the caller never
                // unloads the library.
                unsafe {
                    Ok(Self { $($name: *library.get($symbol).map_err(|_| $symbol)?,)* })
                }
            }
        }
    };
}

functions! {
    init = "cuInit"(flags: c_uint);
    device_count = "cuDeviceGetCount"(count: *mut c_int);
    device_get = "cuDeviceGet"(device: *mut c_int, index: c_int);
    device_name = "cuDeviceGetName"(name: *mut c_char, len: c_int, device: c_int);
    device_memory = "cuDeviceTotalMem_v2"(bytes: *mut usize, device: c_int);
    device_attribute = "cuDeviceGetAttribute"(value: *mut c_int, attribute: c_int, device: c_int);
    context_retain = "cuDevicePrimaryCtxRetain"(context: *mut Handle, device: c_int);
    context_release = "cuDevicePrimaryCtxRelease_v2"(device: c_int);
    context_set = "cuCtxSetCurrent"(context: Handle);
    memory_info = "cuMemGetInfo_v2"(free: *mut usize, total: *mut usize);
    alloc = "cuMemAlloc_v2"(pointer: *mut u64, bytes: usize);
    free = "cuMemFree_v2"(pointer: u64);
    alloc_host = "cuMemAllocHost_v2"(pointer: *mut *mut c_void, bytes: usize);
    free_host = "cuMemFreeHost"(pointer: *mut c_void);
    copy_to_device = "cuMemcpyHtoDAsync_v2"(to: u64, from: *const c_void, bytes: usize, stream: Handle);
    copy_to_host = "cuMemcpyDtoHAsync_v2"(to: *mut c_void, from: u64, bytes: usize, stream: Handle);
    copy_on_device = "cuMemcpyDtoDAsync_v2"(to: u64, from: u64, bytes: usize, stream: Handle);
    fill = "cuMemsetD8Async"(to: u64, byte: u8, bytes: usize, stream: Handle);
    module_load = "cuModuleLoadDataEx"(module: *mut Handle, image: *const c_void, options: c_uint,
        names: *mut c_int, values: *mut *mut c_void);
    module_unload = "cuModuleUnload"(module: Handle);
    module_function = "cuModuleGetFunction"(function: *mut Handle, module: Handle, name: *const c_char);
    function_attribute = "cuFuncGetAttribute"(value: *mut c_int, attribute: c_int, function: Handle);
    function_set = "cuFuncSetAttribute"(function: Handle, attribute: c_int, value: c_int);
    occupancy = "cuOccupancyMaxActiveBlocksPerMultiprocessor"(blocks: *mut c_int, function: Handle,
        block: c_int, shared: usize);
    stream_create = "cuStreamCreate"(stream: *mut Handle, flags: c_uint);
    stream_destroy = "cuStreamDestroy_v2"(stream: Handle);
    stream_synchronize = "cuStreamSynchronize"(stream: Handle);
    stream_wait = "cuStreamWaitEvent"(stream: Handle, event: Handle, flags: c_uint);
    capture_begin = "cuStreamBeginCapture_v2"(stream: Handle, mode: c_int);
    capture_end = "cuStreamEndCapture"(stream: Handle, graph: *mut Handle);
    launch = "cuLaunchKernelEx"(config: *const LaunchConfig, function: Handle, args: *mut *mut c_void,
        extra: *mut *mut c_void);
    graph_nodes = "cuGraphGetNodes"(graph: Handle, nodes: *mut Handle, count: *mut usize);
    graph_instantiate = "cuGraphInstantiateWithFlags"(exec: *mut Handle, graph: Handle, flags: u64);
    graph_destroy = "cuGraphDestroy"(graph: Handle);
    graph_upload = "cuGraphUpload"(exec: Handle, stream: Handle);
    graph_launch = "cuGraphLaunch"(exec: Handle, stream: Handle);
    graph_exec_destroy = "cuGraphExecDestroy"(exec: Handle);
    event_create = "cuEventCreate"(event: *mut Handle, flags: c_uint);
    event_record = "cuEventRecord"(event: Handle, stream: Handle);
    event_query = "cuEventQuery"(event: Handle);
    event_synchronize = "cuEventSynchronize"(event: Handle);
    event_elapsed = "cuEventElapsedTime"(milliseconds: *mut f32, start: Handle, end: Handle);
    event_destroy = "cuEventDestroy_v2"(event: Handle);
    error_name = "cuGetErrorName"(code: c_int, text: *mut *const c_char);
    error_text = "cuGetErrorString"(code: c_int, text: *mut *const c_char);
}

/// `CUlaunchConfig`.
#[repr(C)]
pub(crate) struct LaunchConfig {
    pub(crate) grid: [c_uint; 3],
    pub(crate) block: [c_uint; 3],
    pub(crate) shared: c_uint,
    pub(crate) stream: Handle,
    pub(crate) attributes: *const LaunchAttribute,
    pub(crate) count: c_uint,
}

/// `CUlaunchAttribute`: a number, four bytes of padding, and a union of 64 bytes.
#[repr(C)]
pub(crate) struct LaunchAttribute {
    pub(crate) id: c_int,
    pub(crate) padding: [u8; 4],
    pub(crate) value: [u64; 8],
}

/// `CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION`.
pub(crate) const LAUNCH_OVERLAPPING: c_int = 6;
/// `CU_STREAM_NON_BLOCKING`.
pub(crate) const STREAM_NON_BLOCKING: c_uint = 1;
/// `CU_STREAM_CAPTURE_MODE_THREAD_LOCAL`.
pub(crate) const CAPTURE_THREAD_LOCAL: c_int = 1;

/// Numbers of `CUdevice_attribute`.
pub(crate) mod device {
    use std::ffi::c_int;
    pub(crate) const CLOCK_KHZ: c_int = 13;
    pub(crate) const MULTIPROCESSORS: c_int = 16;
    pub(crate) const COMPUTE_MODE: c_int = 20;
    pub(crate) const L2_BYTES: c_int = 38;
    pub(crate) const MAJOR: c_int = 75;
    pub(crate) const MINOR: c_int = 76;
    pub(crate) const SHARED_PER_BLOCK_OPTIN: c_int = 97;
}

/// Numbers of `CUfunction_attribute`.
pub(crate) mod function {
    use std::ffi::c_int;
    pub(crate) const LOCAL_BYTES: c_int = 3;
    pub(crate) const REGISTERS: c_int = 4;
    pub(crate) const DYNAMIC_SHARED_BYTES: c_int = 8;
}

/// Numbers of `CUjit_option`.
pub(crate) mod jit {
    use std::ffi::c_int;
    pub(crate) const ERROR_LOG: c_int = 5;
    pub(crate) const ERROR_LOG_BYTES: c_int = 6;
}

/// Numbers of `CUresult` that this crate tells apart.
pub(crate) mod code {
    use std::ffi::c_int;
    pub(crate) const OUT_OF_MEMORY: c_int = 2;
    pub(crate) const STUB_LIBRARY: c_int = 34;
    pub(crate) const DEVICE_UNAVAILABLE: c_int = 46;
    pub(crate) const NO_DEVICE: c_int = 100;
    pub(crate) const INVALID_IMAGE: c_int = 200;
    pub(crate) const INVALID_CONTEXT: c_int = 201;
    pub(crate) const NO_BINARY_FOR_GPU: c_int = 209;
    pub(crate) const ECC_UNCORRECTABLE: c_int = 214;
    pub(crate) const CONTEXT_IN_USE: c_int = 216;
    pub(crate) const INVALID_PTX: c_int = 218;
    pub(crate) const JIT_COMPILER_NOT_FOUND: c_int = 221;
    pub(crate) const UNSUPPORTED_PTX_VERSION: c_int = 222;
    pub(crate) const NOT_READY: c_int = 600;
    pub(crate) const ILLEGAL_ADDRESS: c_int = 700;
    pub(crate) const LAUNCH_TIMEOUT: c_int = 702;
    pub(crate) const ASSERT: c_int = 710;
    pub(crate) const HARDWARE_STACK: c_int = 714;
    pub(crate) const LAUNCH_FAILED: c_int = 719;
    pub(crate) const SYSTEM_NOT_READY: c_int = 802;
    pub(crate) const DRIVER_MISMATCH: c_int = 803;
    pub(crate) const COMPAT_NOT_SUPPORTED: c_int = 804;
    pub(crate) const CAPTURE_FIRST: c_int = 900;
    pub(crate) const CAPTURE_LAST: c_int = 908;
}
