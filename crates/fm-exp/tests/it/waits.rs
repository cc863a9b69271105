//! A step makes a GPU wait for nothing, as far as a CPU can show it: by the operators that it calls.

use fm_data::{DatasetName, LoadOptions};
use fm_net::{Network, Scope, init};
use fm_run::error::Error;
use fm_train::engine::{CodeStore, Engine, Totals};
use fm_train::{Objective, Phase};
use tch::TchError;

use crate::engines::{eager, network, step};
use crate::made::Place;

/// What makes the host wait for the device, or sends it a value made for the occasion: reads of a value,
/// results whose size depends on values, new tensors from host memory.
const WAITS: [&str; 12] = [
    "aten::item",
    "aten::_local_scalar_dense",
    "aten::is_nonzero",
    "aten::equal",
    "aten::nonzero",
    "aten::masked_select",
    "aten::bincount",
    "aten::_unique2",
    "aten::repeat_interleave",
    "aten::scalar_tensor",
    "aten::lift_fresh",
    "aten::pin_memory",
];

#[derive(Debug)]
struct Failed(#[expect(dead_code, reason = "shown by unwrap")] Error);

impl From<TchError> for Failed {
    fn from(error: TchError) -> Self {
        Self(fm_engines::failed(&error))
    }
}

#[test]
fn a_step_reads_nothing_back_and_sends_nothing() {
    let place = Place::new();
    let data = fm_data::load(&DatasetName::from(place.data()), &LoadOptions::default()).unwrap();
    let mlp = network("encoder-mlp", 3);
    let cnn = network("cnn", 3);
    let autoencoder = Network::autoencoder(&mlp.arch).unwrap();
    let classify = |network, scope| Phase::classify("phase", network, scope, 1, 1e-2);
    let reconstruct = Phase { objective: Objective::Reconstruct, ..classify(&autoencoder, Scope::All) };
    // With the conversions of each: a copy to another device looks like one to another type or layout. Bytes
    // become floats unless there are codes, each convolution after the first brings a gradient into its
    // layout, and the hits become a number, or the squares a mean.
    let phases = [
        (classify(&cnn, Scope::All), 1 + 2 + 1),
        (classify(&mlp, Scope::All), 1 + 1 + 1),
        (classify(&mlp, Scope::Head), 1),
        (reconstruct, 1 + 3 + 1),
    ];
    for (phase, conversions) in phases {
        let weights = init::initial(&phase.network, 0);
        let mut engine = eager(&phase.network, &weights, &data, CodeStore::unlimited());
        engine.begin_phase(0, &phase).unwrap();
        engine.begin_epoch(&(0..24).collect::<Vec<u32>>(), Totals::default()).unwrap();
        engine.step(&step(&phase, 0..8, 0)).unwrap();
        let called =
            fm_torch::trace::operators(|| engine.step(&step(&phase, 8..16, 1)).map_err(Failed)).unwrap();

        let name = (&phase.name, phase.network.label(), phase.scope);
        let adam = called.iter().position(|op| op == "aten::_fused_adam_").expect("Adam is one operator");
        // The CPU's kernel reads the step count from its tensor, once for each parameter; CUDA's does not.
        let trained =
            phase.network.params().filter(|p| phase.scope == Scope::All || p.name.starts_with("head."));
        let reads = called[adam..].iter().filter(|op| *op == "aten::item").count();
        assert_eq!(reads, trained.count(), "{name:?}");
        let waits = |op: &&String| WAITS.contains(&op.as_str());
        assert_eq!(called[..adam].iter().find(waits), None, "{name:?}");
        let after = called[adam..].iter().filter(waits).count();
        assert_eq!(after, 2 * reads, "{name:?}: item and what it is made of, in Adam alone");
        let copies = called.iter().filter(|op| *op == "aten::_to_copy").count();
        assert_eq!(copies, conversions, "{name:?}");
    }
}
