//! The items of an architecture string: one token each, with its options worked out.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::op::{Activation, Operator};

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `fCk`: convolution.
    Conv,
    /// `DWk`: depthwise convolution.
    Depthwise,
    /// `fDSk`: depthwise convolution, then 1x1 convolution.
    Separable,
    /// `fRk`: two convolutions and a skip.
    Residual,
    /// `fIRk`: inverted residual.
    Inverted,
    /// `MPk`: max-pooling.
    MaxPool,
    /// `APk`: average pooling.
    AvgPool,
    /// `GAP`: average over all positions.
    GlobalAvgPool,
    /// `GMP`: maximum over all positions.
    GlobalMaxPool,
    /// `Dp`: dropout of values.
    Dropout,
    /// `SDp`: dropout of channels.
    ChannelDropout,
    /// `u`: dense layer.
    Dense,
    /// An operator from outside the crate.
    Custom(Token),
}

/// An operator from outside with the token that stands for it. Two are equal when their tokens are.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token, upper case, with its number.
    pub text: String,
    /// What it computes.
    pub op: Arc<dyn Operator>,
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Token {}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// How values are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Norm {
    /// Over the batch.
    Batch,
    /// Over so many groups of channels of each image.
    Group(usize),
}

/// The name of an option, without its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opt {
    Same,
    Bn,
    Gn,
    Ws,
    Stride,
    Groups,
    Expand,
    Squeeze,
    Pre,
    Relu,
    Gelu,
    Silu,
    Linear,
}

impl Opt {
    /// Every option as written, and whether a number follows.
    pub(crate) const ALL: [(Opt, &'static str, bool); 13] = [
        (Opt::Same, "same", false),
        (Opt::Bn, "bn", false),
        (Opt::Gn, "gn", true),
        (Opt::Ws, "ws", false),
        (Opt::Stride, "s", true),
        (Opt::Groups, "g", true),
        (Opt::Expand, "e", true),
        (Opt::Squeeze, "se", true),
        (Opt::Pre, "pre", false),
        (Opt::Relu, "relu", false),
        (Opt::Gelu, "gelu", false),
        (Opt::Silu, "silu", false),
        (Opt::Linear, "linear", false),
    ];
}

/// What the notation knows of a kind.
pub(crate) struct Form {
    pub(crate) kind: Kind,
    /// As written, upper case.
    pub(crate) token: &'static str,
    /// Whether filters stand before the token.
    pub(crate) filters: bool,
    /// What stands after the token, if anything does.
    pub(crate) number: Option<&'static str>,
    pub(crate) options: &'static [Opt],
}

impl Form {
    /// An example, for messages: `32C3`.
    pub(crate) fn example(&self) -> String {
        let number = match self.number {
            Some("kernel") => "3",
            Some("window") => "2",
            Some(_) => "30",
            None => "",
        };
        format!("{}{}{number}", if self.filters { "32" } else { "" }, self.token)
    }
}

use Opt::{Bn, Expand, Gelu, Gn, Groups, Linear, Pre, Relu, Same, Silu, Squeeze, Stride, Ws};

/// Options of a dense layer.
pub(crate) const DENSE: &[Opt] = &[Relu, Gelu, Silu, Linear];

/// Every kind but dense layers, which have no token.
pub(crate) static FORMS: [Form; 11] = [
    Form {
        kind: Kind::Conv,
        token: "C",
        filters: true,
        number: Some("kernel"),
        options: &[Same, Bn, Gn, Ws, Stride, Groups, Pre, Relu, Gelu, Silu, Linear],
    },
    Form {
        kind: Kind::Depthwise,
        token: "DW",
        filters: false,
        number: Some("kernel"),
        options: &[Same, Bn, Gn, Ws, Stride, Pre, Relu, Gelu, Silu, Linear],
    },
    Form {
        kind: Kind::Separable,
        token: "DS",
        filters: true,
        number: Some("kernel"),
        options: &[Same, Bn, Gn, Ws, Stride, Squeeze, Relu, Gelu, Silu, Linear],
    },
    Form {
        kind: Kind::Residual,
        token: "R",
        filters: true,
        number: Some("kernel"),
        options: &[Same, Bn, Gn, Ws, Stride, Squeeze, Pre, Relu, Gelu, Silu],
    },
    Form {
        kind: Kind::Inverted,
        token: "IR",
        filters: true,
        number: Some("kernel"),
        options: &[Same, Bn, Gn, Ws, Stride, Expand, Squeeze, Relu, Gelu, Silu],
    },
    Form { kind: Kind::MaxPool, token: "MP", filters: false, number: Some("window"), options: &[Stride] },
    Form { kind: Kind::AvgPool, token: "AP", filters: false, number: Some("window"), options: &[Stride] },
    Form { kind: Kind::GlobalAvgPool, token: "GAP", filters: false, number: None, options: &[] },
    Form { kind: Kind::GlobalMaxPool, token: "GMP", filters: false, number: None, options: &[] },
    Form { kind: Kind::Dropout, token: "D", filters: false, number: Some("percent"), options: &[] },
    Form { kind: Kind::ChannelDropout, token: "SD", filters: false, number: Some("percent"), options: &[] },
];

/// One layer or block of an architecture.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Filters of a convolution or block, units of a dense layer; 0 for others.
    pub filters: usize,
    /// Side of the kernel or pooling window, percent of dropout; 0 for others.
    pub number: usize,
    /// `same`: zeros around the map so that stride 1 keeps its size. Always true for blocks.
    pub same: bool,
    /// `bn`, `gnN`.
    pub norm: Option<Norm>,
    /// `ws`: kernels are standardised before use.
    pub standardised: bool,
    /// `sN`.
    pub stride: usize,
    /// `gN`.
    pub groups: usize,
    /// `eN`: channels inside an inverted residual, as a multiple of those that enter.
    pub expand: usize,
    /// `seN`: squeeze-excitation through 1/N of the channels.
    pub squeeze: Option<usize>,
    /// `pre`: norm and activation come before the convolution.
    pub pre: bool,
    /// `relu`, `gelu`, `silu`; none is `linear`.
    pub activation: Option<Activation>,
}

impl Item {
    /// `kind` with the options that it has when none are written.
    #[must_use]
    pub fn new(kind: Kind, filters: usize, number: usize) -> Self {
        let block = matches!(kind, Kind::Separable | Kind::Residual | Kind::Inverted);
        let pool = matches!(kind, Kind::MaxPool | Kind::AvgPool);
        let active = block || matches!(kind, Kind::Conv | Kind::Depthwise | Kind::Dense);
        Self {
            kind,
            filters,
            number,
            same: block,
            norm: block.then_some(Norm::Batch),
            standardised: false,
            stride: if pool { number } else { 1 },
            groups: 1,
            expand: 4,
            squeeze: None,
            pre: false,
            activation: active.then_some(Activation::Relu),
        }
    }

    /// The item that follows this one when it is repeated: a convolution's or block's stride counts once.
    #[must_use]
    pub fn repeated(&self) -> Self {
        let pool = matches!(self.kind, Kind::MaxPool | Kind::AvgPool);
        Self { stride: if pool { self.stride } else { 1 }, ..self.clone() }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Custom(token) => f.write_str(&token.text)?,
            Kind::Dense => write!(f, "{}", self.filters)?,
            kind => {
                let Some(form) = FORMS.iter().find(|form| form.kind == *kind) else { return Err(fmt::Error) };
                if form.filters {
                    write!(f, "{}", self.filters)?;
                }
                f.write_str(form.token)?;
                if form.number.is_some() {
                    write!(f, "{}", self.number)?;
                }
            }
        }
        self.write_options(f)
    }
}

impl Item {
    /// Options that differ from the kind's own, in the order of [`Opt::ALL`].
    fn write_options(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = Item::new(self.kind.clone(), self.filters, self.number);
        if self.same && !usual.same {
            f.write_str(".same")?;
        }
        match self.norm {
            Some(Norm::Group(groups)) => write!(f, ".gn{groups}")?,
            Some(Norm::Batch) if usual.norm.is_none() => f.write_str(".bn")?,
            _ => {}
        }
        if self.standardised {
            f.write_str(".ws")?;
        }
        for (value, usual, name) in [
            (self.stride, usual.stride, "s"),
            (self.groups, usual.groups, "g"),
            (self.expand, usual.expand, "e"),
            (self.squeeze.unwrap_or(0), 0, "se"),
        ] {
            if value != usual {
                write!(f, ".{name}{value}")?;
            }
        }
        if self.pre {
            f.write_str(".pre")?;
        }
        match self.activation {
            activation if activation == usual.activation => Ok(()),
            Some(activation) => write!(f, ".{}", activation.token()),
            None => f.write_str(".linear"),
        }
    }
}
