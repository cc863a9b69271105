//! A `libcuda.so.1` for tests: its device is the host, and fm-cuda's kernels are compiled for it from their source.
//!
//! What is queued is done when somebody waits for it, so that whoever reads without waiting is found out. Memory starts
//! as NaN and lies between pages that nobody may touch. What may not be done while a graph is recorded gives the
//! errors of the real driver. Registers, time and caches are not emulated.
//!
//! A process whose `LD_LIBRARY_PATH` begins with [`dir`] finds it. These variables change it, as [`Emulated::new`] does
//! within a process, without their prefix `FM_EMULATED_`:
//!
//! | variable | default | what |
//! |---|---|---|
//! | `VERSION` | 13000 | CUDA's version that the driver says |
//! | `INIT` | 0 | what `cuInit` returns |
//! | `DEVICES` | 1 | how many devices there are, before `CUDA_VISIBLE_DEVICES` |
//! | `CAPABILITY` | 9.0 | of each |
//! | `MEMORY` | 4294967296 | bytes of each |
//! | `MODE` | default | `exclusive` and `prohibited` are compute modes; they and `unavailable` refuse a context |
//! | `CONTEXT` | 0 | what making a context returns |
//! | `PINNED` | 2^40 | bytes of the host's memory that may be locked |
//! | `FAIL` | | `100:700`: the device fails in the 100th launch, counted from 1, with error 700 |
//! | `SEED` | 1 | of the order of blocks and threads |
//! | `THREADS` | all | host threads that share a launch |
//! | `WITHOUT` | | `back.h:78`: the barrier in this line of the kernels is left out |
//! | `LEAKS` | 0 | 1: what was not freed when the device is left is an error |
//! | `TRACE` | 0 | 1: calls on standard error |
//!
//! ```
//! use fm_cuda_emulated::Emulated;
//!
//! let driver = Emulated::new(&[("DEVICES", "2"), ("CAPABILITY", "8.6")]);
//! assert!(driver.path().ends_with("libcuda.so.1"));
//! assert_eq!(driver.live(), 0);
//! ```
#![expect(unsafe_code, reason = "the library's own switches are called here")]

use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};

use libloading::os::unix::Library;
use tempfile::TempDir;

/// The directory of the library that has the program's kernels.
#[must_use]
pub fn dir() -> &'static Path {
    Path::new(concat!(env!("OUT_DIR"), "/program"))
}

/// A driver for a test within its process: a library of its own, which shares nothing with any other.
#[derive(Debug)]
pub struct Emulated {
    library: Library,
    path: PathBuf,
    _dir: TempDir,
}

impl Emulated {
    /// With the program's kernels and these settings (names without their prefix).
    ///
    /// # Panics
    /// When files cannot be written.
    #[must_use]
    pub fn new(settings: &[(&str, &str)]) -> Self {
        Self::of(dir(), settings)
    }

    /// With the kernels `scale` and `reverse` of `driver/probe.cu`.
    ///
    /// # Panics
    /// When files cannot be written.
    #[must_use]
    pub fn probe(settings: &[(&str, &str)]) -> Self {
        Self::of(Path::new(concat!(env!("OUT_DIR"), "/probe")), settings)
    }

    /// With the program's kernels and a detector of races: a launch with accesses that no barrier puts in order fails
    /// with error 719, and one of them is on standard error. Launches take about ten times as long.
    ///
    /// # Panics
    /// When files cannot be written.
    #[must_use]
    pub fn watched(settings: &[(&str, &str)]) -> Self {
        Self::of(Path::new(concat!(env!("OUT_DIR"), "/races")), settings)
    }

    fn of(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let copy = TempDir::new().expect("a temporary directory can be made");
        let path = copy.path().join("libcuda.so.1");
        // The loader opens a file once, however often it is asked for: a copy is another library.
        std::fs::copy(dir.join("libcuda.so.1"), &path).expect("the library can be copied");
        // SAFETY: this project's own library, whose initialisers make empty maps.
        let library = unsafe { Library::new(&path) }.expect("the library can be loaded");
        for (name, value) in settings {
            let (name, value) = (CString::new(*name), CString::new(*value));
            let (name, value) = (name.expect("no NUL in a name"), value.expect("no NUL in a value"));
            // SAFETY: driver.cpp declares it so; both texts end with NUL and are copied.
            unsafe {
                let set =
                    library.get::<unsafe extern "C" fn(*const c_char, *const c_char)>("fm_emulated_set");
                set.expect("the library has it")(name.as_ptr(), value.as_ptr());
            }
        }
        Self { library, path, _dir: copy }
    }

    /// The library, for `fm_cuda::driver::Driver::load_from`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many buffers, pinned ones and streams have not been freed.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn live(&self) -> usize {
        self.count("fm_emulated_live")
    }

    /// How many threads went past the barrier that the setting `WITHOUT` leaves out.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.count("fm_emulated_passed")
    }

    fn count(&self, name: &str) -> usize {
        // SAFETY: driver.cpp declares both functions so.
        unsafe { self.library.get::<unsafe extern "C" fn() -> usize>(name).expect("the library has it")() }
    }
}
