//! Finding the driver's library and asking what it has.

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::path::PathBuf;
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

use super::error::{DriverError, Result, Version};
use super::symbols::{Functions, code};
use super::{DeviceInfo, OLDEST_DRIVER};

/// Where the library is looked for: first as the loader does, then where containers and WSL keep it. Not
/// `libcuda.so`: that is a toolkit's empty stand-in for linking.
const PLACES: [&str; 3] =
    ["libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"];

/// NVIDIA's driver, loaded and initialised for the rest of the process's life.
#[derive(Debug)]
pub struct Driver {
    pub(crate) functions: Functions,
    version: Version,
    path: PathBuf,
}

impl Driver {
    /// The machine's driver. The first call loads it; what it answers holds for the process.
    ///
    /// # Errors
    /// Why there is none that can be used.
    pub fn load() -> Result<&'static Self> {
        static ANSWER: OnceLock<Result<Driver>> = OnceLock::new();
        ANSWER.get_or_init(|| Self::first_of(&PLACES)).as_ref().map_err(Clone::clone)
    }

    /// The driver whose library is `path`, for tests of several in one process. It is never unloaded.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn load_from(path: impl AsRef<OsStr>) -> Result<&'static Self> {
        Self::first_of(&[path]).map(|driver| &*Box::leak(Box::new(driver)))
    }

    /// The newest CUDA that this driver runs.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The release of the kernel module, such as `535.104.05`, where the system says it.
    #[must_use]
    pub fn release(&self) -> Option<String> {
        let text = std::fs::read_to_string("/sys/module/nvidia/version").ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The library that was opened: as it was asked for, found by the loader where that is a bare name.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// How many devices there are, at least one.
    ///
    /// # Errors
    /// [`DriverError::NoDevice`] when none is visible.
    pub fn count(&self) -> Result<usize> {
        let mut count: c_int = 0;
        // SAFETY: the pointer is good for the call.
        self.check("count devices", unsafe { (self.functions.device_count)(&raw mut count) })?;
        if count < 1 { Err(DriverError::no_device()) } else { Ok(count as usize) }
    }

    /// What device `index` is.
    ///
    /// # Errors
    /// [`DriverError::NoSuchDevice`], or what the driver says.
    pub fn device(&self, index: usize) -> Result<DeviceInfo> {
        DeviceInfo::ask(self, index)
    }

    /// All devices, in the driver's order.
    ///
    /// # Errors
    /// As [`Driver::count`] and [`Driver::device`].
    pub fn devices(&self) -> Result<Vec<DeviceInfo>> {
        (0..self.count()?).map(|index| self.device(index)).collect()
    }

    /// Makes an error of a number that is not 0, about what was being done: `cannot ACTION`.
    pub(crate) fn check(&self, action: &str, number: c_int) -> Result<()> {
        if number == 0 { Ok(()) } else { Err(self.error(action, number)) }
    }

    pub(crate) fn error(&self, action: &str, number: c_int) -> DriverError {
        let (name, text) =
            (words(self.functions.error_name, number), words(self.functions.error_text, number));
        DriverError::of(action, number, &name, &text)
    }

    fn first_of(places: &[impl AsRef<OsStr>]) -> Result<Self> {
        let mut reasons = Vec::new();
        for place in places {
            match open(place.as_ref()) {
                Ok(library) => return Self::start(library, place.as_ref()),
                Err(reason) => reasons.push(reason),
            }
        }
        // The loader's own words about the first place say what is wrong with it if it is there.
        Err(DriverError::NoDriver { reason: reasons.swap_remove(0) })
    }

    fn start(library: Library, path: &OsStr) -> Result<Self> {
        let path = PathBuf::from(path);
        let incomplete =
            |symbol: &str| DriverError::Incomplete { path: path.clone(), symbol: symbol.to_owned() };
        // The version first: an old driver lacks some of the other functions.
        let version = {
            // SAFETY: the type is `cuda.h`'s.
            let ask =
                unsafe { library.get::<unsafe extern "C" fn(*mut c_int) -> c_int>("cuDriverGetVersion") }
                    .map_err(|_| incomplete("cuDriverGetVersion"))?;
            let mut version: c_int = 0;
            // SAFETY: the pointer is good for the call, which may come before `cuInit`.
            match unsafe { ask(&raw mut version) } {
                0 => Version(version.max(0) as u32),
                code::STUB_LIBRARY => return Err(DriverError::Stub { path }),
                number => return Err(DriverError::start(number, "", "")),
            }
        };
        if version < OLDEST_DRIVER {
            return Err(DriverError::TooOld { version, oldest: OLDEST_DRIVER });
        }
        let functions = Functions::find(&library).map_err(incomplete)?;
        std::mem::forget(library);
        // SAFETY: no arguments but flags, which must be 0.
        let number = unsafe { (functions.init)(0) };
        match number {
            0 => Ok(Self { functions, version, path }),
            code::NO_DEVICE => Err(DriverError::no_device()),
            code::STUB_LIBRARY => Err(DriverError::Stub { path }),
            _ => {
                let (name, text) = (words(functions.error_name, number), words(functions.error_text, number));
                Err(DriverError::start(number, &name, &text))
            }
        }
    }
}

/// Opens a library with global symbols, as libtorch's CUDA half expects to find it.
fn open(place: &OsStr) -> Result<Library, String> {
    // SAFETY: running the initialiser of NVIDIA's library is what is wanted.
    unsafe { Library::open(Some(place), RTLD_NOW | RTLD_GLOBAL) }.map_err(|error| {
        std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
    })
}

/// A function of the driver that answers with a text of its own.
type Says = unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int;

fn words(says: Says, number: c_int) -> String {
    let mut text: *const c_char = std::ptr::null();
    // SAFETY: the pointer is good for the call.
    if unsafe { says(number, &raw mut text) } != 0 || text.is_null() {
        return String::new();
    }
    // SAFETY: the driver's texts end with NUL and are never freed.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
