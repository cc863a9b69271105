//! Forward passes outside training: outputs and codes, as many images at a time as the device has room for.

use fm_data::Resident;
use fm_images::{ImageShape, Labelled};
use fm_models::Mode;
use fm_net::{Arch, Network};
use fm_run::error::{Error, Kind as ErrorKind};
use fm_train::engine::{Input, Source, Want};
use tch::{Device, Tensor};

use super::{Eager, Result};

/// Images in a forward pass outside training on the CPU: small enough that the first layer's output stays in tens of
/// megabytes.
const CPU_PASS: usize = 500;
/// On a GPU as many as fill the device, so that the host waits for few passes: bytes of the largest layer's output.
const CUDA_PASS_BYTES: usize = 512 << 20;

/// Images in a forward pass outside training.
pub(super) fn pass(network: &Network, device: Device) -> usize {
    if device == Device::Cpu {
        return CPU_PASS;
    }
    let largest = network.nodes.iter().map(|node| node.output.values() as usize).max().unwrap_or(1);
    (CUDA_PASS_BYTES / (largest * size_of::<f32>())).max(1)
}

impl Eager<'_> {
    /// Outputs or codes of all rows of `data`, batch by batch.
    fn infer_on(&self, data: &Resident, rows: &Tensor, cached: bool, want: Want) -> Result<Vec<f32>> {
        let _guard = tch::no_grad_guard();
        let mut values = Vec::new();
        for range in fm_images::batches(rows.size()[0] as usize, self.pass) {
            let part = rows.f_narrow(0, range.start as i64, range.len() as i64)?;
            let out = match (want, &self.codes) {
                (Want::Output, Some(codes)) if cached => self.net.decode(&codes.of(&part)?, Mode::Eval)?,
                (Want::Codes, Some(codes)) if cached => codes.of(&part)?,
                (want, _) => {
                    let (images, _) = data.batch(&part, self.crop)?;
                    match want {
                        Want::Output => self.net.forward(&images, Mode::Eval)?,
                        Want::Codes => self.net.encode(&images, Mode::Eval)?,
                    }
                }
            };
            let out = out.f_to_device(Device::Cpu)?.f_contiguous()?.f_view(-1)?;
            values.extend(Vec::<f32>::try_from(out)?);
        }
        Ok(values)
    }

    pub(super) fn try_infer(&mut self, input: Input<'_>, want: Want) -> Result<Vec<f32>> {
        match input {
            Input::Rows(source, rows) => {
                let rows = self.rows(rows)?;
                self.infer_on(self.data(source)?, &rows, source == Source::Train, want)
            }
            Input::Images(pixels) => {
                let Arch { height, width, channels, .. } = self.net.network().arch;
                let shape = ImageShape { channels, height, width };
                let n = pixels.len() / shape.len();
                if n * shape.len() != pixels.len() {
                    let text = format!("{} bytes are no whole images of {shape}", pixels.len());
                    return Err(Error::new(ErrorKind::Data, text).into());
                }
                let images = Resident::new(&Labelled::new(pixels.to_vec(), vec![0; n], shape), self.device)?;
                let rows: Vec<u32> = (0..n as u32).collect();
                self.infer_on(&images, &self.rows(&rows)?, false, want)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_on_a_gpu_is_as_large_as_its_values_allow() {
        let network = |arch: &str| Network::new(&arch.parse().unwrap(), 10).unwrap();
        let cnn = network("cnn");
        assert_eq!(pass(&cnn, Device::Cpu), CPU_PASS);
        // Its largest values are conv1's, 32·26·26.
        assert_eq!(pass(&cnn, Device::Cuda(0)), CUDA_PASS_BYTES / (4 * 21_632));
        let large = network("512C3.same-512C3.same-GAP@224x224");
        let images = pass(&large, Device::Cuda(0));
        assert!((1..=5).contains(&images), "{images}");
    }
}
