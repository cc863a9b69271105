//! The control flow of training, played by the scripted engine.

use super::*;
use crate::scripted::{Line, Scripted};
use crate::sink::Sinks;
use fm_net::{Network, Scope};

fn plan(epochs: u32, patience: Option<u32>) -> Plan {
    let network = Network::new(&"cnn".parse().unwrap(), 2).unwrap();
    let phase = Phase::classify("train", &network, Scope::All, epochs, 1e-3);
    let val_rows = (10..16).collect();
    Plan { patience, val_rows, ..Plan::of(phase, 4, (0..10).collect(), (0..6).collect()) }
}

fn script(p_true: &[f64]) -> Scripted {
    Scripted::new(p_true.iter().map(|&p_true| Line { train_loss: 1.0, p_true }).collect())
}

fn play(plan: &Plan, engine: &mut Scripted) -> Result<Outcome> {
    play_saving(1, plan, engine)
}

/// Plays with a checkpoint every so many epochs.
fn play_saving(checkpoint_every: u32, plan: &Plan, engine: &mut Scripted) -> Result<Outcome> {
    let labels = (0..16).map(|row| row % 2).collect();
    let parity = Labelled { images: vec![0; 16], labels, channels: 1, height: 1, width: 1 };
    let ticks = std::cell::Cell::new(0.0);
    let clock = || ticks.replace(ticks.get() + 0.5);
    let truth = Truth { train: &parity, test: &parity };
    let given = Run { checkpoint_every, clock: &clock, ..Run::new(plan, truth) };
    run(given, engine, &mut Sinks::default(), None)
}

#[test]
fn trains_validates_each_epoch_and_tests_once_last() {
    let mut engine = script(&[0.6, 0.7]);
    let outcome = play(&plan(2, None), &mut engine).unwrap();
    assert_eq!(
        engine.calls,
        [
            "begin_phase train",
            "begin_epoch 10",
            "evaluate Train 6",
            "begin_epoch 10",
            "evaluate Train 6",
            "load 2",
            "evaluate Test 6",
            "evaluate Train 6"
        ]
    );
    assert_eq!((outcome.epochs, outcome.scored_epoch, outcome.stopped_early), (2, 2, false));
    assert!((outcome.test.loss + 0.7_f64.ln()).abs() < 1e-6);
    // The clock ticks half a second a look: one tick for each epoch's training.
    assert!((outcome.train_seconds - 1.0).abs() < 1e-12);
}

#[test]
fn no_epochs_scores_the_untrained_model() {
    let outcome = play(&plan(0, None), &mut script(&[])).unwrap();
    assert_eq!((outcome.epochs, outcome.scored_epoch), (0, 0));
    assert!((outcome.test.loss - 2.0_f64.ln()).abs() < 1e-6);
}

#[test]
fn patience_stops_and_restores_the_best_epoch() {
    let mut engine = script(&[0.6, 0.8, 0.7, 0.75, 0.9]);
    let outcome = play(&plan(5, Some(2)), &mut engine).unwrap();
    assert_eq!((outcome.epochs, outcome.scored_epoch, outcome.stopped_early), (4, 2, true));
    assert!(engine.calls.contains(&"load 2".to_owned()));
    assert!((outcome.test.loss + 0.8_f64.ln()).abs() < 1e-6, "scored with epoch 2's weights");
}

#[test]
fn patience_at_the_last_epoch_is_no_early_stop() {
    let outcome = play(&plan(3, Some(5)), &mut script(&[0.6, 0.8, 0.7])).unwrap();
    assert_eq!((outcome.epochs, outcome.scored_epoch, outcome.stopped_early), (3, 2, false));
}

#[test]
fn a_loss_that_is_no_number_stops_with_its_step() {
    let line = |train_loss| Line { train_loss, p_true: 0.6 };
    let mut engine = Scripted::new(vec![line(1.0), line(f64::NAN), line(1.0)]);
    let error = play(&plan(3, None), &mut engine).unwrap_err();
    assert_eq!(error.kind(), Kind::Diverged);
    assert_eq!(error.message(), "loss became NaN or infinite at epoch 2 (step 2)");
    assert!(error.to_string().contains("the checkpoint after epoch 1 is kept"), "{error}");
    // The second epoch, of which nothing was saved, is not claimed to be.
    let mut engine = Scripted::new(vec![line(1.0), line(f64::NAN)]);
    let error = play_saving(2, &plan(3, None), &mut engine).unwrap_err();
    assert!(!error.to_string().contains("is kept"), "{error}");
}

/// Keeps the epochs of the checkpoints.
#[derive(Default)]
struct Saved(std::rc::Rc<std::cell::RefCell<Vec<u32>>>);

impl crate::Sink for Saved {
    fn name(&self) -> &'static str {
        "saved"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Checkpoint(checkpoint) = event {
            self.0.borrow_mut().push(checkpoint.position.epochs);
        }
        Ok(())
    }
}

#[test]
fn stops_between_epochs_after_a_checkpoint_and_without_a_look_at_the_test_set() {
    let labels = (0..16).map(|row| row % 2).collect();
    let parity = Labelled { images: vec![0; 16], labels, channels: 1, height: 1, width: 1 };
    let truth = Truth { train: &parity, test: &parity };
    for (stop_after, tested, epochs) in [(2, false, vec![2]), (3, true, vec![3]), (4, true, vec![3])] {
        let saved = Saved::default();
        let seen = saved.0.clone();
        let mut sinks = Sinks::default();
        sinks.push(saved);
        let (mut engine, plan) = (script(&[0.6, 0.7, 0.8]), plan(3, None));
        let given = Run { checkpoint_every: 10, stop_after: Some(stop_after), ..Run::new(&plan, truth) };
        let ended = run(given, &mut engine, &mut sinks, None);
        assert_eq!(ended.is_ok(), tested);
        if let Err(error) = ended {
            assert_eq!(error.kind(), Kind::Stopped);
            assert_eq!(error.message(), "stopped after epoch 2, as asked; saved");
        }
        assert_eq!(engine.calls.iter().any(|call| call.starts_with("evaluate Test")), tested);
        assert_eq!(*seen.borrow(), epochs);
    }
}

#[test]
fn an_engine_that_fails_is_told_where() {
    let mut engine = script(&[0.6, 0.6]);
    engine.fail_at_step = Some(4);
    let error = play(&plan(2, None), &mut engine).unwrap_err();
    assert_eq!(error.exit_code(), 5);
    assert_eq!(error.message(), "out of memory at epoch 2 step 2 (batch 4)");
}

type Heard = Vec<(u32, usize, usize, f64)>;

/// Keeps the epochs that it is told the predictions of, with how many there are and the probability of the first.
struct Told(std::rc::Rc<std::cell::RefCell<Heard>>);

impl crate::sink::Sink for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Predicted { epoch, val, test } = event {
            self.0.borrow_mut().push((*epoch, val.len(), test.len(), test[0].p_true));
        }
        Ok(())
    }
}

#[test]
fn predictions_of_every_epoch_are_told_where_they_are_wanted() {
    let labels = (0..16).map(|row| row % 2).collect();
    let parity = Labelled { images: vec![0; 16], labels, channels: 1, height: 1, width: 1 };
    let truth = Truth { train: &parity, test: &parity };
    for wanted in [true, false] {
        let plan = Plan { predictions_by_epoch: wanted, ..plan(2, None) };
        let told = std::rc::Rc::default();
        let mut sinks = Sinks::default();
        sinks.push(Told(std::rc::Rc::clone(&told)));
        let mut engine = script(&[0.6, 0.7]);
        run(Run::new(&plan, truth), &mut engine, &mut sinks, None).unwrap();
        let told = told.borrow();
        let scored = engine.calls.iter().filter(|call| call.starts_with("evaluate")).count();
        if wanted {
            assert_eq!(told.iter().map(|t| (t.0, t.1, t.2)).collect::<Vec<_>>(), [(1, 6, 6), (2, 6, 6)]);
            assert!((told[0].3 - 0.6).abs() < 1e-6 && (told[1].3 - 0.7).abs() < 1e-6);
            // Validation outputs are not computed twice.
            assert_eq!(scored, 6, "{:?}", engine.calls);
        } else {
            assert!(told.is_empty() && scored == 4, "{:?}", engine.calls);
        }
    }
}
