//! `token` and `check-token`: issue and verify tokens by hand.

use std::{
    fmt,
    io::{self, Read as _},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use time::format_description::well_known::Rfc3339;

use super::{BAD_SETTING, FAULT, REFUSED, print_answer, print_error, print_failure, print_notice};
use crate::{
    app,
    auth::TOKEN_BYTES_MAX,
    chat::ports::{Claims, Clock as _, Rooms, Tokens as _},
    clock::SystemClock,
    config::Config,
    domain::{self, DisplayName, Guests, Role, RoomPattern, SpacePattern, TokenId, UserName},
};

/// The longest lifetime of a token: ten years.
const TTL_SECS_MAX: u64 = 10 * 365 * 24 * 60 * 60;

/// The user and the lifetime of a token.
#[derive(Args, Debug)]
pub(super) struct TokenArgs {
    /// The user's name
    #[arg(long, value_name = "NAME", value_parser = user)]
    user: UserName,
    /// The lifetime: a number and s, m, h or d
    #[arg(long, default_value = "24h", value_parser = lifetime)]
    ttl: Duration,
    /// A space that it opens, or a pattern; may be repeated [default: all]
    #[arg(long, value_name = "SPACE", value_parser = space)]
    space: Vec<SpacePattern>,
    /// A room that it opens, or a pattern, perhaps with a role: owner, admin, member or reader
    /// (then all rooms need one); may be repeated [default: all]
    #[arg(long, value_name = "ROOM[=ROLE]", value_parser = room)]
    room: Vec<(RoomPattern, Option<Role>)>,
    /// The display name
    #[arg(long, value_name = "NAME", value_parser = display_name)]
    name: Option<DisplayName>,
    /// Give the rights of an administrator
    #[arg(long)]
    admin: bool,
    /// The id of this token (`jti`), with which it can be revoked
    #[arg(long, value_name = "ID", value_parser = token_id)]
    jti: Option<TokenId>,
    #[command(flatten)]
    key: NewKeyArg,
}

/// Whether the command may make the server's own key.
#[derive(Args, Clone, Copy, Debug)]
struct NewKeyArg {
    /// Make the server's own key if the data directory has none yet
    #[arg(long)]
    new_key: bool,
}

/// A token to verify.
#[derive(Args)]
pub(super) struct CheckTokenArgs {
    /// The token [default: read from standard input, where other users of the machine cannot see
    /// it]
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
}

impl TokenArgs {
    /// A token has either a list of rooms, or an object in which each room has a role.
    fn has_roles_for_all_or_none(&self) -> bool {
        let says = self.room.iter().filter(|(_, role)| role.is_some()).count();
        says == 0 || says == self.room.len()
    }

    /// Prints a token signed with the server's own key.
    pub(super) fn issue(self, config: &Config) -> ExitCode {
        if !self.has_roles_for_all_or_none() {
            return print_error(BAD_SETTING, "--room: say as what of every room, or of none");
        }
        let new_key = app::missing_key_path(config);
        if let Some(path) = new_key.as_ref().filter(|_| !self.key.new_key) {
            let text = format!(
                "there is no {}: --data or --config says where the server has its key, and --new-key \
                 makes a new one",
                path.display()
            );
            return print_error(BAD_SETTING, text);
        }
        let tokens = match app::open_tokens(config) {
            Ok(tokens) => tokens,
            Err(failure) => return print_failure(&failure),
        };
        if let Some(path) = new_key {
            print_notice(format_args!("made a new key: {}", path.display()));
        }
        let Self { user, ttl, space, room, name, admin, jti: token, key: _ } = self;
        let rooms = if room.is_empty() { Rooms::All } else { Rooms::Only(room) };
        let expires_at = SystemClock.now() + ttl;
        let of_user = Claims::of(user, expires_at);
        let claims = Claims { name, spaces: space, rooms, admin, token, ..of_user };
        match tokens.issue(&claims) {
            Ok(token) => print_answer(token.expose()),
            Err(fault) => print_error(FAULT, fault.chain()),
        }
    }
}

impl CheckTokenArgs {
    /// Prints what the token proves, or why it is refused.
    pub(super) fn check(self, config: &Config) -> ExitCode {
        let text = match self.token.map_or_else(read_token, Ok) {
            Ok(text) => text,
            Err(error) => return print_error(FAULT, error),
        };
        match app::verify_token(config, &domain::Token::from_raw(text.trim())) {
            Ok(Ok(claims)) if claims.guest.is_some() && config.guests == Guests::Off => {
                print_error(REFUSED, "refused: it is a guest's, and `guests` is \"off\"")
            }
            Ok(Ok(claims)) => print_answer(format!("ok\n{}", describe(&claims))),
            Ok(Err(app::VerifyError { reason, key_problems })) => {
                let key_problems = key_problems.iter().map(|problem| format!("\n{problem}"));
                print_error(
                    REFUSED,
                    format!("refused: {reason}{}", key_problems.collect::<String>()),
                )
            }
            Err(failure) => print_failure(&failure),
        }
    }
}

impl fmt::Debug for CheckTokenArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checked(***)")
    }
}

/// Reads standard input, up to the length of a token and white space around it.
fn read_token() -> io::Result<String> {
    let mut text = Vec::new();
    io::stdin().take(2 * TOKEN_BYTES_MAX as u64).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What a token proves, one line each.
fn describe(claims: &Claims) -> String {
    let Claims { user, name, expires_at, spaces, rooms, admin, guest, token, .. } = claims;
    let mut lines = vec![format!("user: {user}")];
    lines.extend(name.as_ref().map(|name| format!("name: {name}")));
    lines.push(format!("until: {}", expires_at.format(&Rfc3339).unwrap_or_default()));
    lines.push(format!(
        "spaces: {}",
        if spaces.is_empty() { "all".to_owned() } else { format_patterns(spaces) }
    ));
    lines.push(match rooms {
        Rooms::All => "rooms: all".to_owned(),
        Rooms::Only(none) if none.is_empty() => "rooms: none".to_owned(),
        Rooms::Only(rooms) => format!("rooms: {}", format_rooms(rooms)),
    });
    lines.extend(admin.then(|| "admin: yes".to_owned()));
    lines.extend(token.as_ref().map(|token| format!("id: {}", token.as_raw())));
    lines.extend(guest.is_some().then(|| "guest: yes".to_owned()));
    lines.join("\n")
}

fn format_patterns(patterns: &[impl ToString]) -> String {
    patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn format_rooms(rooms: &[(RoomPattern, Option<Role>)]) -> String {
    let one = |(pattern, role): &(RoomPattern, Option<Role>)| match role {
        Some(role) => format!("{pattern}={}", role.as_raw()),
        None => pattern.to_string(),
    };
    rooms.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Parses a display name.
fn display_name(text: &str) -> Result<DisplayName, &'static str> {
    DisplayName::parse(text).ok_or("a display name has at least one character that can be seen")
}

/// Parses a user name.
fn user(text: &str) -> Result<UserName, &'static str> {
    UserName::parse(text).or(Err("a user's name has 1 to 64 characters, all of which can be seen"))
}

/// Parses the id of a token.
fn token_id(text: &str) -> Result<TokenId, &'static str> {
    TokenId::parse(text).or(Err("an id of a token has 1 to 256 bytes without control characters"))
}

/// Parses a space or a pattern.
pub(super) fn space(text: &str) -> Result<SpacePattern, &'static str> {
    SpacePattern::parse(text).or(Err("a space begins with / and may end with a *, such as /team-*"))
}

/// Parses a room or a pattern, perhaps with a role. Room names have no `=`.
fn room(text: &str) -> Result<(RoomPattern, Option<Role>), &'static str> {
    let (room, role) = text.split_once('=').map_or((text, None), |(room, it)| (room, Some(it)));
    let room = RoomPattern::parse(room)
        .or(Err("a room has 1 to 64 characters, all of which can be seen, and may end with a *"))?;
    let read = |word| Role::from_raw(word).ok_or("a role is owner, admin, member or reader");
    Ok((room, role.map(read).transpose()?))
}

/// Parses a number of seconds, minutes, hours or days.
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
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Command, CommandLine};

    #[test]
    fn a_lifetime_is_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("24h", 86_400), ("30d", 2_592_000)] {
            assert_eq!(lifetime(text), Ok(Duration::from_secs(seconds)));
        }
        for bad in ["", "24", "h", "0h", "-1h", "1.5h", "1w", "99999999999999999d", "3651d"] {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }

    fn token(flags: &str) -> Option<TokenArgs> {
        let words = ["roomcast", "token", "--user", "ann"].into_iter();
        let line = CommandLine::try_parse_from(words.chain(flags.split(' '))).ok()?;
        match line.command {
            Some(Command::Token(token)) => Some(token),
            _ => None,
        }
    }

    #[test]
    fn the_room_flag_takes_patterns_and_roles() {
        let listed = token("--room news --room team-*").unwrap();
        assert_eq!(format_rooms(&listed.room), "news team-*");
        assert!(listed.has_roles_for_all_or_none());
        let roles = token("--room news=reader --room team-*=admin").unwrap();
        assert_eq!(format_rooms(&roles.room), "news=reader team-*=admin");
        assert!(roles.has_roles_for_all_or_none());
        let some = token("--room news --room team-*=admin").unwrap();
        assert!(!some.has_roles_for_all_or_none());
        for bad in ["news=", "news=king", "=reader", "news=reader=owner", "a\u{202e}b"] {
            assert!(token(&format!("--room {bad}")).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_id_of_a_token_is_one_that_can_be_revoked() {
        assert_eq!(token("--jti a1").unwrap().jti, Some(TokenId::from_raw("a1")));
        assert_eq!(token("--ttl 1h").unwrap().jti, None);
        for bad in ["--jti", "--jti=", "--jti=a\n", &format!("--jti {}", "x".repeat(257))] {
            assert!(token(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_needs_a_user_and_valid_spaces() {
        for bad in ["token", "token --user", "token --user ann --space shop", "token --ttl x"] {
            let words = ["roomcast"].into_iter().chain(bad.split(' '));
            assert!(CommandLine::try_parse_from(words).is_err(), "{bad}");
        }
    }
}
