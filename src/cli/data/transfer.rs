//! `export` and `import`: all that is stored, as lines of JSON.

use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write as _},
    iter,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{describe, print_failure, print_result};
use crate::{
    app::data::{self, DataError, EpochChoice},
    cli::{print_notice, progress::CommandProgress},
    config::Config,
};

/// The name of standard input and output.
const STANDARD: &str = "-";

/// Where to write an export.
#[derive(Args, Debug)]
pub(in crate::cli) struct ExportArgs {
    /// A new file, or `-` for standard output
    #[arg(value_name = "FILE")]
    target: PathBuf,
}

/// Which export to import.
#[derive(Args, Debug)]
pub(in crate::cli) struct ImportArgs {
    /// The file that `roomcast export` wrote, or `-` for standard input
    #[arg(value_name = "FILE")]
    source: PathBuf,
    /// Keep the epoch, so that returning clients go on: only if the old server had stopped before
    /// the export
    #[arg(long)]
    keep_epoch: bool,
}

impl ExportArgs {
    /// Writes all that is stored.
    pub(in crate::cli) fn run(&self, config: &Config) -> ExitCode {
        let (Self { target }, progress) = (self, CommandProgress::start());
        progress.show("exporting");
        if target.as_os_str() == STANDARD {
            let made = data::export(config, &mut BufWriter::new(io::stdout()), &progress);
            drop(progress);
            return match made {
                Ok(summary) => {
                    // Standard output has the export.
                    print_notice(describe("exported", &summary));
                    ExitCode::SUCCESS
                }
                Err(error) if is_closed_reader(&error) => ExitCode::SUCCESS,
                Err(error) => print_failure(&error),
            };
        }
        let made = export_to(target, config, &progress);
        drop(progress);
        print_result(made)
    }
}

fn export_to(
    target: &Path,
    config: &Config,
    progress: &CommandProgress,
) -> Result<String, DataError> {
    let mut options = File::options();
    let file = options.write(true).create_new(true).mode(0o600).open(target);
    let file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            DataError::Refused(format!("the file {} exists already", target.display()))
        }
        _ => failed("created", target, error),
    })?;
    let mut out = BufWriter::new(file);
    let made = data::export(config, &mut out, progress);
    let summary = made.inspect_err(|_| {
        fs::remove_file(target).ok();
    })?;
    let synced = out.flush().and_then(|()| out.get_ref().sync_all());
    synced.map_err(|error| failed("written", target, error))?;
    Ok(describe(&format!("exported to {}", target.display()), &summary))
}

impl ImportArgs {
    /// Fills an empty store.
    pub(in crate::cli) fn run(&self, config: &Config) -> ExitCode {
        let (Self { source, keep_epoch }, progress) = (self, CommandProgress::start());
        let epoch = if *keep_epoch { EpochChoice::Keep } else { EpochChoice::New };
        progress.show("importing");
        let made = if source.as_os_str() == STANDARD {
            data::import(config, &mut BufReader::new(io::stdin()), epoch, &progress)
        } else {
            File::open(source)
                .map_err(|error| failed("opened", source, error))
                .and_then(|file| data::import(config, &mut BufReader::new(file), epoch, &progress))
        };
        drop(progress);
        print_result(made.map(|summary| describe("imported", &summary)))
    }
}

/// Whether who reads standard output has enough (`| head`).
fn is_closed_reader(error: &DataError) -> bool {
    iter::successors(Some(error as &dyn Error), |error| (*error).source()).any(|error| {
        error.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// A path that is not there is a mistake of who typed it.
fn failed(doing: &str, path: &Path, error: io::Error) -> DataError {
    let doing = format!("the file {} cannot be {doing}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => DataError::Refused(format!("{doing}: {error}")),
        _ => DataError::Failed { doing, source: error.into() },
    }
}
