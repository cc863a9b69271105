//! Downloading a published data set, file by file or as one archive.
//!
//! ```text
//! mirror ─▸ temporary file in the directory ─ gzip, format, SHA-256 ─▸ synced ─▸ renamed into place
//!   │                                   └ archive: MD5, unpacked ─▸ each file so
//!   └ no answer, or something else ─▸ the next mirror
//! ```
//!
//! Only whole, checked files get their name; a failure leaves nothing behind. Plain HTTP is spoken only for
//! files whose published SHA-256 is known (Fashion-MNIST's own bucket has no HTTPS), and to this machine.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fm_images::error::reason;
use fm_images::verify::verify;
use fm_images::{DataError, DatasetName, Download, FileSpec, Input, Published, ReadError, Verification};
use indicatif::{ProgressBar, ProgressStyle};
use tempfile::NamedTempFile;

use crate::archive;

/// No file or archive of a data set that is downloaded is near this many bytes when compressed.
const DOWNLOAD_LIMIT: u64 = 256 << 20;

/// A slow connection is waited for, a silent one isn't.
const CONNECT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(30);
/// A slow connection, too, has an end: after the first minute, fewer bytes a second on average than a modem's are
/// taken for none. The largest file then takes three days at most, and one of Fashion-MNIST 7 hours.
pub(crate) const PACE: Pace = Pace { grace: Duration::from_mins(1), least: 1 << 10 };
/// A part of a download that nobody has written to for so long is left from a process that was killed: at [`PACE`],
/// each part of the buffer is written within seconds.
const ABANDONED: Duration = Duration::from_mins(15);
const TEMPORARY: &str = ".download-";

/// Addresses to which a file's name is added, best first; none for a directory or what is got by hand.
#[must_use]
pub fn mirrors(set: &DatasetName) -> Vec<String> {
    let urls = set.published().map_or(&[][..], |set| set.download.mirrors());
    urls.iter().map(|&url| url.to_owned()).collect()
}

/// Downloads the files of `set` into `dir`, which is made if need be; files that are there stay. Each file
/// comes from the first of `mirrors` that has it. Gives the paths in the format's order.
///
/// # Errors
/// [`DataError::Download`] with what each mirror answered; [`DataError::Unwritable`] when `dir` can't be
/// written to.
pub fn fetch(
    set: &DatasetName,
    dir: &Path,
    mirrors: &[String],
    progress: bool,
) -> Result<Vec<PathBuf>, DataError> {
    fs::create_dir_all(dir).map_err(|source| DataError::Unwritable { path: dir.to_owned(), source })?;
    sweep(dir, ABANDONED);
    match set.published() {
        Some(published @ Published { download: Download::Files { .. }, .. }) => {
            for (index, file) in published.format.files().iter().enumerate() {
                if !is_there(dir, file) {
                    let name = format!("{}.gz", file.name);
                    let wanted = Wanted { set, published, dir, name: &name, progress };
                    wanted.get(mirrors, &mut |wanted, mut temporary| {
                        check(wanted, index, temporary.as_file_mut(), true)?;
                        put(temporary, &dir.join(wanted.name))
                    })?;
                }
            }
            Ok(published.format.files().iter().map(|file| path_of(dir, file)).collect())
        }
        Some(published @ Published { download: Download::Archive { name, md5, .. }, .. }) => {
            let files = published.format.files();
            if !files.iter().all(|file| is_there(dir, file)) {
                let wanted = Wanted { set, published, dir, name, progress };
                wanted.get(mirrors, &mut |wanted, mut temporary| {
                    archive::unpack(wanted, temporary.as_file_mut(), md5)
                })?;
            }
            Ok(files.iter().map(|file| path_of(dir, file)).collect())
        }
        Some(Published { download: Download::ByHand, .. }) | None => {
            let (set, file) = (set.clone(), "the files".to_owned());
            Err(DataError::Download { set, dir: dir.to_owned(), file, looked: Vec::new(), tried: Vec::new() })
        }
    }
}

/// Removes parts of downloads that are older than `age`.
fn sweep(dir: &Path, age: Duration) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(TEMPORARY)) {
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        if written.is_ok_and(|at| at.elapsed().is_ok_and(|elapsed| elapsed >= age)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Where the file lies, or will: plain wins.
fn path_of(dir: &Path, file: &FileSpec) -> PathBuf {
    let plain = dir.join(file.name);
    if plain.exists() { plain } else { dir.join(format!("{}.gz", file.name)) }
}

pub(crate) fn is_there(dir: &Path, file: &FileSpec) -> bool {
    path_of(dir, file).exists()
}

/// A file to get.
pub(crate) struct Wanted<'a> {
    set: &'a DatasetName,
    pub(crate) published: &'static Published,
    pub(crate) dir: &'a Path,
    /// What is added to a mirror's address.
    name: &'a str,
    progress: bool,
}

/// Why a file didn't come: the mirror's fault, so the next one is tried, or this machine's.
pub(crate) enum Failure {
    Mirror(String),
    Disk(io::Error),
}

/// Checks what came and puts it in its place.
type Accept<'a> = &'a mut dyn FnMut(&Wanted, NamedTempFile) -> Result<(), Failure>;

impl Wanted<'_> {
    fn get(&self, mirrors: &[String], accept: Accept) -> Result<(), DataError> {
        let mut tried = Vec::new();
        for mirror in mirrors {
            let url = format!("{}/{}", mirror.trim_end_matches('/'), self.name);
            tracing::info!("downloading {url}");
            match download(self, &url).and_then(|temporary| accept(self, temporary)) {
                Ok(()) => return Ok(()),
                Err(Failure::Mirror(reason)) => tried.push((url, reason)),
                Err(Failure::Disk(source)) => {
                    return Err(DataError::Unwritable { path: self.dir.join(self.name), source });
                }
            }
        }
        let (set, dir, file) = (self.set.clone(), self.dir.to_owned(), self.name.to_owned());
        Err(DataError::Download { set, dir, file, looked: Vec::new(), tried })
    }

    /// A new file beside those that are wanted, with the permissions of any other.
    pub(crate) fn temporary(&self) -> Result<NamedTempFile, Failure> {
        tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(self.dir)
            .map_err(Failure::Disk)
    }
}

fn download(wanted: &Wanted, url: &str) -> Result<NamedTempFile, Failure> {
    let is_local = url.starts_with("http://127.0.0.1:");
    let is_https = url.starts_with("https://");
    if !is_https && !is_local && wanted.published.sha256.is_none() {
        return Err(Failure::Mirror("refused: neither HTTPS nor a published SHA-256".to_owned()));
    }
    let proxy = if is_local { None } else { ureq::Proxy::try_from_env() };
    let agent = ureq::Agent::config_builder()
        .https_only(is_https)
        .proxy(proxy)
        // The files are gzip; nothing is to be unpacked on the way.
        .accept_encoding("identity")
        .user_agent(concat!("fm-data/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build()
        .new_agent();
    let mut response = agent.get(url).call().map_err(|e| Failure::Mirror(words(&e)))?;
    let length = response.body().content_length();
    if let Some(bytes) = length {
        tracing::info!("{:.1} MB", bytes as f64 / 1e6);
    }
    let body = response.body_mut().with_config().limit(DOWNLOAD_LIMIT).reader();

    let mut temporary = wanted.temporary()?;
    copy(body, temporary.as_file_mut(), &bar(wanted, length), PACE)?;
    Ok(temporary)
}

/// Gives a file its name, for good.
pub(crate) fn put(temporary: NamedTempFile, path: &Path) -> Result<(), Failure> {
    temporary.as_file().sync_all().map_err(Failure::Disk)?;
    temporary.persist(path).map_err(|e| Failure::Disk(e.error))?;
    // The name, too, is to outlast a power cut.
    let dir = path.parent().unwrap_or(path);
    match File::open(dir).and_then(|dir| dir.sync_all()) {
        // Some file systems cannot: FUSE, CIFS.
        Err(e) if !matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Err(Failure::Disk(e))
        }
        _ => Ok(()),
    }
}

/// How slowly a file may come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Time before which nothing is asked.
    grace: Duration,
    /// Bytes a second on average after that.
    least: u64,
}

impl Pace {
    fn is_kept(self, bytes: u64, since: Instant) -> bool {
        let elapsed = since.elapsed();
        elapsed < self.grace || bytes as f64 >= self.least as f64 * elapsed.as_secs_f64()
    }
}

/// Copies to the end, telling a failing mirror from a failing disk.
pub(crate) fn copy(
    mut body: impl Read,
    file: &mut File,
    bar: &ProgressBar,
    pace: Pace,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut total = 0;
    let mut file = BufWriter::new(file);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => {
                return Err(Failure::Mirror(format!(
                    "broke off after {} bytes: {}",
                    bar.position(),
                    reason(&e)
                )));
            }
        };
        file.write_all(&buffer[..n]).map_err(Failure::Disk)?;
        bar.inc(n as u64);
        total += n as u64;
        if !pace.is_kept(total, begun) {
            let seconds = begun.elapsed().as_secs();
            return Err(Failure::Mirror(format!("too slow: {total} bytes in {seconds} s")));
        }
    }
    bar.finish_and_clear();
    file.flush().map_err(Failure::Disk)
}

/// Reads what came as if it were to be used: the format's file at `index`.
pub(crate) fn check(
    wanted: &Wanted,
    index: usize,
    temporary: &mut File,
    is_gzip: bool,
) -> Result<(), Failure> {
    temporary.rewind().map_err(Failure::Disk)?;
    let format = wanted.published.format;
    let part = format.read(&format.files()[index], Input::new(temporary, is_gzip)).map_err(|e| match e {
        ReadError::Io(e) => Failure::Disk(e),
        other => Failure::Mirror(other.to_string()),
    })?;
    match verify(wanted.set, index, &part.sha256) {
        Verification::Differs { title, .. } => {
            Err(Failure::Mirror(format!("SHA-256 differs from published {title} (found {})", part.sha256)))
        }
        Verification::Verified | Verification::Unknown => Ok(()),
    }
}

fn bar(wanted: &Wanted, length: Option<u64>) -> ProgressBar {
    if !wanted.progress {
        return ProgressBar::hidden();
    }
    // indicatif draws on stderr, and only if that is a terminal.
    let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let style = "{msg} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.with_message(wanted.name.to_owned())
}

/// An error of ureq's in the style of this crate's messages.
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(code) => format!("HTTP status {code}"),
        ureq::Error::Io(e) => reason(e),
        ureq::Error::HostNotFound => "host not found (no network?)".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A byte every few milliseconds, for ever.
    struct Drops;

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_millis(5));
            buffer[0] = 0;
            Ok(1)
        }
    }

    #[test]
    fn drops_are_not_followed_for_ever() {
        let pace = Pace { grace: Duration::from_millis(100), least: 1 << 20 };
        let mut file = tempfile::tempfile().unwrap();
        match copy(Drops, &mut file, &ProgressBar::hidden(), pace) {
            Err(Failure::Mirror(why)) => assert!(why.starts_with("too slow: "), "{why}"),
            _ => panic!("it ended"),
        }
        // Slow and steady comes.
        let slow = Pace { grace: Duration::ZERO, least: 10 };
        assert!(copy(Drops.take(20), &mut file, &ProgressBar::hidden(), slow).is_ok());
    }

    #[test]
    fn what_a_killed_download_left_is_swept_and_a_running_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            tempfile::Builder::new().prefix(name).tempfile_in(dir.path()).unwrap().keep().unwrap()
        };
        let ((_, left), (_, other)) = (make(TEMPORARY), make("train-"));
        sweep(dir.path(), ABANDONED);
        assert!(left.exists(), "written a moment ago");
        sweep(dir.path(), Duration::ZERO);
        assert!(!left.exists() && other.exists());
    }
}
