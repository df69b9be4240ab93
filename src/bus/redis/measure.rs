//! Measures servers, for operators.

use std::time::Duration;

use redis::{Pipeline, Value};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    RedisOptions,
    server::{RedisServer, TlsConfig},
    topology::text,
};

/// What a server answers, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisMeasurement {
    /// The address, without a password.
    pub server: String,
    /// The version, if this user may ask for it.
    pub version: String,
    /// The time of a connection with an answer.
    pub answer_time: Duration,
    /// The time of the server, if it tells.
    pub time: Option<OffsetDateTime>,
}

/// Asks each server; those that do not answer are left out.
pub(super) async fn measure(
    options: &RedisOptions,
    tls_config: &TlsConfig,
) -> Vec<RedisMeasurement> {
    let mut found = Vec::new();
    for server in options.servers.iter().filter_map(|url| RedisServer::parse(url).ok()) {
        let mut commands = Pipeline::new();
        commands.cmd("INFO").arg("server").cmd("TIME");
        let began = Instant::now();
        let Ok(answers) = server.query(tls_config, &commands).await else { continue };
        let answer_time = began.elapsed();
        let info = answers.first().map_or("", text);
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        found.push(RedisMeasurement {
            server: server.to_string(),
            version: version.unwrap_or("unknown").trim().to_owned(),
            answer_time,
            time: answers.get(1).and_then(time),
        });
    }
    found
}

/// Reads the answer to TIME: seconds and microseconds, as texts.
fn time(answer: &Value) -> Option<OffsetDateTime> {
    let Value::Array(parts) = answer else { return None };
    let mut numbers = parts.iter().map(|it| text(it).parse::<i64>().ok());
    let (seconds, micros) = (numbers.next()??, numbers.next()??);
    let whole = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    Some(whole + time::Duration::microseconds(micros))
}
