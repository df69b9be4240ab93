//! The command line.
//!
//! Answers are printed on standard output, errors on standard error. The exit code is 0 for
//! success, 1 for a fault, 2 for invalid settings or flags, 3 for a refused token or request.

mod bench;
mod contract;
mod data;
mod doctor;
mod documents;
mod key;
mod progress;
mod remote;
mod token;

use std::{
    env::ArgsOs,
    fmt,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{
    Arg, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind,
};
use tracing::warn;

use self::bench::BenchCommand;
use self::contract::ContractArgs;
use self::data::{BackupArgs, ExportArgs, ImportArgs, RestoreArgs};
use self::doctor::DoctorArgs;
use self::documents::{CompletionsArgs, ManArgs};
use self::key::KeyCommand;
use self::remote::RemoteCommand;
use self::token::{CheckTokenArgs, TokenArgs};
use crate::{
    app::{self, ReloadSource},
    config::{self, Config, Flag, Problems, SettingPlace, Sources},
    telemetry,
};

/// A fault.
const FAULT: u8 = 1;
/// The settings or the flags are invalid.
const BAD_SETTING: u8 = 2;
/// The token or the request is refused.
const REFUSED: u8 = 3;

/// Flags of the process of a server.
const OF_SERVERS: [&str; 4] = ["listen", "data", "log_format", "log_filter"];

/// Live conversations for web products.
#[derive(Debug, Parser)]
#[command(name = "roomcast", about)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// The command.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (the default command)
    Serve,
    /// Print a token for a user
    Token(TokenArgs),
    /// Print what a token proves, or why it is refused (exit code 3)
    CheckToken(CheckTokenArgs),
    /// Make keys of the HTTP API
    #[command(subcommand)]
    Key(KeyCommand),
    /// Print the events and their payloads, for programs
    Contract(ContractArgs),
    /// Copy the data directory to DIR, also while a server uses it
    Backup(BackupArgs),
    /// Make the backup in DIR the data directory
    Restore(RestoreArgs),
    /// Write all that is stored to FILE, as lines of JSON
    Export(ExportArgs),
    /// Fill an empty store with the export in FILE
    Import(ImportArgs),
    /// Examine settings, files, ports, clocks, disk, limits and servers (exit code 1 if one is wrong)
    Doctor(DoctorArgs),
    /// Check the settings without starting the server
    CheckConfig,
    /// Print a file of all settings with their defaults
    ExampleConfig,
    /// Print a script that completes commands in a shell
    Completions(CompletionsArgs),
    /// Write manual pages
    Man(ManArgs),
    /// Measure a running server with many clients (exit code 1 if a message was lost)
    #[command(subcommand)]
    Bench(BenchCommand),
    #[command(flatten)]
    Remote(RemoteCommand),
}

/// The sources of settings, and some settings.
#[derive(Args, Clone, Debug)]
struct SettingsArgs {
    /// Read this file instead of roomcast.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on, or several with commas [default: 127.0.0.1:3000]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The directory of the messages and the key [default: roomcast-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// The format of the log: text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
    /// The filter of the log [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    log_filter: Option<String>,
    /// Any setting, such as `guests=off` or `limits.spaces_max=10`; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

/// Runs the command in `arguments`; the first one is the program's name. `version` is what
/// `--version` prints.
pub fn run(arguments: ArgsOs, version: &'static str) -> ExitCode {
    let matches = command().version(version).try_get_matches_from(arguments);
    let line = match matches.and_then(|matches| CommandLine::from_arg_matches(&matches)) {
        Ok(line) => line,
        Err(error) if is_help_or_version(&error) => return print_answer(error.render()),
        Err(error) => return print_error(BAD_SETTING, error.render().to_string().trim_end()),
    };
    let command = match line.command {
        Some(Command::ExampleConfig) => return print_answer(config::EXAMPLE),
        Some(Command::Key(key)) => return key.run(),
        Some(Command::Contract(contract)) => return contract.print(),
        Some(Command::Completions(shell)) => return shell.print(),
        Some(Command::Man(directory)) => return directory.write(),
        Some(Command::Bench(bench)) => return bench.run(|| line.settings.load()),
        Some(Command::Remote(remote)) => return remote.run(|| line.settings.load()),
        Some(Command::Doctor(doctor)) => return doctor.run(line.settings.load()),
        other => other.unwrap_or(Command::Serve),
    };
    let settings = line.settings.with_file_that_exists();
    let config = match settings.load() {
        Ok(config) => config,
        Err(problems) => return print_error(BAD_SETTING, problems),
    };
    match command {
        Command::Serve => serve(&config, &settings),
        Command::Token(token) => token.issue(&config),
        Command::CheckToken(checked) => checked.check(&config),
        Command::Backup(backup) => backup.run(&config),
        Command::Restore(restore) => restore.run(&config),
        Command::Export(export) => export.run(&config),
        Command::Import(import) => import.run(&config),
        _ => check_config(&config, settings.sources().read()),
    }
}

/// The definition of the command line. Commands that only talk to a server take the settings of a
/// server, because these say where it is, and their help does not list them.
fn command() -> clap::Command {
    let command = CommandLine::command();
    let of_servers: Vec<Arg> = command
        .get_arguments()
        .filter(|it| OF_SERVERS.iter().any(|id| it.get_id() == id))
        .map(|it| it.clone().hide(true))
        .collect();
    let remote = RemoteCommand::augment_subcommands(clap::Command::new("remote"));
    let names = remote.get_subcommands().map(|it| it.get_name().to_owned());
    names.chain(["bench".to_owned()]).fold(command, |command, name| {
        command.mut_subcommand(name, |it| it.args(of_servers.clone()))
    })
}

impl SettingsArgs {
    /// Names the default file if it is there: at a reload, a file that is missing is not one without
    /// settings.
    fn with_file_that_exists(self) -> Self {
        let default = Path::new(config::FILE);
        let is_there = self.config.is_none() && default.exists();
        Self { config: self.config.or_else(|| is_there.then(|| default.to_owned())), ..self }
    }

    /// The settings of file, environment and flags together.
    fn load(&self) -> Result<Config, Problems> {
        self.sources().config()
    }

    fn sources(&self) -> Sources {
        let Self { config, listen, data, log_format, log_filter, set } = self.clone();
        let any = set.into_iter().map(|(key, value)| Flag { name: "--set", key, value });
        let named = [
            ("--listen", "listen", listen),
            ("--data", "data", data),
            ("--log-format", "log_format", log_format),
            ("--log-filter", "log_filter", log_filter),
        ];
        let named = named.into_iter().filter_map(|(name, key, value)| {
            Some(Flag { name, key: key.to_owned(), value: value? })
        });
        Sources::default().file(config.as_deref()).environment().flags(any.chain(named))
    }
}

/// Runs the server until it receives a signal to stop.
fn serve(config: &Config, settings: &SettingsArgs) -> ExitCode {
    let log_filter = match telemetry::start(config.log_format, &config.log_filter) {
        Ok(log_filter) => log_filter,
        Err(error) => return print_error(FAULT, error),
    };
    for warning in config.warnings() {
        warn!("{warning}");
    }
    let source = ReloadSource { read: &|| settings.load(), log_filter };
    match app::run(config, &source) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => print_failure(&failure),
    }
}

/// Prints a failure. The exit code tells faults from invalid settings.
fn print_failure(failure: &app::AppError) -> ExitCode {
    match failure {
        app::AppError::Setting { .. } | app::AppError::Settings(_) => {
            print_error(BAD_SETTING, failure)
        }
        app::AppError::Fault(_) => print_error(FAULT, failure),
    }
}

/// Prints that the settings are valid, from where they are, and warnings.
fn check_config(config: &Config, read: &[SettingPlace]) -> ExitCode {
    let tried = app::check_keys(config)
        .and_then(|()| app::check_certificates(config))
        .and_then(|()| app::check_engines(config));
    let engine_warnings = match tried {
        Ok(engine_warnings) => engine_warnings,
        Err(failure) => return print_failure(&failure),
    };
    let warnings = config.warnings().into_iter().chain(engine_warnings);
    let warnings = warnings.map(|warning| format!("\nwarning: {warning}"));
    print_answer(format!("ok\n{}{}", describe_sources(read), warnings.collect::<String>()))
}

/// The file and the variables that were read.
fn describe_sources(read: &[SettingPlace]) -> String {
    let file = read.iter().find_map(|place| match place {
        SettingPlace::File(path) => Some(path.display().to_string()),
        _ => None,
    });
    let variables = read.iter().filter_map(|place| match place {
        SettingPlace::Environment(name) => Some(name.as_str()),
        _ => None,
    });
    let variables = variables.collect::<Vec<_>>().join(", ");
    let file = file.unwrap_or_else(|| format!("none (there is no {} here)", config::FILE));
    let variables = if variables.is_empty() { "nothing" } else { &variables };
    format!("file: {file}\nenvironment: {variables}")
}

/// Whether clap's error is a request for help or the version.
fn is_help_or_version(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

/// Prints `text` as a line. A closed reader (`| head`) is not an error.
fn print_answer(text: impl fmt::Display) -> ExitCode {
    let text = text.to_string();
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => print_error(FAULT, error),
    }
}

/// Prints an error.
fn print_error(code: u8, what: impl fmt::Display) -> ExitCode {
    print_notice(what);
    ExitCode::from(code)
}

/// Prints a line on standard error.
#[expect(clippy::print_stderr, reason = "the command line prints errors here")]
fn print_notice(what: impl fmt::Display) {
    eprintln!("{what}");
}

/// Parses `key=value`.
fn assignment(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("this must be KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_definition_is_valid() {
        command().debug_assert();
    }

    #[test]
    fn help_lists_the_flags_of_a_server_only_where_they_matter() {
        for (words, is_listed) in
            [("serve", true), ("token", true), ("rooms", false), ("bench idle", false)]
        {
            let words = ["roomcast"].into_iter().chain(words.split(' ')).chain(["--help"]);
            let help = command().try_get_matches_from(words).unwrap_err().to_string();
            for flag in ["--listen", "--data", "--log-format", "--log-filter"] {
                assert_eq!(help.contains(flag), is_listed, "{flag} in {help}");
            }
            assert!(help.contains("--config"), "{help}");
        }
    }

    #[test]
    fn commands_take_the_flags_that_their_help_does_not_list() {
        for line in [
            "rooms --listen 1.2.3.4:5",
            "--listen 1.2.3.4:5 bench idle",
            "bench idle --listen 1.2.3.4:5",
        ] {
            let words = ["roomcast"].into_iter().chain(line.split(' '));
            let matches = command().try_get_matches_from(words).unwrap();
            let parsed = CommandLine::from_arg_matches(&matches).unwrap();
            assert_eq!(parsed.settings.listen.as_deref(), Some("1.2.3.4:5"), "{line}");
        }
    }

    #[test]
    fn flags_are_accepted_before_and_after_the_command_and_without_one() {
        for line in ["--data d", "serve --data d", "--data d serve", "check-config --data d"] {
            let words = ["roomcast"].into_iter().chain(line.split(' '));
            let parsed = CommandLine::try_parse_from(words).unwrap();
            assert_eq!(parsed.settings.data.as_deref(), Some("d"), "{line}");
        }
    }

    #[test]
    fn settings_from_flags_are_checked_like_all_others() {
        let words = ["roomcast", "--listen", "here", "--set", "guests=off", "--set", "gests=on"];
        let parsed = CommandLine::try_parse_from(words).unwrap();
        let problems = parsed.settings.load().unwrap_err().to_string();
        assert!(problems.contains("`listen` on the command line (--listen)"), "{problems}");
        assert!(problems.contains("`gests` on the command line (--set)"), "{problems}");
    }
}
