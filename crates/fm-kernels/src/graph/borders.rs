//! Where the values of a plan lie: maps with the borders that their layers read, and the offsets of taps.

use std::cmp::Reverse;

use super::map::Map;
use super::plan::Plan;

impl Plan {
    /// Gives every value its border and every layer its offsets, once all stages are there; says what is packed in which order,
    /// and which maps are not kept.
    pub(crate) fn lay_out(&mut self) {
        self.border();
        self.share_borders();
        for layer in &mut self.layers {
            let (x, dy) = (self.values[layer.input].map, self.values[layer.output].gradient);
            layer.offsets = layer.forward.offsets(x);
            layer.back_offsets = layer.backward.iter().map(|pass| pass.offsets(dy)).collect();
            layer.slices = layer.most_slices();
        }
        self.find_lines();
        let layers = self.layers.iter().enumerate();
        self.packs =
            layers.flat_map(|(at, layer)| (0..=layer.backward.len()).map(move |pass| (at, pass))).collect();
        let layers = &self.layers;
        self.packs.sort_by_key(|&(layer, _)| Reverse(layers[layer].shape.weights()));
    }

    /// Borders as wide as the passes of the layers read.
    fn border(&mut self) {
        let Self { layers, values, .. } = self;
        for layer in layers {
            let (x, y) = (layer.input, layer.output);
            let border = layer.forward.border(values[x].map);
            values[x].map = values[x].map.bordered(border);
            for pass in &layer.backward {
                let border = pass.border(values[y].gradient);
                values[y].gradient = values[y].gradient.bordered(border);
            }
        }
    }

    /// Gradients of one shape share their memory, one after the other, and so their border.
    fn share_borders(&mut self) {
        let same = |a: &Map, b: &Map| (a.channels, a.height, a.width) == (b.channels, b.height, b.width);
        for i in 0..self.values.len() {
            let own = self.values[i].gradient;
            let shared = self.values.iter().map(|value| value.gradient).filter(|map| same(map, &own));
            let border = shared.fold((0, 0), |(lead, trail), map| (lead.max(map.lead), trail.max(map.trail)));
            self.values[i].gradient = own.bordered(border);
        }
    }
}
