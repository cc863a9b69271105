//! The encoder's mirror image, for training by reconstruction.

use crate::arch::Arch;
use crate::graph::{BuildError, Network, NodeId, Part};
use crate::item::{Item, Kind};
use crate::lower::{Builder, at, encoder};
use crate::op::{Activation, Op, Shape, ShapeError};

impl Network {
    /// The encoder of `arch` with its mirror image behind it, for training by reconstruction.
    ///
    /// It gives back the part of the image that the encoder sees ([`Network::seen`]): of the rest the codes
    /// know nothing. Pixels are from 0 to 1 through a sigmoid. Names are the encoder's own, so its tensors fit
    /// into `arch`'s classifier.
    ///
    /// # Errors
    /// When the encoder has anything but valid convolutions with ReLU and 2×2 max-pooling, the first of them a
    /// convolution: for the rest no mirror image is defined.
    pub fn autoencoder(arch: &Arch) -> Result<Self, BuildError> {
        for (i, item) in arch.spatial().iter().enumerate() {
            if !mirrored(item) || (i == 0 && item.kind == Kind::MaxPool) {
                let message = "an autoencoder mirrors convolutions such as 32C3 and pools MP2 between them alone; \
                               train this encoder with labels";
                return Err(at(i, item, &ShapeError(message.to_owned())));
            }
        }
        let (mut build, codes) = encoder(arch)?;
        build.enter(Part::Decoder);
        decode(&mut build, arch, codes).map_err(|e| at(0, &"the decoder", &e))?;
        Ok(Self { arch: arch.clone(), classes: None, nodes: build.nodes })
    }
}

/// Whether the item has a mirror image.
fn mirrored(item: &Item) -> bool {
    match item.kind {
        Kind::Conv => *item == Item::new(Kind::Conv, item.filters, item.number),
        Kind::MaxPool => *item == Item::new(Kind::MaxPool, 0, 2),
        _ => false,
    }
}

/// Adds the decoder: a transposed convolution for each convolution and a doubling for each pool, with their numbers.
fn decode(build: &mut Builder, arch: &Arch, codes: NodeId) -> Result<(), ShapeError> {
    let flattened = match codes {
        NodeId::Node(i) => build.nodes[i].inputs[0],
        NodeId::Image => codes,
    };
    let Shape::Map { channels, height, width } = build.shape(flattened) else {
        return Err(ShapeError("needs an encoder that ends in a map".to_owned()));
    };
    let unflatten = Op::Unflatten { shape: [channels, height, width] };
    let mut x = build.push("unflatten".to_owned(), unflatten, vec![codes])?;
    let convs = |items: &[Item]| items.iter().filter(|item| item.kind == Kind::Conv).count();
    for (i, item) in arch.spatial().iter().enumerate().rev() {
        let before = &arch.spatial()[..i];
        if item.kind == Kind::MaxPool {
            let n = i - convs(before) + 1;
            x = build.push(format!("up{n}"), Op::Upsample, vec![x])?;
            continue;
        }
        let n = convs(before) + 1;
        let filters =
            before.iter().rfind(|item| item.kind == Kind::Conv).map_or(arch.channels, |item| item.filters);
        x = build.push(format!("deconv{n}"), Op::ConvTranspose { filters, kernel: item.number }, vec![x])?;
        let activation = if n == 1 { Activation::Sigmoid } else { Activation::Relu };
        x = build.push(format!("{}{n}", activation.token()), Op::Activation(activation), vec![x])?;
    }
    Ok(())
}
