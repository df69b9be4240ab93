//! Says of each server why it would not do, before anything is started.

use redis::Pipeline;

use super::{
    RedisKind, RedisOptions,
    names::Names,
    server::{BadAddress, Server, Trouble, Trust},
    topology::{Cluster, text},
};

/// Sharded channels, which carry a cluster's news, are as old as this.
const CLUSTER_SINCE: &str = "7.0";
/// The protocol that the bus speaks, RESP3, is as old as this.
const ALONE_SINCE: &str = "6.0";

/// What is wrong with a server.
#[derive(Debug, thiserror::Error)]
#[error("{server}: {why}")]
pub struct Complaint {
    /// Its place in the settings, and its address without a password if it has one.
    pub server: String,
    /// Why it would not do.
    pub why: Why,
}

/// See [`Complaint`].
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The server does not serve.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

pub(super) async fn check(options: &RedisOptions, trust: &Trust) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (place, url) in options.servers.iter().enumerate() {
        let (name, why) = match Server::parse(url) {
            Ok(server) => (format!(" ({server})"), check_one(&server, options, trust).await),
            Err(error) => (String::new(), Err(error.into())),
        };
        if let Err(why) = why {
            complaints.push(Complaint { server: format!("server {}{name}", place + 1), why });
        }
    }
    complaints
}

async fn check_one(server: &Server, options: &RedisOptions, trust: &Trust) -> Result<(), Why> {
    let needed = match options.kind {
        RedisKind::Standalone => ALONE_SINCE,
        RedisKind::Cluster => CLUSTER_SINCE,
    };
    let mut questions = Pipeline::new();
    questions.cmd("INFO").arg("server");
    let answers = match server.ask(trust, &questions).await {
        Err(Trouble::Refused(error)) if is_old(&error) => {
            return Err(Trouble::TooOld { found: "an older one".to_owned(), needed }.into());
        }
        answers => answers?,
    };
    // Who may not ask for it may still publish.
    let info = answers.first().map_or("", text);
    let found = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("");
    if version(found).is_some_and(|found| Some(found) < version(needed)) {
        return Err(Trouble::TooOld { found: found.to_owned(), needed }.into());
    }
    if options.kind == RedisKind::Cluster {
        let names = Names::new(&options.prefix, options.node.clone());
        Cluster::new(names, trust.clone(), vec![server.clone()]).ask(server).await?;
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
