//! `fm-exp bench --explain`: a step of an engine, stage by stage.

use std::fmt::Write;

use fm_train::engine::Stage;
use serde_json::{Value, json};

use super::Lane;

/// A lane's stages, over all the steps that it took.
pub(super) struct Explained {
    title: String,
    stages: Vec<Stage>,
    steps: f64,
    batch: f64,
    /// GFLOP/s of a large matrix product, where that is known.
    peak: Option<f64>,
}

impl Explained {
    /// Of a lane whose steps have so many images.
    pub(super) fn new(lane: &Lane<'_>, batch: usize, peak: Option<f64>) -> Self {
        let title = format!("{}, {}", lane.engine.name(), lane.recipe);
        Self { title, stages: lane.engine.stages(), steps: lane.taken as f64, batch: batch as f64, peak }
    }

    /// Milliseconds a step: forward, backward.
    fn milliseconds(&self, stage: &Stage) -> [f64; 2] {
        stage.seconds.map(|seconds| 1e3 * seconds / self.steps)
    }

    /// Billions of operations of a step.
    fn gflop(&self, stage: &Stage) -> f64 {
        stage.operations.iter().sum::<u64>() as f64 * self.batch / 1e9
    }

    /// Share of the peak, of a stage that multiplies.
    fn share(&self, stage: &Stage) -> Option<f64> {
        let seconds = self.milliseconds(stage).iter().sum::<f64>() / 1e3;
        let gflop = self.gflop(stage);
        self.peak.filter(|_| gflop > 0.0 && seconds > 0.0).map(|peak| gflop / seconds / peak)
    }

    pub(super) fn json(&self) -> Value {
        let stage = |stage: &Stage| {
            let [forward, backward] = self.milliseconds(stage);
            json!({
                "stage": stage.name, "kernel": stage.kernel, "output": stage.output, "gflop": self.gflop(stage),
                "forward_ms": forward, "backward_ms": backward, "share_of_peak": self.share(stage),
            })
        };
        self.stages.iter().map(stage).collect()
    }

    pub(super) fn text(&self) -> String {
        let mut out = format!("\n{}: ", self.title);
        if self.stages.is_empty() {
            out += "it does not time the stages of a step apart\n";
            return out;
        }
        let all: f64 = self.stages.iter().flat_map(|stage| self.milliseconds(stage)).sum();
        let name = self.stages.iter().map(|stage| stage.name.len()).max().unwrap_or(0).max(5);
        let _ = writeln!(
            out,
            "a step of {all:.2} ms\n{:<name$}  {:>10} {:>7} {:>8} {:>8} {:>7} {:>8}  computed by",
            "stage", "output", "GFLOP", "fwd, ms", "bwd, ms", "of step", "of peak"
        );
        for stage in &self.stages {
            let [forward, backward] = self.milliseconds(stage);
            let output = stage.output.map_or(String::new(), |[c, h, w]| format!("{c}x{h}x{w}"));
            let share = self.share(stage).map_or("-".to_owned(), |share| format!("{share:.2}"));
            let gflop = self.gflop(stage);
            let gflop = if gflop > 0.0 { format!("{gflop:.3}") } else { "-".to_owned() };
            let _ = writeln!(
                out,
                "{:<name$}  {output:>10} {gflop:>7} {forward:>8.3} {backward:>8.3} {:>6.1}% {share:>8}  {}",
                stage.name,
                100.0 * (forward + backward) / all,
                stage.kernel
            );
        }
        out
    }
}
