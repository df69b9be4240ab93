//! Errors in the settings: the key, the source of its value, and what is allowed.

use std::{fmt, path::PathBuf};

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingPlace {
    /// This file.
    File(PathBuf),
    /// This environment variable.
    Environment(String),
    /// This flag on the command line.
    Flag(&'static str),
    /// The default, which conflicts with another setting.
    Default,
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, if the error is about one.
    pub key: Option<String>,
    /// The source of the value.
    pub place: SettingPlace,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

/// All errors, one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.0.iter().enumerate() {
            let line = if place == 0 { "" } else { "\n" };
            write!(f, "{line}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "`{key}` {}: {}", self.place, self.reason),
            None => write!(f, "{}: {}", self.place, self.reason),
        }
    }
}

impl fmt::Display for SettingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Environment(name) => write!(f, "in the environment ({name})"),
            Self::Flag(flag) => write!(f, "on the command line ({flag})"),
            Self::Default => f.write_str("by default"),
        }
    }
}
