//! Says of each server why it would not do, before anything is started.

use redis::Pipeline;

use super::{
    RedisKind, RedisOptions,
    names::ChannelNames,
    server::{RedisAddressError, RedisFailure, RedisServer, TlsConfig},
    topology::{RedisCluster, text},
};

/// Sharded channels, which carry a cluster's news, are as old as this.
const CLUSTER_SINCE: &str = "7.0";
/// The protocol that the bus speaks, RESP3, is as old as this.
const STANDALONE_SINCE: &str = "6.0";

/// What is wrong with a server.
#[derive(Debug, thiserror::Error)]
#[error("{server}: {cause}")]
pub struct ServerProblem {
    /// Its place in the settings, and its address without a password if it has one.
    pub server: String,
    /// Why it would not do.
    pub cause: ProblemCause,
}

/// See [`ServerProblem`].
#[derive(Debug, thiserror::Error)]
pub enum ProblemCause {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] RedisAddressError),
    /// The server does not serve.
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
    // Who may not ask for it may still publish.
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

/// Whether the server does not know the greeting.
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
