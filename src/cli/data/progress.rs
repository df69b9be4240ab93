//! Progress of a command on standard error: a line that changes on a terminal, or plain lines.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::print_notice;
use crate::app::data::Progress;

/// How often the line of a terminal changes.
const TICK: Duration = Duration::from_millis(100);
/// Rows for each plain line.
const ROWS_PER_LINE: u64 = 100_000;

/// The progress of one command.
pub(super) struct CommandProgress {
    bar: ProgressBar,
}

impl CommandProgress {
    pub(super) fn start() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {msg} {human_pos} rows {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar }
    }

    /// The only step begins.
    pub(super) fn begin(&self, what: &'static str) {
        self.bar.set_message(what);
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
