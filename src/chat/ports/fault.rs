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
        with_causes(self)
    }
}

/// What an error says, with the whole chain of its causes.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Some errors say their cause in words of their own.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("no room")]
    struct Inner;

    #[test]
    fn each_cause_appears_once() {
        let chain = |outer| Fault::new("writing", Outer(outer, Inner)).chain();
        assert_eq!(chain("the disk"), "writing: the disk: no room");
        assert_eq!(chain("the disk: no room"), "writing: the disk: no room");
    }
}
