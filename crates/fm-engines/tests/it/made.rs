//! Made images, and engines on them.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use fm_engines::ENGINES;
use fm_images::{Dataset, DatasetName, ImageShape, Labelled};
use fm_net::{NamedTensor, Network, Notation, Operator, Part, Scope, Shape, ShapeError, Window, init};
use fm_train::Phase;
use fm_train::engine::{
    CodeStore, Device, Engine, EngineDef, Input, Machine, Setup, Source, Step, Totals, Want,
};

pub(crate) const MACHINE: Machine = Machine { threads: Some(1), ..Machine::CPU };
/// The emulated GPU, of whichever test asks first.
static EMULATED: LazyLock<fm_cuda_emulated::Emulated> =
    LazyLock::new(|| fm_cuda_emulated::Emulated::new(&[]));

/// Where an engine computes in these tests.
pub(crate) fn machine(def: &EngineDef) -> Machine {
    if def.name != "cuda" {
        return MACHINE;
    }
    // Once it is loaded, the loader takes it for the library of that name.
    LazyLock::force(&EMULATED);
    Machine { device: Device::Cuda(0), ..MACHINE }
}

pub(crate) const BATCH: usize = 8;
const CLASSES: usize = 3;

/// Images of a size in three classes: class `i % 3` is bright in a band of its own. 24 train, 10 test.
pub(crate) fn data(shape: ImageShape) -> Dataset {
    let ImageShape { channels, height, width } = shape;
    let half = |n: usize, offset: usize| {
        let pixel = |i: usize, p: usize| {
            let band = p / width % height * CLASSES / height;
            let noise = (i * 31 + p * 17 + offset) % 40;
            (noise + if band == i % CLASSES { 160 } else { 20 }) as u8
        };
        let pixels = (0..n).flat_map(|i| (0..shape.len()).map(move |p| pixel(i, p))).collect();
        Labelled::new(pixels, (0..n).map(|i| (i % CLASSES) as u8).collect(), shape)
    };
    Dataset {
        name: DatasetName::Dir("made".into()),
        dir: "made".into(),
        class_names: ["a", "b", "c"].map(str::to_owned).into(),
        classes: CLASSES,
        channels,
        height,
        width,
        train: half(24, 0),
        test: half(10, 7),
        files: vec![],
        sha256: String::new(),
        warnings: vec![],
    }
}

/// Half of every value: an operator from outside.
#[derive(Debug)]
struct Half;

impl Operator for Half {
    fn kind(&self) -> &'static str {
        "half"
    }

    fn output(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn window(&self) -> Window {
        Window::Point
    }

    fn describe(&self) -> String {
        "half".to_owned()
    }
}

/// A network with an operator that no engine knows.
pub(crate) fn with_custom() -> Network {
    let notation = Notation::standard().with("HALF", |_| Ok(Arc::new(Half))).unwrap();
    Network::new(&notation.parse("4C3-HALF1-MP2--8@12x12").unwrap(), CLASSES).unwrap()
}

/// A network for three classes, with initial tensors in which no bias is zero, and images for it.
pub(crate) struct Case {
    pub(crate) network: Network,
    pub(crate) tensors: Vec<NamedTensor>,
    pub(crate) data: Dataset,
}

impl Case {
    pub(crate) fn new(arch: &str) -> Self {
        Self::of(Network::new(&arch.parse().unwrap(), CLASSES).unwrap())
    }

    pub(crate) fn of(network: Network) -> Self {
        let fm_net::Arch { height, width, channels, .. } = network.arch;
        let mut tensors = init::initial(&network, 5);
        for bias in tensors.iter_mut().filter(|t| t.name.ends_with("bias")) {
            (0..).zip(&mut bias.data).for_each(|(i, v)| *v = 0.01 * i as f32 - 0.025);
        }
        Self { network, tensors, data: data(ImageShape { channels, height, width }) }
    }

    pub(crate) fn setup(&self) -> Setup<'_> {
        self.setup_on(MACHINE)
    }

    fn setup_on(&self, machine: Machine) -> Setup<'_> {
        let codes = CodeStore::unlimited();
        Setup { data: Some(&self.data), machine, batch_size: BATCH, seed: 3, codes }
    }

    /// The engines that cover the network, each built with its tensors.
    pub(crate) fn engines(&self) -> Vec<Box<dyn Engine + '_>> {
        let covering = ENGINES.iter().filter(|def| (def.covers)(&self.network, machine(def)).is_ok());
        covering.map(|def| self.build(def)).collect()
    }

    /// Another engine of the same kind.
    pub(crate) fn again(&self, engine: &dyn Engine) -> Box<dyn Engine + '_> {
        self.build(ENGINES.iter().find(|def| def.name == engine.name()).unwrap())
    }

    fn build(&self, def: &EngineDef) -> Box<dyn Engine + '_> {
        (def.build)(&self.network, &self.tensors, self.setup_on(machine(def))).unwrap()
    }

    pub(crate) fn phase(&self, scope: Scope) -> Phase {
        Phase::classify("phase", &self.network, scope, 1, 1e-2)
    }
}

/// Steps of an epoch over all 24 images, in an order that is not the file's.
pub(crate) fn steps(engine: &mut dyn Engine, phase: &Phase, which: Range<usize>, so_far: Totals) -> Totals {
    let order: Vec<u32> = (0..24).map(|i| i * 7 % 24).collect();
    engine.begin_epoch(&order, so_far).unwrap();
    for number in which {
        let batch = number * BATCH..(number + 1) * BATCH;
        engine
            .step(&Step {
                batch,
                number: number as u64,
                prepared: None,
                rates: phase.rates(number as u64, 1),
            })
            .unwrap();
    }
    engine.drain().unwrap()
}

pub(crate) fn infer(engine: &mut dyn Engine, input: Input<'_>, want: Want) -> Vec<u32> {
    bits(&engine.infer(input, want).unwrap())
}

pub(crate) fn test_rows(engine: &mut dyn Engine, want: Want) -> Vec<f32> {
    engine.infer(Input::Rows(Source::Test, &(0..10).collect::<Vec<u32>>()), want).unwrap()
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Names and bits.
pub(crate) fn all_bits(tensors: &[NamedTensor]) -> Vec<(String, Vec<u32>)> {
    tensors.iter().map(|t| (t.name.clone(), bits(&t.data))).collect()
}

/// Tensors of the encoder, buffers included.
pub(crate) fn encoder(tensors: &[NamedTensor]) -> Vec<(String, Vec<u32>)> {
    let mut all = all_bits(tensors);
    all.retain(|(name, _)| Part::Encoder.owns(name));
    all
}
