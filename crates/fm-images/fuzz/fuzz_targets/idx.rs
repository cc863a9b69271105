//! Bytes of an IDX file, plain or gzipped. Whatever they are: an answer comes, the same one however the
//! bytes arrive; what is accepted writes back to the same bytes; and memory stays within what a header may
//! ask for.
//!
//! The first byte says how the input is read: kind, name, and the sizes of the pieces.

#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};

use fm_images::idx::{self, IdxKind, PAYLOAD_LIMIT};
use fm_images::read;
use libfuzzer_sys::fuzz_target;

/// Counts what is allocated.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    // Without this the default one would write a gigabyte of zeros where the system maps them on use.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Buffers beside the payload: the reader's, the decompressor's, and what lies behind the data.
const BUFFERS: usize = 2 << 20;

/// Gives pieces of one size after the other, and sometimes none yet.
struct Pieces<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.size = (self.size * 5 + 1) % 16;
        if self.size == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = self.size.min(into.len()).min(self.bytes.len());
        into[..n].copy_from_slice(&self.bytes[..n]);
        self.bytes = &self.bytes[n..];
        Ok(n)
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&how, bytes)) = input.split_first() else { return };
    let kind = match how & 5 {
        0 => IdxKind::Images,
        4 => IdxKind::Planes,
        _ => IdxKind::Labels,
    };
    let named_gz = how & 2 != 0;

    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let whole = read::read_idx(bytes, kind, named_gz);
    let taken = MOST.load(Ordering::Relaxed) - before;
    assert!(taken <= PAYLOAD_LIMIT as usize + BUFFERS, "{taken} bytes at once");

    let pieces = Pieces { bytes, size: usize::from(how >> 4) };
    let in_pieces = read::read_idx(pieces, kind, named_gz);
    match (&whole, &in_pieces) {
        (Ok(a), Ok(b)) => assert!(a == b),
        (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
        _ => panic!("whole: {whole:?}, in pieces: {in_pieces:?}"),
    }

    if let Ok(file) = whole {
        let idx::Header { n, channels, height, width, .. } = file.header;
        let again = match kind {
            IdxKind::Images => idx::encode_images(&file.payload, n, height, width),
            IdxKind::Planes => {
                let dimensions = [n, channels, height, width].map(|n| n as u32);
                let mut again = IdxKind::Planes.magic().to_be_bytes().to_vec();
                again.extend(dimensions.iter().flat_map(|n| n.to_be_bytes()));
                again.extend_from_slice(&file.payload);
                again
            }
            IdxKind::Labels => idx::encode_labels(&file.payload),
        };
        let parsed = idx::parse(&again, kind).map(|(header, payload)| (header, payload.to_vec()));
        assert!(parsed == Ok((file.header, file.payload)));
        // What was plain is exactly that; gzip may pack the same bytes in many ways.
        assert!(bytes.starts_with(&[0x1F, 0x8B]) || again == bytes);
    }
});
