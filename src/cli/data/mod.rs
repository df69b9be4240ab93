//! `backup`, `restore`, `export`, `import`: commands on stored data.

mod transfer;

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

pub(super) use self::transfer::{ExportArgs, ImportArgs};
use super::{BAD_SETTING, FAULT, print_answer, print_error, progress::CommandProgress};
use crate::{
    app::data::{self, DataError, DatabaseSummary},
    chat::ports::with_causes,
    config::Config,
};

/// Where to put a backup.
#[derive(Args, Debug)]
pub(super) struct BackupArgs {
    /// A directory that is new or empty
    #[arg(value_name = "DIR")]
    target: PathBuf,
}

/// Which backup to restore.
#[derive(Args, Debug)]
pub(super) struct RestoreArgs {
    /// The directory that `roomcast backup` made
    #[arg(value_name = "DIR")]
    backup: PathBuf,
}

impl BackupArgs {
    /// Copies the data directory, also while a server uses it.
    pub(super) fn run(&self, config: &Config) -> ExitCode {
        let Self { target } = self;
        let made = data::backup(config, target, &CommandProgress::start());
        let what = format!("backed up {} to {}", config.data.display(), target.display());
        print_result(made.map(|summary| describe_copy(&what, &summary)))
    }
}

impl RestoreArgs {
    /// Makes the backup the data directory.
    pub(super) fn run(&self, config: &Config) -> ExitCode {
        let Self { backup } = self;
        let made = data::restore(config, backup, &CommandProgress::start());
        let what = format!("restored {} to {}", backup.display(), config.data.display());
        print_result(made.map(|summary| describe_copy(&what, &summary)))
    }
}

/// What a copied directory has.
fn describe_copy(what: &str, summary: &DatabaseSummary) -> String {
    let mut lines = vec![describe(&format!("{what}, integrity ok"), summary)];
    if summary.files.is_empty() {
        lines.push("no key in the directory: back up what `token` of the settings names".into());
    }
    lines.extend(summary.files.iter().map(|file| format!("with {file}")));
    lines.join("\n")
}

/// The schema and the number of rows of each table.
fn describe(what: &str, summary: &DatabaseSummary) -> String {
    let DatabaseSummary { schema, rows, files: _ } = summary;
    let mut lines = vec![format!("{what}: schema {schema}")];
    lines.extend(rows.iter().map(|(table, count)| format!("{table}: {count}")));
    lines.join("\n")
}

fn print_result(result: Result<String, DataError>) -> ExitCode {
    result.map_or_else(|error| print_failure(&error), print_answer)
}

fn print_failure(error: &DataError) -> ExitCode {
    let code = if matches!(error, DataError::Refused(_)) { BAD_SETTING } else { FAULT };
    print_error(code, with_causes(error))
}
