//! What a pixel's byte is as a number: the one place that says so.
//!
//! Networks see `byte × (1/255)`, the reciprocal rounded to `f32` once. That isn't `byte / 255`: 126 of the
//! 256 values differ in the last bit. Multiplication is what the fused kernels do on every instruction set, and
//! what libtorch does on CUDA when a tensor is divided by a host number, so it is the one definition that all
//! engines and devices can share; libtorch on the CPU would divide.

/// The reciprocal of the largest byte, as `f32`.
pub const PIXEL_SCALE: f32 = 1.0 / 255.0;

/// The number from 0 to 1 that networks see for `byte`.
#[must_use]
pub const fn pixel(byte: u8) -> f32 {
    byte as f32 * PIXEL_SCALE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_exact_and_values_ascend() {
        assert_eq!((pixel(0).to_bits(), pixel(255).to_bits()), (0.0f32.to_bits(), 1.0f32.to_bits()));
        assert!((0..255).all(|byte| pixel(byte) < pixel(byte + 1)));
    }

    /// The module's claim: whoever divides instead gets other bits.
    #[test]
    fn division_differs_in_the_last_bit() {
        let off = |byte: u8| pixel(byte).to_bits().abs_diff((f32::from(byte) / 255.0).to_bits());
        assert!((0..=255).all(|byte| off(byte) <= 1));
        assert_eq!((0..=255).filter(|&byte| off(byte) == 1).count(), 126);
    }
}
