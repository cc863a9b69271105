//! The error type of a run: what went wrong, which exit code that is, and what to do about it.
//!
//! Messages are lower case, without a final period, and name the path, flag or step. Notes add facts, helps
//! say the remedy; the binary prints them below the message.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

/// Kinds of failure; each is an exit code of the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An internal error: a bug.
    Other = 1,
    /// A flag, a configuration key or their combination.
    Usage = 2,
    /// The data set.
    Data = 3,
    /// Reading or writing files.
    Io = 4,
    /// The device, or its memory.
    Device = 5,
    /// Training diverged: the loss is no longer a number.
    Diverged = 6,
    /// Existing files conflict with the command.
    Mismatch = 7,
    /// Another process holds the run directory.
    Locked = 8,
    /// Runs of a sweep failed or are missing.
    Incomplete = 9,
    /// Stopped on request (SIGTERM, SIGUSR1) after saving.
    Stopped = 75,
    /// Interrupted (Ctrl-C) after saving.
    Interrupted = 130,
}

/// Exit code of a sweep that was to settle a comparison, and has: the difference is smaller than the margin.
pub const SMALLER: u8 = 20;
/// Exit code of a sweep that was to settle a comparison, and has not with the most seeds it may have.
pub const UNDECIDED: u8 = 21;

/// A failure with its remedies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
    notes: Vec<String>,
    helps: Vec<String>,
}

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of `kind`.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), notes: Vec::new(), helps: Vec::new() }
    }

    /// A usage error.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A file operation that failed: `cannot <action> PATH: <reason>`.
    #[must_use]
    pub fn io(action: &str, path: &Path, error: &std::io::Error) -> Self {
        let path = path.display();
        if error.kind() == ErrorKind::StorageFull {
            return Self::new(Kind::Io, format!("no space left to {action} {path}"))
                .help("free some space, or choose another place with --out");
        }
        let failed = Self::new(Kind::Io, format!("cannot {action} {path}: {}", reason(error)));
        match error.kind() {
            ErrorKind::OutOfMemory => Self::new(Kind::Device, format!("out of memory to {action} {path}"))
                .help("use a machine with more memory, or raise the limit (ulimit -v)"),
            ErrorKind::QuotaExceeded => failed.help("free some space, or choose another place with --out"),
            ErrorKind::FileTooLarge => {
                failed.help("raise the limit (ulimit -f), or choose another place with --out")
            }
            _ => failed,
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds a remedy.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.helps.push(text.into());
        self
    }

    /// Where memory ran out: what was being done, and what helps there in place of what was said. Another error stays as
    /// it is.
    #[must_use]
    pub fn out_of_memory_in(mut self, doing: &str, helps: &[&str]) -> Self {
        if self.kind != Kind::Device || !self.message.starts_with("out of ") {
            return self;
        }
        self.helps = helps.iter().map(|&help| help.to_owned()).collect();
        self.note(format!("while {doing}"))
    }

    /// Says where in a run it happened: within the message when that is short, in a note otherwise.
    #[must_use]
    pub fn at(mut self, place: &str) -> Self {
        if self.message.starts_with("out of ") {
            self.message = format!("{} at {place}", self.message);
            return self;
        }
        self.note(format!("at {place}"))
    }

    /// Says what the message is about: `PREFIX: message`.
    #[must_use]
    pub fn about(mut self, prefix: &str) -> Self {
        self.message = format!("{prefix}: {}", self.message);
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The message alone.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Facts, one each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Remedies, one each.
    #[must_use]
    pub fn helps(&self) -> &[String] {
        &self.helps
    }

    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.kind as u8
    }
}

impl fmt::Display for Error {
    /// The message, then a line for each note and each help.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for note in &self.notes {
            write!(f, "\n  note: {note}")?;
        }
        for help in &self.helps {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// An I/O error in lower case and without the operating system's number.
#[must_use]
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

impl Error {
    /// A failure of a tensor library, which has one error type for everything: its words tell what it was.
    #[must_use]
    pub fn device(text: &str) -> Self {
        // The C++ backtrace, where there is one, is for libtorch's developers.
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        if is_out_of_memory(text) {
            let on_gpu = ["CUDA", "CUDNN", "CUBLAS"].iter().any(|word| text.contains(word));
            return Self::new(Kind::Device, if on_gpu { "out of GPU memory" } else { "out of memory" })
                .note(first)
                .help("use a smaller --batch-size, or close what else uses the device");
        }
        if let Some((_, help)) = DEVICE_HELPS.iter().find(|(phrase, _)| text.contains(phrase)) {
            return Self::new(Kind::Device, format!("libtorch failed: {first}")).help(*help);
        }
        let kind = if text.contains("CUDA") || text.contains("cuDNN") { Kind::Device } else { Kind::Other };
        Self::new(kind, format!("libtorch failed: {first}"))
    }
}

/// What the CUDA runtime says within libtorch's messages, and what to do about it.
const DEVICE_HELPS: [(&str, &str); 2] = [
    (
        "no kernel image is available",
        "this libtorch was not built for this GPU: use another libtorch or GPU, a network that --engine cuda covers, or --device cpu",
    ),
    (
        "busy or unavailable",
        "see with nvidia-smi who uses the GPU, wait for that to end, or use another device",
    ),
];

/// Whether libtorch's message is one of the ways in which it says that memory ran out.
#[must_use]
pub fn is_out_of_memory(message: &str) -> bool {
    [
        "CUDA out of memory",
        // Outside libtorch's own allocator: the context, or a library's workspace.
        "CUDA error: out of memory",
        "CUDNN_STATUS_ALLOC_FAILED",
        "CUBLAS_STATUS_ALLOC_FAILED",
        // The allocator for the CPU: the first on Linux, the second where aligned allocation has another name.
        "DefaultCPUAllocator: can't allocate memory",
        "DefaultCPUAllocator: not enough memory",
        // oneDNN, and C++ itself.
        "could not create a memory object",
        "std::bad_alloc",
    ]
    .iter()
    .any(|phrase| message.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_and_helps_follow_the_message() {
        let error = Error::usage("--lr must be finite and > 0, got NaN").note("a").help("b");
        assert_eq!(error.to_string(), "--lr must be finite and > 0, got NaN\n  note: a\n  help: b");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn what_helps_where_memory_runs_out_depends_on_what_was_done() {
        let error = Error::device("CUDA out of memory. Tried to allocate 2 GiB");
        assert!(error.to_string().contains("--batch-size"), "{error}");
        let text = error.out_of_memory_in("scoring, 7 images at a time", &["close the other"]).to_string();
        assert!(
            text.ends_with("\n  note: while scoring, 7 images at a time\n  help: close the other"),
            "{text}"
        );
        let other = Error::usage("a").help("b");
        assert_eq!(other.clone().out_of_memory_in("scoring", &["c"]), other);
    }

    #[test]
    fn reasons_read_as_one_sentence() {
        let error = std::io::Error::from_raw_os_error(13);
        let text = Error::io("write", Path::new("/x/y"), &error).to_string();
        assert_eq!(text, "cannot write /x/y: permission denied");
        for (errno, kind, piece) in
            [(12, Kind::Device, "ulimit -v"), (27, Kind::Io, "ulimit -f"), (122, Kind::Io, "--out")]
        {
            let error = Error::io("write", Path::new("/x"), &std::io::Error::from_raw_os_error(errno));
            assert!(error.kind() == kind && error.to_string().contains(piece), "{error}");
        }
        let full = Error::io("write", Path::new("/x"), &std::io::Error::from_raw_os_error(28));
        assert!(full.message().starts_with("no space left to write /x"));
    }

    #[test]
    fn libtorch_errors_are_told_apart_by_their_words() {
        let kind = |text: &str| Error::device(text).kind();
        assert_eq!(kind("CUDA out of memory. Tried to allocate 2.00 GiB"), Kind::Device);
        assert_eq!(
            kind("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory"),
            Kind::Device
        );
        assert_eq!(
            kind(
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes. Error code 12 (Cannot allocate memory)"
            ),
            Kind::Device
        );
        assert_eq!(kind("CUDA error: device-side assert triggered"), Kind::Device);
        for (text, piece) in [
            ("CUDA error: out of memory\nCUDA kernel errors might be", "--batch-size"),
            ("CUDA error: no kernel image is available for execution on the device", "--engine cuda"),
            ("CUDA error: CUDA-capable device(s) is/are busy or unavailable", "nvidia-smi"),
        ] {
            let error = Error::device(text);
            assert!(error.kind() == Kind::Device && error.to_string().contains(piece), "{error}");
        }
        assert_eq!(kind("mat1 and mat2 shapes cannot be multiplied"), Kind::Other);
        let message = |text: &str| Error::device(text).at("epoch 2").message;
        assert_eq!(message("CUDA out of memory. Tried to allocate"), "out of GPU memory at epoch 2");
        assert_eq!(message("DefaultCPUAllocator: not enough memory"), "out of memory at epoch 2");
        assert!(message("bad shapes").ends_with("bad shapes"), "the place is in a note");
    }
}
