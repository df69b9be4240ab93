//! How an engine says that it broke.

use std::error::Error;

/// We failed, not the caller. Opaque: the caller hears only that it was us, the log hears why.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct Fault {
    doing: &'static str,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl Fault {
    /// The engine broke while `doing` something, because of `source`.
    pub fn new(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { doing, source: source.into() }
    }

    /// What was being done, and the whole chain of causes, for the log.
    pub fn chain(&self) -> String {
        let mut text = self.doing.to_owned();
        let mut cause: Option<&dyn Error> = Some(&*self.source);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
