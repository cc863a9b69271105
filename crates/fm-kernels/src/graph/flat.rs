//! From tensors one after the other to the flat vectors, and back.

use super::plan::Plan;
use crate::Error;

/// A flat vector without the padding between tensors.
pub(super) fn collect(plan: &Plan, flat: &[f32]) -> Vec<f32> {
    plan.tensors.iter().flat_map(|tensor| &flat[tensor.at..tensor.at + tensor.len]).copied().collect()
}

/// The inverse of [`collect`]; the padding is zeroed.
pub(super) fn spread(what: &'static str, plan: &Plan, values: &[f32], flat: &mut [f32]) -> Result<(), Error> {
    length(what, values.len(), plan.tensors.iter().map(|tensor| tensor.len).sum())?;
    flat.fill(0.0);
    let mut rest = values;
    for tensor in &plan.tensors {
        let (own, behind) = rest.split_at(tensor.len);
        flat[tensor.at..tensor.at + tensor.len].copy_from_slice(own);
        rest = behind;
    }
    Ok(())
}

/// Refuses a slice of another length.
pub(super) fn length(what: &'static str, got: usize, want: usize) -> Result<(), Error> {
    if got == want { Ok(()) } else { Err(Error::Length { what, got, want }) }
}
