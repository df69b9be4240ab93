//! The failure of an engine.

use std::error::Error;

/// A failure of the server, not of the caller. Opaque: the caller learns only that the server
/// failed; the log has the cause.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct Fault {
    doing: &'static str,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl Fault {
    /// A failure in `doing`, caused by `source`.
    pub fn new(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { doing, source: source.into() }
    }

    /// The text of the fault with its chain of causes, for the log.
    pub fn chain(&self) -> String {
        with_causes(self)
    }
}

/// The text of an error with its chain of causes.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let cause_text = error.to_string();
        // Some errors include the text of their cause.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
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
