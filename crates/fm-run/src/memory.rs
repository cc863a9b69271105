//! Whether there is room for something large, asked before it is made: Rust's collections end the process when they
//! cannot grow.

use crate::error::{Error, Kind, Result};

/// Sees that `bytes` more can be had, by asking for them and giving them back; nothing is touched. Another thread
/// or process may take them meanwhile.
///
/// # Errors
/// [`Kind::Device`] that says what there is no room for.
pub fn room_for(bytes: u64, what: &str) -> Result<()> {
    let mut room: Vec<u8> = Vec::new();
    let had = usize::try_from(bytes).is_ok_and(|bytes| room.try_reserve_exact(bytes).is_ok());
    // Or the compiler leaves out an allocation that nobody uses.
    std::hint::black_box(&mut room);
    if had {
        return Ok(());
    }
    Err(no_room(format!("{what} needs {} MiB more", bytes.div_ceil(1 << 20))))
}

/// The error where there is no room.
#[must_use]
pub fn no_room(note: impl Into<String>) -> Error {
    Error::new(Kind::Device, "out of memory").note(note).help(
        "use a smaller network, smaller images or a smaller --batch-size, or raise the limit on memory (ulimit -v)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_there_is_no_room_for() {
        assert_eq!(room_for(1 << 20, "a thing"), Ok(()));
        for bytes in [1 << 60, u64::MAX] {
            let error = room_for(bytes, "a thing").unwrap_err();
            assert_eq!((error.kind(), error.message()), (Kind::Device, "out of memory"));
            assert!(error.to_string().contains("a thing needs "), "{error}");
        }
    }
}
