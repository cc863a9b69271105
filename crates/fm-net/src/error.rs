//! Why a string is not an architecture, and where.

use std::fmt::Write;
use std::ops::Range;

use thiserror::Error;

/// Longest part of a string that [`ArchError::render`] prints.
const SHOWN: usize = 1024;

/// Why a string is not an architecture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ArchError {
    /// Bytes of the string that are at fault.
    pub span: Range<usize>,
    /// What is wrong; names the piece at fault.
    pub message: String,
    /// What would do.
    pub help: Option<String>,
}

impl ArchError {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The message, `text` with carets under the piece at fault, and the help, a line each. `text` is the
    /// string that was parsed.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        let mut line = String::new();
        let mut carets = String::new();
        for (at, c) in text.char_indices().take_while(|(at, _)| *at < SHOWN) {
            // A control character would move the carets, or worse.
            line.push(if c.is_control() { '\u{fffd}' } else { c });
            let here = self.span.contains(&at) || (self.span.is_empty() && self.span.start == at);
            carets.push(if here { '^' } else { ' ' });
        }
        if !carets.contains('^') {
            carets.push('^');
        }
        let mut out = format!("{}\n  {line}\n  {}", self.message, carets.trim_end());
        if let Some(help) = &self.help {
            let _ = write!(out, "\nhelp: {help}");
        }
        out
    }
}
