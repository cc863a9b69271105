//! The keys of a statement, and the macro that declares them.

/// What a key has to do with a run's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It decides the result. Part of the run's id; a key with `always` in the declaration in any case, the
    /// others when they are not at their default, so that adding a key changes no earlier id.
    Decides,
    /// It decides the result, and runs that differ by it alone are repetitions of one experiment.
    Replicates,
    /// What it comes to on this machine and data decides the result; the text says what that is.
    Resolved(&'static str),
    /// It cannot change a result, for the reason given.
    Aside(&'static str),
    /// It says where and how results are kept and cannot change them. A sweep decides it for its runs.
    Place(&'static str),
}

impl Role {
    /// Whether the key, or what it comes to, is part of what a run is.
    #[must_use]
    pub fn decides(self) -> bool {
        matches!(self, Self::Decides | Self::Replicates | Self::Resolved(_))
    }
}

/// One key of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As in files and behind `--`: `batch-size`.
    pub key: String,
    /// The environment variable: `FM_BATCH_SIZE`.
    pub variable: String,
    /// The column of tables: `batch_size`.
    pub column: &'static str,
    /// What it is, in a line.
    pub help: String,
    /// The heading under which help shows it.
    pub heading: &'static str,
    /// What stands for its value in help.
    pub value_name: &'static str,
    /// Whether it is on or off.
    pub switch: bool,
    /// Whether a comma may stand within its value.
    pub commas: bool,
    /// Names and meanings of its only values, where there are no others.
    pub choices: &'static [(&'static str, &'static str)],
    /// Values that are among others, for completion; one that ends in `:` is a beginning.
    pub offered: Vec<&'static str>,
    /// What it has to do with the result.
    pub role: Role,
    /// Whether the id has it also at its default.
    pub always: bool,
}

/// Declares a statement: a struct with a field for each key, and everything that walks the keys.
macro_rules! statement {
    ($(#[$outer:meta])* $name:ident {
        $( $heading:literal { $(
            $( #[doc = $help:literal] )+
            $field:ident : $type:ty = $default:expr, $role:expr $(, $always:ident)?;
        )* } )*
    }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $( $( #[doc = $help] )+ pub $field: $type, )* )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $( $field: $default, )* )* }
            }
        }

        static FIELDS: std::sync::LazyLock<Vec<Field>> = std::sync::LazyLock::new(|| vec![
            $( $( Field {
                key: stringify!($field).replace('_', "-"),
                variable: format!("FM_{}", stringify!($field).to_uppercase()),
                column: stringify!($field),
                help: [$( $help.trim_ascii(), )+].join(" "),
                heading: $heading,
                value_name: <$type as Setting>::NAME,
                switch: <$type as Setting>::SWITCH,
                commas: <$type as Setting>::COMMAS,
                choices: <$type as Setting>::choices(),
                offered: <$type as Setting>::offered(),
                role: $role,
                always: false $( || stringify!($always) == "always" )?,
            }, )* )*
        ]);

        impl $name {
            /// Every key, in the order of help and tables.
            #[must_use]
            pub fn fields() -> &'static [Field] {
                &FIELDS
            }

            /// The value of a key as TOML; none where it is unset or there is no such key.
            #[must_use]
            pub fn get(&self, key: &str) -> Option<toml::Value> {
                match key.replace('-', "_").as_str() {
                    $( $( stringify!($field) => Setting::show(&self.$field), )* )*
                    _ => None,
                }
            }

            /// Sets a key.
            ///
            /// # Errors
            /// Why the value is not one of the key's, as a fragment that follows the key; `None` for an unknown
            /// key.
            fn put(&mut self, key: &str, value: &toml::Value) -> Result<(), Option<String>> {
                match key.replace('-', "_").as_str() {
                    $( $( stringify!($field) => self.$field = Setting::read(value).map_err(Some)?, )* )*
                    _ => return Err(None),
                }
                Ok(())
            }
        }
    };
}
pub(super) use statement;
