//! Shapes, tensors and counts of networks.

use fm_net::{Network, Part, TensorSpec};

use crate::{arch, network};

/// Parameters, and multiply-adds in millions, computed apart from this crate.
const TABLE: [(&str, usize, f64); 9] = [
    ("32C3-MP2-64C3-MP2-64C3-MP2--128", 65_354, 2.77),
    ("32C3-MP2-64C3-MP2--64-32", 123_690, 2.53),
    ("32C5.same-MP2-64C5.same-MP2", 83_466, 10.7),
    ("16C3.same.bn-3x16R3-32R3.s2-2x32R3-64R3.s2-2x64R3-GAP", 272_186, 31.0),
    ("16C3.same.bn-3x16R3-3x32R3.s2-3x64R3.s2-GAP", 272_186, 31.0),
    ("10C3.same.bn-3x10R3-3x20R3.s2-3x40R3.s2-GAP", 106_880, 12.1),
    ("24C3.same.bn-MP2-2x32R3-MP2-2x48R3-GAP", 114_450, 10.9),
    ("16C5.same.bn-32R3.s2-64R3.s2-GAP", 73_338, 5.9),
    ("16C3.same.bn-MP2-48DS3-MP2-96DS3-128DS3-MP2-160DS3-GAP", 43_962, 1.4),
];

fn params(network: &Network) -> usize {
    network.params().map(TensorSpec::count).sum()
}

#[test]
fn parameters_and_multiply_adds() {
    for (text, expected, millions) in TABLE {
        let network = network(text);
        assert_eq!(params(&network), expected, "{text}");
        let macs = network.macs() as f64 / 1e6;
        let tolerance = if millions < 3.0 && millions > 2.0 { 0.005 } else { 0.05 };
        assert!((macs - millions).abs() <= tolerance, "{text}: {macs} million");
    }
}

/// Node name, output shape and parameters of each node.
fn check(text: &str, expected: &[(&str, &[usize], usize)]) {
    let network = network(text);
    let found: Vec<(&str, Vec<usize>, usize)> = network
        .nodes
        .iter()
        .map(|n| (n.name.as_str(), n.output.dims(), n.tensors.iter().map(TensorSpec::count).sum()))
        .collect();
    let expected: Vec<(&str, Vec<usize>, usize)> =
        expected.iter().map(|(name, dims, count)| (*name, dims.to_vec(), *count)).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn cnn_is_the_notebooks() {
    check(
        "cnn",
        &[
            ("conv1", &[32, 26, 26], 320),
            ("relu1", &[32, 26, 26], 0),
            ("pool1", &[32, 13, 13], 0),
            ("conv2", &[64, 11, 11], 18_496),
            ("relu2", &[64, 11, 11], 0),
            ("pool2", &[64, 5, 5], 0),
            ("conv3", &[64, 3, 3], 36_928),
            ("relu3", &[64, 3, 3], 0),
            ("pool3", &[64, 1, 1], 0),
            ("flatten", &[64], 0),
            ("dense1", &[128], 8_320),
            ("relu1", &[128], 0),
            ("dense2", &[10], 1_290),
        ],
    );
    let network = network("cnn");
    assert_eq!(network.seen(), (22, 22));
    let names: Vec<&str> = network.tensors().map(|t| t.name.as_str()).collect();
    assert_eq!(names[..2], ["encoder.conv1.weight", "encoder.conv1.bias"]);
    assert_eq!(names[6..8], ["head.dense1.weight", "head.dense1.bias"]);
}

#[test]
fn encoder_mlp_is_the_notebooks() {
    let network = network("encoder-mlp");
    assert_eq!((network.param_count(Part::Encoder), network.param_count(Part::Head)), (18_816, 104_874));
    assert_eq!(network.code_len(), 1600);
    assert_eq!(network.seen(), (26, 26));
}

#[test]
fn other_sizes_and_class_counts() {
    let network = Network::new(&arch("cnn@32x38"), 47).unwrap();
    assert_eq!(network.code_len(), 2 * 3 * 64);
    assert_eq!(network.seen(), (30, 38));
    assert_eq!(network.nodes.last().unwrap().output.dims(), [47]);
    assert_eq!(Network::new(&arch("cnn@22x22"), 2).unwrap().code_len(), 64);
    assert_eq!(params(&Network::new(&arch("cnn@32x32x3"), 10).unwrap()), 65_354 + 2 * 288 + 3 * 64 * 128);
}

#[test]
fn autoencoder_mirrors_the_encoder() {
    let network = Network::autoencoder(&arch("encoder-mlp")).unwrap();
    let decoder: Vec<(&str, Vec<usize>, usize)> = network
        .nodes
        .iter()
        .filter(|n| n.part == Part::Decoder)
        .map(|n| (n.name.as_str(), n.output.dims(), n.tensors.iter().map(TensorSpec::count).sum()))
        .collect();
    let expected = [
        ("unflatten", vec![64, 5, 5], 0),
        ("up2", vec![64, 10, 10], 0),
        ("deconv2", vec![32, 12, 12], 18_464),
        ("relu2", vec![32, 12, 12], 0),
        ("up1", vec![32, 24, 24], 0),
        ("deconv1", vec![1, 26, 26], 289),
        ("sigmoid1", vec![1, 26, 26], 0),
    ];
    assert_eq!(decoder, expected);
    assert_eq!(network.seen(), (26, 26), "what comes out is what was seen");
    assert!(network.reconstructs());
    let classifier = Network::new(&network.arch, 10).unwrap();
    assert!(!classifier.reconstructs());
    assert_ne!(network, classifier);
    let encoder =
        |n: &Network| n.tensors().filter(|t| t.name.starts_with("encoder")).cloned().collect::<Vec<_>>();
    assert_eq!(encoder(&network), encoder(&classifier));
    // 5x5 kernels, two convolutions in a row, odd sizes, colour, no pool at the end.
    for text in ["encoder-mlp@19x33", "4C5-6C3-MP2-8C3@21x26x3", "cnn@32x38"] {
        let network = Network::autoencoder(&arch(text)).unwrap();
        let (h, w) = network.seen();
        assert_eq!(network.nodes.last().unwrap().output.dims(), [network.arch.channels, h, w], "{text}");
    }
}

#[test]
fn other_encoders_have_no_mirror_image() {
    for (text, item) in [
        ("32C3.bn-MP2", "32C3.bn"),
        ("32C3-16R3", "16R3"),
        ("32C3-MP3", "MP3"),
        ("32C3-GAP", "GAP"),
        ("32C3-D30", "D30"),
        ("MP2-32C3", "MP2"),
        ("32C3.linear", "32C3.linear"),
    ] {
        let error = Network::autoencoder(&arch(text)).unwrap_err();
        let expected = format!(
            "{item}: an autoencoder mirrors convolutions such as 32C3 and pools MP2 between them alone; \
             train this encoder with labels"
        );
        assert_eq!(error.message, expected);
    }
}

#[test]
fn blocks_are_built_as_published() {
    check(
        "8C3-16R3.s2.se4",
        &[
            ("conv1", &[8, 26, 26], 80),
            ("relu1", &[8, 26, 26], 0),
            ("block1.conv1", &[16, 13, 13], 1152),
            ("block1.norm1", &[16, 13, 13], 64),
            ("block1.relu1", &[16, 13, 13], 0),
            ("block1.conv2", &[16, 13, 13], 2304),
            ("block1.norm2", &[16, 13, 13], 64),
            ("block1.se_pool", &[16], 0),
            ("block1.se_dense1", &[4], 68),
            ("block1.se_relu", &[4], 0),
            ("block1.se_dense2", &[16], 80),
            ("block1.se_sigmoid", &[16], 0),
            ("block1.se_scale", &[16, 13, 13], 0),
            ("block1.project", &[16, 13, 13], 128),
            ("block1.project_norm", &[16, 13, 13], 64),
            ("block1.add", &[16, 13, 13], 0),
            ("block1.relu2", &[16, 13, 13], 0),
            ("flatten", &[2704], 0),
            ("dense1", &[10], 27_050),
        ],
    );
    check(
        "4C3.same-4R3.pre.gn2-8R3.pre.silu-GMP",
        &[
            ("conv1", &[4, 28, 28], 40),
            ("relu1", &[4, 28, 28], 0),
            ("block1.norm1", &[4, 28, 28], 8),
            ("block1.relu1", &[4, 28, 28], 0),
            ("block1.conv1", &[4, 28, 28], 144),
            ("block1.norm2", &[4, 28, 28], 8),
            ("block1.relu2", &[4, 28, 28], 0),
            ("block1.conv2", &[4, 28, 28], 144),
            ("block1.add", &[4, 28, 28], 0),
            ("block2.norm1", &[4, 28, 28], 16),
            ("block2.silu1", &[4, 28, 28], 0),
            ("block2.conv1", &[8, 28, 28], 288),
            ("block2.norm2", &[8, 28, 28], 32),
            ("block2.silu2", &[8, 28, 28], 0),
            ("block2.conv2", &[8, 28, 28], 576),
            ("block2.project", &[8, 28, 28], 32),
            ("block2.add", &[8, 28, 28], 0),
            ("gmp", &[8], 0),
            ("dense1", &[10], 90),
        ],
    );
    let network = network("4C3.same-8R3.pre-GAP");
    let inputs = |name: &str| network.nodes.iter().find(|n| n.name == name).unwrap().inputs.clone();
    assert_eq!(inputs("block1.project"), inputs("block1.conv1"), "projects what norm and activation gave");
}

#[test]
fn depthwise_blocks_are_built_as_published() {
    check(
        "8DS3.linear-16IR5.e2.s2-16IR3-8IR3.e1-AP2",
        &[
            ("block1.conv1", &[1, 28, 28], 9),
            ("block1.norm1", &[1, 28, 28], 4),
            ("block1.relu1", &[1, 28, 28], 0),
            ("block1.conv2", &[8, 28, 28], 8),
            ("block1.norm2", &[8, 28, 28], 32),
            ("block2.conv1", &[16, 28, 28], 128),
            ("block2.norm1", &[16, 28, 28], 64),
            ("block2.relu1", &[16, 28, 28], 0),
            ("block2.conv2", &[16, 14, 14], 400),
            ("block2.norm2", &[16, 14, 14], 64),
            ("block2.relu2", &[16, 14, 14], 0),
            ("block2.conv3", &[16, 14, 14], 256),
            ("block2.norm3", &[16, 14, 14], 64),
            ("block3.conv1", &[64, 14, 14], 1024),
            ("block3.norm1", &[64, 14, 14], 256),
            ("block3.relu1", &[64, 14, 14], 0),
            ("block3.conv2", &[64, 14, 14], 576),
            ("block3.norm2", &[64, 14, 14], 256),
            ("block3.relu2", &[64, 14, 14], 0),
            ("block3.conv3", &[16, 14, 14], 1024),
            ("block3.norm3", &[16, 14, 14], 64),
            ("block3.add", &[16, 14, 14], 0),
            ("block4.conv1", &[16, 14, 14], 144),
            ("block4.norm1", &[16, 14, 14], 64),
            ("block4.relu1", &[16, 14, 14], 0),
            ("block4.conv2", &[8, 14, 14], 128),
            ("block4.norm2", &[8, 14, 14], 32),
            ("pool1", &[8, 7, 7], 0),
            ("flatten", &[392], 0),
            ("dense1", &[10], 3930),
        ],
    );
}

#[test]
fn options_do_what_they_say() {
    // Stride 2 on 28: (28 - 3) / 2 + 1; with padding ceil(28 / 2). Pools of stride 1 overlap.
    check(
        "4C3.s2.ws-6C3.same.s2.g2.linear-DW3.gelu.gn3-MP2.s1-SD20-D30--8.silu-D50",
        &[
            ("conv1", &[4, 13, 13], 40),
            ("relu1", &[4, 13, 13], 0),
            ("conv2", &[6, 7, 7], 114),
            ("conv3", &[6, 5, 5], 54),
            ("norm1", &[6, 5, 5], 12),
            ("gelu1", &[6, 5, 5], 0),
            ("pool1", &[6, 4, 4], 0),
            ("drop1", &[6, 4, 4], 0),
            ("drop2", &[6, 4, 4], 0),
            ("flatten", &[96], 0),
            ("dense1", &[8], 776),
            ("silu1", &[8], 0),
            ("drop1", &[8], 0),
            ("dense2", &[10], 90),
        ],
    );
    check(
        "4C3.bn.pre.linear-4C3.pre-GAP-D10",
        &[
            ("norm1", &[1, 28, 28], 4),
            ("conv1", &[4, 26, 26], 36),
            ("relu1", &[4, 26, 26], 0),
            ("conv2", &[4, 24, 24], 148),
            ("gap", &[4], 0),
            ("drop1", &[4], 0),
            ("dense1", &[10], 50),
        ],
    );
}

#[test]
fn the_part_seen_follows_windows_and_needs() {
    for (text, seen) in [
        ("cnn", (22, 22)),
        ("encoder-mlp", (26, 26)),
        // 12 pooled columns, 25 before: (12 - 1) * 2 + 3; the convolution adds 2.
        ("4C3-MP3.s2", (27, 27)),
        ("4C3.s2", (27, 27)),
        ("4C3.s3@30x31", (30, 30)),
        ("4C3-MP2-GAP@29x29", (28, 28)),
        ("4C3-D20-MP2@29x31", (28, 30)),
        // Padding depends on where the map ends, norms on all of it.
        ("4C3.same-MP2@29x29", (29, 29)),
        ("4C3.bn-MP2@29x29", (29, 29)),
        ("4C3.gn2-MP2@29x29", (29, 29)),
        ("4C3-MP2-4R3@29x29", (28, 28)),
    ] {
        assert_eq!(network(text).seen(), seen, "{text}");
    }
}

#[test]
fn refuses_networks_that_no_machine_holds() {
    let error = |text: &str| text.parse::<fm_net::Arch>().unwrap_err().message;
    assert_eq!(
        error("64C3--65536-65536"),
        "65536: brings the network's tensors to 2835415680 values, at most 536870912 are possible"
    );
    assert_eq!(
        error("65536C1@1024x1024"),
        "65536C1: gives 68719476736 values for each image, at most 268435456 are possible"
    );
    assert_eq!(
        Network::new(&arch("cnn"), 0).unwrap_err().message,
        "a network tells 1 to 65536 classes apart, got 0"
    );
}
