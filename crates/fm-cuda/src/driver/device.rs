//! What a device is.

use std::ffi::{CStr, c_char, c_int};

use super::error::{DriverError, Result};
use super::open::Driver;
use super::symbols::device as attribute;

/// Who may use a device, as its administrator has set it (`nvidia-smi -c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComputeMode {
    /// Any number of processes.
    Shared,
    /// One process at a time.
    Exclusive,
    /// None.
    Prohibited,
}

/// A device, asked without using it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its number, from 0, among those that are visible.
    pub index: usize,
    /// Its name, such as `NVIDIA H200`.
    pub name: String,
    /// Compute capability: major, minor.
    pub capability: (u32, u32),
    /// Memory in bytes.
    pub memory: u64,
    /// Streaming multiprocessors.
    pub multiprocessors: u32,
    /// Shared memory in bytes that a block may have when its kernel asks for it.
    pub shared_per_block_optin: u32,
    /// Who may use it.
    pub compute_mode: ComputeMode,
    /// Highest clock of the multiprocessors in kHz; 0 where the driver does not say.
    pub clock_khz: u32,
    /// Level-2 cache in bytes.
    pub l2_bytes: u64,
}

impl DeviceInfo {
    /// Whether a kernel may start before the one before it has ended (Hopper and later).
    #[must_use]
    pub fn overlaps(&self) -> bool {
        self.capability >= (9, 0)
    }

    pub(crate) fn ask(driver: &Driver, index: usize) -> Result<Self> {
        let count = driver.count()?;
        if index >= count {
            return Err(DriverError::NoSuchDevice { index, count });
        }
        let mut device: c_int = 0;
        // SAFETY: the pointer is good for the call.
        let number = unsafe { (driver.functions.device_get)(&raw mut device, index as c_int) };
        driver.check("ask for a device", number)?;
        let value = |which: c_int| {
            let mut value: c_int = 0;
            // SAFETY: the pointer is good for the call.
            let number = unsafe { (driver.functions.device_attribute)(&raw mut value, which, device) };
            driver.check("ask for an attribute of a device", number).map(|()| value.max(0) as u32)
        };
        let mut memory = 0;
        // SAFETY: the pointer is good for the call.
        let number = unsafe { (driver.functions.device_memory)(&raw mut memory, device) };
        driver.check("ask for a device's memory", number)?;
        Ok(Self {
            index,
            name: name(driver, device)?,
            capability: (value(attribute::MAJOR)?, value(attribute::MINOR)?),
            memory: memory as u64,
            multiprocessors: value(attribute::MULTIPROCESSORS)?,
            shared_per_block_optin: value(attribute::SHARED_PER_BLOCK_OPTIN)?,
            compute_mode: match value(attribute::COMPUTE_MODE)? {
                0 => ComputeMode::Shared,
                2 => ComputeMode::Prohibited,
                _ => ComputeMode::Exclusive,
            },
            clock_khz: value(attribute::CLOCK_KHZ)?,
            l2_bytes: u64::from(value(attribute::L2_BYTES)?),
        })
    }
}

fn name(driver: &Driver, device: c_int) -> Result<String> {
    let mut name: [c_char; 256] = [0; 256];
    // SAFETY: the length is one less than the array's, whose last byte stays 0.
    let number = unsafe { (driver.functions.device_name)(name.as_mut_ptr(), 255, device) };
    driver.check("ask for a device's name", number)?;
    // SAFETY: the last byte is 0.
    Ok(unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}
