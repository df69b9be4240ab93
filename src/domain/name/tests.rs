//! Names and patterns.

use proptest::prelude::*;

use super::{
    languages::{EMOJI, LANGUAGES},
    *,
};

/// What no name holds.
const REFUSED: [&str; 40] = [
    "",
    " ",
    "\u{2003}",
    "a\nb",
    "a\u{0}",
    "a\u{7f}b",
    "a\u{85}b",
    "a\u{ad}b",
    "a\u{34f}b",
    "a\u{61c}b",
    "\u{115f}",
    "a\u{180e}b",
    "a\u{200b}b",
    "a\u{200c}b",
    "a\u{200d}b",
    "a\u{200e}b",
    "a\u{2028}b",
    "a\u{202e}b",
    "a\u{2060}b",
    "a\u{2066}b",
    "\u{2800}",
    "\u{3164}",
    "\u{feff}x",
    "\u{fe0f}",
    "ann\u{fe0f}",
    "葛\u{e0100}",
    "ann\u{e0061}",
    "😀\u{200d}",
    "😀\u{200d}😀",
    "🏴\u{e0067}",
    "\u{e000}",
    "\u{f0000}",
    "\u{fdd0}",
    "a\u{ffff}",
    "\u{378}",
    "\u{301}",
    "a \u{301}b",
    "\u{93f}",
    "a\u{301}\u{302}\u{303}\u{304}\u{306}",
    "x\u{304}\u{304}",
];

fn key(name: &str) -> NameKey {
    UserName::parse(name).unwrap_or_else(|error| panic!("{name:?}: {error:?}")).key()
}

#[test]
fn every_language_works_as_user_room_and_space() {
    let languages = LANGUAGES.iter().map(|(_, name)| *name);
    for name in languages.chain(EMOJI) {
        let composed: String = unicode_normalization::UnicodeNormalization::nfc(name).collect();
        let apart: String = unicode_normalization::UnicodeNormalization::nfd(name).collect();
        for text in [name, &composed, &apart] {
            let of = |raw: &str| {
                assert_eq!(raw, composed, "{name}");
            };
            of(UserName::parse_guest(text).expect(name).as_raw());
            of(RoomName::parse(text).expect(name).as_raw());
            let path = Space::parse(&format!("/{text}/{text}")).expect(name);
            assert_eq!(path.as_raw(), format!("/{composed}/{composed}"));
            let pattern = SpacePattern::parse(&format!("/{text}-*")).expect(name);
            assert!(pattern.matches(&Space::parse(&format!("/{apart}-{text}")).unwrap()));
            assert!(RoomPattern::parse(text).expect(name).matches(&RoomName::from_raw(&composed)));
        }
    }
}

#[test]
fn invisible_unassigned_and_stacked_characters_are_refused() {
    let stack = format!("a{}", "\u{301}\u{302}".repeat(20));
    for bad in REFUSED.into_iter().chain([&*stack]) {
        assert_eq!(UserName::parse(bad), Err(Rejection::NameInvalid), "{bad:?}");
        assert_eq!(RoomName::parse(bad), Err(Rejection::RoomInvalid), "{bad:?}");
        let path = format!("/x/{bad}");
        let is_empty = bad.trim().is_empty();
        assert_eq!(Space::parse(&path).is_err(), !is_empty, "{bad:?}");
    }
}

#[test]
fn a_user_name_is_trimmed_and_bounded() {
    assert_eq!(UserName::parse_guest("  Ann Lee ").unwrap().as_raw(), "Ann Lee");
    assert_eq!(UserName::parse("Ann\u{a0} \u{3000}Lee\n").unwrap().as_raw(), "Ann Lee");
    assert!(UserName::parse_guest(&"ü".repeat(32)).is_ok());
    assert!(UserName::parse_guest(&"ü".repeat(33)).is_err());
    assert!(UserName::parse(&"ü".repeat(64)).is_ok());
    for bad in ["ü".repeat(65), "x".repeat(65), "e\u{301}".repeat(1000)] {
        assert_eq!(UserName::parse(&bad), Err(Rejection::NameInvalid), "{bad:?}");
    }
}

#[test]
fn a_user_name_is_normalized_to_nfc_and_keeps_its_letters() {
    assert_eq!(UserName::parse("Zoe\u{308}"), UserName::parse("Zo\u{eb}"));
    assert!(UserName::parse_guest(&"e\u{301}".repeat(32)).is_ok(), "32 characters once composed");
    assert_ne!(UserName::parse("ann"), UserName::parse("Ann"));
    for name in ["ℌans", "ａｎｎ", "₽ ₿", "a·b", "محـمد", "\u{10fd}\u{1c90}"] {
        assert_eq!(UserName::parse(name).unwrap().as_raw(), name);
    }
}

#[test]
fn names_that_look_alike_have_one_key() {
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
        ("❤", "❤\u{fe0f}"),
        ("❤️", "❤︎"),
        // Other scripts.
        ("ann", "аnn"),
        ("hans", "ℌans"),
        ("TOM", "ТОМ"),
        ("tom", "том"),
        ("BOB", "ВОВ"),
        ("NINA", "ΝΙΝΑ"),
        ("Nina", "Νina"),
        ("HANNAH", "ΗANNAΗ"),
        ("viva", "νινα"),
        ("вова", "ВОВА"),
        ("Юра", "юра"),
        ("ЁЖИК", "ёжик"),
        // The same script.
        ("Alice", "AIice"),
        ("alice", "ALICE"),
        ("bob", "B0B"),
        ("bill", "b1||"),
        ("rnary", "mary"),
        ("100%", "1OO%"),
        ("علی", "علي"),
        ("علی‌رضا", "علیرضا"),
        ("محـمد".replace('\u{640}', "").as_str(), "محمد"),
    ] {
        assert_eq!(key(one), key(other), "{one} {other}");
    }
    let digits: std::collections::BTreeSet<_> = ('0'..='9').map(|c| key(&c.to_string())).collect();
    assert_eq!(digits.len(), 10);
    for (one, other) in [
        ("ann lee", "annlee"),
        ("ann", "anne"),
        ("nick", "vick"),
        ("Иван", "Иванн"),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"),
        ("😀", "😁"),
        ("👍🏽", "👍🏿"),
        ("中文", "中国"),
    ] {
        assert_ne!(key(one), key(other), "{one} {other}");
    }
}

#[test]
fn both_cases_of_a_letter_have_one_key() {
    let cased = ('\u{0}'..char::MAX).filter(|c| c.to_lowercase().to_string() != c.to_string());
    let differs = |c: &char| {
        let (name, lower) = (format!("x{c}ж"), format!("x{}ж", c.to_lowercase()));
        matches!((UserName::parse(&name), UserName::parse(&lower)), (Ok(one), Ok(other))
            if one.key() != other.key())
    };
    assert_eq!(cased.filter(differs).collect::<String>(), "");
}

#[test]
fn a_room_name_is_any_visible_text() {
    for good in [
        "lobby",
        "Straße",
        "a:b/c#d",
        "Room 1",
        "user@example.com",
        "#général 😀",
        "a,b",
        "@ann",
        "100%",
        "a*",
        "{x}",
        "Neon · Club",
        &"x".repeat(64),
        &"ü".repeat(64),
    ] {
        assert_eq!(RoomName::parse(good).unwrap().as_raw(), good);
    }
    assert_eq!(RoomName::parse(" a  b ").unwrap().as_raw(), "a b");
    assert_eq!(RoomName::parse("한국"), RoomName::parse("\u{1112}\u{1161}\u{11ab}국"));
    for bad in ["a\n", &"x".repeat(65), &"ü".repeat(65)] {
        assert_eq!(RoomName::parse(bad), Err(Rejection::RoomInvalid), "{bad:?}");
    }
}

#[test]
fn a_space_is_a_path() {
    for good in ["/", "/shop", "/a/b", "/a b", "/a,b?c", "/ü", "//", "/a/"] {
        assert_eq!(Space::parse(good).unwrap().as_raw(), good);
    }
    assert_eq!(Space::parse("/ a / b "), Space::parse("/a/b"));
    for bad in ["", "shop", "ü/", &format!("/{}", "ü".repeat(64)), "/a\n"] {
        assert_eq!(Space::parse(bad), Err(Rejection::UnknownSpace), "{bad:?}");
    }
    assert!(Space::parse(&format!("/{}", "ü".repeat(63))).is_ok());
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
    for bad in ["", "**", "a*b", "te\nam*", "*a", "\u{301}*", &format!("{}*", "x".repeat(65))] {
        assert!(RoomPattern::parse(bad).is_err(), "{bad}");
    }
    assert!(RoomPattern::parse(&format!("{}*", "x".repeat(64))).is_ok());
    assert_eq!(open.to_string(), "team-*");
    let words = RoomPattern::parse("e\u{301}quipe *").unwrap();
    assert!(words.matches(&room("équipe 1")) && !words.matches(&room("équipes")));
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
    assert!(SpacePattern::parse("/*").unwrap().matches(&Space::from_raw("/a")));
    for bad in ["/*-team", "*", "team*", "/**"] {
        assert!(SpacePattern::parse(bad).is_err(), "{bad}");
    }
    assert_eq!((exact.to_string(), open.to_string()), ("/shop".into(), "/team-*".into()));
}

/// Any name that is accepted, normalized.
pub(crate) fn any_name() -> impl Strategy<Value = String> {
    let accepted = |raw: String| UserName::parse(&raw).ok().map(|it| it.to_string());
    text().prop_filter_map("the name is refused", accepted)
}

/// The normalized names of the table.
fn listed_name() -> impl Strategy<Value = String> {
    let names = LANGUAGES.iter().map(|(_, name)| *name).chain(EMOJI);
    let names = names.map(|name| UserName::parse(name).unwrap().to_string());
    proptest::sample::select(names.collect::<Vec<_>>())
}

/// Text made of what names are made of, and of what breaks them.
fn text() -> impl Strategy<Value = String> {
    let refused = proptest::sample::select(REFUSED.to_vec()).prop_map(str::to_owned);
    let any = any::<char>().prop_map(String::from);
    let part = prop_oneof![5 => listed_name(), 1 => refused, 4 => any, 4 => "[ -~]{1,4}"];
    proptest::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn a_parsed_name_is_parsed_to_itself(raw in text()) {
        use unicode_normalization::UnicodeNormalization as _;
        let (nfc, nfd): (String, String) = (raw.nfc().collect(), raw.nfd().collect());
        let of_user = UserName::parse(&raw);
        prop_assert_eq!(&of_user, &UserName::parse(&nfc));
        prop_assert_eq!(&of_user, &UserName::parse(&nfd));
        if let Ok(user) = of_user {
            prop_assert_eq!(UserName::parse(user.as_raw()), Ok(user.clone()));
            prop_assert!(!user.key().as_raw().is_empty());
            // Another case and the compatible forms are the same to the eye.
            let forms = [raw.nfkc().collect::<String>(), raw.to_lowercase()];
            for form in forms.iter().filter_map(|it| UserName::parse(it).ok()) {
                let shown: String = user.as_raw().nfkc().collect();
                let looks_latin =
                    unicode_security::confusable_detection::skeleton(&shown).all(|c| c.is_ascii());
                prop_assert!(looks_latin || form.key() == user.key(), "{:?} {:?}", form, user);
            }
        }
        if let Ok(room) = RoomName::parse(&raw) {
            prop_assert_eq!(RoomName::parse(room.as_raw()), Ok(room.clone()));
            if !room.as_raw().contains('*') {
                prop_assert!(RoomPattern::parse(&nfd).unwrap().matches(&room));
            }
        }
        if let Ok(space) = Space::parse(&format!("/{raw}")) {
            prop_assert_eq!(Space::parse(space.as_raw()), Ok(space.clone()));
        }
    }

    #[test]
    fn names_with_one_skeleton_have_one_key(raw in text(), other in text()) {
        use unicode_normalization::UnicodeNormalization as _;
        use unicode_security::confusable_detection::skeleton;
        // Small letters: capitals that look the same may have small letters that do not.
        let parse = |raw: &str| UserName::parse(&raw.to_lowercase());
        let (Ok(one), Ok(other)) = (parse(&raw), parse(&other)) else {
            return Ok(());
        };
        // The skeleton has no tags, so that all flags of regions have one. And `²` has another
        // skeleton than the 2 that it is by NFKC.
        let look = |name: &UserName| {
            let tag = |c: &char| matches!(c, '\u{e0020}'..='\u{e007f}');
            let tags: String = name.as_raw().chars().filter(tag).collect();
            (skeleton(&name.as_raw().nfkc().collect::<String>()).collect::<String>(), tags)
        };
        let disguised = look(&one).0;
        if let Ok(disguised) = parse(&disguised)
            && look(&disguised) == look(&one)
        {
            prop_assert_eq!(one.key(), disguised.key());
        }
        prop_assert!(look(&one) != look(&other) || one.key() == other.key());
    }
}
