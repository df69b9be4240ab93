//! Settings as an operator writes them.

use super::{sources::defaults, *};

fn flag(key: &str, value: &str) -> Flag {
    Flag { name: "--set", key: key.to_owned(), value: value.to_owned() }
}

fn variables<const N: usize>(pairs: [(&str, &str); N]) -> Sources {
    Sources::default().variables(pairs.into_iter().map(|(name, value)| (name.into(), value.into())))
}

fn complaint(sources: Sources) -> String {
    sources.config().unwrap_err().to_string()
}

#[test]
fn the_example_file_is_the_default() {
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
fn an_empty_file_is_the_default() {
    assert_eq!(Config::from_toml(""), Ok(Config::default()));
    assert_eq!(Config::from_toml("[limits]\n[token]"), Ok(Config::default()));
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
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
    assert_eq!(config.listen.port(), 3);
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
    assert_eq!((config.guests, config.store), (Switch::Off, StoreKind::Memory));
    assert_eq!(config.spaces.len(), 2);
    assert_eq!(config.origins.len(), 2);
    assert_eq!(config.limits().body_bytes_max.get(), 1000);
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest_right_one() {
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
    ] {
        let text = complaint(sources);
        for part in [key, place, nearest] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn a_bad_value_is_named_with_its_place_and_what_is_allowed() {
    for (key, value, allowed) in [
        ("listen", "localhost", "an IP address and a port"),
        ("listen", "3000", "an IP address and a port"),
        ("data", "\"\"", "directory"),
        ("guests", "maybe", "`on` or `off`"),
        ("origins", "[\"example.com\"]", "scheme://host"),
        ("origins", "[1]", "string"),
        ("spaces", "[\"shop\"]", "`/` and up to 63 letters"),
        ("spaces", "[\"/\"]", "always there"),
        ("spaces", "[\"/a//b\"]", "two slashes"),
        ("spaces", "[\"/a\", \"/a\"]", "twice"),
        ("store", "postgres", "`sqlite` or `memory`"),
        ("log_format", "xml", "`text` or `json`"),
        ("log_filter", "roomcast=loud", "error, warn, info"),
        ("drain_ms_max", "0", "from 1 to"),
        ("drain_ms_max", "soon", "a whole number"),
        ("drain_ms_max", "1.5", "a whole number"),
        ("drain_ms_max", "-1", "not below 0"),
        ("sqlite.synchronous", "extra", "`full` or `normal`"),
        ("sqlite.busy_ms_max", "0", "from 1 to"),
        ("token.guest_ttl_secs", "0", "from 1 to"),
        ("limits.body_bytes_max", "0", "a whole number from 1"),
        ("limits.body_bytes_max", "1000000", "frame_bytes_max"),
        ("limits.frame_bytes_max", "[]", "a whole number"),
        ("limits.outbox_bytes_max", "1000", "the largest message takes"),
        ("limits.messages_burst_max", "99999999999", "a whole number from 1"),
        ("limits.connections_max", "0", "from 1"),
        ("limits.ping_timeout_ms", "0", "from 1 to"),
        ("limits.write_stall_ms_max", "999999999999", "from 1 to"),
    ] {
        let text = complaint(Sources::default().flags([flag(key, value)]));
        for part in [key, "--set", allowed] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let sources = Sources::default()
        .text("a.toml", "guests = \"perhaps\"\ncolour = \"red\"\n[token]\nguest_ttl_secs = true")
        .flags([flag("limits", "3")]);
    let problems = sources.config().unwrap_err();
    assert_eq!(problems.0.len(), 4, "{problems}");
}

#[test]
fn a_file_that_is_no_toml_is_named() {
    let text = complaint(Sources::default().text("a.toml", "listen = = 3"));
    assert!(text.starts_with("in a.toml: "), "{text}");
}

#[test]
fn a_named_file_must_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.toml");
    let text = complaint(Sources::default().file(Some(&path)));
    assert!(text.contains("other.toml"), "{text}");
    std::fs::write(&path, "guests = \"off\"").unwrap();
    let config = Sources::default().file(Some(&path)).config().unwrap();
    assert_eq!(config.guests, Switch::Off);
}

#[test]
fn a_default_that_another_setting_does_not_go_with_is_named_as_one() {
    let text = complaint(Sources::default().flags([flag("limits.frame_bytes_max", "5000")]));
    assert!(text.contains("`limits.body_bytes_max` by default"), "{text}");
}

#[test]
fn what_kubernetes_puts_into_the_environment_is_no_setting() {
    let sources = variables([
        ("ROOMCAST_SERVICE_HOST", "10.0.0.1"),
        ("ROOMCAST_PORT", "tcp://10.0.0.1:3000"),
        ("ROOMCAST_PORT_3000_TCP_ADDR", "10.0.0.1"),
        ("ANOTHER", "thing"),
    ]);
    assert_eq!(sources.config(), Ok(Config::default()));
}

#[test]
fn no_two_keys_share_a_variable() {
    let mut names: Vec<_> = defaults().into_iter().map(|(key, _)| key.replace('.', "_")).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), defaults().len());
}

#[test]
fn surprises_are_warned_about() {
    assert_eq!(Config::default().warnings(), Vec::<String>::new());
    let config = Config {
        store: StoreKind::Memory,
        listen: SocketAddr::from(([0, 0, 0, 0], 3000)),
        ..Config::default()
    };
    let warnings = config.warnings();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].contains("messages are lost when the process ends"));
    let sqlite = Sqlite { synchronous: Synchronous::Normal, ..Sqlite::default() };
    assert_eq!(Config { sqlite, ..Config::default() }.warnings().len(), 1);
}
