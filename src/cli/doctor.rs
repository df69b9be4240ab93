//! `doctor`: examine the settings and the machine.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{FAULT, print_answer};
use crate::{
    app::doctor::{self, Finding, Level},
    config::{Config, Problems},
};

/// How to print the findings.
#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    /// Prints a finding per line, and what to do. The exit code is 1 if one is an error.
    pub(super) fn run(&self, config: Result<Config, Problems>) -> ExitCode {
        let findings = match config {
            Ok(config) => doctor::examine(&config),
            Err(problems) => doctor::of_problems(&problems),
        };
        let text = if self.json { as_json(&findings) } else { as_text(&findings) };
        let printed = print_answer(text);
        if has_errors(&findings) { ExitCode::from(FAULT) } else { printed }
    }
}

fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|it| it.level == Level::Error)
}

fn as_text(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|Finding { level, check, message, action }| {
        let action =
            if action.is_empty() { String::new() } else { format!("\n         do: {action}") };
        format!("{level:<8} {check}: {message}{action}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn as_json(findings: &[Finding]) -> String {
    let rows = findings.iter().map(|Finding { level, check, message, action }| {
        json!({ "level": level.to_string(), "check": check, "message": message, "action": action })
    });
    json!({ "ok": !has_errors(findings), "findings": rows.collect::<Vec<_>>() }).to_string()
}
