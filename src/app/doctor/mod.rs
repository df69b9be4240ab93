//! Examines the settings and the machine before, or while, a server runs on it.
//!
//! Nothing is changed: the probe of the disk is removed again. Each finding says what to do.

mod disk;
mod files;
mod ports;
mod servers;
mod system;

use std::fmt;

use tokio::runtime;

use super::{backends, tls, tokens, webhooks};
use crate::config::{Config, Problems};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing to do.
    Ok,
    /// It works, with a risk.
    Warning,
    /// The server does not start, or loses something.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What an examination found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was examined, such as `files.key`.
    pub check: &'static str,
    /// What was found.
    pub message: String,
    /// What to do about it; empty if there is nothing.
    pub action: String,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Ok, check, message: message.into(), action: String::new() }
    }

    fn warning(check: &'static str, message: impl Into<String>, action: impl Into<String>) -> Self {
        Self { level: Level::Warning, check, message: message.into(), action: action.into() }
    }

    fn error(check: &'static str, message: impl Into<String>, action: impl Into<String>) -> Self {
        Self { level: Level::Error, check, message: message.into(), action: action.into() }
    }
}

/// Examines everything that valid settings name.
pub fn examine(config: &Config) -> Vec<Finding> {
    let server = files::running_server(config);
    let mut findings = settings(config);
    findings.extend(files::examine(config));
    findings.extend(disk::examine(config));
    findings.extend(ports::examine(config, server));
    findings.extend(system::examine(config));
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            findings.extend(runtime.block_on(servers::examine(config)));
            // A pending DNS lookup is not awaited.
            runtime.shutdown_background();
        }
        Err(error) => findings.push(Finding::error(
            "system.threads",
            format!("a runtime cannot be started: {error}"),
            "raise the limits of the process on threads and files",
        )),
    }
    findings
}

/// The findings of settings that are invalid.
pub fn of_problems(problems: &Problems) -> Vec<Finding> {
    let Problems(problems) = problems;
    let findings = problems.iter().map(|it| {
        Finding::error("settings", it.to_string(), "correct the setting: see config.example.toml")
    });
    findings.collect()
}

fn settings(config: &Config) -> Vec<Finding> {
    let mut failures: Vec<_> = tokens::check(config).err().into_iter().collect();
    failures.extend(tls::check(config).err());
    failures.extend(backends::open(config, Vec::new()).err());
    failures.extend(webhooks::targets(config).err());
    let errors = failures
        .iter()
        .map(|it| Finding::error("settings", it.to_string(), "correct what the setting names"));
    let mut findings: Vec<_> = errors.collect();
    findings.extend(config.warnings().into_iter().map(|warning| {
        Finding::warning("settings", warning, "change the setting, unless you accept the risk")
    }));
    if findings.is_empty() {
        findings.push(Finding::ok("settings", "valid"));
    }
    findings
}
