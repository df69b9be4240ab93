//! What is wrong with the settings: which key, where it was set, and what is allowed.

use std::{fmt, path::PathBuf};

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingPlace {
    /// In this file.
    File(PathBuf),
    /// In this variable of the environment.
    Environment(String),
    /// On the command line, with this flag.
    Flag(&'static str),
    /// Nowhere: it is the default, which another setting does not go with.
    Default,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, when it is about one.
    pub key: Option<String>,
    /// Where it was set.
    pub place: SettingPlace,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

/// Everything that is wrong, one line each.
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
