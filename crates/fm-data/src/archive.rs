//! A data set's files out of its downloaded archive, a gzipped tar file.
//!
//! Only regular files with a name that the format has are taken, under that name and into the data set's
//! directory: what paths the archive has doesn't matter.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use flate2::bufread::MultiGzDecoder;
use fm_images::error::reason;
use fm_images::idx::PAYLOAD_LIMIT;
use fm_images::read::hex;
use indicatif::ProgressBar;
use md5::{Digest, Md5};
use tempfile::NamedTempFile;

use crate::fetch::{Failure, PACE, Wanted, check, copy, is_there, put};

/// Checks the archive and each of its files, then puts those into place that are not there.
pub(crate) fn unpack(wanted: &Wanted, archive: &mut File, md5: &str) -> Result<(), Failure> {
    archive.rewind().map_err(Failure::Disk)?;
    let found = md5_of(archive).map_err(Failure::Disk)?;
    if found != md5 {
        let title = wanted.published.title;
        return Err(Failure::Mirror(format!("MD5 differs from published {title} (found {found})")));
    }
    archive.rewind().map_err(Failure::Disk)?;
    let taken = take_files(wanted, archive)?;
    for (file, temporary) in wanted.published.format.files().iter().zip(taken) {
        if !is_there(wanted.dir, file) {
            put(temporary, &wanted.dir.join(file.name))?;
        }
    }
    Ok(())
}

fn md5_of(file: &mut File) -> io::Result<String> {
    let (mut hash, mut buffer) = (Md5::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// The format's files, each checked, in the format's order.
fn take_files(wanted: &Wanted, archive: &mut File) -> Result<Vec<NamedTempFile>, Failure> {
    let broken = |error: io::Error| Failure::Mirror(format!("not a gzipped tar archive: {}", reason(&error)));
    let files = wanted.published.format.files();
    let mut taken: Vec<Option<NamedTempFile>> = files.iter().map(|_| None).collect();
    let mut archive = tar::Archive::new(MultiGzDecoder::new(BufReader::new(archive)));
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let index = files.iter().position(|file| path.file_name().is_some_and(|name| name == file.name));
        let Some(index) = index.filter(|_| entry.header().entry_type().is_file()) else { continue };
        if entry.size() > PAYLOAD_LIMIT {
            let text = format!("{} has {} bytes, more than the limit", path.display(), entry.size());
            return Err(Failure::Mirror(text));
        }
        let mut temporary = wanted.temporary()?;
        copy(&mut entry, temporary.as_file_mut(), &ProgressBar::hidden(), PACE)?;
        check(wanted, index, temporary.as_file_mut(), false)?;
        taken[index] = Some(temporary);
    }
    let lacks = |index: usize| Failure::Mirror(format!("the archive lacks {}", files[index].name));
    taken.into_iter().enumerate().map(|(index, file)| file.ok_or_else(|| lacks(index))).collect()
}
