//! The networks that have kernels of their own, in which every shape is a constant.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::args::{Conv, Dense, Shape};
use crate::network::Network;
use crate::plan::Plan;
use crate::tuning::Tuning;

/// Names of kernels and of structures in `kernels/shapes.h`, how many seeds they are for, and how far the loop over the
/// inputs of a convolution is unrolled: as far as registers go.
const MADE: [(&str, &str, usize, usize); 4] = [
    ("cnn_few", "CnnFew", 1, 2),
    ("cnn_many", "CnnMany", 32, 1),
    ("mlp_few", "MlpFew", 1, 1),
    ("mlp_many", "MlpMany", 32, 1),
];

/// The network of a name.
fn network(name: &str) -> Network {
    let (conv, dense) = if name.starts_with("cnn") {
        (vec![32, 64, 64], vec![128, 10])
    } else {
        (vec![32, 64], vec![64, 32, 10])
    };
    Network { height: 28, width: 28, channels: 1, conv, dense }
}

static SHAPES: LazyLock<Vec<(&str, Shape)>> = LazyLock::new(|| {
    let shape = |&(name, _, seeds, _): &(&'static str, &str, usize, usize)| {
        // Where kernels of its own are made, they cannot be looked for.
        Plan::without_made(&network(name), 32, &Tuning::for_seeds(seeds)).ok().map(|plan| (name, plan.shape))
    };
    MADE.iter().filter_map(shape).collect()
});

/// The first name of the kernels that were made for a shape.
pub(crate) fn name(shape: &Shape) -> Option<&'static str> {
    SHAPES.iter().find(|(_, made)| made == shape).map(|(name, _)| *name)
}

/// `kernels/shapes.h`.
#[must_use]
#[doc(hidden)]
pub fn shapes() -> String {
    let mut text = "// Networks that the compiler knows. Made by `cargo run -p fm-cuda --example shapes`; a test compares.\n\
         #pragma once\n#include \"args.h\"\n#include \"cuda.h\"\n"
        .to_owned();
    for ((_, structure, _, unroll), (name, shape)) in MADE.iter().zip(SHAPES.iter()) {
        let Network { height, width, conv, dense, .. } = network(name);
        let numbers = |values: &[i32]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let rows = |rows: Vec<Vec<i32>>| {
            rows.iter().fold(String::new(), |text, row| text + "        {" + &numbers(row) + "},\n")
        };
        let layers = shape.conv[..shape.convs as usize].iter().map(Conv::ints).collect();
        let denses = shape.dense[..shape.denses as usize].iter().map(Dense::ints).collect();
        let _ = write!(
            text,
            "\n// {height}x{width}, filters {conv:?}, units {dense:?}\nstruct {structure} {{\n  \
             static constexpr bool FIXED = true;\n  \
             static constexpr int UNROLL = {unroll};\n  \
             __device__ __forceinline__ static constexpr Shape shape(const Args&) {{\n    return {{\n      {},\n      \
             {{\n{}      }},\n      {{\n{}      }},\n    }};\n  }}\n}};\n",
            numbers(&shape.ints()),
            rows(layers),
            rows(denses)
        );
    }
    text
}
