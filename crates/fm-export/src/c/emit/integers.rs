//! A program in C over 8-bit integers.

use std::fmt::Write as _;

use super::{File, Sources, checked, finish, numbers, one_line};
use crate::Error;
use crate::c::int8::{ADD_BITS, Quantised, Ratio};
use crate::c::program::{Kind, Step};

/// Loops over 8-bit integers.
const INT8_LOOPS: &[(&str, &str)] = &[
    ("conv", include_str!("../loops/int8_conv.c")),
    ("dense_out", include_str!("../loops/int8_dense_out.c")),
    ("max_pool", include_str!("../loops/int8_max_pool.c")),
    ("avg_pool", include_str!("../loops/int8_avg_pool.c")),
    ("add", include_str!("../loops/int8_add.c")),
    ("copy", include_str!("../loops/int8_copy.c")),
];

/// Rounding of integers, which all loops over them but two need.
const INT8_ROUNDING: &str = include_str!("../loops/int8_rounding.c");

impl Quantised {
    /// The program in C, in 8-bit integers: `void NAME_run(const unsigned char *image, float *logits, int8_t *work)`.
    ///
    /// # Errors
    /// When `name` is no identifier.
    pub fn to_c(&self, name: &str) -> Result<Sources, Error> {
        checked(name)?;
        let mut file = File::new();
        let program = &self.program;
        let (places, work) = program.places();
        // The image moves into the work memory with its zero at -128.
        let input = program.inputs();
        let value = |id: usize| match id {
            0 => "work".to_owned(),
            id => format!("work + {}", input + places[id]),
        };
        let _ = writeln!(
            file.calls,
            "  int i;\n  for (i = 0; i < {input}; i++) {{\n    work[i] = (int8_t)((int)image[i] - 128);\n  }}"
        );
        let last = program.steps.len() - 1;
        for (at, step) in program.steps.iter().enumerate() {
            self.int8_step(&mut file, at, step, at == last, &value);
        }
        let about = format!(
            "{} in 8-bit integers. image: {input} bytes, [channels][height][width]; logits: {} numbers.",
            one_line(&program.arch),
            program.outputs()
        );
        let rounding = if file.loops.iter().any(|l| ["conv", "avg_pool", "add"].contains(l)) {
            INT8_ROUNDING
        } else {
            ""
        };
        let kinds = ["unsigned char", "int8_t"];
        Ok(finish(name, &about, &file, INT8_LOOPS, kinds, (program, input + work, "<stdint.h>", rounding)))
    }

    fn int8_step(
        &self,
        file: &mut File,
        at: usize,
        step: &Step,
        last: bool,
        value: &dyn Fn(usize) -> String,
    ) {
        let program = &self.program;
        let ([c, h, w], [oc, oh, ow]) = (program.values[step.inputs[0]], program.values[step.output]);
        let (zero, to) = (self.scales[step.inputs[0]].zero, self.scales[step.output].zero);
        let low = if step.relu { to.max(-128) } else { -128 };
        let of = |what: &str| format!("{what}{at}");
        let mut args = vec![value(step.inputs[0])];
        let output = if last { "logits".to_owned() } else { value(step.output) };
        let function = match (&step.kind, &self.weights[at]) {
            (Kind::Conv(conv), Some(weights)) => {
                file.array("int8_t", 1, &of("w"), &weights.weight);
                file.array("int32_t", 4, &of("b"), &weights.bias);
                args.extend([output, of("w"), of("b")]);
                if last {
                    file.floats(&of("s"), &weights.scales);
                    args.push(of("s"));
                    args.extend(numbers(&[c, oc]));
                    args.push(zero.to_string());
                    "dense_out"
                } else {
                    let multipliers: Vec<i32> = weights.ratios.iter().map(|r| r.multiplier).collect();
                    file.array("int32_t", 4, &of("m"), multipliers);
                    file.array("unsigned char", 1, &of("r"), weights.ratios.iter().map(|r| r.shift));
                    args.extend([of("m"), of("r")]);
                    args.extend(numbers(&[
                        c,
                        h,
                        w,
                        oc,
                        oh,
                        ow,
                        conv.kernel,
                        conv.stride,
                        conv.pad,
                        conv.groups,
                    ]));
                    args.extend([zero, to, low].map(|n| n.to_string()));
                    "conv"
                }
            }
            (Kind::MaxPool(size, stride), _) => {
                args.push(output);
                args.extend(numbers(&[h, w, oc, oh, ow, *size, *stride]));
                args.push(low.to_string());
                "max_pool"
            }
            (Kind::AvgPool(size, stride), _) => {
                let Ratio { multiplier, shift } =
                    self.ratios[at].unwrap_or(Ratio { multiplier: 0, shift: 1 });
                args.push(output);
                args.extend(numbers(&[h, w, oc, oh, ow, *size, *stride]));
                args.extend([multiplier, shift as i32, zero, to, low].map(|n| n.to_string()));
                "avg_pool"
            }
            (Kind::Add, _) => {
                let [a, b] = self.factors[at].unwrap_or_default();
                args.extend([value(step.inputs[1]), output, program.len(step.output).to_string()]);
                let other = self.scales[step.inputs[1]].zero;
                args.extend([a, b, ADD_BITS as i32, zero, other, to, low].map(|n| n.to_string()));
                "add"
            }
            _ => {
                args.extend([output, program.len(step.output).to_string(), low.to_string()]);
                "copy"
            }
        };
        file.call(function, &args);
    }
}
