//! A device with this crate's kernels loaded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;
use crate::args::Args;
use crate::driver::{Context, DeviceInfo, Function, Module, Stream};
use crate::plan::{Launch, MOST_SHARED};

/// A device, its kernels and a stream.
#[derive(Debug)]
pub struct Gpu {
    context: Arc<Context>,
    module: Arc<Module>,
    functions: Mutex<HashMap<String, Function>>,
    pub(crate) stream: Arc<Stream>,
}

impl Gpu {
    /// Opens device `index`, counted as the driver does, and loads the kernels.
    ///
    /// # Errors
    /// What stands in the way: see [`crate::driver::DriverError`].
    pub fn open(index: usize) -> Result<Arc<Self>, Error> {
        Self::on(Context::new(index)?)
    }

    /// Loads the kernels on a device.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub fn on(context: Arc<Context>) -> Result<Arc<Self>, Error> {
        let module = Module::load(&context, &crate::built::image(context.info().capability)?)?;
        let stream = Stream::new(&context)?;
        Ok(Arc::new(Self { context, module, functions: Mutex::default(), stream }))
    }

    /// What the device is.
    #[must_use]
    pub fn info(&self) -> &DeviceInfo {
        self.context.info()
    }

    /// Waits until all that was queued is done.
    ///
    /// # Errors
    /// What failed.
    pub fn synchronize(&self) -> Result<(), Error> {
        Ok(self.stream.synchronize()?)
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// A kernel by name.
    pub(crate) fn function(&self, name: &str) -> Result<Function, Error> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(name) {
            return Ok(function.clone());
        }
        let function = self.module.function(name)?;
        function.allow_shared(MOST_SHARED as u32)?;
        functions.insert(name.to_owned(), function.clone());
        Ok(function)
    }

    /// Queues a launch for `seats` seeds.
    ///
    /// # Safety
    /// Every address in `args` is that of live memory of the size that the plan asks for.
    pub(crate) unsafe fn launch(&self, launch: &Launch, args: &Args, seats: usize) -> Result<(), Error> {
        let args =
            Args { layer: launch.layer, scratch: if launch.scratch { args.scratch } else { 0 }, ..*args };
        let grid = [launch.blocks.0 as u32, seats as u32, launch.blocks.1 as u32];
        let (threads, shared) = (launch.threads as u32, launch.shared as u32);
        let function = &self.function(&launch.name)?;
        // SAFETY: the caller's promise; `Args` has the layout of the kernels' parameter.
        unsafe { self.stream.launch(function, grid, threads, shared, &args)? };
        Ok(())
    }
}
