//! A device in use.

use std::ffi::c_int;
use std::sync::Arc;

use super::error::{DriverError, Result};
use super::open::Driver;
use super::symbols::{Functions, Handle, code};
use super::{ComputeMode, DeviceInfo, OLDEST_CHIP};

/// The primary context of a device, which everything in this process shares that uses it, libtorch included.
#[derive(Debug)]
pub struct Context {
    driver: &'static Driver,
    device: c_int,
    info: DeviceInfo,
    handle: Handle,
}

impl Context {
    /// Uses device `index` of the machine's driver.
    ///
    /// # Errors
    /// Why it cannot be used: no driver, no such device, too old a chip, taken by others, no memory left.
    pub fn new(index: usize) -> Result<Arc<Self>> {
        Self::on(Driver::load()?, index)
    }

    /// Uses device `index` of `driver`.
    ///
    /// # Errors
    /// As [`Context::new`].
    pub fn on(driver: &'static Driver, index: usize) -> Result<Arc<Self>> {
        let info = driver.device(index)?;
        Self::allows(&info)?;
        let (mut device, mut handle) = (0, 0);
        // SAFETY: the pointers are good for the calls.
        unsafe {
            driver
                .check("ask for a device", (driver.functions.device_get)(&raw mut device, index as c_int))?;
            match (driver.functions.context_retain)(&raw mut handle, device) {
                0 => Ok(Arc::new(Self { driver, device, info, handle })),
                code::DEVICE_UNAVAILABLE | code::INVALID_CONTEXT | code::CONTEXT_IN_USE => Err(busy(&info)),
                number => Err(driver.error(&format!("start on {}", info.name), number)),
            }
        }
    }

    /// Whether a device can be used, as far as one can tell without using it.
    ///
    /// # Errors
    /// Too old a chip, or one that is closed to programs.
    pub fn allows(info: &DeviceInfo) -> Result<()> {
        let DeviceInfo { index, capability, .. } = *info;
        if capability < OLDEST_CHIP {
            return Err(DriverError::ChipTooOld { index, name: info.name.clone(), capability });
        }
        if info.compute_mode == ComputeMode::Prohibited { Err(busy(info)) } else { Ok(()) }
    }

    /// What the device is.
    #[must_use]
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// The driver.
    #[must_use]
    pub fn driver(&self) -> &'static Driver {
        self.driver
    }

    /// Free memory in bytes, of all processes together.
    ///
    /// # Errors
    /// What the driver says.
    pub fn free_memory(&self) -> Result<u64> {
        let (mut free, mut total) = (0, 0);
        // SAFETY: the pointers are good for the call.
        self.call("ask for free memory", |f| unsafe { (f.memory_info)(&raw mut free, &raw mut total) })?;
        Ok(free as u64)
    }

    /// Binds this context to the calling thread, then makes a call of the driver.
    pub(crate) fn call(&self, action: &str, call: impl FnOnce(&Functions) -> c_int) -> Result<()> {
        let number = self.number(call);
        self.driver.check(action, number)
    }

    /// As [`Context::call`], with the driver's number.
    pub(crate) fn number(&self, call: impl FnOnce(&Functions) -> c_int) -> c_int {
        let functions = &self.driver.functions;
        // SAFETY: the handle is live as long as `self`.
        match unsafe { (functions.context_set)(self.handle) } {
            0 => call(functions),
            number => number,
        }
    }
}

fn busy(info: &DeviceInfo) -> DriverError {
    DriverError::Busy { index: info.index, name: info.name.clone(), mode: info.compute_mode }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: retained once, in `new`. An error has nobody to go to.
        unsafe { (self.driver.functions.context_release)(self.device) };
    }
}
