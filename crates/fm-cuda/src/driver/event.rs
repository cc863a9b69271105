//! Moments in a stream.

use std::sync::Arc;

use super::context::Context;
use super::error::Result;
use super::stream::Stream;
use super::symbols::{Handle, code};

/// A moment in a stream: when all that was queued before it is done.
#[derive(Debug)]
pub struct Event {
    context: Arc<Context>,
    pub(crate) handle: Handle,
}

impl Event {
    /// One that has not been recorded, which counts as happened.
    ///
    /// # Errors
    /// What the driver says.
    pub fn new(context: &Arc<Context>) -> Result<Self> {
        let mut handle = 0;
        // SAFETY: the pointer is good for the call.
        context.call("make an event", |f| unsafe { (f.event_create)(&raw mut handle, 0) })?;
        Ok(Self { context: Arc::clone(context), handle })
    }

    /// Marks the end of what `stream` has queued so far.
    ///
    /// # Errors
    /// What the driver says.
    pub fn record(&self, stream: &Stream) -> Result<()> {
        // SAFETY: both are live.
        self.context.call("record an event", |f| unsafe { (f.event_record)(self.handle, stream.handle) })
    }

    /// Waits until it has happened.
    ///
    /// # Errors
    /// What failed, the work before it included.
    pub fn synchronize(&self) -> Result<()> {
        // SAFETY: the event is live.
        self.context.call("finish its work", |f| unsafe { (f.event_synchronize)(self.handle) })
    }

    /// Whether it has happened.
    ///
    /// # Errors
    /// What failed, the work before it included.
    pub fn happened(&self) -> Result<bool> {
        // SAFETY: the event is live.
        match self.context.number(|f| unsafe { (f.event_query)(self.handle) }) {
            code::NOT_READY => Ok(false),
            number => self.context.driver().check("ask for an event", number).map(|()| true),
        }
    }

    /// Milliseconds from this moment to `end`, which is waited for.
    ///
    /// # Errors
    /// What failed, the work before it included; events that were never recorded.
    pub fn milliseconds_to(&self, end: &Self) -> Result<f32> {
        end.synchronize()?;
        let mut milliseconds = 0.0;
        self.context.call("take the time between two events", |f| {
            // SAFETY: both are live, the pointer good for the call.
            unsafe { (f.event_elapsed)(&raw mut milliseconds, self.handle, end.handle) }
        })?;
        Ok(milliseconds)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: made in `new`. An error has nobody to go to.
        self.context.number(|f| unsafe { (f.event_destroy)(self.handle) });
    }
}
