//! Whether a node is ready, as `/health/ready` says it.

use serde::Serialize;

use crate::chat::{FailureCause, NodePart, PartFailure, Readiness};

#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "status")]
enum Answer {
    Ready,
    Unready { failed: Vec<Failed> },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    part: &'static str,
    code: &'static str,
    since_ms: u64,
}

/// The JSON of a readiness.
pub(crate) fn readiness_json(readiness: &Readiness) -> String {
    let answer = match readiness {
        Readiness::Ready => Answer::Ready,
        Readiness::Unready(failures) => {
            Answer::Unready { failed: failures.iter().map(Failed::from).collect() }
        }
    };
    serde_json::to_string(&answer).expect("texts and numbers are JSON")
}

impl From<&PartFailure> for Failed {
    fn from(failure: &PartFailure) -> Self {
        let PartFailure { part, cause, since } = failure;
        let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Self { part: part_name(*part), code: cause_code(*cause), since_ms }
    }
}

fn part_name(part: NodePart) -> &'static str {
    match part {
        NodePart::Node => "node",
        NodePart::Journal => "journal",
        NodePart::Store => "store",
        NodePart::Bus => "bus",
        NodePart::Hub => "hub",
    }
}

fn cause_code(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::Draining => "draining",
        FailureCause::Unavailable => "unavailable",
        FailureCause::BusDisconnected => "bus_disconnected",
        FailureCause::Timeout => "timeout",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_has_failed_is_listed() {
        assert_eq!(readiness_json(&Readiness::Ready), r#"{"status":"ready"}"#);
        let failure =
            |part, cause, millis| PartFailure { part, cause, since: Duration::from_millis(millis) };
        let failures = vec![
            failure(NodePart::Store, FailureCause::Timeout, 1200),
            failure(NodePart::Bus, FailureCause::BusDisconnected, 0),
        ];
        let store = r#"{"part":"store","code":"timeout","sinceMs":1200}"#;
        let bus = r#"{"part":"bus","code":"bus_disconnected","sinceMs":0}"#;
        assert_eq!(
            readiness_json(&Readiness::Unready(failures)),
            format!(r#"{{"status":"unready","failed":[{store},{bus}]}}"#)
        );
    }
}
