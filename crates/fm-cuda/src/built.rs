//! The compiled kernels, made by `scripts/cuda/build.sh`.

use std::io::Read as _;

use crate::Error;

/// Machine code, by the first chip of the family that runs it, the newest first.
const CODE: [((u32, u32), &[u8]); 2] = [
    ((9, 0), include_bytes!("../kernels/built/sm_90.cubin.gz")),
    ((8, 0), include_bytes!("../kernels/built/sm_80.cubin.gz")),
];
/// What the driver compiles for all other chips.
const TEXT: &[u8] = include_bytes!("../kernels/built/compute_70.ptx.gz");

/// What to load on a chip of this capability: machine code of the same major version, or else text that the driver
/// compiles when it is first loaded.
pub(crate) fn image(capability: (u32, u32)) -> Result<Vec<u8>, Error> {
    let fits = |code: (u32, u32)| code.0 == capability.0 && code.1 <= capability.1;
    let packed = CODE.iter().find(|(code, _)| fits(*code)).map_or(TEXT, |(_, bytes)| bytes);
    let mut image = Vec::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_end(&mut image)
        .map_err(|e| Error::Unsupported(format!("the kernels in this program cannot be unpacked: {e}")))?;
    Ok(image)
}
