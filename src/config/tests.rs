//! Settings from files, the environment and flags.

use super::{sources::defaults, *};
use crate::auth::{Algorithm, KeyLocation};

fn flag(key: &str, value: &str) -> Flag {
    Flag { name: "--set", key: key.to_owned(), value: value.to_owned() }
}

fn variables<const N: usize>(pairs: [(&str, &str); N]) -> Sources {
    Sources::default().variables(pairs.into_iter().map(|(name, value)| (name.into(), value.into())))
}

fn problem_text(sources: Sources) -> String {
    sources.config().unwrap_err().to_string()
}

#[test]
fn the_example_file_equals_the_defaults() {
    assert_eq!(Config::from_toml(EXAMPLE), Ok(Config::default()));
}

#[test]
fn the_example_file_has_every_key() {
    let example: toml::Table = EXAMPLE.parse().unwrap();
    for (key, value) in defaults() {
        let mut found = &toml::Value::Table(example.clone());
        for part in key.split('.') {
            found = found.get(part).unwrap_or_else(|| panic!("{key} is missing"));
        }
        assert_eq!(found, &value, "{key}");
    }
}

#[test]
fn an_empty_file_gives_the_defaults() {
    assert_eq!(Config::from_toml(""), Ok(Config::default()));
    assert_eq!(Config::from_toml("[limits]\n[retention]\n[rooms]\n[token]"), Ok(Config::default()));
}

#[test]
fn flags_override_the_environment_and_the_environment_overrides_the_file() {
    let file = "listen = \"127.0.0.1:1\"\ndrain_ms_max = 1\n[limits]\nspaces_max = 1\n";
    let config = Sources::default()
        .text("some.toml", file)
        .variables(
            [("ROOMCAST_LISTEN", "127.0.0.1:2"), ("ROOMCAST_LIMITS_SPACES_MAX", "2")]
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        )
        .flags([flag("listen", "127.0.0.1:3")])
        .config()
        .unwrap();
    assert_eq!(config.listen[0].to_string(), "127.0.0.1:3");
    assert_eq!(config.limits.spaces_max, 2);
    assert_eq!(config.drain_ms_max, 1);
}

#[test]
fn a_value_is_toml_or_plain_text() {
    let config = Sources::default()
        .flags([
            flag("data", "7"),
            flag("guests", "\"off\""),
            flag("store", "memory"),
            flag("spaces", "[\"/shop\", \"/team-*\"]"),
            flag("origins", "https://a.example, https://b.example"),
            flag("limits.body_bytes_max", "1_000"),
        ])
        .config()
        .unwrap();
    assert_eq!(config.data, PathBuf::from("7"));
    assert_eq!((config.guests, &config.store), (Guests::Off, &StoreKind::Memory));
    assert_eq!(config.spaces.len(), 2);
    assert_eq!(config.origins.len(), 2);
    assert_eq!(config.limits().body_bytes_max.get(), 1000);
}

#[test]
fn an_unknown_key_is_reported_with_its_place_and_the_nearest_known_key() {
    for (sources, key, place, nearest) in [
        (Sources::default().text("a.toml", "lisen = 1"), "`lisen`", "in a.toml", "`listen`"),
        (
            Sources::default().text("a.toml", "[limits]\nbody_byte_max = 1"),
            "`limits.body_byte_max`",
            "in a.toml",
            "`limits.body_bytes_max`",
        ),
        (
            Sources::default().text("a.toml", "body_bytes_max = 1"),
            "`body_bytes_max`",
            "in a.toml",
            "`limits.body_bytes_max`",
        ),
        (Sources::default().text("a.toml", "[guests]"), "`guests`", "in a.toml", "text"),
        (Sources::default().text("a.toml", "[sqlit]"), "`sqlit`", "in a.toml", "`sqlite."),
        (
            variables([("ROOMCAST_LIMITS_SPACE_MAX", "1")]),
            "environment",
            "ROOMCAST_LIMITS_SPACE_MAX",
            "ROOMCAST_LIMITS_SPACES_MAX",
        ),
        (Sources::default().flags([flag("gests", "on")]), "`gests`", "--set", "`guests`"),
        (
            Sources::default().text("a.toml", "auto_join = []"),
            "`auto_join`",
            "in a.toml",
            "`rooms.auto_join`",
        ),
        (
            Sources::default().flags([flag("limits.rooms_per_connection_max", "1")]),
            "`limits.rooms_per_connection_max`",
            "--set",
            "_per_",
        ),
    ] {
        let text = problem_text(sources);
        for part in [key, place, nearest] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn a_bad_value_is_reported_with_its_place_and_the_allowed_values() {
    for (key, value, allowed) in [
        ("listen", "localhost", "an IP address and a port"),
        ("listen", "3000", "an IP address and a port"),
        ("data", "\"\"", "directory"),
        ("guests", "maybe", "`on` or `off`"),
        ("origins", "[\"example.com\"]", "scheme://host"),
        ("origins", "[1]", "string"),
        ("spaces", "[\"shop\"]", "`/` and up to 63 characters"),
        ("spaces", "[\"/\"]", "always there"),
        ("spaces", "[\"/a//b\"]", "two slashes"),
        ("spaces", "[\"/a\", \"/a\"]", "twice"),
        ("rooms.auto_join", "[\"a\\u200bb\"]", "is not a room: 1 to 64 characters"),
        ("rooms.auto_join", "[\"team-*\"]", "is not a room"),
        ("rooms.auto_join", "[\"a\", \"b\", \"a\"]", "\"a\" is there twice"),
        ("rooms.public", "[\"a*b\"]", "perhaps with a `*` at the end"),
        ("rooms.private", "[7]", "string"),
        ("rooms.read_only", "7", "a list of texts"),
        ("retention.entries_max", "-1", "not below 0"),
        ("retention.age_days_max", "36501", "from 0 to 36500"),
        ("retention.sweep_secs", "0", "from 1 to"),
        ("limits.rooms_per_user_max", "0", "a whole number from 1"),
        ("limits.receipts_members_max", "-1", "not below 0"),
        ("store", "postgres", "`sqlite`, `memory` or an address postgres://"),
        ("bus", "tcp://r", "`local`, an address redis://"),
        ("bus", "redis://r", "require a shared database"),
        ("emitter", "socket.io", "bus must be an address"),
        ("emitter", "socket*", "visible ASCII characters"),
        ("postgres.wait_ms_max", "99", "from 100 to"),
        ("postgres.readers_max", "0", "a whole number from 1"),
        ("log_format", "xml", "`text` or `json`"),
        ("log_filter", "roomcast=loud", "error, warn, info"),
        ("clock_secs", "86401", "from 0 to 86400"),
        ("drain_ms_max", "0", "from 1 to"),
        ("drain_ms_max", "soon", "a whole number"),
        ("drain_ms_max", "1.5", "a whole number"),
        ("drain_ms_max", "-1", "not below 0"),
        ("sqlite.synchronous", "extra", "`full` or `normal`"),
        ("sqlite.busy_ms_max", "0", "from 1 to"),
        ("token.guest_ttl_secs", "0", "from 1 to"),
        ("token.secret", "short", "at least 32 bytes, and has 5"),
        ("token.audience", "[\"\"]", "is empty"),
        ("token.leeway_secs", "601", "from 0 to"),
        ("token.jwks_refresh_secs", "1", "from 10 to"),
        ("token.in_query", "yes", "`on` or `off`"),
        ("devices", "few", "`many` or `newest`"),
        ("limits.body_bytes_max", "0", "a whole number from 1"),
        (
            "limits.body_bytes_max",
            "700000",
            "with escapes in its frame, and limits.frame_bytes_max",
        ),
        ("limits.frame_bytes_max", "[]", "a whole number"),
        ("limits.outbox_bytes_max", "1000", "the largest message takes"),
        ("limits.messages_burst_max", "99999999999", "a whole number from 1"),
        ("limits.connections_max", "0", "from 1"),
        ("limits.ping_timeout_ms", "0", "from 1 to"),
        ("limits.write_stall_ms_max", "999999999999", "from 1 to"),
    ] {
        let text = problem_text(Sources::default().flags([flag(key, value)]));
        for part in [key, "--set", allowed] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn all_problems_are_reported_together() {
    let sources = Sources::default()
        .text("a.toml", "guests = \"perhaps\"\ncolour = \"red\"\n[token]\nguest_ttl_secs = true")
        .flags([flag("limits", "3")]);
    let problems = sources.config().unwrap_err();
    assert_eq!(problems.0.len(), 4, "{problems}");
}

#[test]
fn a_file_with_invalid_toml_is_named() {
    let text = problem_text(Sources::default().text("a.toml", "listen = = 3"));
    assert!(text.starts_with("in a.toml: "), "{text}");
}

#[test]
fn a_file_given_by_flag_must_exist() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.toml");
    let text = problem_text(Sources::default().file(Some(&path)));
    assert!(text.contains("other.toml"), "{text}");
    std::fs::write(&path, "guests = \"off\"").unwrap();
    let config = Sources::default().file(Some(&path)).config().unwrap();
    assert_eq!(config.guests, Guests::Off);
}

#[test]
fn a_default_that_conflicts_with_a_setting_is_reported_as_a_default() {
    let text = problem_text(Sources::default().flags([flag("limits.frame_bytes_max", "5000")]));
    assert!(text.contains("`limits.body_bytes_max` by default"), "{text}");
}

#[test]
fn kubernetes_service_variables_are_ignored() {
    let sources = variables([
        ("ROOMCAST_SERVICE_HOST", "10.0.0.1"),
        ("ROOMCAST_PORT", "tcp://10.0.0.1:3000"),
        ("ROOMCAST_PORT_3000_TCP_ADDR", "10.0.0.1"),
        ("ANOTHER", "thing"),
    ]);
    assert_eq!(sources.config(), Ok(Config::default()));
}

#[test]
fn the_key_of_commands_is_no_setting() {
    assert_eq!(variables([("ROOMCAST_API_KEY", "x")]).config(), Ok(Config::default()));
}

#[test]
fn environment_variable_names_are_unique() {
    let mut names: Vec<_> = defaults().into_iter().map(|(key, _)| key.replace('.', "_")).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), defaults().len());
}

#[test]
fn risky_settings_cause_warnings() {
    assert_eq!(Config::default().warnings(), Vec::<String>::new());
    let config = Config {
        store: StoreKind::Memory,
        listen: vec![SocketAddr::from(([0, 0, 0, 0], 3000)).into()],
        ..Config::default()
    };
    let warnings = config.warnings();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].contains("messages are lost when the process ends"));
    let sqlite = SqliteSettings { synchronous: Synchronous::Normal, ..SqliteSettings::default() };
    assert_eq!(Config { sqlite, ..Config::default() }.warnings().len(), 1);
}

const LONG: &str = "a secret that no error message may contain: hunter2";

#[test]
fn a_secret_is_accepted_from_every_source_and_is_not_printed() {
    let file = format!("[token]\nsecret = '{LONG}'\n");
    for sources in [
        Sources::default().text("a.toml", &file),
        variables([("ROOMCAST_TOKEN_SECRET", LONG)]),
        Sources::default().flags([flag("token.secret", LONG)]),
    ] {
        let config = sources.config().unwrap();
        assert_eq!(config.token.secret, Secret::from_raw(LONG.as_bytes()));
        assert!(!format!("{config:?}").contains("hunter2"));
    }
    let number = "1".repeat(40);
    let config = variables([("ROOMCAST_TOKEN_SECRET", &number)]).config().unwrap();
    assert_eq!(config.token.secret.expose(), number.as_bytes());
}

#[test]
fn keys_are_accepted_from_every_source() {
    let list = format!(
        "[{{secret='{LONG}', id='old'}}, {{pem_file='a.pem', algorithm='ES384'}}, \
         {{jwks_url='https://u:p@id.example:8443/keys?t=s'}}]"
    );
    let file = format!(
        "[[token.keys]]\nsecret = '{LONG}'\nid = 'old'\n[[token.keys]]\npem_file = 'a.pem'\n\
         algorithm = 'ES384'\n[[token.keys]]\njwks_url = 'https://u:p@id.example:8443/keys?t=s'\n"
    );
    for sources in [
        variables([("ROOMCAST_TOKEN_KEYS", &list)]),
        Sources::default().flags([flag("token.keys", &list)]),
        Sources::default().text("a.toml", &file),
    ] {
        let config = sources.config().unwrap();
        let shown = format!("{:?}", config.token.keys);
        let [secret, pem, url] = <[KeyOptions; 3]>::try_from(config.token.keys).unwrap();
        let wanted = KeyLocation::Secret(Secret::from_raw(LONG.as_bytes()), Algorithm::HS256);
        assert_eq!((secret.location, secret.id.as_deref()), (wanted, Some("old")));
        assert_eq!(pem.location, KeyLocation::PemFile("a.pem".into(), Algorithm::ES384));
        assert!(matches!(url.location, KeyLocation::JwksUrl(_)));
        assert!(shown.contains("https://id.example:8443/keys)"), "{shown}");
        assert!(!shown.contains("u:p") && !shown.contains("t=s"), "{shown}");
    }
}

#[test]
fn an_invalid_key_is_reported_without_its_secret() {
    let long = "hunter2".repeat(9);
    for (key, allowed) in [
        (r#""hunter2""#.to_owned(), "key 1: must be a table"),
        ("{}".to_owned(), "must have one of secret, secret_file"),
        (format!("{{secret = '{long}'}}, 7"), "key 2: must be a table"),
        (format!("{{secret = '{long}', pem_file = 'a'}}"), "must have one of"),
        (format!("{{secert = '{long}'}}"), "has `secert`; there are secret,"),
        ("{secret = 'hunter2'}".to_owned(), "at least 32 bytes for HS256, and has 7"),
        ("{secret = ''}".to_owned(), "`secret` must be a text that is not empty"),
        ("{secret = 7777777}".to_owned(), "`secret` must be a text that is not empty"),
        (format!("{{secret = '{long}', algorithm = 'HS512'}}"), "at least 64 bytes"),
        (format!("{{secret = '{long}', algorithm = 'RS256'}}"), "one of HS256, HS384, HS512"),
        (format!("{{secret = '{long}', algorithm = 'hunter2'}}"), "one of HS256, HS384"),
        (format!("{{secret = '{long}', algorithm = 'none'}}"), "one of HS256, HS384"),
        (format!("{{secret = '{long}', id = ''}}"), "`id` must be"),
        ("{pem_file = 'a'}".to_owned(), "is a public key: `algorithm` must be one of RS256"),
        ("{pem_file = 'a', algorithm = 'HS256'}".to_owned(), "is a public key"),
        ("{jwks_file = 'a', algorithm = 'ES256'}".to_owned(), "leave it out"),
        ("{jwks_url = 'https://a.b', id = 'x'}".to_owned(), "leave it out"),
        ("{jwks_url = 'file:///hunter2'}".to_owned(), "must begin with https://"),
        ("{jwks_url = 'https:hunter2'}".to_owned(), "must begin with https://"),
    ] {
        let list = format!("[{key}]");
        for sources in [
            Sources::default().flags([flag("token.keys", &list)]),
            variables([("ROOMCAST_TOKEN_KEYS", &list)]),
            Sources::default().text("a.toml", &format!("[token]\nkeys = {list}")),
        ] {
            let text = problem_text(sources);
            assert!(text.contains(allowed) && text.contains("token.keys"), "{allowed} in {text}");
            assert!(!text.contains("hunter2") && !text.contains("7777777"), "{text}");
        }
    }
}

#[test]
fn no_problem_text_contains_a_secret() {
    for text in [
        "[token]\nsecret = 'hunter2'",
        "[token]\nsecret = 8888888",
        "[token]\nsecret = ['hunter2']",
        "[token]\nsecret = \"hunter2",
        "[token]\nsecret = hunter2",
        "[token]\nsecret = 'x' hunter2",
        "[token]\nkeys = 'hunter2'",
        "[token]\nkeys = { secret = 'hunter2' }",
        "[token]\nkeys = [{ secret = \"hunter2 }]",
        "[token]\nkeys = [{ secret = 'a\\uZZ', secret = 'hunter2' }]",
        "[token]\nsecrit = 'hunter2'",
    ] {
        let said = problem_text(Sources::default().text("a.toml", text));
        assert!(said.contains("a.toml") && !said.contains("hunter2"), "{said}");
        assert!(!said.contains("8888888"), "{said}");
    }
    for value in ["hunter2", "[hunter2]", "[{secret = hunter2}]", "hunter2,{}"] {
        let said = problem_text(variables([("ROOMCAST_TOKEN_KEYS", value)]));
        assert!(said.contains("list of tables") || said.contains("must be a table"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let both =
        Sources::default().flags([flag("token.secret", LONG), flag("token.secret_file", "k")]);
    let said = problem_text(both);
    assert!(said.contains("choose one") && !said.contains("hunter2"), "{said}");
}

#[test]
fn fetching_keys_without_tls_causes_a_warning() {
    for (url, open) in [
        ("https://id.example/keys", false),
        ("http://127.0.0.1:8080/keys", false),
        ("http://[::1]/keys", false),
        ("http://localhost/keys", false),
        ("http://id.example/keys?secret=hunter2", true),
        ("http://127.0.0.1.example/keys", true),
    ] {
        let list = format!("[{{jwks_url='{url}'}}]");
        let warnings = Sources::default().flags([flag("token.keys", &list)]).config().unwrap();
        let warnings = warnings.warnings().join("\n");
        assert_eq!(warnings.contains("without TLS"), open, "{url}");
        assert!(!warnings.contains("hunter2"), "{warnings}");
    }
}
