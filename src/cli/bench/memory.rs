//! The memory of the server, as its `/metrics` say.

use std::path::PathBuf;

use clap::Args;

use super::{report::Report, run::Run};
use crate::cli::remote::{ApiClient, RemoteError, read_key};

/// The metric.
const METRIC: &str = "process_resident_memory_bytes ";

/// Where the memory of the server is told.
#[derive(Args, Debug)]
pub(super) struct MemoryArgs {
    /// Where /metrics is, as http://host:port: memory per connection comes from there [default: the
    /// server, if there is a key]
    #[arg(long, value_name = "URL")]
    metrics: Option<String>,
    /// A file with an API key with the scope read on its first line [default: the environment variable
    /// `ROOMCAST_API_KEY`]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// What is asked, if anything is.
pub(super) struct Memory(Option<ApiClient>);

impl MemoryArgs {
    /// `url` is that of the server.
    pub(super) fn of_server(&self, url: &str) -> Result<Memory, RemoteError> {
        let key = read_key(self.key_file.as_deref())?;
        let url = match &self.metrics {
            Some(url) => url.clone(),
            None if key.is_none() => return Ok(Memory(None)),
            None => match url.strip_prefix("ws") {
                Some(rest) => format!("http{rest}"),
                None => url.to_owned(),
            },
        };
        let api = ApiClient::new(&url, key.as_deref()).map_err(RemoteError::Argument)?;
        Ok(Memory(Some(api)))
    }
}

impl Memory {
    /// Bytes of the server's process at the moment, or why they are not known.
    pub(super) async fn bytes(&self) -> Result<u64, String> {
        let Some(api) = &self.0 else {
            return Err("give --key-file or --metrics".to_owned());
        };
        let answer = api.plain(&["metrics"]).await.map_err(|error| error.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("/metrics answers {}", answer.status));
        }
        let line = answer.body.lines().find_map(|line| line.strip_prefix(METRIC));
        let bytes = line.and_then(|number| number.trim().parse().ok());
        bytes.ok_or_else(|| "/metrics does not have it".to_owned())
    }

    /// Adds to a report what the connections of a run have taken.
    pub(super) fn report(
        report: &mut Report,
        run: &Run,
        before: Result<u64, String>,
        after: Result<u64, String>,
    ) {
        match before.and_then(|before| Ok((before, after?))) {
            Ok((before, after)) => {
                let taken = after.saturating_sub(before) / run.connected.max(1) as u64;
                report.row("bytesPerConnection", "memory per connection, bytes", taken);
            }
            Err(why) => report.note(format!("memory per connection is not known: {why}")),
        }
    }
}
