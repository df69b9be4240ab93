//! Names and patterns.

use super::*;

#[test]
fn a_user_name_is_trimmed_and_bounded() {
    assert_eq!(UserName::parse_guest("  Ann Lee ").unwrap().as_raw(), "Ann Lee");
    assert!(UserName::parse_guest(&"ü".repeat(32)).is_ok());
    assert!(UserName::parse_guest(&"ü".repeat(33)).is_err());
    assert!(UserName::parse(&"ü".repeat(64)).is_ok());
    for bad in [
        "",
        "   ",
        "\u{2003}",
        &"ü".repeat(65),
        &"e\u{301}".repeat(1000),
        "a\nb",
        "a\u{202e}b",
        "a\u{200b}b",
        "\u{feff}x\u{0}",
        "\u{3164}",
        "ann\u{e0061}",
        "\u{fe0f}",
        "a\u{2066}b",
    ] {
        assert_eq!(UserName::parse(bad), Err(Rejection::NameInvalid), "{bad:?}");
    }
}

#[test]
fn a_user_name_is_normalized() {
    assert_eq!(UserName::parse("Zoe\u{308}"), UserName::parse("Zo\u{eb}"));
    assert!(
        UserName::parse_guest(&"e\u{301}".repeat(32)).is_ok(),
        "32 characters once composed"
    );
    assert_ne!(UserName::parse("ann"), UserName::parse("Ann"));
}

#[test]
fn names_that_look_alike_have_one_key() {
    let key = |name: &str| UserName::parse(name).unwrap().key();
    for (one, other) in [
        ("ann", "ANN"),
        ("ann lee", "Ann\u{a0}Lee"),
        ("ann lee", "ann \u{2003} lee"),
        ("ann lee", "ann\u{3000}lee"),
        ("straße", "STRASSE"),
        ("straße", "STRA\u{1e9e}E"),
        ("σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("ann", "ａｎｎ"),
        ("k", "\u{212a}"),
        ("ann", "ann\u{fe0f}"),
    ] {
        assert_eq!(key(one), key(other), "{one} {other}");
    }
    assert_ne!(key("ann lee"), key("annlee"));
    assert_ne!(key("ann"), key("anne"));
}

#[test]
fn a_room_pattern_matches_one_room_or_a_prefix() {
    let (exact, open) =
        (RoomPattern::parse("team").unwrap(), RoomPattern::parse("team-*").unwrap());
    let room = RoomName::from_raw;
    assert!(exact.matches(&room("team")) && !exact.matches(&room("team-a")));
    assert!(open.matches(&room("team-a/b")) && open.matches(&room("team-")));
    assert!(!open.matches(&room("team")) && !open.matches(&room("Team-a")));
    assert!(RoomPattern::parse("*").unwrap().matches(&room("any")));
    for bad in ["", "**", "a*b", "te am*", "*a"] {
        assert!(RoomPattern::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(open.to_string(), "team-*");
}

#[test]
fn a_room_name_has_no_spaces_commas_or_at_signs() {
    for good in ["lobby", "Straße", "a:b/c#d", &"x".repeat(64)] {
        assert!(RoomName::parse(good).is_ok(), "{good:?}");
    }
    for bad in ["", "a b", "a,b", "@ann", "a\n", &"x".repeat(65)] {
        assert_eq!(RoomName::parse(bad), Err(Rejection::RoomInvalid), "{bad:?}");
    }
}

#[test]
fn a_space_begins_with_a_slash() {
    assert!(Space::parse("/").is_ok());
    assert!(Space::parse("/shop").is_ok());
    for bad in ["", "shop", "/a b", "/a?b", "/ü"] {
        assert_eq!(Space::parse(bad), Err(Rejection::UnknownSpace), "{bad:?}");
    }
}

#[test]
fn a_space_pattern_matches_one_space_or_a_prefix() {
    let exact = SpacePattern::parse("/shop").unwrap();
    assert!(exact.matches(&Space::from_raw("/shop")));
    assert!(!exact.matches(&Space::from_raw("/shop2")));
    let open = SpacePattern::parse("/team-*").unwrap();
    assert!(open.matches(&Space::from_raw("/team-red")));
    for other in ["/team-", "/team-a/b", "/teams", "/"] {
        assert!(!open.matches(&Space::from_raw(other)), "{other}");
    }
    assert!(SpacePattern::parse("/*-team").is_err());
    assert_eq!((exact.to_string(), open.to_string()), ("/shop".into(), "/team-*".into()));
}
