//! Arrays in an archive.

use std::io::{Cursor, Read, Write};

use npyz::WriterBuilder as _;
use zip::write::FileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// More than that is no member of ours: 100 runs at five lengths have 20 MB of each kind of probability.
const MOST: u64 = 1 << 31;

/// An archive that is written.
pub(crate) struct Writing(ZipWriter<Cursor<Vec<u8>>>, i32);

impl Writing {
    /// Compressed so hard: from 1, the quickest, to 9.
    pub(crate) fn new(level: i32) -> Self {
        Self(ZipWriter::new(Cursor::new(Vec::new())), level)
    }

    /// Adds a member. All have the same date, so that the same runs give the same bytes.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let deflated = FileOptions::default().compression_method(CompressionMethod::Deflated);
        let options = deflated.compression_level(Some(self.1)).last_modified_time(zip::DateTime::default());
        self.0.start_file(name, options)?;
        self.0.write_all(bytes)
    }

    /// Adds an array, row by row.
    pub(crate) fn add_array<T: npyz::AutoSerialize + Copy>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: &[T],
    ) -> std::io::Result<()> {
        let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        let mut bytes = Vec::new();
        let mut array =
            npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
        array.extend(values.iter().copied())?;
        array.finish()?;
        self.add(&format!("{name}.npy"), &bytes)
    }

    pub(crate) fn finish(mut self) -> std::io::Result<Vec<u8>> {
        Ok(self.0.finish()?.into_inner())
    }
}

/// An archive that is read. What is wrong with it is told as a fragment that follows its path.
pub(crate) struct Reading<'a>(ZipArchive<Cursor<&'a [u8]>>);

impl<'a> Reading<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, String> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| format!("not an archive: {e}"))?;
        Ok(Self(archive))
    }

    /// A member.
    pub(super) fn get(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let member = self.0.by_name(name).map_err(|_| format!("it has no {name}"))?;
        let mut bytes = Vec::new();
        member.take(MOST).read_to_end(&mut bytes).map_err(|e| format!("{name} is damaged: {e}"))?;
        Ok(bytes)
    }

    /// Whether there is an array of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.file_names().any(|member| member.strip_suffix(".npy") == Some(name))
    }

    /// An array, with its shape.
    pub(crate) fn array<T: npyz::Deserialize>(&mut self, name: &str) -> Result<(Vec<usize>, Vec<T>), String> {
        let bytes = self.get(&format!("{name}.npy"))?;
        let bad = |e: std::io::Error| format!("{name} is no such array: {e}");
        let array = npyz::NpyFile::new(&bytes[..]).map_err(bad)?;
        if array.order() != npyz::Order::C {
            return Err(format!("{name} is not stored row by row"));
        }
        let shape = array.shape().iter().map(|&n| n as usize).collect();
        Ok((shape, array.into_vec().map_err(bad)?))
    }
}
