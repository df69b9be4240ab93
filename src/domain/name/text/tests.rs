//! The rules beside those of another library, whose tables are those of Unicode 6.3.

use precis_profiles::{
    Nickname,
    precis_core::{
        DerivedPropertyValue as Property, FreeformClass, StringClass as _, profile::Rules as _,
    },
};
use unicode_properties::{GeneralCategoryGroup as Group, UnicodeGeneralCategory as _};

/// Selector 4 of Mongolian, of Unicode 14: invisible, as the other three.
const SELECTOR: char = '\u{180f}';

/// Letters of Unicode 6.3 whose joining changed later: in Unicode 7 (Mandaic) or with a category, from
/// letter to mark (Mongolian, 9), or between the two kinds of marks (Sundanese, Javanese, Hanunoo).
const CHANGED: [char; 11] = [
    '\u{847}', '\u{84f}', '\u{856}', '\u{857}', '\u{858}', '\u{1734}', '\u{1885}', '\u{1886}',
    '\u{1bac}', '\u{1bad}', '\u{a9bd}',
];

fn property(c: char) -> Property {
    FreeformClass::default().get_value_from_char(c)
}

fn has_ink(c: char) -> bool {
    use Group::{Letter, Mark, Number, Punctuation, Symbol};
    matches!(c.general_category_group(), Letter | Mark | Number | Punctuation | Symbol)
}

/// Whether the library refuses `c`, but names may hold it: of a later Unicode, or for domain names.
fn is_exempt(c: char) -> bool {
    match property(c) {
        Property::Unassigned => has_ink(c) && c != SELECTOR,
        Property::ContextO => true,
        Property::Disallowed => c == '\u{640}',
        Property::PValid
        | Property::SpecClassPval
        | Property::SpecClassDis
        | Property::ContextJ => false,
    }
}

fn is_visible(c: char) -> bool {
    let has_no_ink = matches!(c, '\u{2800}' | '\u{1d159}' | '\u{fffc}' | '\u{16fe4}');
    let in_class = matches!(property(c), Property::PValid | Property::SpecClassPval);
    (in_class || is_exempt(c)) && !has_no_ink
}

/// Whether the library allows a text without emoji. It knows no joiner before the virama.
fn is_valid(text: &str) -> bool {
    let known = text.replace("\u{9b0}\u{200d}\u{9cd}", "\u{9b0}\u{9cd}");
    let known: String = known.chars().map(|c| if is_exempt(c) { '*' } else { c }).collect();
    FreeformClass::default().allows(&known).is_ok()
}

#[test]
fn every_code_point_is_judged_and_mapped_as_by_the_library() {
    for c in '\0'..=char::MAX {
        let mut bytes = [0; 4];
        let alone: &str = c.encode_utf8(&mut bytes);
        let mapped = Nickname::new().additional_mapping_rule(alone).unwrap();
        assert_eq!(super::map_spaces(alone), mapped, "{c:?}");
        let is_space = c != ' ' && mapped.is_empty();
        assert_eq!(super::is_visible(c), is_visible(c) && !is_space, "{c:?}");
    }
    for spaced in ["", " ", "a", " a", "a ", "a  b", "\u{a0}a\u{3000}\u{2003}b\u{1680} c\u{202f}"] {
        let mapped = Nickname::new().additional_mapping_rule(spaced).unwrap();
        assert_eq!(super::map_spaces(spaced), mapped, "{spaced:?}");
    }
}

#[test]
fn joiners_are_judged_as_by_the_library() {
    // All but ideographs and syllables, which no joiner changes.
    let scripts =
        ('\u{80}'..'\u{3400}').chain('\u{a4d0}'..'\u{ac00}').chain('\u{fb00}'..'\u{12000}');
    let scripts = scripts.chain('\u{16000}'..'\u{17000}').chain('\u{1e000}'..'\u{1ec00}');
    for c in scripts.filter(|c| super::is_visible(*c)) {
        for text in [
            format!("{c}\u{200c}"),
            format!("{c}\u{200d}"),
            format!("{c}\u{200c}ب"),
            format!("ب\u{200c}{c}"),
            format!("ب{c}\u{200c}د"),
            format!("\u{a872}\u{200c}{c}ب"),
            format!("{c}\u{200d}\u{9cd}"),
            format!("\u{9b0}\u{200d}{c}"),
            format!("ب{c}\u{200d}\u{200c}ب"),
            format!("ب\u{200c}\u{200d}{c}"),
        ] {
            let (ours, others) = (super::is_valid(&text), is_valid(&text));
            let is_later = ours && property(c) == Property::Unassigned;
            assert!(ours == others || is_later || CHANGED.contains(&c), "{text:?} {ours}");
        }
    }
}
