//! Checks of the settings as a whole: what is invalid, and what deserves a warning.

use super::{BusKind, Config, StoreKind, TokenSettings, admin, otlp};
use crate::{
    auth::KeyLocation,
    domain::{Guests, ListenAddress, ProxyProtocol, SpacePattern, Synchronous},
    telemetry,
};

/// Bytes of a frame besides a body: names, ids, brackets, all of them with escapes.
const ENVELOPE_BYTES: usize = 4096;
/// The most bytes of an escape in JSON, for a character of one byte: `\u0061` for `a`.
const ESCAPE_BYTES: usize = 6;
/// The longest wait. Longer ones are mistakes, and would overflow sums of times.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The longest drain.
const DRAIN_MS_MAX: u64 = 10 * 60 * 1000;
/// The longest wait for a lock; clients expect an answer sooner.
const BUSY_MS_MAX: u64 = 60 * 1000;
/// The shortest wait for a server that is under load.
const WAIT_MS_MIN: u64 = 100;
/// The largest tolerated clock difference.
const LEEWAY_SECS_MAX: u64 = 10 * 60;
/// The shortest refresh interval, so that sites are not overloaded.
const REFRESH_SECS_MIN: u64 = 10;
/// The longest refresh interval: a revoked key is forgotten after it.
const REFRESH_SECS_MAX: u64 = 24 * 60 * 60;
/// The longest interval of `clock`.
const CLOCK_SECS_MAX: u64 = 24 * 60 * 60;
/// The longest key of emitters.
const EMITTER_KEY_BYTES_MAX: usize = 64;
/// The size of an HS256 hash.
const SECRET_BYTES_MIN: usize = 32;
/// A hundred years. 0 means unlimited.
const AGE_DAYS_MAX: u64 = 36_500;
/// The longest sweep interval: expired entries are removed within a day.
const SWEEP_SECS_MAX: u64 = 24 * 60 * 60;
/// Ten years.
const TTL_SECS_MAX: u64 = 10 * 365 * 24 * 60 * 60;

/// Invalid settings: the key, and the reason.
pub(super) fn problems(config: &Config) -> Vec<(&'static str, String)> {
    let mut found = range_problems(config);
    found.extend(size_problems(config));
    found.extend(space_problems(&config.spaces).map(|reason| ("spaces", reason)));
    let rooms_max = config.limits.rooms_per_user_max.get();
    found.extend(config.rooms.problem(rooms_max).map(|reason| ("rooms.auto_join", reason)));
    found.extend(own_key_problem(&config.token));
    if config.bus != BusKind::Local && !matches!(config.store, StoreKind::Postgres(_)) {
        let why = "several nodes require a shared database";
        found.push(("bus", format!("{why}: store must be an address postgres://…")));
    }
    found.extend(emitter_problem(config).map(|reason| ("emitter", reason)));
    if config.token.audience.iter().any(String::is_empty) {
        found.push(("token.audience", "one of these is empty".to_owned()));
    }
    let is_taken = |admin: &ListenAddress| {
        let may_repeat = match admin {
            ListenAddress::Tcp(it) => it.port() == 0,
            ListenAddress::Unix(_) => false,
            // Their names divide them.
            ListenAddress::Inherited => true,
        };
        !may_repeat && config.listen.contains(admin)
    };
    if config.admin.listen.as_ref().is_some_and(is_taken) {
        found.push(("admin.listen", "this is the address of clients, `listen`".to_owned()));
    }
    found.extend(admin::problems(config));
    if config.proxy_protocol == ProxyProtocol::On && config.trusted_proxies.is_empty() {
        let reason = "only trusted proxies may send it: trusted_proxies is empty";
        found.push(("proxy_protocol", reason.to_owned()));
    }
    if config.data.as_os_str().is_empty() {
        found.push(("data", "this must name a directory".to_owned()));
    }
    if config.otlp.endpoint.is_some() && !telemetry::HAS_TRACES {
        let reason = "this program is built without the feature `otlp`, and sends no traces";
        found.push((otlp::KEY, reason.to_owned()));
    }
    if let Err(error) = telemetry::check(&config.log_filter) {
        found.push(("log_filter", format!("{:?}: {error}", config.log_filter)));
    }
    found
}

/// Warnings about valid settings.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut ports = config.listen.iter().filter_map(ListenAddress::tcp);
    let public = ports.find(|it| !it.ip().is_loopback()).filter(|_| config.guests == Guests::On);
    let warnings = [
        (config.store == StoreKind::Memory)
            .then(|| "store = \"memory\": messages are lost when the process ends".to_owned()),
        (config.store == StoreKind::Sqlite && config.sqlite.synchronous == Synchronous::Normal)
            .then(|| {
                "sqlite.synchronous = \"normal\": a power cut may lose acknowledged messages"
                    .to_owned()
            }),
        (matches!(config.store, StoreKind::Postgres(_)) && uses_key_file(&config.token)).then(|| {
            "token.secret and token.secret_file are empty: each node makes a key of its own, and \
                guests and pages of one node are not known to the others"
                .to_owned()
        }),
        config.trusted_proxies.iter().any(|it| it.prefix_len() == 0).then(|| {
            "trusted_proxies has all addresses: every client may claim any address".to_owned()
        }),
        public.filter(|_| config.origins.is_empty()).map(|address| {
            format!(
                "listen = \"{address}\" with guests and no origins: every client that reaches this \
                    address may chat"
            )
        }),
    ];
    let warnings = warnings.into_iter().flatten().chain(admin::warning(config));
    warnings.chain(insecure_sources(config)).collect()
}

/// Whether the server's own key is the one in the data directory.
fn uses_key_file(token: &TokenSettings) -> bool {
    token.secret.is_empty() && token.secret_file.as_os_str().is_empty()
}

/// Numbers outside of their ranges.
fn range_problems(config: &Config) -> Vec<(&'static str, String)> {
    let limits = &config.limits;
    let single = [
        ("clock_secs", config.clock_secs, 0, CLOCK_SECS_MAX),
        ("drain_ms_max", config.drain_ms_max, 1, DRAIN_MS_MAX),
        ("sqlite.busy_ms_max", config.sqlite.busy_ms_max, 1, BUSY_MS_MAX),
        ("postgres.wait_ms_max", config.postgres.wait_ms_max, WAIT_MS_MIN, BUSY_MS_MAX),
        ("token.guest_ttl_secs", config.token.guest_ttl_secs, 1, TTL_SECS_MAX),
        ("token.leeway_secs", config.token.leeway_secs, 0, LEEWAY_SECS_MAX),
        (
            "token.jwks_refresh_secs",
            config.token.jwks_refresh_secs,
            REFRESH_SECS_MIN,
            REFRESH_SECS_MAX,
        ),
        ("retention.age_days_max", config.retention.age_days_max, 0, AGE_DAYS_MAX),
        ("retention.sweep_secs", config.retention.sweep_secs, 1, SWEEP_SECS_MAX),
        ("limits.connections_max", limits.connections_max as u64, 1, u64::MAX),
    ];
    let waits = limits.durations().map(|(key, value)| {
        // Without a grace period, a user is offline at once, and without the other one no connection is
        // continued; every other wait of zero would be over before it began.
        let least = u64::from(!["limits.presence_grace_ms", "limits.recovery_ms"].contains(&key));
        (key, value, least, DAY_MS)
    });
    let outside = |(key, value, least, most): (&'static str, u64, u64, u64)| {
        let range = if most == u64::MAX {
            format!("from {least}")
        } else {
            format!("from {least} to {most}")
        };
        let fits = (least..=most).contains(&value);
        (!fits).then(|| (key, format!("this must be {range}, and is {value}")))
    };
    single.into_iter().chain(waits).filter_map(outside).collect()
}

/// Why the server's own key is invalid. The message does not contain it.
fn own_key_problem(token: &TokenSettings) -> Option<(&'static str, String)> {
    let size = token.secret.expose().len();
    if size == 0 {
        return None;
    }
    if !token.secret_file.as_os_str().is_empty() {
        return Some(("token.secret_file", "token.secret is there, too; choose one".to_owned()));
    }
    (size < SECRET_BYTES_MIN).then(|| {
        (
            "token.secret",
            format!("this must have at least {SECRET_BYTES_MIN} bytes, and has {size}"),
        )
    })
}

/// Why the key of emitters is invalid.
fn emitter_problem(config: &Config) -> Option<String> {
    let key = &config.emitter;
    // `#` ends the key in a channel, the others have a meaning in patterns.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"#*?[]\\".contains(&byte);
    if key.is_empty() {
        None
    } else if key.len() > EMITTER_KEY_BYTES_MAX || !key.bytes().all(is_plain) {
        let form = "visible ASCII characters, none of them one of # * ? [ ] \\";
        Some(format!("this must be up to {EMITTER_KEY_BYTES_MAX} {form}"))
    } else if config.bus == BusKind::Local {
        Some("emitters publish through Redis: bus must be an address redis://…".to_owned())
    } else {
        None
    }
}

/// Warnings about sets of keys that are fetched without TLS.
fn insecure_sources(config: &Config) -> impl Iterator<Item = String> {
    config.token.keys.iter().filter_map(|key| match &key.location {
        KeyLocation::JwksUrl(url) if url.is_insecure() => {
            let why = "an attacker on the network may replace the keys";
            Some(format!("token.keys: {url} is fetched without TLS: {why}"))
        }
        _ => None,
    })
}

/// Sizes that do not fit into one another.
fn size_problems(config: &Config) -> Vec<(&'static str, String)> {
    let limits = &config.limits;
    let (body, frame) = (limits.body_bytes_max.get(), limits.frame_bytes_max.get());
    let outbox = limits.outbox_bytes_max.get();
    let mut found = Vec::new();
    // Clients may write every character as an escape, and some do so beyond ASCII.
    let received = body.saturating_mul(ESCAPE_BYTES).saturating_add(ENVELOPE_BYTES);
    if received > frame {
        let why = format!("the largest body takes {received} bytes with escapes in its frame");
        let reason = format!("{why}, and limits.frame_bytes_max is {frame}");
        found.push(("limits.body_bytes_max", reason));
    }
    // Text frames carry bytes as base64: 4 characters for each 3 of them.
    let sent = body.div_ceil(3).saturating_mul(4).saturating_add(ENVELOPE_BYTES);
    if sent > outbox {
        let why = format!("the largest message takes {sent} bytes");
        let reason = format!("{why}, and would end every connection that it is sent to");
        found.push(("limits.outbox_bytes_max", reason));
    }
    found
}

/// Why the list of spaces is invalid.
fn space_problems(spaces: &[SpacePattern]) -> impl Iterator<Item = String> {
    spaces.iter().enumerate().filter_map(|(place, pattern)| {
        let text = pattern.to_string();
        if text == "/" {
            Some("\"/\" is always there; leave it out".to_owned())
        } else if text.contains("//") {
            Some(format!("{text:?} has two slashes in a row"))
        } else if spaces.iter().take(place).any(|earlier| earlier == pattern) {
            Some(format!("{text:?} is there twice"))
        } else {
            None
        }
    })
}
