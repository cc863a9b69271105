//! TensorBoard event files: a scalar per epoch and measure.
//!
//! Records are those of TFRecord: length, its checksum, an `Event` message, its checksum (`tensorboard/compat/proto`,
//! `tensorflow/core/lib/io/record_writer.h`). A run that resumes begins another file, whose first event tells
//! TensorBoard to forget what earlier ones say of the epochs that are trained again.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fm_run::files;
use fm_run::store::{self, Growing};
use fm_run::tables::{self, EpochRow};
use fm_train::{Event, Sink};
use prost::Message;

use super::Context;
use super::epochs_csv::row;
use crate::error::Result;

/// What TensorBoard looks for in names of files.
const PREFIX: &str = "events.out.tfevents";
/// The version of the format that `SessionLog` needs.
const VERSION: &str = "brain.Event:2";
/// `SessionLog.SessionStatus.START`.
const START: i32 = 1;

/// Writes `tensorboard/events.out.tfevents.*`.
#[derive(Debug)]
pub struct TensorBoard {
    file: Growing,
}

impl TensorBoard {
    /// Begins a file in the run's directory, with the epochs of `context.rows` where no file has them yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn of(context: &Context<'_>) -> Result<Self> {
        let dir = context.dir.join(files::TENSORBOARD);
        store::create_dir(&dir)?;
        let is_first = !has_events(&dir);
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs());
        let name = format!("{PREFIX}.{seconds:010}.{}.fm-exp", std::process::id());
        let mut this = Self { file: store::create(&dir.join(name))? };
        let rows: Vec<EpochRow> = tables::parse(&dir, context.rows.unwrap_or_default()).unwrap_or_default();
        let done = rows.iter().map(|row| row.epoch).max().unwrap_or(0);
        let version = Record { file_version: Some(VERSION.to_owned()), ..Record::now(0) };
        let start =
            Record { session_log: Some(SessionLog { status: START }), ..Record::now(i64::from(done) + 1) };
        let earlier = rows.iter().filter(|_| is_first).map(|row| scalars(row.epoch, &measures(row)));
        let records = [version].into_iter().chain(earlier).chain([start]);
        this.file.append(&records.flat_map(|record| framed(&record.encode_to_vec())).collect::<Vec<u8>>())?;
        Ok(this)
    }

    fn add(&mut self, epoch: u32, measures: &[(String, f64)]) -> Result<()> {
        self.file.append(&framed(&scalars(epoch, measures).encode_to_vec()))
    }
}

fn has_events(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
}

impl Sink for TensorBoard {
    fn name(&self) -> &'static str {
        files::TENSORBOARD
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::EpochEnded(epoch) => self.add(epoch.epoch, &measures(&row(epoch))),
            Event::Finished { outcome, .. } => {
                let test = &outcome.test;
                let measures = [("loss/test", test.loss), ("accuracy/test", test.accuracy)];
                self.add(outcome.scored_epoch, &measures.map(|(tag, value)| (tag.to_owned(), value)))
            }
            _ => Ok(()),
        }
    }
}

/// Tags and values of an epoch. Those of a pretraining stand apart: its loss may be another one.
fn measures(row: &EpochRow) -> Vec<(String, f64)> {
    let all = [
        ("loss/train", Some(row.train_loss)),
        ("loss/val", row.val_loss),
        ("loss/val_ema", row.ema.0),
        ("loss/val_mean", row.mean.0),
        ("accuracy/train", row.train_acc),
        ("accuracy/val", row.val_acc),
        ("accuracy/val_ema", row.ema.1),
        ("accuracy/val_mean", row.mean.1),
        ("learning_rate", Some(row.lr)),
        ("images_per_second", row.images_per_second),
    ];
    let before = if row.phase.starts_with("pretrain") { format!("{}/", row.phase) } else { String::new() };
    all.into_iter().filter_map(|(tag, value)| Some((format!("{before}{tag}"), value?))).collect()
}

/// `tensorboard.Event`, the fields that are used.
#[derive(Clone, PartialEq, Message)]
struct Record {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

/// `Summary.Value`.
#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

impl Record {
    fn now(step: i64) -> Self {
        let wall_time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64());
        Self { wall_time, step, ..Self::default() }
    }
}

fn scalars(epoch: u32, measures: &[(String, f64)]) -> Record {
    let scalar =
        |(tag, value): &(String, f64)| Scalar { tag: tag.clone(), simple_value: Some(*value as f32) };
    let value = measures.iter().map(scalar).collect();
    Record { summary: Some(Summary { value }), ..Record::now(i64::from(epoch)) }
}

/// A record of TFRecord.
fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length), data, &masked_crc(data)].concat()
}

/// The CRC-32C, rotated and moved, as `tensorflow/core/lib/hash/crc32c.h` masks it.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_framed_as_tensorflow_does() {
        // What tensorboard.summary.writer.record_writer.RecordWriter of TensorBoard 2.21.0 writes for b"fm-exp".
        let expected = "06000000000000007369d537666d2d657870e084a525";
        let hex = framed(b"fm-exp").iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(hex, expected);
    }
}
