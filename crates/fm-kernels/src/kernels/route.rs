//! Lists of the gradients that survive ReLU and max-pooling.
//!
//! At most one of a window's four positions gets a gradient, and none where the ReLU was off. The
//! lists name the survivors twice: by window and corner for the data gradient, by output channel
//! for the weight gradient. The inner loops over them have no branches.

use crate::simd::{Channels, Simd};

/// One surviving gradient of a channel.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Entry {
    /// Where its patch begins in the block of inputs, in floats.
    pub(crate) at: u32,
    pub(crate) g: f32,
}

// SAFETY: two plain numbers without padding.
unsafe impl crate::buffer::Plain for Entry {}

/// Lists for one image.
pub(crate) struct Route<'a> {
    /// Gradient of the pooled map, `[rows * cols][channels]`.
    pub(crate) gradient: &'a [f32],
    /// The pooled map itself.
    pub(crate) value: &'a [f32],
    pub(crate) origin: &'a [u8],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) channels: usize,
    /// Channels of the layer's input.
    pub(crate) inputs: usize,
    /// By window and corner: `[windows][4][channels]` channel numbers.
    pub(crate) by_window: &'a mut [u32],
    /// `[windows][4]`.
    pub(crate) window_counts: &'a mut [u32],
    /// By channel: `[channels][room]` entries.
    pub(crate) by_channel: &'a mut [Entry],
    /// `[channels]`: entries there already, from earlier images of the block.
    pub(crate) channel_counts: &'a mut [u32],
    pub(crate) room: usize,
    /// Where this image's input starts in the block.
    pub(crate) base: usize,
    /// `[channels]`: scratch.
    pub(crate) all: &'a mut [u32],
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn run<S: Simd>(args: Route<'_>) {
    let Route { gradient, value, origin, rows, cols, channels, inputs, .. } = args;
    let windows = rows * cols;
    let floats = windows * channels;
    assert!(gradient.len() >= floats && value.len() >= floats && origin.len() >= floats, "{windows} windows");
    assert!(
        args.by_window.len() >= 4 * floats && args.window_counts.len() >= 4 * windows,
        "{windows} windows"
    );
    assert!(
        args.by_channel.len() >= channels * args.room && args.channel_counts.len() >= channels,
        "channels"
    );
    assert!(channels.is_multiple_of(16) && args.all.len() >= channels, "{channels} channels");
    let full = args.channel_counts[..channels].iter().max().map_or(0, |&most| most as usize);
    assert!(full + windows <= args.room, "{full} entries and {windows} windows in {}", args.room);
    let line = (2 * cols + 2) * inputs;
    // By origin; a table, because compilers turn the arithmetic into branches that nobody predicts.
    let offsets = [0, inputs, 0, 0, line, line + inputs, 0, 0];
    for window in 0..windows {
        let at = window * channels;
        // SAFETY: all lengths were checked above. A window's list gets at most one entry per channel, and
        // when the vector from `first` is appended it holds at most `first`; a channel's list gets at
        // most one entry per window.
        unsafe {
            let map = Channels {
                gradient: gradient.as_ptr().add(at),
                value: value.as_ptr().add(at),
                origin: origin.as_ptr().add(at),
            };
            let lists = args.by_window.as_mut_ptr().add(4 * at);
            let lists = [
                lists,
                lists.add(channels),
                lists.add(2 * channels),
                lists.add(3 * channels),
                args.all.as_mut_ptr(),
            ];
            let mut counts = [0; 5];
            for first in (0..channels).step_by(S::N) {
                S::survivors(map, first, lists, &mut counts);
            }
            for (corner, &count) in counts[..4].iter().enumerate() {
                *args.window_counts.get_unchecked_mut(window * 4 + corner) = count as u32;
            }
            let corner = args.base + window / cols * 2 * line + window % cols * 2 * inputs;
            for index in 0..counts[4] {
                let channel = *args.all.get_unchecked(index) as usize;
                let patch = corner + offsets[usize::from(*map.origin.add(channel) & 7)];
                let count = args.channel_counts.get_unchecked_mut(channel);
                let slot = channel * args.room + *count as usize;
                let g = *map.gradient.add(channel);
                *args.by_channel.get_unchecked_mut(slot) = Entry { at: patch as u32, g };
                *count += 1;
            }
        }
    }
}
