//! Types of values: how each is read from text and shown as TOML.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use toml::Value;

/// A value that a user may give: as a flag, an environment variable, a key of a TOML file or an axis of a grid.
pub trait Setting: Sized {
    /// What stands for the value in help, such as `N`.
    const NAME: &'static str;
    /// On or off: a flag without a value means on.
    const SWITCH: bool = false;
    /// A comma may stand within the value, so that it separates no values of a list.
    const COMMAS: bool = false;

    /// Names and meanings of the only values there are; empty where there are others.
    fn choices() -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Values that are among others, for completion.
    fn offered() -> Vec<&'static str> {
        Vec::new()
    }

    /// Reads text as typed.
    ///
    /// # Errors
    /// What was expected, as a fragment that follows the key: `must be …, got …`.
    fn parse(text: &str) -> Result<Self, String>;

    /// The value as TOML; none where it is unset.
    fn show(&self) -> Option<Value>;

    /// Reads TOML. Numbers and lists are read by their text, so that `lr = 1` is a rate.
    ///
    /// # Errors
    /// As for [`Setting::parse`].
    fn read(value: &Value) -> Result<Self, String> {
        Self::parse(&text(value)?)
    }
}

/// A TOML value as one would type it.
///
/// # Errors
/// When it is a table or a date.
pub fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(n) => Ok(n.to_string()),
        Value::Float(n) => Ok(n.to_string()),
        Value::Boolean(on) => Ok(on.to_string()),
        Value::Array(list) => Ok(list.iter().map(text).collect::<Result<Vec<_>, _>>()?.join(",")),
        Value::Table(_) | Value::Datetime(_) => Err(format!("must be a value, got {value}")),
    }
}

macro_rules! whole {
    ($($type:ty),*) => { $(
        impl Setting for $type {
            const NAME: &'static str = "N";
            fn parse(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| {
                    format!("must be a whole number from {} to {}, got '{text}'", Self::MIN, Self::MAX)
                })
            }
            fn show(&self) -> Option<Value> {
                Some(Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX)))
            }
        }
    )* };
}
whole!(u32, u64, usize);

impl Setting for f64 {
    const NAME: &'static str = "X";
    fn parse(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| format!("must be a number, got '{text}'"))
    }
    fn show(&self) -> Option<Value> {
        Some(Value::Float(*self))
    }
}

impl Setting for bool {
    const NAME: &'static str = "true|false";
    const SWITCH: bool = true;
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "true" | "1" => Ok(true),
            "false" | "0" | "" => Ok(false),
            _ => Err(format!("must be true or false, got '{text}'")),
        }
    }
    fn show(&self) -> Option<Value> {
        Some(Value::Boolean(*self))
    }
}

impl Setting for String {
    const NAME: &'static str = "TEXT";
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
    fn show(&self) -> Option<Value> {
        Some(self.as_str().into())
    }
}

impl Setting for PathBuf {
    const NAME: &'static str = "PATH";
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(from_text(text).into()) }
    }
    fn show(&self) -> Option<Value> {
        Some(to_text(self.as_os_str()).into())
    }
}

/// Where bytes that are not UTF-8 stand in [`to_text`]: the last 256 characters of the last private plane.
const ODD: u32 = 0x10_FF00;

/// A path, or whatever the system hands over, as text that [`from_text`] turns back: a byte that is not UTF-8
/// becomes a private character, as Python's `surrogateescape` has it with surrogates.
#[must_use]
pub fn to_text(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        text += chunk.valid();
        text.extend(chunk.invalid().iter().filter_map(|&byte| char::from_u32(ODD + u32::from(byte))));
    }
    text
}

/// The inverse of [`to_text`].
#[must_use]
pub fn from_text(text: &str) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(ODD) {
            Some(byte) => bytes.push(byte as u8),
            None => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    OsString::from_vec(bytes)
}

impl<T: Setting> Setting for Option<T> {
    const NAME: &'static str = T::NAME;
    const SWITCH: bool = T::SWITCH;
    fn choices() -> &'static [(&'static str, &'static str)] {
        T::choices()
    }
    fn offered() -> Vec<&'static str> {
        T::offered()
    }
    fn parse(text: &str) -> Result<Self, String> {
        T::parse(text).map(Some)
    }
    fn show(&self) -> Option<Value> {
        self.as_ref().and_then(T::show)
    }
}

/// Numbers of epochs, separated by commas; in rising order, each once.
impl Setting for Vec<u32> {
    const NAME: &'static str = "N,N";
    fn parse(text: &str) -> Result<Self, String> {
        let numbers = text.split(',').filter(|part| !part.trim().is_empty()).map(u32::parse);
        let mut numbers = numbers.collect::<Result<Vec<u32>, _>>()?;
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }
    fn show(&self) -> Option<Value> {
        (!self.is_empty()).then(|| self.iter().map(|&n| i64::from(n)).collect::<Vec<_>>().into())
    }
}

/// Declares an enum whose values have names: one list for parsing, printing and help.
macro_rules! choice {
    ($(#[$outer:meta])* $name:ident { $( #[doc = $help:literal] $variant:ident = $text:literal, )* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $( #[doc = $help] $variant, )* }

        impl $name {
            /// The name as typed.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }
        }

        impl $crate::spec::Setting for $name {
            const NAME: &'static str = "NAME";
            fn choices() -> &'static [(&'static str, &'static str)] {
                const { &[ $( ($text, $help.trim_ascii()), )* ] }
            }
            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $( $text => Ok(Self::$variant), )*
                    _ => {
                        let known = [$( $text, )*].join(", ");
                        Err(format!("must be one of {known}, got '{text}'"))
                    }
                }
            }
            fn show(&self) -> Option<toml::Value> {
                Some(self.name().into())
            }
        }
    };
}
pub(super) use choice;
