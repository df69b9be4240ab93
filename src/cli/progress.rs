//! Progress of a command on standard error: a line that changes on a terminal, or plain lines.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::print_notice;
use crate::app::data::Progress;

/// How often the line of a terminal changes.
const TICK: Duration = Duration::from_millis(100);
/// Rows for each plain line.
const ROWS_PER_LINE: u64 = 100_000;
/// The line of a command that counts rows.
const ROWS: &str = "{spinner} {msg} {human_pos} rows {elapsed}";
/// The line of a command that says what it does.
const STEPS: &str = "{spinner} {msg} {elapsed}";

/// The progress of one command.
pub(super) struct CommandProgress {
    bar: ProgressBar,
}

impl CommandProgress {
    /// Of a command that counts rows.
    pub(super) fn start() -> Self {
        Self::with(ROWS)
    }

    /// Of a command that says what it does.
    pub(super) fn of_steps() -> Self {
        Self::with(STEPS)
    }

    fn with(template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar }
    }

    /// What a terminal shows at the moment; there are no plain lines for it.
    pub(super) fn show(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }
}

impl Progress for CommandProgress {
    fn step(&self, what: &str) {
        if self.bar.is_hidden() {
            print_notice(what);
        }
        self.bar.set_message(what.to_owned());
    }

    fn rows(&self, count: u64) {
        if self.bar.is_hidden() && count.is_multiple_of(ROWS_PER_LINE) {
            print_notice(format_args!("{count} rows"));
        }
        self.bar.set_position(count);
    }
}

impl Drop for CommandProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
