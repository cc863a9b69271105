//! Sinks: everything that shows or stores a run. During training they get [events](crate::event) and nothing
//! else, and no sink can change what is trained.

use fm_run::error::{Error, Result};

use crate::event::Event;

/// Something that takes part in a run by listening.
///
/// Events come on the thread that trains, in the order in which things happen: [`Event::Started`] first, for each
/// phase [`Event::PhaseStarted`], its steps and the ends of its epochs, and [`Event::Finished`] last. A run that
/// fails or is stopped has no `Finished`; one that resumes has a `Started` of its own and continues after the epochs
/// or steps that were done.
pub trait Sink {
    /// What it is, for error messages: `epochs.csv`.
    fn name(&self) -> &'static str;

    /// Takes an event. Training waits for it: there is an [`Event::Stepped`] after every step. A sink
    /// ignores events that mean nothing to it.
    ///
    /// # Errors
    /// What the sink cannot do. The error is remembered, and ends the run at the end of the epoch; the other sinks
    /// still get the event, and this one gets those that follow.
    fn on_event(&mut self, event: &Event<'_>) -> Result<()>;
}

/// All sinks of a run, in the order in which they get each event.
#[derive(Default)]
pub struct Sinks {
    /// Each with whether it has failed: only its first failure is logged.
    sinks: Vec<(Box<dyn Sink>, bool)>,
    failure: Option<Error>,
}

impl Sinks {
    /// Adds a sink at the end.
    pub fn push(&mut self, sink: impl Sink + 'static) {
        self.add(Box::new(sink));
    }

    /// [`Sinks::push`] for a sink of any type.
    pub fn add(&mut self, sink: Box<dyn Sink>) {
        self.sinks.push((sink, false));
    }

    /// Gives every sink the event.
    pub fn emit(&mut self, event: &Event<'_>) {
        for (sink, failed) in &mut self.sinks {
            let Err(error) = sink.on_event(event) else { continue };
            let error = error.note(format!("while writing {}", sink.name()));
            // The first failure of all ends the run and is reported then.
            if self.failure.is_some() && !*failed {
                tracing::error!("{error}");
            }
            *failed = true;
            self.failure.get_or_insert(error);
        }
    }

    /// The first failure of any sink so far.
    ///
    /// # Errors
    /// That failure.
    pub fn result(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use fm_run::error::Kind;
    use std::cell::RefCell;
    use std::rc::Rc;

    struct Broken;
    impl Sink for Broken {
        fn name(&self) -> &'static str {
            "broken.csv"
        }
        fn on_event(&mut self, _: &Event<'_>) -> Result<()> {
            Err(Error::new(Kind::Io, "no space left"))
        }
    }

    struct Counts(Rc<RefCell<u32>>);
    impl Sink for Counts {
        fn name(&self) -> &'static str {
            "counts"
        }
        fn on_event(&mut self, _: &Event<'_>) -> Result<()> {
            *self.0.borrow_mut() += 1;
            Ok(())
        }
    }

    #[test]
    fn a_failing_sink_is_named_and_the_others_still_get_the_event() {
        let (seen, mut sinks) = (Rc::new(RefCell::new(0)), Sinks::default());
        sinks.push(Broken);
        sinks.push(Counts(Rc::clone(&seen)));
        let network = fm_net::Network::new(&"cnn".parse().unwrap(), 2).unwrap();
        let phase = crate::Phase::classify("train", &network, fm_net::Scope::All, 1, 1e-3);
        let plan = Plan::of(phase, 1, vec![], vec![]);
        sinks.emit(&Event::Started { plan: &plan, epochs_done: 0 });
        assert_eq!(*seen.borrow(), 1);
        let error = sinks.result().unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().contains("while writing broken.csv"), "{error}");
    }
}
