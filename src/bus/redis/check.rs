//! Checks each server before the start.

use redis::Pipeline;

use super::{
    RedisKind, RedisOptions,
    names::ChannelNames,
    server::{RedisAddressError, RedisFailure, RedisServer, TlsConfig},
    topology::{RedisCluster, text},
};

/// The first version with sharded channels, which a cluster needs.
const CLUSTER_SINCE: &str = "7.0";
/// The first version with the protocol RESP3.
const STANDALONE_SINCE: &str = "6.0";

/// The problem of a server.
#[derive(Debug, thiserror::Error)]
#[error("{server}: {cause}")]
pub struct ServerProblem {
    /// The server's place in the settings, and its address without a password if it is valid.
    pub server: String,
    /// The cause.
    pub cause: ProblemCause,
}

/// See [`ServerProblem`].
#[derive(Debug, thiserror::Error)]
pub enum ProblemCause {
    /// The address is invalid.
    #[error(transparent)]
    Address(#[from] RedisAddressError),
    /// The server cannot be used.
    #[error(transparent)]
    Failure(#[from] RedisFailure),
}

pub(super) async fn check(options: &RedisOptions, tls_config: &TlsConfig) -> Vec<ServerProblem> {
    let mut problems = Vec::new();
    for (place, url) in options.servers.iter().enumerate() {
        let (name, cause) = match RedisServer::parse(url) {
            Ok(server) => (format!(" ({server})"), check_one(&server, options, tls_config).await),
            Err(error) => (String::new(), Err(error.into())),
        };
        if let Err(cause) = cause {
            problems.push(ServerProblem { server: format!("server {}{name}", place + 1), cause });
        }
    }
    problems
}

async fn check_one(
    server: &RedisServer,
    options: &RedisOptions,
    tls_config: &TlsConfig,
) -> Result<(), ProblemCause> {
    let needed = match options.kind {
        RedisKind::Standalone => STANDALONE_SINCE,
        RedisKind::Cluster => CLUSTER_SINCE,
    };
    let mut commands = Pipeline::new();
    commands.cmd("INFO").arg("server");
    let answers = match server.query(tls_config, &commands).await {
        Err(RedisFailure::ErrorReply(error)) if is_old(&error) => {
            return Err(RedisFailure::TooOld { found: "an older one".to_owned(), needed }.into());
        }
        answers => answers?,
    };
    // A user without the right to this command may still have the right to publish.
    let info = answers.first().map_or("", text);
    let found = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("");
    if version(found).is_some_and(|found| Some(found) < version(needed)) {
        return Err(RedisFailure::TooOld { found: found.to_owned(), needed }.into());
    }
    if options.kind == RedisKind::Cluster {
        let names = ChannelNames::new(&options.prefix, options.node.clone());
        RedisCluster::new(names, tls_config.clone(), vec![server.clone()]).query(server).await?;
    }
    Ok(())
}

/// Whether the server does not know `HELLO`.
fn is_old(error: &redis::RedisError) -> bool {
    error.kind() == redis::ErrorKind::RESP3NotSupported || error.code() == Some("NOPROTO")
}

/// The first two numbers of a version.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(version("7.0.15") >= version(CLUSTER_SINCE));
        assert!(version("6.2.14") < version(CLUSTER_SINCE));
        assert!(version("10.0.0") > version("9.9"));
        assert_eq!(version("new"), None);
    }
}
