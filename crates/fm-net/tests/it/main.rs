//! Tests of the crate's public face.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod networks;
mod notation;

use fm_net::{Arch, Network};

/// The network of a string with ten classes.
fn network(text: &str) -> Network {
    Network::new(&arch(text), 10).unwrap()
}

fn arch(text: &str) -> Arch {
    text.parse().unwrap_or_else(|e: fm_net::ArchError| panic!("{}", e.render(text)))
}
