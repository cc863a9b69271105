//! Values that may lie in a GPU's memory.

/// Plain numbers: any bits are a value, and none of the bits is padding.
///
/// # Safety
/// The type must be so.
pub unsafe trait Pod: Copy + Send + Sync + 'static {}

macro_rules! pod {
    ($($type:ty),*) => {
        $(
            // SAFETY: a number.
            unsafe impl Pod for $type {}
        )*
    };
}

pod!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);
