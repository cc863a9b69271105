//! Class names in text files: a name a line, by label.
//!
//! A directory of four IDX files may have a `classes.txt`; CIFAR-10's binary version has `batches.meta.txt`.

use std::path::Path;

use crate::error::DataError;
use crate::input;
use crate::read::Malformed;

/// The optional file beside a data set's own files.
pub const FILE: &str = "classes.txt";

/// The most bytes that a file of names may have.
pub const LIMIT: u64 = 64 << 10;

/// The names in a file of UTF-8 text. Spaces around a name, and empty lines at the end, don't count.
///
/// # Errors
/// When it is not text, a name is empty, has control characters or is there twice, or there are none or more than 256.
pub fn parse(text: &[u8]) -> Result<Vec<String>, Malformed> {
    let text = std::str::from_utf8(text).map_err(|_| Malformed::new("not UTF-8 text"))?;
    let names: Vec<String> = text.trim_end().lines().map(|line| line.trim().to_owned()).collect();
    if names.is_empty() {
        return Err(Malformed::new("no class names").help("put one name in each line, by label"));
    }
    if names.len() > 256 {
        return Err(Malformed::new(format!("{} class names, at most 256", names.len())));
    }
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(Malformed::new(format!("line {} is empty", i + 1)).help("every class needs a name"));
        }
        if name.contains(char::is_control) {
            return Err(Malformed::new(format!("line {} has control characters: {name:?}", i + 1)));
        }
        if let Some(first) = names[..i].iter().position(|other| other == name) {
            let text = format!("lines {} and {} are both {name:?}", first + 1, i + 1);
            return Err(Malformed::new(text).help("every class needs a name of its own"));
        }
    }
    Ok(names)
}

/// The names in the directory's [`FILE`], if it has one; there must be `classes` of them.
pub(crate) fn beside(dir: &Path, classes: usize) -> Result<Option<Vec<String>>, DataError> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = input::open(&path, "a text file")?.bytes(LIMIT).map_err(|e| e.at(&path))?;
    let names = parse(&text.data).and_then(|names| check(names, classes));
    names.map(Some).map_err(|source| DataError::Malformed { path, source })
}

fn check(names: Vec<String>, classes: usize) -> Result<Vec<String>, Malformed> {
    if names.len() == classes {
        return Ok(names);
    }
    let text = format!("{} class names, but the training labels have {classes} classes", names.len());
    Err(Malformed::new(text).help("put one name in each line, by label, or take the file away"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &[u8]) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_name_a_line() {
        assert_eq!(parse(b"cat\r\n big dog \n\n\n").unwrap(), ["cat", "big dog"]);
        assert_eq!(parse("ü\n中".as_bytes()).unwrap(), ["ü", "中"]);
    }

    #[test]
    fn what_is_no_list_of_names() {
        assert_eq!(fails(b""), "no class names");
        assert_eq!(fails(b"\n \n"), "no class names");
        assert_eq!(fails(b"a\n\nb"), "line 2 is empty");
        assert_eq!(fails(b"a\nb\na"), "lines 1 and 3 are both \"a\"");
        assert_eq!(fails(b"a\nb\x1b[2J"), "line 2 has control characters: \"b\\u{1b}[2J\"");
        assert_eq!(fails(b"\xFF"), "not UTF-8 text");
        let many = (0..257).map(|i| i.to_string()).collect::<Vec<_>>().join("\n");
        assert_eq!(fails(many.as_bytes()), "257 class names, at most 256");
    }
}
