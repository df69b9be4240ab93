//! PostgreSQL and Redis: whether they can be used, how fast they answer, and what time they have.

use std::time::Duration;

use time::OffsetDateTime;

use super::Finding;
use crate::{
    app::engines,
    bus::RedisBus,
    chat::ports::{Clock as _, with_causes},
    clock::SystemClock,
    config::{Config, StoreKind},
    domain::NodeId,
    store::PostgresStore,
};

/// A commit takes a few answers of PostgreSQL, and an event between nodes one of Redis.
const SLOW: Duration = Duration::from_millis(20);

/// Times of messages are those of the node, and tokens expire by its clock.
const OFFSET_WARNING: time::Duration = time::Duration::seconds(1);
const OFFSET_ERROR: time::Duration = time::Duration::seconds(30);

/// The findings of one server.
struct Checks {
    server: &'static str,
    speed: &'static str,
    clock: &'static str,
}

const POSTGRES: Checks =
    Checks { server: "postgres.server", speed: "postgres.speed", clock: "postgres.clock" };
const REDIS: Checks = Checks { server: "redis.server", speed: "redis.speed", clock: "redis.clock" };

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = postgres(config).await;
    findings.extend(redis(config).await);
    findings
}

async fn postgres(config: &Config) -> Vec<Finding> {
    let StoreKind::Postgres(address) = &config.store else { return Vec::new() };
    let options = engines::postgres(config, address, &NodeId::from_raw("doctor"));
    let unusable = |error| {
        let action = "start it, or correct `store`: until then the server does not start";
        Finding::error(POSTGRES.server, with_causes(&error), action)
    };
    let warnings = match PostgresStore::check(&options).await {
        Ok(warnings) => warnings,
        Err(error) => return vec![unusable(error)],
    };
    let mut findings: Vec<_> = warnings
        .iter()
        .map(|it| {
            let action = "change the server's setting, unless you accept the risk";
            Finding::warning(POSTGRES.server, it.to_string(), action)
        })
        .collect();
    match PostgresStore::measure(&options).await {
        Ok(found) => {
            let message = format!("PostgreSQL {}", found.version);
            findings.push(Finding::ok(POSTGRES.server, message));
            findings.push(speed(&POSTGRES, "PostgreSQL", found.answer_time));
            findings.push(clock(&POSTGRES, "PostgreSQL", found.time, SystemClock.now()));
        }
        Err(error) => findings.push(unusable(error)),
    }
    findings
}

async fn redis(config: &Config) -> Vec<Finding> {
    let Some(options) = engines::redis(config, &NodeId::from_raw("doctor"), "doctor") else {
        return Vec::new();
    };
    let problems = RedisBus::check(&options).await;
    if !problems.is_empty() {
        let action = "start it, or correct `bus`: until then nodes see each other's events late";
        let findings =
            problems.iter().map(|it| Finding::error(REDIS.server, with_causes(it), action));
        return findings.collect();
    }
    let mut findings = Vec::new();
    for found in RedisBus::measure(&options).await {
        let now = SystemClock.now();
        let name = format!("Redis {}", found.server);
        findings.push(Finding::ok(REDIS.server, format!("{name}: version {}", found.version)));
        findings.push(speed(&REDIS, &name, found.answer_time));
        findings.extend(found.time.map(|time| clock(&REDIS, &name, time, now)));
    }
    findings
}

fn speed(checks: &Checks, name: &str, answer_time: Duration) -> Finding {
    let message = format!("{name} answers in {:.1} ms", answer_time.as_secs_f64() * 1000.0);
    if answer_time <= SLOW {
        return Finding::ok(checks.speed, message);
    }
    Finding::warning(checks.speed, message, "put it into the same network as the nodes")
}

fn clock(checks: &Checks, name: &str, theirs: OffsetDateTime, ours: OffsetDateTime) -> Finding {
    let offset = (theirs - ours).abs();
    let message = format!("the clock of {name} differs by {:.1} s", offset.as_seconds_f64());
    let action = "synchronize the clocks of both machines (chrony, systemd-timesyncd)";
    if offset < OFFSET_WARNING {
        Finding::ok(checks.clock, message)
    } else if offset < OFFSET_ERROR {
        Finding::warning(checks.clock, message, action)
    } else {
        Finding::error(checks.clock, message, action)
    }
}
