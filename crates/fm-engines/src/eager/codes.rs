//! What a frozen encoder makes of the training file's images, computed once.

use fm_data::Resident;
use fm_models::{Mode, Net};
use fm_train::engine::CodeStore;
use tch::{Device, Kind, Tensor};

use super::Result;
use crate::spilled::Spilled;

/// Codes, a row per image.
#[derive(Debug)]
pub(super) enum Codes {
    Device(Tensor),
    Disk(Spilled, Device),
}

impl Codes {
    /// Encodes all images of `train`, `pass` at a time.
    ///
    /// # Errors
    /// When memory is short, or the disk cannot be written.
    pub(super) fn new(
        net: &Net,
        train: &Resident,
        crop: (i64, i64),
        device: Device,
        pass: usize,
        store: CodeStore<'_>,
    ) -> Result<Self> {
        let _guard = tch::no_grad_guard();
        let (n, len) = (train.len(), net.network().code_len());
        let codes = if store.in_memory(n, len) {
            Codes::Device(Tensor::f_empty([n as i64, len as i64], (Kind::Float, device))?)
        } else {
            Codes::Disk(Spilled::new(store.dir, len)?, device)
        };
        for part in fm_images::batches(n, pass) {
            let (first, count) = (part.start, part.len() as i64);
            let rows: Vec<i64> = (part.start as i64..part.end as i64).collect();
            let rows = Tensor::f_from_slice(&rows)?.f_to_device(device)?;
            let (images, _) = train.batch(&rows, crop)?;
            let values = net.encode(&images, Mode::Eval)?;
            match &codes {
                Codes::Device(all) => all.f_narrow(0, first as i64, count)?.f_copy_(&values)?,
                Codes::Disk(spilled, _) => {
                    spilled.write(first, &fm_models::to_host("codes", &values)?.data)?;
                }
            }
        }
        Ok(codes)
    }

    /// Codes of `rows`, `[rows, code_len]` on the device.
    pub(super) fn of(&self, rows: &Tensor) -> Result<Tensor> {
        match self {
            Codes::Device(all) => Ok(all.f_index_select(0, rows)?),
            Codes::Disk(spilled, device) => {
                let rows = Vec::<i64>::try_from(rows.f_to_device(Device::Cpu)?)?;
                let rows: Vec<u32> = rows.into_iter().map(|row| row as u32).collect();
                let values = Tensor::f_from_slice(&spilled.read(&rows)?)?;
                Ok(values.f_view([rows.len() as i64, -1])?.f_to_device(*device)?)
            }
        }
    }
}
