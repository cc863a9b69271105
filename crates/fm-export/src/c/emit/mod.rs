//! A program as C99 text: constants, the few loops that it needs, and one function that calls them.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

use super::Sources;
use super::program::Program;
use crate::Error;

mod floats;
mod integers;

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
