//! A network as data: layers, shapes, parameters and the part of the image that it sees.

use std::fmt;

use crate::spec::ArchSpec;

/// Which part of a network a layer belongs to: a classifier has an encoder and a head, an autoencoder an
/// encoder and a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The convolution blocks and the flattening: image to codes.
    Encoder,
    /// The dense layers: codes to logits.
    Head,
    /// The encoder's mirror image: codes to the part of the image that the encoder sees.
    Decoder,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 3] = [Part::Encoder, Part::Head, Part::Decoder];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Encoder => "encoder",
            Part::Head => "head",
            Part::Decoder => "decoder",
        })
    }
}

/// What a layer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// 3×3 convolution, stride 1, no padding, followed by ReLU.
    Conv {
        /// Output channels.
        filters: usize,
    },
    /// 2×2 max-pool, stride 2; a last odd row or column is left out.
    MaxPool,
    /// To one vector per image, in (channel, row, column) order.
    Flatten,
    /// Fully connected; ReLU follows all but the last, whose outputs are the logits.
    Dense {
        /// Output features.
        units: usize,
        /// Whether ReLU follows.
        relu: bool,
    },
    /// From one vector per image back to `(channel, row, column)`.
    Unflatten,
    /// Each value to a 2×2 square of it (nearest neighbour): the mirror of pooling.
    Upsample,
    /// 3×3 transposed convolution, stride 1, no padding: the mirror of a convolution. ReLU follows all but
    /// the last, which gives one channel through a sigmoid: pixels from 0 to 1.
    ConvTranspose {
        /// Output channels.
        filters: usize,
        /// Whether it is the last.
        last: bool,
    },
}

/// What a parameter is to its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// Kernel of a convolution `[out, in, 3, 3]`, a transposed one `[in, out, 3, 3]` or a dense layer
    /// `[out, in]`.
    Weight {
        /// Inputs that feed one output.
        fan_in: usize,
        /// Outputs that one input feeds.
        fan_out: usize,
    },
    /// One per output channel or unit, `[out]`.
    Bias,
}

/// One parameter tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// `part.layer.weight` or `part.layer.bias`, such as `encoder.conv1.weight`.
    pub name: String,
    /// Shape in PyTorch's layout.
    pub shape: Vec<usize>,
    /// What it is.
    pub kind: ParamKind,
}

impl Param {
    /// Number of values.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A layer with its shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// `conv1`, `pool1`, `flatten`, `dense1` …
    pub name: String,
    /// The part it belongs to.
    pub part: Part,
    /// What it does.
    pub op: Op,
    /// Output shape without the batch: `[channels, height, width]` or `[features]`.
    pub output: Vec<usize>,
    /// Its parameters, weight first.
    pub params: Vec<Param>,
}

/// A network for one image size and number of classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// What it was built from.
    pub spec: ArchSpec,
    /// Number of classes, the length of the logits; 0 for an autoencoder.
    pub classes: usize,
    /// Layers in the order of the forward pass.
    pub layers: Vec<Layer>,
}

impl Network {
    /// Works out every layer of `spec` with `classes` logits.
    #[must_use]
    pub fn new(spec: ArchSpec, classes: usize) -> Self {
        let mut layers = encoder(spec);
        let mut features = layers.last().map_or(0, |l| l.output[0]);
        let hidden = spec.arch.hidden();
        for (i, units) in hidden.iter().copied().chain([classes]).enumerate() {
            let name = format!("dense{}", i + 1);
            let kind = ParamKind::Weight { fan_in: features, fan_out: units };
            let params = params(Part::Head, &name, vec![units, features], units, kind);
            let op = Op::Dense { units, relu: i < hidden.len() };
            layers.push(Layer { name, part: Part::Head, op, output: vec![units], params });
            features = units;
        }
        Self { spec, classes, layers }
    }

    /// The encoder of `spec` with its mirror image behind it, for training by reconstruction.
    ///
    /// It gives back the part of the image that the encoder sees ([`Network::seen`]): of the rest the codes
    /// know nothing. Names are the encoder's own, so its weights fit into `spec`'s classifier.
    #[must_use]
    pub fn autoencoder(spec: ArchSpec) -> Self {
        let mut layers = encoder(spec);
        let pooled: Vec<Vec<usize>> =
            layers.iter().filter(|l| l.op == Op::MaxPool).map(|l| l.output.clone()).collect();
        let mut push = |name: String, op, output: &[usize], params| {
            layers.push(Layer { name, part: Part::Decoder, op, output: output.to_vec(), params });
        };
        if let Some(shape) = pooled.last() {
            push("unflatten".to_owned(), Op::Unflatten, shape, Vec::new());
        }
        let mut at = pooled.last().cloned().unwrap_or_default();
        for i in (0..pooled.len()).rev() {
            let channels = at[0];
            let filters = if i == 0 { 1 } else { pooled[i - 1][0] };
            let (height, width) = (2 * at[1], 2 * at[2]);
            push(format!("up{}", i + 1), Op::Upsample, &[channels, height, width], Vec::new());
            at = vec![filters, height + 2, width + 2];
            let name = format!("deconv{}", i + 1);
            let kind = ParamKind::Weight { fan_in: 9 * channels, fan_out: 9 * filters };
            let params = params(Part::Decoder, &name, vec![channels, filters, 3, 3], filters, kind);
            push(name, Op::ConvTranspose { filters, last: i == 0 }, &at, params);
        }
        Self { spec, classes: 0, layers }
    }

    /// Whether it gives images back instead of logits.
    #[must_use]
    pub fn reconstructs(&self) -> bool {
        self.layers.last().is_some_and(|l| l.part == Part::Decoder)
    }

    /// All parameters, in the order of the layers: the canonical order of every file and state.
    pub fn params(&self) -> impl Iterator<Item = &Param> {
        self.layers.iter().flat_map(|layer| &layer.params)
    }

    /// Number of values in `part`'s parameters.
    #[must_use]
    pub fn param_count(&self, part: Part) -> usize {
        self.layers.iter().filter(|l| l.part == part).flat_map(|l| &l.params).map(Param::count).sum()
    }

    /// Length of the codes that the encoder hands to the head.
    #[must_use]
    pub fn code_len(&self) -> usize {
        self.layers.iter().rfind(|l| l.part == Part::Encoder).map_or(0, |l| l.output[0])
    }

    /// Height and width of the top-left part of the image that the output depends on.
    ///
    /// Valid convolutions and floor pooling never see the last rows and columns: going back from the last
    /// pool, `n` pooled rows need `2n` rows before it and those `2n + 2` before the convolution. `cnn`
    /// sees 22×22 of 28×28, `encoder-mlp` 26×26; cutting the rest off changes no output and no gradient.
    #[must_use]
    pub fn seen(&self) -> (usize, usize) {
        let pools = self.layers.iter().rev().filter(|l| l.op == Op::MaxPool);
        let last = pools.clone().next().map_or((1, 1), |l| (l.output[1], l.output[2]));
        pools.fold(last, |(h, w), _| (2 * h + 2, 2 * w + 2))
    }
}

/// Convolution blocks and flattening.
fn encoder(spec: ArchSpec) -> Vec<Layer> {
    let mut layers = Vec::new();
    let part = Part::Encoder;
    let (mut channels, mut height, mut width) = (1, spec.height, spec.width);
    for (i, &filters) in spec.arch.filters().iter().enumerate() {
        (height, width) = (height - 2, width - 2);
        let name = format!("conv{}", i + 1);
        let kind = ParamKind::Weight { fan_in: 9 * channels, fan_out: 9 * filters };
        let params = params(part, &name, vec![filters, channels, 3, 3], filters, kind);
        let output = vec![filters, height, width];
        layers.push(Layer { name, part, op: Op::Conv { filters }, output, params });
        (channels, height, width) = (filters, height / 2, width / 2);
        let (name, output) = (format!("pool{}", i + 1), vec![channels, height, width]);
        layers.push(Layer { name, part, op: Op::MaxPool, output, params: Vec::new() });
    }
    let output = vec![channels * height * width];
    layers.push(Layer { name: "flatten".to_owned(), part, op: Op::Flatten, output, params: Vec::new() });
    layers
}

/// Weight and bias of a layer with `outputs` channels or units.
fn params(part: Part, layer: &str, shape: Vec<usize>, outputs: usize, kind: ParamKind) -> Vec<Param> {
    vec![
        Param { name: format!("{part}.{layer}.weight"), shape, kind },
        Param { name: format!("{part}.{layer}.bias"), shape: vec![outputs], kind: ParamKind::Bias },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Layer name, output shape and parameters of each layer, as the notebook's `model.summary()` has them.
    fn check(spec: &str, classes: usize, expected: &[(&str, &[usize], usize)], seen: (usize, usize)) {
        let network = Network::new(spec.parse().unwrap(), classes);
        let found: Vec<(&str, &[usize], usize)> = network
            .layers
            .iter()
            .map(|l| (l.name.as_str(), l.output.as_slice(), l.params.iter().map(Param::count).sum()))
            .collect();
        assert_eq!(found, expected, "{spec}");
        assert_eq!(network.seen(), seen, "{spec}");
    }

    #[test]
    fn cnn_is_the_notebooks() {
        check(
            "cnn",
            10,
            &[
                ("conv1", &[32, 26, 26], 320),
                ("pool1", &[32, 13, 13], 0),
                ("conv2", &[64, 11, 11], 18_496),
                ("pool2", &[64, 5, 5], 0),
                ("conv3", &[64, 3, 3], 36_928),
                ("pool3", &[64, 1, 1], 0),
                ("flatten", &[64], 0),
                ("dense1", &[128], 8_320),
                ("dense2", &[10], 1_290),
            ],
            (22, 22),
        );
        assert_eq!(
            Network::new("cnn".parse().unwrap(), 10).params().map(Param::count).sum::<usize>(),
            65_354
        );
    }

    #[test]
    fn encoder_mlp_is_the_notebooks() {
        check(
            "encoder-mlp",
            10,
            &[
                ("conv1", &[32, 26, 26], 320),
                ("pool1", &[32, 13, 13], 0),
                ("conv2", &[64, 11, 11], 18_496),
                ("pool2", &[64, 5, 5], 0),
                ("flatten", &[1600], 0),
                ("dense1", &[64], 102_464),
                ("dense2", &[32], 2_080),
                ("dense3", &[10], 330),
            ],
            (26, 26),
        );
        let network = Network::new("encoder-mlp".parse().unwrap(), 10);
        assert_eq!(network.params().map(Param::count).sum::<usize>(), 123_690);
        assert_eq!((network.param_count(Part::Encoder), network.param_count(Part::Head)), (18_816, 104_874));
        assert_eq!(network.code_len(), 1600);
    }

    #[test]
    fn autoencoder_mirrors_the_encoder() {
        let network = Network::autoencoder("encoder-mlp".parse().unwrap());
        let decoder: Vec<(&str, &[usize], usize)> = network
            .layers
            .iter()
            .filter(|l| l.part == Part::Decoder)
            .map(|l| (l.name.as_str(), l.output.as_slice(), l.params.iter().map(Param::count).sum()))
            .collect();
        let expected: [(&str, &[usize], usize); 5] = [
            ("unflatten", &[64, 5, 5], 0),
            ("up2", &[64, 10, 10], 0),
            ("deconv2", &[32, 12, 12], 18_464),
            ("up1", &[32, 24, 24], 0),
            ("deconv1", &[1, 26, 26], 289),
        ];
        assert_eq!(decoder, expected);
        assert_eq!(network.seen(), (26, 26), "what comes out is what was seen");
        let classifier = Network::new(network.spec, 10);
        assert_eq!(network.layers[..5], classifier.layers[..5]);
        let odd = Network::autoencoder("encoder-mlp@19x33".parse().unwrap());
        let (h, w) = odd.seen();
        assert_eq!(odd.layers.last().unwrap().output, [1, h, w]);
    }

    #[test]
    fn other_sizes_and_class_counts() {
        let network = Network::new("cnn@32x38".parse().unwrap(), 47);
        assert_eq!(network.code_len(), 2 * 3 * 64);
        assert_eq!(network.seen(), (30, 38));
        assert_eq!(network.layers.last().unwrap().output, [47]);
        assert_eq!(Network::new("cnn@22x22".parse().unwrap(), 2).code_len(), 64);
    }
}
