//! `health`: whether the server is ready, for supervisors and images of containers.

use clap::Args;

use super::{
    Outcome, RemoteError, ServerArgs,
    api_client::ApiClient,
    table::{print_line, printable},
};

/// Which server.
#[derive(Args, Debug)]
pub(in crate::cli) struct HealthArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl HealthArgs {
    /// Prints what `/health/ready` answers.
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        let answer = api.plain(&["health", "ready"]).await?;
        let text = printable(answer.body.trim());
        if answer.status.is_success() {
            return Ok(print_line(&text)?);
        }
        Err(RemoteError::NotReady(text))
    }
}
