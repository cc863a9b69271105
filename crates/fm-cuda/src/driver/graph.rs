//! Recorded work.

use std::sync::Arc;

use super::context::Context;
use super::error::Result;
use super::stream::Stream;
use super::symbols::Handle;

/// What a stream has recorded, ready to be launched any number of times.
#[derive(Debug)]
pub struct Graph {
    context: Arc<Context>,
    pub(crate) handle: Handle,
    nodes: usize,
}

impl Graph {
    /// Makes a recording executable, and frees the recording.
    pub(crate) fn instantiate(context: &Arc<Context>, recorded: Handle) -> Result<Self> {
        let (mut nodes, mut handle) = (0, 0);
        let counted = context.call("count a graph's nodes", |f| {
            // SAFETY: without a list, the driver counts; the graph is live.
            unsafe { (f.graph_nodes)(recorded, std::ptr::null_mut(), &raw mut nodes) }
        });
        let made = counted.and_then(|()| {
            context.call("make a graph executable", |f| {
                // SAFETY: the graph is live, the pointer good for the call.
                unsafe { (f.graph_instantiate)(&raw mut handle, recorded, 0) }
            })
        });
        // SAFETY: nobody else knows it; the executable graph does not need it. An error has nobody to go to.
        context.number(|f| unsafe { (f.graph_destroy)(recorded) });
        made.map(|()| Self { context: Arc::clone(context), handle, nodes })
    }

    /// How many kernels, copies and fills it holds.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Brings it to the device, so that the first launch is as fast as the others.
    ///
    /// # Errors
    /// What the driver says.
    pub fn upload(&self, stream: &Stream) -> Result<()> {
        // SAFETY: both are live.
        self.context.call("upload a graph", |f| unsafe { (f.graph_upload)(self.handle, stream.handle) })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: made in `instantiate`. The driver keeps it until launches have ended; an error has nobody to go to.
        self.context.number(|f| unsafe { (f.graph_exec_destroy)(self.handle) });
    }
}
