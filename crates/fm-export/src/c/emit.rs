//! A program as C99 text: constants, the few loops that it needs, and one function that calls them.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

use fm_net::Activation;

use super::Sources;
use super::int8::{ADD_BITS, Quantised, Ratio};
use super::program::{Kind, Program, Step};
use crate::Error;

/// Loops over floats, by the name of the function.
const FLOAT_LOOPS: &[(&str, &str)] = &[
    ("conv", include_str!("loops/conv.c")),
    ("conv_transpose", include_str!("loops/conv_transpose.c")),
    ("affine", include_str!("loops/affine.c")),
    ("group_norm", include_str!("loops/group_norm.c")),
    ("gelu", include_str!("loops/gelu.c")),
    ("silu", include_str!("loops/silu.c")),
    ("sigmoid", include_str!("loops/sigmoid.c")),
    ("max_pool", include_str!("loops/max_pool.c")),
    ("avg_pool", include_str!("loops/avg_pool.c")),
    ("add", include_str!("loops/add.c")),
    ("scale", include_str!("loops/scale.c")),
    ("upsample", include_str!("loops/upsample.c")),
    ("relu", include_str!("loops/relu.c")),
    ("copy", include_str!("loops/copy.c")),
];

/// Loops over 8-bit integers.
const INT8_LOOPS: &[(&str, &str)] = &[
    ("conv", include_str!("loops/int8_conv.c")),
    ("dense_out", include_str!("loops/int8_dense_out.c")),
    ("max_pool", include_str!("loops/int8_max_pool.c")),
    ("avg_pool", include_str!("loops/int8_avg_pool.c")),
    ("add", include_str!("loops/int8_add.c")),
    ("copy", include_str!("loops/int8_copy.c")),
];

/// Rounding of integers, which all loops over them but two need.
const INT8_ROUNDING: &str = include_str!("loops/int8_rounding.c");

/// A file on its way.
struct File {
    constants: String,
    calls: String,
    loops: BTreeSet<&'static str>,
    bytes: usize,
}

impl File {
    fn new() -> Self {
        Self { constants: String::new(), calls: String::new(), loops: BTreeSet::new(), bytes: 0 }
    }

    fn array<T: Display>(
        &mut self,
        kind: &str,
        size: usize,
        name: &str,
        values: impl IntoIterator<Item = T>,
    ) {
        let texts: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        let _ = write!(self.constants, "static const {kind} {name}[{}] = {{", texts.len());
        let mut column = usize::MAX;
        for text in &texts {
            if column > 100 {
                self.constants.push_str("\n ");
                column = 1;
            }
            let _ = write!(self.constants, " {text},");
            column = column.saturating_add(text.len() + 2);
        }
        self.constants.push_str("\n};\n");
        self.bytes += size * texts.len();
    }

    fn floats(&mut self, name: &str, values: &[f32]) {
        self.array("float", 4, name, values.iter().map(|v| float(*v)));
    }

    fn call(&mut self, function: &'static str, args: &[String]) {
        let _ = writeln!(self.calls, "  {function}({});", args.join(", "));
        self.loops.insert(function);
    }
}

/// A number that C reads back as the same float.
fn float(value: f32) -> String {
    let text = format!("{value:e}");
    let text = if text.contains('.') { text } else { text.replacen('e', ".0e", 1) };
    format!("{text}f")
}

/// A C identifier, for files and functions.
fn checked(name: &str) -> Result<(), Error> {
    let mut chars = name.chars();
    let good = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good { Ok(()) } else { Err(Error::Other(format!("{name:?} is no name in C: letters, digits and _"))) }
}

fn numbers(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(ToString::to_string).collect()
}

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

/// Text that a comment can hold.
fn one_line(text: &str) -> String {
    text.replace("*/", "* /").replace(char::is_control, " ")
}

/// Puts the file together; `kinds` are the types of the image and of the work memory.
fn finish(
    name: &str,
    about: &str,
    file: &File,
    loops: &[(&str, &str)],
    kinds: [&str; 2],
    (program, work, include, before): (&Program, usize, &str, &str),
) -> Sources {
    let [image, memory] = kinds;
    let upper = name.to_uppercase();
    let signature = format!("void {name}_run(const {image} *image, float *logits, {memory} *work)");
    let int = if memory == "int8_t" { "#include <stdint.h>\n\n" } else { "" };
    let header = format!(
        "/* {about}\n   work: {upper}_WORK values of the caller's; nothing is allocated and nothing is kept between calls. */\n\
         #ifndef {upper}_H\n#define {upper}_H\n\n{int}#define {upper}_INPUTS {}\n#define {upper}_OUTPUTS {}\n\
         #define {upper}_WORK {}\n\n{signature};\n\n#endif\n",
        program.inputs(),
        program.outputs(),
        work.max(1)
    );
    let used: Vec<&str> =
        loops.iter().filter(|(name, _)| file.loops.contains(name)).map(|(_, text)| *text).collect();
    let unused = if file.calls.contains("work") { "" } else { "  (void)work;\n" };
    let code = format!(
        "/* {about} Written by fm-exp export; C99. */\n#include \"{name}.h\"\n\n#include {include}\n\n{}\n{before}{}\n{signature} {{\n{}{unused}}}\n",
        file.constants,
        used.concat(),
        file.calls
    );
    Sources { header, code, weight_bytes: file.bytes }
}
