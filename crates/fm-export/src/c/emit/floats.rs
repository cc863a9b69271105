//! A program in C over 32-bit floats.

use fm_net::Activation;

use super::{File, Sources, checked, finish, float, numbers, one_line};
use crate::Error;
use crate::c::program::{Kind, Program, Step};

/// Loops over floats, by the name of the function.
const FLOAT_LOOPS: &[(&str, &str)] = &[
    ("conv", include_str!("../loops/conv.c")),
    ("conv_transpose", include_str!("../loops/conv_transpose.c")),
    ("affine", include_str!("../loops/affine.c")),
    ("group_norm", include_str!("../loops/group_norm.c")),
    ("gelu", include_str!("../loops/gelu.c")),
    ("silu", include_str!("../loops/silu.c")),
    ("sigmoid", include_str!("../loops/sigmoid.c")),
    ("max_pool", include_str!("../loops/max_pool.c")),
    ("avg_pool", include_str!("../loops/avg_pool.c")),
    ("add", include_str!("../loops/add.c")),
    ("scale", include_str!("../loops/scale.c")),
    ("upsample", include_str!("../loops/upsample.c")),
    ("relu", include_str!("../loops/relu.c")),
    ("copy", include_str!("../loops/copy.c")),
];

impl Program {
    /// The program in C, in floats: `void NAME_run(const float *image, float *logits, float *work)`.
    ///
    /// # Errors
    /// When `name` is no identifier.
    pub fn to_c(&self, name: &str) -> Result<Sources, Error> {
        checked(name)?;
        let mut file = File::new();
        let (places, work) = self.places();
        let value = |id: usize| match id {
            0 => "image".to_owned(),
            id if id == self.output => "logits".to_owned(),
            id => format!("work + {}", places[id]),
        };
        for (at, step) in self.steps.iter().enumerate() {
            self.float_step(&mut file, at, step, &value);
            if step.relu {
                file.call("relu", &[value(step.output), self.len(step.output).to_string()]);
            }
        }
        let about = format!(
            "{} in 32-bit floats. image: {} numbers from 0 to 1, [channels][height][width]; logits: {} numbers.",
            one_line(&self.arch),
            self.inputs(),
            self.outputs()
        );
        Ok(finish(name, &about, &file, FLOAT_LOOPS, ["float", "float"], (self, work, "<math.h>", "")))
    }

    fn float_step(&self, file: &mut File, at: usize, step: &Step, value: &dyn Fn(usize) -> String) {
        let ([c, h, w], [oc, oh, ow]) = (self.values[step.inputs[0]], self.values[step.output]);
        let (input, output, len) = (value(step.inputs[0]), value(step.output), self.len(step.output));
        let of = |what: &str| format!("{what}{at}");
        let mut args = vec![input, output];
        let function = match &step.kind {
            Kind::Conv(conv) => {
                file.floats(&of("w"), &conv.weight);
                file.floats(&of("b"), &conv.bias);
                args.extend([of("w"), of("b")]);
                args.extend(numbers(&[c, h, w, oc, oh, ow, conv.kernel, conv.stride, conv.pad, conv.groups]));
                "conv"
            }
            Kind::ConvTranspose(k, weight, bias) => {
                file.floats(&of("w"), weight);
                file.floats(&of("b"), bias);
                args.extend([of("w"), of("b")]);
                args.extend(numbers(&[c, h, w, oc, oh, ow, *k]));
                "conv_transpose"
            }
            Kind::Affine(factors, _) if factors.is_empty() => {
                args.push(len.to_string());
                "copy"
            }
            Kind::Affine(factors, summands) => {
                file.floats(&of("w"), factors);
                file.floats(&of("b"), summands);
                args.extend([of("w"), of("b")]);
                args.extend(numbers(&[oc, oh * ow]));
                "affine"
            }
            Kind::GroupNorm(groups, factors, summands) => {
                file.floats(&of("w"), factors);
                file.floats(&of("b"), summands);
                args.extend([of("w"), of("b")]);
                args.extend(numbers(&[c, h * w, *groups]));
                args.push(float(fm_net::EPS as f32));
                "group_norm"
            }
            Kind::Activation(activation) => {
                args.push(len.to_string());
                match activation {
                    Activation::Relu => {
                        file.call("copy", &args);
                        file.call("relu", &args[1..]);
                        return;
                    }
                    Activation::Gelu => "gelu",
                    Activation::Silu => "silu",
                    Activation::Sigmoid => "sigmoid",
                }
            }
            Kind::MaxPool(size, stride) | Kind::AvgPool(size, stride) => {
                args.extend(numbers(&[h, w, oc, oh, ow, *size, *stride]));
                if matches!(step.kind, Kind::MaxPool(..)) { "max_pool" } else { "avg_pool" }
            }
            Kind::Add => {
                args.insert(1, value(step.inputs[1]));
                args.push(len.to_string());
                "add"
            }
            Kind::Scale => {
                args.insert(1, value(step.inputs[1]));
                args.extend(numbers(&[oc, oh * ow]));
                "scale"
            }
            Kind::Upsample => {
                args.extend(numbers(&[c, h, w]));
                "upsample"
            }
        };
        file.call(function, &args);
    }
}
