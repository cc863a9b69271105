//! Work that a device does in order.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::context::Context;
use super::error::{DriverError, Result};
use super::event::Event;
use super::graph::Graph;
use super::module::Function;
use super::symbols::{
    CAPTURE_THREAD_LOCAL, Handle, LAUNCH_OVERLAPPING, LaunchAttribute, LaunchConfig, STREAM_NON_BLOCKING,
};

/// A queue of work. Streams of a context run beside each other.
#[derive(Debug)]
pub struct Stream {
    context: Arc<Context>,
    pub(crate) handle: Handle,
    recording: AtomicBool,
}

impl Stream {
    /// An empty queue, which does not wait for the default stream.
    ///
    /// # Errors
    /// What the driver says.
    pub fn new(context: &Arc<Context>) -> Result<Arc<Self>> {
        let mut handle = 0;
        context.call("make a stream", |f| {
            // SAFETY: the pointer is good for the call.
            unsafe { (f.stream_create)(&raw mut handle, STREAM_NON_BLOCKING) }
        })?;
        Ok(Arc::new(Self { context: Arc::clone(context), handle, recording: AtomicBool::new(false) }))
    }

    /// The device.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Waits until all that was queued is done.
    ///
    /// # Errors
    /// What failed, the work itself included.
    pub fn synchronize(&self) -> Result<()> {
        // SAFETY: the stream is live.
        self.context.call("finish its work", |f| unsafe { (f.stream_synchronize)(self.handle) })
    }

    /// Lets what is queued from now on wait until `event` has happened, on whatever stream.
    ///
    /// # Errors
    /// What the driver says.
    pub fn wait(&self, event: &Event) -> Result<()> {
        // SAFETY: both are live.
        self.context.call("wait for an event", |f| unsafe { (f.stream_wait)(self.handle, event.handle, 0) })
    }

    /// Queues a kernel: `grid` blocks (x, y, z) of `block` threads, `shared` bytes of dynamic shared memory a block,
    /// and `args`, the kernel's only parameter, which is copied.
    ///
    /// # Errors
    /// When the device cannot launch it so. What goes wrong within the kernel is noticed later.
    ///
    /// # Safety
    /// `A` must have the layout of the kernel's parameter. What it points to must be memory of this context, large
    /// enough for what the kernel does with it, and stay until the kernel has ended.
    pub unsafe fn launch<A: Copy>(
        &self,
        function: &Function,
        grid: [u32; 3],
        block: u32,
        shared: u32,
        args: &A,
    ) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.submit(function, grid, block, shared, args, &[]) }
    }

    /// As [`Stream::launch`], but the kernel may start when each block of the last one has ended or called
    /// `cudaTriggerProgrammaticLaunchCompletion`: it must wait by `cudaGridDependencySynchronize` before it reads what
    /// that one writes.
    ///
    /// # Errors
    /// As [`Stream::launch`], and [`DriverError::NoOverlap`] where [`super::DeviceInfo::overlaps`] says no.
    ///
    /// # Safety
    /// As [`Stream::launch`].
    pub unsafe fn launch_overlapping<A: Copy>(
        &self,
        function: &Function,
        grid: [u32; 3],
        block: u32,
        shared: u32,
        args: &A,
    ) -> Result<()> {
        if !self.context.info().overlaps() {
            return Err(DriverError::NoOverlap { name: self.context.info().name.clone() });
        }
        let mut value = [0; 8];
        // An int, the union's first four bytes; the byte order is little-endian wherever there is CUDA.
        value[0] = 1;
        let overlapping = [LaunchAttribute { id: LAUNCH_OVERLAPPING, padding: [0; 4], value }];
        // SAFETY: the caller's promise.
        unsafe { self.submit(function, grid, block, shared, args, &overlapping) }
    }

    /// # Safety
    /// As [`Stream::launch`].
    unsafe fn submit<A: Copy>(
        &self,
        function: &Function,
        grid: [u32; 3],
        block: u32,
        shared: u32,
        args: &A,
        attributes: &[LaunchAttribute],
    ) -> Result<()> {
        let config = LaunchConfig {
            grid,
            block: [block, 1, 1],
            shared,
            stream: self.handle,
            attributes: attributes.as_ptr(),
            count: attributes.len() as u32,
        };
        let mut list: [*mut c_void; 1] = [(&raw const *args).cast_mut().cast()];
        let number = self.context.number(|f| {
            // SAFETY: one parameter, of the layout that the caller promises; it is read before the call returns.
            unsafe { (f.launch)(&raw const config, function.handle, list.as_mut_ptr(), std::ptr::null_mut()) }
        });
        if number == 0 {
            return Ok(());
        }
        let [x, y, z] = grid;
        let action = format!(
            "launch {} with {x}x{y}x{z} blocks of {block} threads and {shared} bytes each",
            function.name()
        );
        Err(self.context.driver().error(&action, number))
    }

    /// Records what this thread queues from now on, instead of doing it. Memory cannot be had or freed meanwhile, and
    /// nothing can be waited for.
    ///
    /// # Errors
    /// When it is recording already.
    pub fn begin_capture(&self) -> Result<()> {
        self.context.call("record a graph", |f| {
            // SAFETY: the stream is live.
            unsafe { (f.capture_begin)(self.handle, CAPTURE_THREAD_LOCAL) }
        })?;
        self.recording.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// What was done that may not be recorded, or that there is no recording.
    pub fn end_capture(&self) -> Result<Graph> {
        self.recording.store(false, Ordering::Relaxed);
        let mut graph = 0;
        self.context.call("end a recorded graph", |f| {
            // SAFETY: the stream is live, the pointer good for the call.
            unsafe { (f.capture_end)(self.handle, &raw mut graph) }
        })?;
        Graph::instantiate(&self.context, graph)
    }

    /// Records what `work` queues. The recording ends, whatever happens.
    ///
    /// # Errors
    /// Those of `work`, then those of [`Stream::end_capture`].
    pub fn capture<E: From<DriverError>>(&self, work: impl FnOnce() -> Result<(), E>) -> Result<Graph, E> {
        self.begin_capture()?;
        let done = work();
        let graph = self.end_capture();
        done.and(graph.map_err(E::from))
    }

    /// Queues what was recorded.
    ///
    /// # Errors
    /// What the driver says.
    ///
    /// # Safety
    /// Every kernel in it as [`Stream::launch`] asks, at this time; memory that it copies or fills must still be there.
    pub unsafe fn launch_graph(&self, graph: &Graph) -> Result<()> {
        // SAFETY: both are live; the rest is the caller's promise.
        self.context.call("launch a graph", |f| unsafe { (f.graph_launch)(graph.handle, self.handle) })
    }

    /// Whether a recording goes on.
    pub(crate) fn is_recording(&self) -> bool {
        self.recording.load(Ordering::Relaxed)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: made in `new`. The driver ends the queued work first; an error has nobody to go to.
        self.context.number(|f| unsafe { (f.stream_destroy)(self.handle) });
    }
}
