//! What a run has found: rows of a table, or one JSON object.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use serde_json::{Map, Value, json};

use super::{
    Work,
    load::{Pace, State},
    run::Run,
};

/// From when on this program is too slow for the rate that it was told: in milliseconds.
const LATENESS_MAX: f64 = 20.0;

/// The findings of a run.
pub(super) struct Report {
    rows: Vec<(&'static str, &'static str, Value)>,
    notes: Vec<String>,
    /// Whether nothing was lost and no client has failed.
    pub(super) is_good: bool,
}

impl Report {
    pub(super) fn of(work: Work, run: &Run) -> Self {
        let mut report = Self { rows: Vec::new(), notes: Vec::new(), is_good: false };
        report.connections(work, run);
        match work {
            Work::FanOut | Work::Jitter => report.messages(run, work),
            Work::Echo => report.echo(run),
            Work::Idle => {}
            Work::Reconnect => report.returns(run),
        }
        report.faults(run, work);
        report.explain(run);
        report
    }

    /// A row: its key in JSON, its name in the table.
    pub(super) fn row(&mut self, key: &'static str, name: &'static str, value: impl Into<Value>) {
        self.rows.push((key, name, value.into()));
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn connections(&mut self, work: Work, run: &Run) {
        let plan = &run.load.plan;
        self.row("wire", "wire", plan.wire.name());
        self.row("seconds", "seconds", plan.duration.as_secs());
        self.row("clients", "clients", plan.clients);
        self.row("rooms", "rooms", plan.rooms);
        self.row("connected", "connections opened", run.connected);
        let per_second = rate(run.connected as u64, run.connecting.as_secs_f64());
        self.row("connectedPerSecond", "connections per second", per_second);
        self.row("connectMs", "time to connect, ms", run.load.tally.times.connect.to_json());
        if work == Work::Idle {
            self.row("held", "connections held", run.load.count(State::Connected));
        }
    }

    fn messages(&mut self, run: &Run, work: Work) {
        let tally = &run.load.tally;
        let seconds = seconds_of_work(run);
        let (stored, deliveries) = (value(&tally.stored), value(&tally.deliveries));
        self.row("sent", "messages sent", value(&tally.sent));
        self.row("stored", "messages acknowledged", stored);
        self.row("storedPerSecond", "messages per second", rate(stored, seconds));
        self.row("deliveries", "deliveries", deliveries);
        self.row("deliveriesPerSecond", "deliveries per second", rate(deliveries, seconds));
        self.row("deliveryMs", "delivery time, ms", tally.times.delivery.to_json());
        if work == Work::Jitter {
            self.row("jitterMs", "difference of two deliveries, ms", tally.times.jitter.to_json());
        }
        self.row("answerMs", "time to the answer, ms", tally.times.answer.to_json());
    }

    fn echo(&mut self, run: &Run) {
        let tally = &run.load.tally;
        let stored = value(&tally.stored);
        self.row("sent", "messages sent", value(&tally.sent));
        self.row("stored", "round trips", stored);
        self.row("storedPerSecond", "round trips per second", rate(stored, seconds_of_work(run)));
        self.row("answerMs", "round trip, ms", tally.times.answer.to_json());
    }

    fn returns(&mut self, run: &Run) {
        let tally = &run.load.tally;
        let last = tally.times.back.to_json().get("max").cloned();
        let is_all_back = run.load.count(State::Connected) == run.connected && run.load.lost() == 0;
        let all_back = last.filter(|_| is_all_back).unwrap_or_default();
        self.row("allBackMs", "until all are back, ms", all_back);
        self.row("backMs", "until one is back, ms", tally.times.back.to_json());
        self.row("stored", "messages meanwhile", value(&tally.stored));
        self.row("missed", "missed messages received", value(&tally.missed));
        self.row("away", "not back", run.load.count(State::Away));
    }

    fn faults(&mut self, run: &Run, work: Work) {
        let (load, tally) = (&run.load, &run.load.tally);
        let away = load.count(State::Away);
        let waiting = value(&tally.waiting);
        if work != Work::Idle {
            self.row("lost", "lost", load.lost());
            self.row("duplicates", "received twice", value(&tally.duplicates));
            self.row("unanswered", "not answered", waiting);
        }
        self.row("pings", "pings answered", value(&tally.pings));
        self.row("refusals", "refusals", tally.refusals.to_json());
        self.row("failures", "clients failed", tally.failures.to_json());
        self.row("interrupted", "interrupted", run.is_interrupted);
        let is_whole = load.lost() + value(&tally.duplicates) + waiting == 0;
        let is_back = run.is_interrupted || away == 0;
        self.is_good = is_whole && is_back && tally.failures.total() == 0 && run.connected > 0;
        self.row("ok", "ok", self.is_good);
    }

    fn explain(&mut self, run: &Run) {
        let tally = &run.load.tally;
        if tally.refusals.of("too_fast") > 0 {
            self.note(
                "too_fast: a connection sent more than the server permits \
                 (limits.messages_per_second_max): lower --rate, or raise --clients or the limit"
                    .to_owned(),
            );
        }
        if tally.refusals.of("not_recovered") > 0 {
            self.note(
                "not_recovered: more was missed than the server sends \
                 (limits.recover_messages_max), or it keeps less (retention)"
                    .to_owned(),
            );
        }
        let skipped = value(&tally.skipped);
        if skipped > 0 {
            self.note(format!("{skipped} messages were left out: too many waited for answers"));
        }
        let lateness = tally.times.lateness.quantile(0.99);
        if matches!(run.load.plan.pace, Pace::PerSecond(_)) && lateness > LATENESS_MAX {
            self.note(format!(
                "this program sent up to {lateness} ms late (p99): the machine is too slow for \
                 --rate, and the times include that"
            ));
        }
    }

    /// One JSON object.
    pub(super) fn to_json(&self, work: &str, url: &str) -> String {
        let mut object: Map<String, Value> =
            self.rows.iter().map(|(key, _, value)| ((*key).to_owned(), value.clone())).collect();
        object.insert("work".to_owned(), json!(work));
        object.insert("url".to_owned(), json!(url));
        object.insert("notes".to_owned(), json!(self.notes));
        Value::Object(object).to_string()
    }

    /// A line per row, and the notes.
    pub(super) fn to_table(&self) -> String {
        let width = self.rows.iter().map(|(_, name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (_, name, value) in &self.rows {
            let _infallible = writeln!(text, "{name:width$}  {}", cell(value));
        }
        for note in &self.notes {
            let _infallible = writeln!(text, "note: {note}");
        }
        text
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(entries) if entries.is_empty() => "none".to_owned(),
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            // The greatest comes last, behind the percentiles.
            entries.sort_by_key(|(key, _)| *key == "max");
            entries.iter().map(|(key, it)| format!("{key} {it}")).collect::<Vec<_>>().join("  ")
        }
        other => other.to_string(),
    }
}

fn value(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

/// The time in which messages were sent and arrived.
#[expect(clippy::cast_precision_loss, reason = "a run has an hour at most")]
fn seconds_of_work(run: &Run) -> f64 {
    value(&run.load.tally.last).saturating_sub(run.begin) as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "no count is so large")]
fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { round(count as f64 / seconds) } else { 0.0 }
}

fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
