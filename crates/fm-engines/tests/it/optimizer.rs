//! The optimizer's seam of the eager engine.

use fm_engines::{Eager, Optimizer, OptimizerDef, Param, Parts, TorchError};
use fm_net::Scope;
use fm_run::error::Error;
use fm_train::engine::{Engine, Rates, State, Totals};
use tch::Tensor;

use crate::made::{Case, all_bits, encoder, steps};

/// Gradient descent, which keeps nothing but a count.
#[derive(Debug)]
struct Descent {
    params: Vec<Param>,
    steps: u64,
}

impl Optimizer for Descent {
    fn step(&mut self, rates: Rates) -> Result<(), TorchError> {
        let _guard = tch::no_grad_guard();
        for Param { part, tensor, .. } in &mut self.params {
            let _ = tensor.f_sub_(&tensor.grad().f_mul_scalar(rates.of(*part))?)?;
            tensor.zero_grad();
        }
        self.steps += 1;
        Ok(())
    }

    fn state(&self) -> Result<State, TorchError> {
        Ok(State::default().counting("steps", self.steps))
    }

    fn restore(&mut self, state: &State) -> Result<(), TorchError> {
        self.steps = state.count("steps")?;
        Ok(())
    }
}

const DESCENT: OptimizerDef =
    OptimizerDef { name: "descent", build: |params, _| Ok(Box::new(Descent { params, steps: 0 })) };

fn engine(case: &Case) -> Eager<'_> {
    let parts = Parts { optimizer: Some(DESCENT), ..Parts::default() };
    Eager::with(&case.network, &case.tensors, case.setup(), &parts).map_err(Error::from).unwrap()
}

#[test]
fn it_moves_what_trains_and_its_state_has_its_own_names() {
    let case = Case::new("4C3.bn-MP2--8@12x12");
    let mut engine = engine(&case);
    assert_eq!(
        engine.state().unwrap().groups.keys().collect::<Vec<_>>(),
        ["weights"],
        "no phase, no optimizer"
    );
    let phase = case.phase(Scope::All);
    engine.begin_phase(0, &phase).unwrap();
    let losses: Vec<f64> = (0..5)
        .map(|_| {
            let totals = steps(&mut engine, &phase, 0..3, Totals::default());
            totals.loss_sum / totals.images as f64
        })
        .collect();
    assert!(losses[4] < losses[0], "{losses:?}");
    let state = engine.state().unwrap();
    assert_eq!((state.groups.len(), state.count("steps")), (1, Ok(15)));

    let frozen = case.phase(Scope::Head);
    engine.begin_phase(1, &frozen).unwrap();
    assert_eq!(engine.state().unwrap().count("steps"), Ok(0), "fresh in each phase");
    steps(&mut engine, &frozen, 0..3, Totals::default());
    assert_eq!(encoder(&engine.weights().unwrap()), encoder(state.weights()));
}

#[test]
fn the_other_ones_state_is_refused() {
    let case = Case::new("4C3-MP2--8@12x12");
    let phase = case.phase(Scope::All);
    let mut adam = Eager::new(&case.network, &case.tensors, case.setup()).map_err(Error::from).unwrap();
    let mut descent = engine(&case);
    adam.begin_phase(0, &phase).unwrap();
    descent.begin_phase(0, &phase).unwrap();
    let error = adam.restore(&descent.state().unwrap()).unwrap_err().to_string();
    assert_eq!(error, "the state has no m of encoder.conv1.weight");
    let mut state = adam.state().unwrap();
    assert_eq!(state.groups.keys().collect::<Vec<_>>(), ["m", "v", "weights"]);
    state.counters.insert("steps".to_owned(), 1);
    let error = descent.restore(&state).unwrap_err().to_string();
    assert!(error.contains("'m', which the optimizer descent does not keep"), "{error}");
}

/// An optimizer whose group has a name that is taken.
#[derive(Debug)]
struct Rude;

impl Optimizer for Rude {
    fn step(&mut self, _: Rates) -> Result<(), TorchError> {
        Ok(())
    }

    fn state(&self) -> Result<State, TorchError> {
        Ok(State::default().with("weights", vec![]))
    }

    fn restore(&mut self, _: &State) -> Result<(), TorchError> {
        Ok(())
    }
}

#[test]
fn it_cannot_put_its_tensors_in_the_place_of_the_networks() {
    let case = Case::new("4C3-MP2--8@12x12");
    let optimizer = OptimizerDef { name: "rude", build: |_, _| Ok(Box::new(Rude)) };
    let parts = Parts { optimizer: Some(optimizer), ..Parts::default() };
    let mut engine =
        Eager::with(&case.network, &case.tensors, case.setup(), &parts).map_err(Error::from).unwrap();
    engine.begin_phase(0, &case.phase(Scope::All)).unwrap();
    assert!(engine.state().unwrap_err().to_string().contains("'weights'"));
}

#[test]
fn parts_keep_rates_of_their_own() {
    let case = Case::new("4C3-MP2--8@12x12");
    let phase = fm_train::Phase { encoder_lr: 1e-30, ..case.phase(Scope::All) };
    let (start, mut engine) = (all_bits(&case.tensors), engine(&case));
    engine.begin_phase(0, &phase).unwrap();
    steps(&mut engine, &phase, 0..3, Totals::default());
    let now = engine.weights().unwrap();
    assert_eq!(encoder(&now), encoder(&case.tensors), "a rate too small to move a float");
    assert_ne!(all_bits(&now), start);
}

#[test]
fn a_tensor_of_another_shape_is_refused() {
    let case = Case::new("4C3-MP2--8@12x12");
    let named = &case.tensors[0];
    let error =
        Error::from(fm_engines::to_device(named, &Tensor::zeros([4], tch::kind::FLOAT_CPU)).unwrap_err());
    assert_eq!(error.to_string(), "encoder.conv1.weight is [4, 1, 3, 3], expected [4]");
}
