//! The log: to standard error, as text or JSON.
//!
//! At `debug` and below, some libraries log what clients sent: the Socket.IO ones log auth
//! payloads, and these hold tokens. Such lines are dropped whatever the filter says, because an
//! operator who raises the level in an incident may not know this.

pub mod metrics;
#[cfg(feature = "otlp")]
pub mod otlp;

use std::io::{self, IsTerminal as _};

use serde::{Deserialize, Serialize};
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    filter::{FilterExt as _, FilterFn},
    fmt::MakeWriter,
    layer::{Filter, SubscriberExt as _},
    reload,
    util::SubscriberInitExt as _,
};

/// Whether this program can send traces.
pub const HAS_TRACES: bool = cfg!(feature = "otlp");

/// Crates of which nothing below `info` is logged: their detail contains client data or the text of
/// statements.
const INFO_ONLY: [&str; 13] = [
    "engineioxide",
    "engineioxide_core",
    "h2",
    "hyper",
    "hyper_util",
    "jsonwebtoken",
    "socketioxide",
    "socketioxide_core",
    "socketioxide_parser_common",
    "socketioxide_parser_msgpack",
    "sqlx",
    "tokio_tungstenite",
    "tungstenite",
];

/// Its errors mean only that a client requested an unknown space and disconnected before the
/// answer.
const IGNORED_TARGET: (&str, &str) = ("socketioxide", "client");

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why the log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is invalid.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// The process has a log already.
    #[error("the process has a log already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
    /// The filter cannot be replaced.
    #[error(transparent)]
    Reload(#[from] reload::Error),
}

/// The text is not a filter.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFilter {
    /// The library does not understand it.
    #[error(
        "{0}; a level (error, warn, info, debug, trace, off) or a list such as info,roomcast=debug"
    )]
    Syntax(#[from] tracing_subscriber::filter::ParseError),
    /// A word without a level. The library would take it for a part of the program, of which it then
    /// logs everything, and nothing of the others.
    #[error(
        "{0:?} is no level (error, warn, info, debug, trace, off); for a part of the program write \
         info,{0}=debug"
    )]
    NoLevel(String),
}

/// The filter of the log of this process, which can be replaced.
#[derive(Clone, Debug)]
pub struct LogFilter(reload::Handle<EnvFilter, Registry>);

impl LogFilter {
    /// Filters by `filter` from now on.
    pub fn replace(&self, filter: &str) -> Result<(), LogError> {
        Ok(self.0.reload(parse(filter)?)?)
    }
}

/// Starts the log of this process.
pub fn start(format: LogFormat, filter: &str) -> Result<LogFilter, LogError> {
    let colours = if io::stderr().is_terminal() { Colours::On } else { Colours::Off };
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    match format {
        LogFormat::Text => text(filter, io::stderr, colours).try_init()?,
        LogFormat::Json => json_lines(filter, io::stderr).try_init()?,
    }
    Ok(LogFilter(handle))
}

/// Whether `filter` is valid.
pub fn check(filter: &str) -> Result<(), InvalidFilter> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter, InvalidFilter> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':');
    let mut words = filter.split(',').map(str::trim).filter(|word| !word.is_empty());
    let no_level = |word: &&str| word.chars().all(is_name) && word.parse::<LevelFilter>().is_err();
    match words.find(no_level) {
        Some(word) => Err(InvalidFilter::NoLevel(word.to_owned())),
        None => Ok(EnvFilter::try_new(filter)?),
    }
}

/// Whether lines are coloured: only on a terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colours {
    On,
    Off,
}

/// Lines of text.
fn text<F, W>(filter: F, writer: W, colours: Colours) -> impl Subscriber + Send + Sync + use<F, W>
where
    F: Filter<Registry> + Send + Sync + 'static,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines =
        tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours == Colours::On);
    tracing_subscriber::registry().with(lines.with_filter(filter.and(payload_filter())))
}

/// One JSON object per line; fields are beside the message, under their dotted names.
pub fn json<W>(
    filter: &str,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, InvalidFilter>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    Ok(json_lines(parse(filter)?, writer))
}

fn json_lines<F, W>(filter: F, writer: W) -> impl Subscriber + Send + Sync + use<F, W>
where
    F: Filter<Registry> + Send + Sync + 'static,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_writer(writer);
    tracing_subscriber::registry().with(lines.with_filter(filter.and(payload_filter())))
}

/// [`may_be_logged`] as a filter. The hint says that the level alone decides nothing: without it,
/// the hint of the filter beside it is lost, and every library's trace lines are formatted and then
/// dropped.
fn payload_filter() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    FilterFn::new(may_be_logged as fn(&Metadata<'_>) -> bool)
        .with_max_level_hint(LevelFilter::TRACE)
}

/// Whether a line of this target and level may be logged at all.
fn may_be_logged(line: &Metadata<'_>) -> bool {
    let origin = line.target().split("::").next().unwrap_or_default();
    let is_ignored = line.target().split_once("::") == Some(IGNORED_TARGET);
    (*line.level() <= Level::INFO || !INFO_ONLY.contains(&origin)) && !is_ignored
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, error, info, subscriber::with_default, trace};

    use super::*;

    /// Collects what is written.
    #[derive(Clone, Default)]
    struct LogBuffer(Arc<Mutex<Vec<u8>>>);

    impl LogBuffer {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        /// Makes a log that writes here.
        fn writer(&self) -> impl Fn() -> Self + use<> {
            let buffer = self.clone();
            move || buffer.clone()
        }
    }

    impl io::Write for LogBuffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log_samples() {
        debug!(target: "socketioxide::ns", "payload one");
        trace!(target: "engineioxide", "payload two");
        debug!(target: "socketioxide_core::packet", "payload three");
        debug!(target: "sqlx::query", "payload four");
        info!(target: "socketioxide::ns", "harmless");
        error!(target: "socketioxide::client", "payload five");
        trace!(target: "socketioxide_alike", "another crate");
        trace!("own detail");
    }

    #[test]
    fn libraries_that_print_payloads_are_not_logged_below_info() {
        for filter in ["trace", "socketioxide=trace,engineioxide=trace,sqlx=trace,trace"] {
            let buffer = LogBuffer::default();
            let filter = EnvFilter::try_new(filter).unwrap();
            with_default(text(filter, buffer.writer(), Colours::Off), log_samples);
            let text = buffer.text();
            assert!(!text.contains("payload"), "{text}");
            for line in ["harmless", "another crate", "own detail"] {
                assert!(text.contains(line), "{line} in {text}");
            }
        }
    }

    #[test]
    fn json_lines_have_dotted_fields_beside_the_message() {
        let buffer = LogBuffer::default();
        with_default(json("info", buffer.writer()).unwrap(), || {
            info!(room.members = 3, "a room");
            log_samples();
        });
        let first = buffer.text().lines().next().unwrap().to_owned();
        let line: serde_json::Value = serde_json::from_str(&first).unwrap();
        assert_eq!((&line["message"], &line["room.members"]), (&"a room".into(), &3.into()));
        assert!(!buffer.text().contains("own detail"));
    }

    #[test]
    fn a_replaced_filter_decides_about_the_next_lines() {
        let (buffer, filter) = (LogBuffer::default(), EnvFilter::try_new("warn").unwrap());
        let (filter, handle) = reload::Layer::new(filter);
        let log_filter = LogFilter(handle);
        with_default(text(filter, buffer.writer(), Colours::Off), || {
            info!("line one");
            log_filter.replace("info").unwrap();
            info!("line two");
            assert!(log_filter.replace("roomcast=loud").is_err());
            info!("line three");
            log_filter.replace("warn").unwrap();
            info!("line four");
        });
        let text = buffer.text();
        let lines = ["one", "two", "three", "four"].map(|it| text.contains(&format!("line {it}")));
        assert_eq!(lines, [false, true, true, false], "{text}");
    }

    #[test]
    fn text_has_no_colours_outside_a_terminal() {
        let buffer = LogBuffer::default();
        let filter = EnvFilter::try_new("info").unwrap();
        with_default(text(filter, buffer.writer(), Colours::Off), log_samples);
        assert!(!buffer.text().contains('\u{1b}'));
    }

    #[test]
    fn a_filter_is_checked_before_it_is_used() {
        for good in ["info,roomcast=debug", "off", "WARN", "", "roomcast[request{a=1}]=debug,info"]
        {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["roomcast=loud", "verbose", "roomcast", "info, chatty"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check("info, chatty").unwrap_err().to_string().contains("\"chatty\" is no level"));
    }
}
