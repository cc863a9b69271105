//! What the notation accepts, how it prints and how it refuses.

use std::sync::Arc;

use fm_net::arbitrary::{self, Draw};
use fm_net::{Arch, ArchError, Network, Notation, Op, Operator, Shape, ShapeError, Window, item::Kind};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use crate::{arch, network};

#[test]
fn aliases_print_as_themselves() {
    for (text, printed) in [
        ("cnn", "cnn"),
        ("CNN", "cnn"),
        ("encoder-mlp", "encoder-mlp"),
        ("Encoder-MLP@28x28", "encoder-mlp"),
        ("cnn@32x48", "cnn@32x48"),
        ("encoder-mlp@10x10", "encoder-mlp@10x10"),
        ("cnn@28x28x1", "cnn"),
        ("cnn@28x28x3", "cnn@28x28x3"),
        ("32c3-mp2-64c3-mp2-64c3-mp2--128", "cnn"),
        ("32C3-MP2-64C3-MP2--64-32@32X32", "encoder-mlp@32x32"),
        ("32C3.relu.s1-MP2.s2-1x64C3.g1-MP2--64-032.relu", "encoder-mlp"),
    ] {
        assert_eq!(arch(text).to_string(), printed, "{text}");
    }
    assert_eq!(arch("cnn"), arch("32C3-MP2-64C3-MP2-64C3-MP2--128"));
    assert_eq!(arch("cnn").alias(), Some("cnn"));
    assert_eq!(arch("32C3").alias(), None);
}

#[test]
fn one_canonical_form() {
    for (text, printed) in [
        ("16c3.SAME.Bn", "16C3.same.bn"),
        ("16C3.bn.same", "16C3.same.bn"),
        ("16C1.same.bn", "16C1.bn"),
        ("8C3.gelu.pre.s2.ws.gn1.same", "8C3.same.gn1.ws.s2.pre.gelu"),
        ("8C3-8C3-8C3", "3x8C3"),
        ("8C3.s2-8C3", "2x8C3.s2"),
        ("8C3.s2-8C3.s2", "8C3.s2-8C3.s2"),
        ("8C3-8C3.s2-8C3", "8C3-2x8C3.s2"),
        ("16R3.same.bn.relu", "16R3"),
        ("16R3.gn4", "16R3.gn4"),
        ("3x32R3.s2-GAP", "3x32R3.s2-GAP"),
        ("32R3.s2-2x32R3-GAP", "3x32R3.s2-GAP"),
        ("16IR3.e4.same", "16IR3"),
        ("16IR3.se4.e6", "16IR3.e6.se4"),
        ("MP3.s2-MP3.s2", "2xMP3.s2"),
        ("D30-D30--8-D5-8.linear@14x14x2", "2xD30--8-D5-8.linear@14x14x2"),
        ("SD10-GMP", "SD10-GMP"),
        ("DW3.same.bn-16DS5.silu", "DW3.same.bn-16DS5.silu"),
    ] {
        let parsed = arch(text);
        assert_eq!(parsed.to_string(), printed, "{text}");
        assert_eq!(arch(printed), parsed, "{text}");
    }
}

/// The rendered error of `text`, without its first line's end.
#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(text.parse::<Arch>().unwrap_err().render(text), expected, "{text}");
}

#[test]
fn errors_point_at_the_token() {
    refused(
        "32C3-MP2-64C3-MP2-64C3-MP2-64R3-MP2",
        "64R3: needs 3x3 pixels or more, has 1x1\n  \
         32C3-MP2-64C3-MP2-64C3-MP2-64R3-MP2\n                             ^^^^",
    );
    refused(
        "32C3.foo-MP2",
        "unknown option 'foo'\n  32C3.foo-MP2\n       ^^^\n\
         help: C takes same, bn, gnN, ws, sN, gN, pre, relu, gelu, silu, linear",
    );
    refused(
        "32C3-MP2-128",
        "'128' is not a layer of the encoder\n  32C3-MP2-128\n           ^^^\n\
         help: dense layers stand after two dashes, 32C3-MP2--128; a convolution is 32C3",
    );
    refused(
        "32C3--MP2",
        "'MP2' cannot stand in the head\n  32C3--MP2\n        ^^^\n\
         help: the head takes dense layers, 128, and dropout, D30; the rest stands before the two dashes",
    );
    refused(
        "8C3-é-32C3",
        "unexpected 'é' in 'é'\n  8C3-é-32C3\n      ^\n\
         help: layers are letters and digits, options follow after dots, 32C3.same.bn",
    );
    refused(
        "32C3.s2.s3",
        "'s3' is given a second time or contradicts an option before it\n  32C3.s2.s3\n          ^^\n\
         help: leave one of them out",
    );
    refused(
        "32C4.same",
        "'32C4.same' pads as much on every side, which needs an odd kernel\n  32C4.same\n  ^^^^^^^^^\n\
         help: use 3 or 5",
    );
    refused(
        "32C3-",
        "a layer is missing before or after a dash\n  32C3-\n       ^\n\
         help: dashes stand between layers, two of them once between encoder and head, 32C3-MP2--128",
    );
    refused(
        "8C3--@32x32",
        "a layer is missing after a dash\n  8C3--@32x32\n       ^\n\
         help: dashes stand between layers, two of them once between encoder and head, 32C3-MP2--128",
    );
    refused(
        "32C3-GAP-8C3",
        "8C3: needs a map of pixels, has a vector of 32 values\n  32C3-GAP-8C3\n           ^^^",
    );
}

#[test]
fn messages_say_what_is_wrong() {
    for (text, message) in [
        ("C3", "'C3' has no number of filters"),
        ("32C", "'32C' has no kernel"),
        ("MP", "'MP' has no window"),
        ("D", "'D' has no percent"),
        ("32MP2", "MP takes no filters, got '32MP2'"),
        ("GAP2", "GAP takes no number, got 'GAP2'"),
        ("0C3", "filters and units must be from 1 to 65536, got 0"),
        ("65537C3", "filters and units must be from 1 to 65536, got 65537"),
        (
            "99999999999999999999999C3",
            "filters and units must be from 1 to 65536, got 99999999999999999999999",
        ),
        ("32C0", "a number must be from 1 to 65536, got 0"),
        ("0x32C3", "a repeat must be from 1 to 256, got 0"),
        ("D0", "a number must be from 1 to 65536, got 0"),
        ("D100", "dropout is from 1 to 99 percent, got 100"),
        ("32C3.s0", "'s' needs a number from 1 to 65536, got '0'"),
        ("32C3.gn", "'gn' needs a number from 1 to 65536, got ''"),
        ("32C3.bn2", "'bn' takes no number, got 'bn2'"),
        ("32C3.e6", "C takes no option 'e'"),
        ("32IR3.e65", "'e' needs a number from 1 to 64, got '65'"),
        ("32R3.linear", "R takes no option 'linear'"),
        ("GAP.bn", "GAP takes no option 'bn'"),
        ("32C3--8.bn", "a dense layer takes no option 'bn'"),
        ("32C3.bn.gn4", "'gn4' is given a second time or contradicts an option before it"),
        ("32C3.relu.linear", "'linear' is given a second time or contradicts an option before it"),
        ("32C3.pre.linear", "'32C3.pre.linear' has nothing that could come before the convolution"),
        ("32C3.", "'32C3.' has a dot without an option"),
        ("32C3MP2", "'32C3MP2' is not one layer"),
        ("32C3-64Q3", "unknown layer '64Q3'"),
        ("32C3--2x64", "'2x64': the head takes no repeats"),
        ("32C3--64--32", "a layer is missing after a dash"),
        ("32C3--", "a layer is missing after a dash"),
        ("--128", "a layer is missing before or after a dash"),
        ("257x8C1", "a repeat must be from 1 to 256, got 257"),
        ("200x8C1-57x4C1", "an architecture has at most 256 layers"),
        (
            "32C3.g2",
            "32C3.g2: needs channels and filters that 2 groups divide, has 1 channels and 32 filters",
        ),
        ("30C3.gn4", "30C3.gn4: needs channels that 4 groups divide, has 30"),
        ("32C1.ws", "32C1.ws: needs more than one weight a filter to standardise them"),
        ("GAP-SD30", "SD30: needs a map of pixels, has a vector of 1 values"),
        ("32C3@28", "'28' is not an image size, expected HEIGHTxWIDTH such as 32x32"),
        ("32C3@28x28x1x1", "'28x28x1x1' is not an image size, expected HEIGHTxWIDTH such as 32x32"),
        ("32C3@0x28", "images have sides of 1 to 1024 pixels, got 0x28"),
        ("32C3@28x28x5", "images have 1 to 4 channels, got 5"),
        ("32C3 ", "unexpected ' ' in '32C3 '"),
    ] {
        assert_eq!(text.parse::<Arch>().unwrap_err().to_string(), message, "{text}");
    }
    let long = "8C1-".repeat(300);
    assert_eq!(
        long.parse::<Arch>().unwrap_err().to_string(),
        "an architecture has at most 1024 characters, this has 1200"
    );
}

#[test]
fn misspelt_aliases() {
    let far = "known are cnn, encoder-mlp, or a string of layers such as 32C3-MP2--128";
    for (text, name, help) in [
        ("cn", "cn", "did you mean `cnn`?"),
        ("cnn2", "cnn2", "did you mean `cnn`?"),
        ("encoder_mlp", "encoder_mlp", "did you mean `encoder-mlp`?"),
        ("cnn ", "cnn ", "did you mean `cnn`?"),
        ("encodermlp", "encodermlp", "did you mean `encoder-mlp`?"),
        ("encoder-mpl@32x32", "encoder-mpl", "did you mean `encoder-mlp`?"),
        ("resnet18", "resnet18", far),
        ("", "", far),
    ] {
        let error: ArchError = text.parse::<Arch>().unwrap_err();
        assert_eq!(error.message, format!("unknown arch '{name}'"));
        assert_eq!(error.help.as_deref(), Some(help), "{text}");
    }
    for (text, message) in [
        ("cnn@32", "'32' is not an image size, expected HEIGHTxWIDTH such as 32x32"),
        ("cnn@21x28", "cnn takes images with sides of 22 to 1024 pixels, got 21x28"),
        ("encoder-mlp@9x28", "encoder-mlp takes images with sides of 10 to 1024 pixels, got 9x28"),
        ("cnn@28x1025", "cnn takes images with sides of 22 to 1024 pixels, got 28x1025"),
        ("cnn@28x28x9", "images have 1 to 4 channels, got 9"),
    ] {
        assert_eq!(text.parse::<Arch>().unwrap_err().to_string(), message);
    }
    assert_eq!(arch("cnn@1024x1024").height, 1024);
    assert_eq!(arch("encoder-mlp@1024x1024").height, 1024);
}

#[test]
fn sizes_change() {
    assert_eq!(arch("cnn").with_size(32, 48, 1).unwrap(), arch("cnn@32x48"));
    assert_eq!(
        arch("8C3-64C7").with_size(8, 8, 1).unwrap_err().message,
        "64C7: needs 7x7 pixels or more, has 6x6"
    );
    assert!(arch("cnn").with_size(0, 28, 1).is_err());
}

/// Every pixel `times` over.
#[derive(Debug)]
struct Thicken(usize);

impl Operator for Thicken {
    fn kind(&self) -> &'static str {
        "thicken"
    }

    fn output(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        match inputs {
            [Shape::Map { channels, height, width }] => {
                Ok(Shape::Map { channels: channels.saturating_mul(self.0), height: *height, width: *width })
            }
            _ => Err(ShapeError("thickens maps alone".to_owned())),
        }
    }

    fn window(&self) -> Window {
        Window::Point
    }

    fn describe(&self) -> String {
        format!("thicken {}", self.0)
    }
}

#[test]
fn operators_from_outside_join_the_notation() {
    let make = |n: usize| match n {
        1..=8 => Ok(Arc::new(Thicken(n)) as Arc<dyn Operator>),
        _ => Err(format!("thickens by 1 to 8, not {n}")),
    };
    let notation = Notation::standard().with("thick", make).unwrap();
    let parsed = notation.parse("8C3-2xThick2-MP2--16").unwrap();
    assert_eq!(parsed.to_string(), "8C3-2xTHICK2-MP2--16");
    assert_eq!(notation.parse(&parsed.to_string()).unwrap(), parsed);
    assert_ne!(notation.parse("8C3-2xTHICK3-MP2--16").unwrap(), parsed);
    let network = Network::new(&parsed, 10).unwrap();
    assert_eq!(network.code_len(), 8 * 4 * 13 * 13);
    assert_eq!(network.seen(), (28, 28));
    assert_eq!(network.nodes[3].name, "custom2");
    assert!(matches!(&network.nodes[3].op, Op::Custom(op) if op.kind() == "thicken"));
    assert_eq!(parsed.with_size(29, 29, 1).unwrap().to_string(), "8C3-2xTHICK2-MP2--16@29x29");

    let error = |text: &str| notation.parse(text).unwrap_err().to_string();
    assert_eq!(error("8C3-THICK9"), "THICK9: thickens by 1 to 8, not 9");
    assert_eq!(error("8C3-GAP-THICK2"), "THICK2: thickens maps alone");
    assert_eq!(error("8C3-THICK2.s2"), "'THICK2.s2' is not THICK and a number");
    assert_eq!("8C3-THICK2".parse::<Arch>().unwrap_err().to_string(), "unknown layer 'THICK2'");
    for prefix in ["c", "THICK", "", "x", "A1", "É"] {
        assert!(notation.clone().with(prefix, make).is_err(), "{prefix}");
    }
}

#[test]
fn random_architectures_cover_the_notation() {
    let archs: Vec<Arch> = (0..400).map(arbitrary::arch).collect();
    assert_eq!(archs[7], arbitrary::arch(7));
    let printed: Vec<String> = archs.iter().map(Arch::to_string).collect();
    for option in ["same", "bn", "gn", "ws", "s2", "g", "e", "se", "pre", "gelu", "silu", "linear"] {
        assert!(printed.iter().any(|text| text.contains(&format!(".{option}"))), "{option}");
    }
    let kinds: Vec<Kind> = archs.iter().flat_map(Arch::spatial).map(|item| item.kind.clone()).collect();
    for kind in [
        Kind::Conv,
        Kind::Depthwise,
        Kind::Separable,
        Kind::Residual,
        Kind::Inverted,
        Kind::MaxPool,
        Kind::AvgPool,
        Kind::GlobalAvgPool,
        Kind::GlobalMaxPool,
        Kind::Dropout,
        Kind::ChannelDropout,
    ] {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
}

#[test]
fn every_node_of_a_random_network_is_consistent() {
    for arch in (1000..1300).map(arbitrary::arch) {
        let network = network(&arch.to_string());
        let mut names: Vec<&str> = network.tensors().map(|t| t.name.as_str()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{arch}: names are unique");
        for (i, node) in network.nodes.iter().enumerate() {
            assert_eq!(node.op.output(&network.inputs(node)), Ok(node.output), "{arch}: {}", node.name);
            let earlier = |id: &fm_net::NodeId| match id {
                fm_net::NodeId::Image => true,
                fm_net::NodeId::Node(j) => *j < i,
            };
            assert!(node.inputs.iter().all(earlier), "{arch}: {}", node.name);
        }
        let used = |i: usize| network.nodes.iter().any(|n| n.inputs.contains(&fm_net::NodeId::Node(i)));
        assert!((0..network.nodes.len() - 1).all(used), "{arch}: every value is read");
    }
}

proptest! {
    #[test]
    fn what_prints_parses_back(seed in any::<u64>()) {
        let parsed = arbitrary::arch(seed);
        let printed = parsed.to_string();
        prop_assert_eq!(&printed.parse::<Arch>().unwrap(), &parsed);
        prop_assert_eq!(printed.to_lowercase().parse::<Arch>().unwrap().to_string(), printed);
    }

    #[test]
    fn nothing_panics(text in any::<String>(), seed in any::<u64>()) {
        let mut draw = Draw::new(seed);
        let base = arbitrary::text(&mut draw);
        for text in [arbitrary::mutate(&mut draw, &base, &text), text] {
            match text.parse::<Arch>() {
                Ok(arch) => prop_assert_eq!(arch.to_string().parse::<Arch>().unwrap(), arch),
                Err(error) => prop_assert!(error.render(&text).contains('^')),
            }
        }
    }
}
