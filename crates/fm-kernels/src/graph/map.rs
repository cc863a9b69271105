//! Where a value lies: `[row][column][channel][lane]`, with a border of zeros around it.

/// The geometry of one slot's map; a slot is as many images as a vector has lanes, one image a lane.
///
/// A vector of a network is a map of one pixel. The border is as wide as what reads the map needs it; it
/// is never written, and so stays zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Map {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Rows above and columns left of the map.
    pub(crate) lead: usize,
    /// Rows below and columns right of the map.
    pub(crate) trail: usize,
    pub(crate) lanes: usize,
}

impl Map {
    /// Floats from a pixel to the next.
    pub(crate) fn px(&self) -> usize {
        self.channels * self.lanes
    }

    /// Floats from a row to the next.
    pub(crate) fn row(&self) -> usize {
        (self.lead + self.width + self.trail) * self.px()
    }

    /// Floats of a slot.
    pub(crate) fn size(&self) -> usize {
        (self.lead + self.height + self.trail) * self.row()
    }

    /// Where the first pixel is.
    pub(crate) fn origin(&self) -> usize {
        self.lead * (self.row() + self.px())
    }

    /// Offset from the first pixel to another, which may be in the border.
    pub(crate) fn offset(&self, y: isize, x: isize) -> isize {
        y * self.row() as isize + x * self.px() as isize
    }

    pub(crate) fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The same with a border of at least this.
    pub(crate) fn bordered(self, (lead, trail): (usize, usize)) -> Self {
        Self { lead: self.lead.max(lead), trail: self.trail.max(trail), ..self }
    }
}
