//! The nodes of blocks: residual, inverted residual, depthwise separable, squeeze-excitation.

use crate::graph::NodeId;
use crate::item::Item;
use crate::lower::{Builder, Kernel, conv_op, norm_op, point};
use crate::op::{Activation, Op, ShapeError};

impl Builder {
    /// Depthwise k x k, then 1x1 (Howard et al., arXiv:1704.04861). `linear` leaves out the last activation.
    pub(crate) fn separable(&mut self, item: &Item, x: NodeId) -> Result<NodeId, ShapeError> {
        let inner = Some(item.activation.unwrap_or(Activation::Relu));
        let x = self.depthwise(item, inner, x)?;
        self.unit(item, point(item.filters), item.activation, x)
    }

    /// Depthwise k x k with norm and activation, then squeeze-excitation where asked for.
    fn depthwise(&mut self, item: &Item, inner: Option<Activation>, x: NodeId) -> Result<NodeId, ShapeError> {
        let channels = self.shape(x).channels();
        let kernel = Kernel {
            filters: channels,
            side: item.number,
            stride: item.stride,
            groups: channels,
            same: true,
        };
        let x = self.unit(item, kernel, inner, x)?;
        self.squeeze(item.squeeze, x)
    }

    /// 1x1 expansion, depthwise, 1x1 projection without activation, and a skip where shapes match (Sandler et
    /// al., arXiv:1801.04381). With an expansion of 1 the first convolution is left out, as there.
    pub(crate) fn inverted(&mut self, item: &Item, input: NodeId) -> Result<NodeId, ShapeError> {
        let mut x = input;
        if item.expand != 1 {
            let inner = self.shape(x).channels() * item.expand;
            x = self.unit(item, point(inner), item.activation, x)?;
        }
        x = self.depthwise(item, item.activation, x)?;
        x = self.unit(item, point(item.filters), None, x)?;
        if self.shape(x) == self.shape(input) { self.named("add", Op::Add, vec![x, input]) } else { Ok(x) }
    }

    /// Two k x k convolutions and a skip (He et al., arXiv:1512.03385); with `pre` their second form
    /// (arXiv:1603.05027), where norm and activation come first and nothing follows the addition.
    pub(crate) fn residual(&mut self, item: &Item, input: NodeId) -> Result<NodeId, ShapeError> {
        let first =
            Kernel { filters: item.filters, side: item.number, stride: item.stride, groups: 1, same: true };
        let second = Kernel { stride: 1, ..first };
        let (mut x, mut skip) = (input, input);
        if item.pre {
            x = self.norm(item.norm, x)?;
            x = self.activate(item.activation, x)?;
            if self.projects(item, input) {
                skip = x;
            }
            x = self.conv(item, first, x)?;
        } else {
            x = self.unit(item, first, item.activation, x)?;
        }
        x = self.unit(item, second, if item.pre { item.activation } else { None }, x)?;
        x = self.squeeze(item.squeeze, x)?;
        if self.projects(item, input) {
            let kernel = Kernel { stride: item.stride, ..point(item.filters) };
            skip = self.named("project", conv_op(item, kernel), vec![skip])?;
            if let (Some(norm), false) = (item.norm, item.pre) {
                skip = self.named("project_norm", norm_op(norm), vec![skip])?;
            }
        }
        x = self.named("add", Op::Add, vec![x, skip])?;
        if item.pre { Ok(x) } else { self.activate(item.activation, x) }
    }

    /// Whether a residual block's skip needs a convolution of its own.
    fn projects(&self, item: &Item, input: NodeId) -> bool {
        item.stride != 1 || self.shape(input).channels() != item.filters
    }

    /// Each channel times a factor from the averages of all (Hu et al., arXiv:1709.01507).
    fn squeeze(&mut self, ratio: Option<usize>, x: NodeId) -> Result<NodeId, ShapeError> {
        let Some(ratio) = ratio else { return Ok(x) };
        let channels = self.shape(x).channels();
        let units = (channels / ratio).max(1);
        let mut y = self.named("se_pool", Op::GlobalAvgPool, vec![x])?;
        y = self.named("se_dense1", Op::Dense { units }, vec![y])?;
        y = self.named("se_relu", Op::Activation(Activation::Relu), vec![y])?;
        y = self.named("se_dense2", Op::Dense { units: channels }, vec![y])?;
        y = self.named("se_sigmoid", Op::Activation(Activation::Sigmoid), vec![y])?;
        self.named("se_scale", Op::Scale, vec![x, y])
    }
}
