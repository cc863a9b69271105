//! Random architectures for tests: valid ones, and strings that are nearly so.

use std::fmt::Write;

use crate::arch::Arch;
use crate::graph::Network;

/// Numbers from a seed (SplitMix64; Steele, Lea & Flood 2014).
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// A stream of its own for each seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Whether an event of one in `n` happens.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of them.
    ///
    /// # Panics
    /// When there are none.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A random valid architecture, small enough to run in milliseconds: at most 200,000 parameters and 3 million
/// multiply-adds with ten classes. The same for the same seed.
#[must_use]
pub fn arch(seed: u64) -> Arch {
    let mut draw = Draw::new(seed);
    loop {
        let Ok(arch) = text(&mut draw).parse::<Arch>() else { continue };
        let Ok(network) = Network::new(&arch, 10) else { continue };
        let params: usize = network.params().map(crate::tensor::TensorSpec::count).sum();
        if params <= 200_000 && network.macs() <= 3_000_000 {
            return arch;
        }
    }
}

/// A random string of the notation. Most fit their image size, some do not.
#[must_use]
pub fn text(draw: &mut Draw) -> String {
    let mut out = String::new();
    for i in 0..=draw.below(6) {
        if i > 0 {
            out.push('-');
        }
        spatial(draw, &mut out);
    }
    if draw.one_in(2) {
        out.push_str(draw.of(&["-GAP", "-GMP", "-GAP-D25"]));
    }
    for i in 0..draw.below(4) {
        out.push_str(if i == 0 { "--" } else { "-" });
        let _ = if draw.one_in(4) {
            write!(out, "D{}", 1 + draw.below(99))
        } else {
            write!(out, "{}{}", 1 + draw.below(64), draw.of(&["", "", ".gelu", ".silu", ".linear", ".relu"]))
        };
    }
    if draw.one_in(3) {
        let _ = write!(out, "@{}x{}", 6 + draw.below(30), 6 + draw.below(30));
        out.push_str(draw.of(&["", "x1", "x3"]));
    }
    out
}

/// A layer, block, pool or dropout.
fn spatial(draw: &mut Draw, out: &mut String) {
    if draw.one_in(6) {
        let _ = write!(out, "{}x", 1 + draw.below(3));
    }
    let kind = draw.of(&["C", "C", "C", "R", "IR", "DS", "DW", "MP", "MP", "AP", "D", "SD"]);
    let filters = draw.of(&[1, 4, 6, 8, 12, 16]);
    let kernel = draw.of(&[1, 2, 3, 3, 3, 5]);
    let _ = match kind {
        "D" | "SD" => write!(out, "{kind}{}", 1 + draw.below(99)),
        "MP" | "AP" => write!(out, "{kind}{}", draw.of(&[1, 2, 2, 3])),
        "DW" => write!(out, "DW{kernel}"),
        _ => write!(out, "{filters}{kind}{kernel}"),
    };
    let options: &[&str] = match kind {
        "C" => &[".same", ".bn", ".gn2", ".ws", ".s2", ".s3", ".g2", ".g4", ".pre", ".gelu", ".linear"],
        "DW" => &[".same", ".bn", ".gn1", ".ws", ".s2", ".pre", ".silu", ".linear"],
        "R" => &[".gn4", ".ws", ".s2", ".se2", ".pre", ".gelu", ".silu", ".bn"],
        "IR" => &[".e1", ".e2", ".e6", ".gn4", ".s2", ".se4", ".silu", ".same"],
        "DS" => &[".gn1", ".s2", ".se2", ".linear", ".gelu"],
        "MP" | "AP" => &[".s1", ".s2"],
        _ => &[],
    };
    for option in options {
        if draw.one_in(5) {
            out.push_str(option);
        }
    }
}

/// `text` after a few random changes: bytes lost, doubled or replaced, pieces cut out, moved or taken from `other`.
#[must_use]
pub fn mutate(draw: &mut Draw, text: &str, other: &str) -> String {
    const PIECES: [&str; 24] = [
        "-",
        "--",
        ".",
        "x",
        "@",
        "2x",
        "99999999999999999999",
        "0",
        "C3",
        "R3",
        "IR3.e6",
        ".s2",
        ".gn4",
        ".bn",
        "GAP",
        "MP2",
        "@28x28",
        "@1x1x4",
        "65536",
        "SD30",
        "DW3",
        "é",
        "\0",
        "cnn",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=draw.below(2) {
        let at = draw.below(chars.len() + 1);
        let end = (at + draw.below(6)).min(chars.len());
        match draw.below(6) {
            0 => drop(chars.drain(at..end)),
            1 => {
                let piece: Vec<char> = chars[at..end].to_vec();
                chars.splice(at..at, piece);
            }
            2 => {
                let piece = draw.of(&PIECES);
                chars.splice(at..at, piece.chars());
            }
            3 if at < chars.len() => chars[at] = char::from(b' ' + draw.below(95) as u8),
            4 => {
                chars.truncate(at);
                chars.extend(other.chars().skip(draw.below(other.len())));
            }
            _ => {
                let digit = char::from(b'0' + draw.below(10) as u8);
                chars.insert(at, digit);
            }
        }
    }
    chars.into_iter().collect()
}
