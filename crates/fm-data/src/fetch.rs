//! Downloading a published data set.
//!
//! ```text
//! mirror ─▸ temporary file in the directory ─ gzip, IDX, SHA-256 ─▸ synced ─▸ renamed into place
//!   └ no answer, or something else ─▸ the next mirror
//! ```
//!
//! Only whole, checked files get their name; a failure leaves nothing behind. Plain HTTP is spoken only for
//! files whose published hash is known (Fashion-MNIST's own bucket has no HTTPS), and to this machine.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tempfile::NamedTempFile;

use crate::error::{DataError, reason};
use crate::name::{DatasetName, FILES};
use crate::read;
use crate::verify::{Verification, published, verify};

/// No file of a data set is near this many bytes when compressed.
const DOWNLOAD_LIMIT: u64 = 256 << 20;

/// A slow connection is waited for, a silent one isn't.
const CONNECT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(30);

/// Addresses to which a file's name and `.gz` are added, best first; none for a directory.
#[must_use]
pub fn mirrors(set: &DatasetName) -> Vec<String> {
    let urls: &[&str] = match set {
        DatasetName::FashionMnist => &[
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ],
        DatasetName::Mnist => &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        DatasetName::Kmnist => &["https://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
        DatasetName::Dir(_) => &[],
    };
    urls.iter().map(|&url| url.to_owned()).collect()
}

/// Downloads the four gzipped files of `set` into `dir`, which is made if need be; files that are there
/// stay. Each file comes from the first of `mirrors` that has it. Gives the four paths.
///
/// # Errors
/// [`DataError::Download`] with what each mirror answered; [`DataError::Unwritable`] when `dir` can't be
/// written to.
pub fn fetch(
    set: &DatasetName,
    dir: &Path,
    mirrors: &[String],
    progress: bool,
) -> Result<[PathBuf; 4], DataError> {
    fs::create_dir_all(dir).map_err(|source| DataError::Unwritable { path: dir.to_owned(), source })?;
    let mut paths = FILES.map(|(name, _)| dir.join(format!("{name}.gz")));
    for (index, path) in paths.iter_mut().enumerate() {
        let plain = dir.join(FILES[index].0);
        if plain.exists() {
            *path = plain;
        } else if !path.exists() {
            fetch_one(&Wanted { set, index, dir, path, progress }, mirrors)?;
        }
    }
    Ok(paths)
}

/// A file to get.
struct Wanted<'a> {
    set: &'a DatasetName,
    index: usize,
    dir: &'a Path,
    path: &'a Path,
    progress: bool,
}

/// Why a file didn't come: the mirror's fault, so the next one is tried, or this machine's.
enum Failure {
    Mirror(String),
    Disk(io::Error),
}

fn fetch_one(wanted: &Wanted, mirrors: &[String]) -> Result<(), DataError> {
    let file = FILES[wanted.index].0;
    let mut tried = Vec::new();
    for mirror in mirrors {
        let url = format!("{}/{file}.gz", mirror.trim_end_matches('/'));
        tracing::info!("downloading {url}");
        match try_mirror(wanted, &url) {
            Ok(()) => return Ok(()),
            Err(Failure::Mirror(reason)) => tried.push((url, reason)),
            Err(Failure::Disk(source)) => {
                return Err(DataError::Unwritable { path: wanted.path.to_owned(), source });
            }
        }
    }
    let (set, dir) = (wanted.set.clone(), wanted.dir.to_owned());
    Err(DataError::Download { set, dir, file, looked: Vec::new(), tried })
}

fn try_mirror(wanted: &Wanted, url: &str) -> Result<(), Failure> {
    let is_local = url.starts_with("http://127.0.0.1:");
    let is_https = url.starts_with("https://");
    if !is_https && !is_local && published(wanted.set).is_none() {
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
    let body = response.body_mut().with_config().limit(DOWNLOAD_LIMIT).reader();

    let mut temporary = tempfile::Builder::new()
        .prefix(".download-")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(wanted.dir)
        .map_err(Failure::Disk)?;
    copy(body, temporary.as_file_mut(), &bar(wanted, length))?;
    check(wanted, &mut temporary)?;
    temporary.as_file().sync_all().map_err(Failure::Disk)?;
    temporary.persist(wanted.path).map_err(|e| Failure::Disk(e.error))?;
    // The name, too, is to outlast a power cut.
    File::open(wanted.dir).and_then(|dir| dir.sync_all()).map_err(Failure::Disk)
}

/// Copies to the end, telling a failing mirror from a failing disk.
fn copy(mut body: impl Read, file: &mut File, bar: &ProgressBar) -> Result<(), Failure> {
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
    }
    bar.finish_and_clear();
    file.flush().map_err(Failure::Disk)
}

/// Reads what came as if it were to be used.
fn check(wanted: &Wanted, temporary: &mut NamedTempFile) -> Result<(), Failure> {
    temporary.rewind().map_err(Failure::Disk)?;
    let file = read::read_idx(temporary.as_file_mut(), FILES[wanted.index].1, true).map_err(|e| match e {
        read::ReadError::Io(e) => Failure::Disk(e),
        other => Failure::Mirror(other.to_string()),
    })?;
    match verify(wanted.set, wanted.index, &file.sha256) {
        Verification::Differs { title, .. } => {
            Err(Failure::Mirror(format!("SHA-256 differs from published {title} (found {})", file.sha256)))
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
    bar.with_message(FILES[wanted.index].0)
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
