//! The command line.
//!
//! It speaks to a person or a script: answers on standard output, complaints on standard error,
//! and an exit code: 0 it went well, 1 we broke, 2 the settings or the flags are wrong, 3 the token is
//! refused.

use std::{
    ffi::OsString,
    fmt,
    io::{self, Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, error::ErrorKind};
use time::format_description::well_known::Rfc3339;
use tracing::warn;

use crate::{
    app,
    auth::TOKEN_BYTES_MAX,
    chat::ports::{Claims, Clock as _, Rooms, Tokens as _},
    clock::SystemClock,
    config::{self, Config, Flag, Problems, Sources},
    domain::{self, RoomPattern, SpacePattern, UserName},
    telemetry,
};

/// We broke.
const FAULT: u8 = 1;
/// The settings or the flags are wrong.
const BAD_SETTING: u8 = 2;
/// The token is refused.
const REFUSED: u8 = 3;
/// The longest time that a token may be good for: ten years.
const TTL_SECS_MAX: u64 = 10 * 365 * 24 * 60 * 60;

/// Live conversations for web products.
#[derive(Debug, Parser)]
#[command(name = "roomcast", version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; this is what happens without a command
    Serve,
    /// Print a token with which somebody may connect
    Token(Token),
    /// Say what a token proves, or why it is refused (then the exit code is 3)
    CheckToken(Checked),
    /// Say whether the settings are good, without starting anything
    CheckConfig,
    /// Print a file of all settings with their defaults
    ExampleConfig,
}

/// Where settings come from, and some of them.
#[derive(Args, Debug)]
struct Settings {
    /// Read this file instead of roomcast.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:3000]
    #[arg(long, global = true, value_name = "IP:PORT")]
    listen: Option<String>,
    /// The directory that holds the messages and the key [default: roomcast-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// What the lines of the log look like: text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Which lines the log has [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    log_filter: Option<String>,
    /// Any setting, such as `guests=off` or `limits.spaces_max=10`; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

/// Whom a token is for, and for how long.
#[derive(Args, Debug)]
struct Token {
    /// The user's name
    #[arg(long, value_name = "NAME", value_parser = user)]
    user: UserName,
    /// How long it is good for: a number and s, m, h or d
    #[arg(long, default_value = "24h", value_parser = lifetime)]
    ttl: Duration,
    /// A space that it opens, or a pattern; may be repeated [default: all]
    #[arg(long, value_name = "SPACE", value_parser = space)]
    space: Vec<SpacePattern>,
    /// A room that it opens, or a pattern; may be repeated [default: all]
    #[arg(long, value_name = "ROOM", value_parser = room)]
    room: Vec<RoomPattern>,
    /// How the user is shown
    #[arg(long, value_name = "NAME")]
    name: Option<Box<str>>,
    /// For an administrator
    #[arg(long)]
    admin: bool,
}

/// A token to look at.
#[derive(Args)]
struct Checked {
    /// The token [default: what stands on standard input, where no other user sees it]
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
}

/// Does what `arguments` say, the first of which is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) if is_an_answer(&error) => return answer(error.render()),
        Err(error) => return complain(BAD_SETTING, error.render().to_string().trim_end()),
    };
    if matches!(line.command, Some(Command::ExampleConfig)) {
        return answer(config::EXAMPLE);
    }
    let config = match line.settings.load() {
        Ok(config) => config,
        Err(problems) => return complain(BAD_SETTING, problems),
    };
    match line.command {
        None | Some(Command::Serve) => serve(&config),
        Some(Command::Token(token)) => token.make(&config),
        Some(Command::CheckToken(checked)) => checked.check(&config),
        Some(Command::CheckConfig | Command::ExampleConfig) => check_config(&config),
    }
}

impl Settings {
    /// The settings of file, environment and flags together.
    fn load(self) -> Result<Config, Problems> {
        let Self { config, listen, data, log_format, log_filter, set } = self;
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
        Sources::default().file(config.as_deref()).environment().flags(any.chain(named)).config()
    }
}

/// Runs the server until it is told to stop.
fn serve(config: &Config) -> ExitCode {
    if let Err(error) = telemetry::start(config.log_format, &config.log_filter) {
        return complain(FAULT, error);
    }
    for warning in config.warnings() {
        warn!("{warning}");
    }
    match app::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

/// Says what did not go well, and whose it is.
fn fail(failure: &app::Failure) -> ExitCode {
    match failure {
        app::Failure::Setting { .. } => complain(BAD_SETTING, failure),
        app::Failure::Broken(_) => complain(FAULT, failure),
    }
}

impl Token {
    /// Prints a token made with the server's own key.
    fn make(self, config: &Config) -> ExitCode {
        let new_key = app::missing_key(config);
        let tokens = match app::open_tokens(config) {
            Ok(tokens) => tokens,
            Err(failure) => return fail(&failure),
        };
        if let Some(path) = new_key {
            remark(format_args!("made a new key: {}", path.display()));
        }
        let Self { user, ttl, space, room, name, admin } = self;
        let rooms = if room.is_empty() { Rooms::All } else { Rooms::Only(room) };
        let expires_at = SystemClock.now() + ttl;
        let claims = Claims { name, spaces: space, rooms, admin, ..Claims::of(user, expires_at) };
        match tokens.issue(&claims) {
            Ok(token) => answer(token.expose()),
            Err(fault) => complain(FAULT, fault.chain()),
        }
    }
}

impl Checked {
    /// Prints what the token proves, or why it is refused.
    fn check(self, config: &Config) -> ExitCode {
        let text = match self.token.map_or_else(read_token, Ok) {
            Ok(text) => text,
            Err(error) => return complain(FAULT, error),
        };
        match app::examine(config, &domain::Token::from_raw(text.trim())) {
            Ok(Ok(claims)) if claims.guest.is_some() && !config.guests.is_on() => {
                complain(REFUSED, "refused: it is a guest's, and `guests` is \"off\"")
            }
            Ok(Ok(claims)) => answer(format!("ok\n{}", described(&claims))),
            Ok(Err(app::Refusal { reason, troubles })) => {
                let troubles = troubles.iter().map(|trouble| format!("\n{trouble}"));
                complain(REFUSED, format!("refused: {reason}{}", troubles.collect::<String>()))
            }
            Err(failure) => fail(&failure),
        }
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checked(***)")
    }
}

/// What stands on standard input, as far as it can be a token with space around it.
fn read_token() -> io::Result<String> {
    let mut text = Vec::new();
    io::stdin().take(2 * TOKEN_BYTES_MAX as u64).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What a token proves, one line each.
fn described(claims: &Claims) -> String {
    let Claims { user, name, expires_at, spaces, rooms, admin, guest, sign_in: _ } = claims;
    let mut lines = vec![format!("user: {user}")];
    lines.extend(name.as_ref().map(|name| format!("name: {name}")));
    lines.push(format!("until: {}", expires_at.format(&Rfc3339).unwrap_or_default()));
    lines.push(format!(
        "spaces: {}",
        if spaces.is_empty() { "all".to_owned() } else { listed(spaces) }
    ));
    lines.push(match rooms {
        Rooms::All => "rooms: all".to_owned(),
        Rooms::Only(none) if none.is_empty() => "rooms: none".to_owned(),
        Rooms::Only(rooms) => format!("rooms: {}", listed(rooms)),
    });
    lines.extend(admin.then(|| "admin: yes".to_owned()));
    lines.extend(guest.is_some().then(|| "guest: yes".to_owned()));
    lines.join("\n")
}

fn listed(patterns: &[impl ToString]) -> String {
    patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Prints that the settings are good, and what may surprise.
fn check_config(config: &Config) -> ExitCode {
    if let Err(failure) = app::check_keys(config) {
        return fail(&failure);
    }
    let warnings = config.warnings().into_iter().map(|warning| format!("\nwarning: {warning}"));
    answer(format!("ok{}", warnings.collect::<String>()))
}

/// Whether clap was asked for help or the version, and has not found a mistake.
fn is_an_answer(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

/// Prints `text` as lines of its own. A reader that went away (`| head`) is no fault of ours.
fn answer(text: impl fmt::Display) -> ExitCode {
    let text = text.to_string();
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(FAULT, error),
    }
}

/// Says what is wrong.
fn complain(code: u8, what: impl fmt::Display) -> ExitCode {
    remark(what);
    ExitCode::from(code)
}

/// Says something beside the answer.
#[expect(clippy::print_stderr, reason = "here the command line speaks")]
fn remark(what: impl fmt::Display) {
    eprintln!("{what}");
}

/// Reads a user's name.
fn user(text: &str) -> Result<UserName, &'static str> {
    UserName::parse(text).or(Err("a user's name has 1 to 64 characters, all of which can be seen"))
}

/// Reads a space or a pattern.
fn space(text: &str) -> Result<SpacePattern, &'static str> {
    SpacePattern::parse(text).or(Err("a space begins with / and may end with a *, such as /team-*"))
}

/// Reads a room or a pattern.
fn room(text: &str) -> Result<RoomPattern, &'static str> {
    RoomPattern::parse(text)
        .or(Err("a room has 1 to 64 letters, digits or - _ . : # + / ~ and may end with a *"))
}

/// Reads `key=value`.
fn assignment(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("this must be KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// Reads a number of seconds, minutes, hours or days.
fn lifetime(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "this must be a number and s, m, h or d, such as 24h, and at most ten years";
    let units = [("s", 1), ("m", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];
    let (number, seconds) = units
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or(FORM)?;
    let number: u64 = number.parse().ok().filter(|number| *number > 0).ok_or(FORM)?;
    let total = number.checked_mul(seconds).filter(|total| *total <= TTL_SECS_MAX).ok_or(FORM)?;
    Ok(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn flags_are_taken_before_and_after_the_command_and_without_one() {
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

    #[test]
    fn a_lifetime_is_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("24h", 86_400), ("30d", 2_592_000)] {
            assert_eq!(lifetime(text), Ok(Duration::from_secs(seconds)));
        }
        for bad in ["", "24", "h", "0h", "-1h", "1.5h", "1w", "99999999999999999d", "3651d"] {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_needs_a_user_and_good_spaces() {
        for bad in ["token", "token --user", "token --user ann --space shop", "token --ttl x"] {
            let words = ["roomcast"].into_iter().chain(bad.split(' '));
            assert!(CommandLine::try_parse_from(words).is_err(), "{bad}");
        }
    }
}
