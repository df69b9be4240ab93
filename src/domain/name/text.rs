//! The characters of names: the class of RFC 8266 (nicknames), and emoji.
//!
//! The text of a name is its form NFC, with spaces mapped as in RFC 8266, section 2.1. It is not
//! NFKC, which that RFC applies as well: names of back ends keep their letters. NFKC is part of the
//! key ([`NameKey`](super::NameKey)).

use std::borrow::Cow;

use precis_profiles::{
    Nickname,
    precis_core::{
        DerivedPropertyValue as Property, FreeformClass, StringClass as _, profile::Rules as _,
    },
};
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{
    GeneralCategory, GeneralCategoryGroup as Group, UnicodeGeneralCategory as _,
};
use unicode_segmentation::UnicodeSegmentation as _;

/// How many characters NFC may compose into one; no name needs more.
const COMPOSED_MAX: usize = 4;
/// Most nonspacing marks in a row: UTS 39, section 5.4.
const MARKS_MAX: usize = 4;
/// Stands for a character that is allowed for another reason than its class.
const ALLOWED: char = '*';

/// The selector of the text style of an emoji.
const TEXT_STYLE: char = '\u{fe0e}';
/// Bengali ra, whose joiner stands before the virama: Unicode, chapter 12.2. RFC 8264 allows a
/// joiner after one only (RFC 5892, appendix A.2).
const BENGALI_JOINED_RA: &str = "\u{9b0}\u{200d}\u{9cd}";
const ALLOWED_RA: &str = "\u{9b0}\u{9cd}";

/// The text of a name of 1 to `chars_max` characters.
pub(super) fn parse(raw: &str, chars_max: usize) -> Option<Cow<'_, str>> {
    let text = normalize(raw, chars_max)?;
    (!text.is_empty()).then_some(text)
}

/// The text of a path, which begins with `/`. Segments are normalized one by one and may be empty.
pub(super) fn parse_path(raw: &str, chars_max: usize) -> Option<Cow<'_, str>> {
    if !raw.starts_with('/') {
        return None;
    }
    if is_plain(raw) {
        return (raw.len() <= chars_max).then_some(Cow::Borrowed(raw));
    }
    let mut segments = Vec::new();
    for segment in raw.split('/') {
        segments.push(normalize(segment, chars_max)?);
    }
    let path = segments.join("/");
    (path.chars().count() <= chars_max).then_some(Cow::Owned(path))
}

fn is_plain(raw: &str) -> bool {
    raw.bytes().all(|byte| byte.is_ascii_graphic())
}

fn normalize(raw: &str, chars_max: usize) -> Option<Cow<'_, str>> {
    if is_plain(raw) {
        return (raw.len() <= chars_max).then_some(Cow::Borrowed(raw));
    }
    if raw.chars().nth(COMPOSED_MAX * chars_max).is_some() {
        return None;
    }
    let spaced = Nickname::new().additional_mapping_rule(raw).ok()?;
    let text: String = spaced.nfc().collect();
    let fits = text.chars().count() <= chars_max && has_valid_marks(&text) && is_valid(&text);
    fits.then_some(Cow::Owned(text))
}

/// Whether every mark has a base, and no base has more marks than can be told apart: UTS 39,
/// section 5.4.
fn has_valid_marks(text: &str) -> bool {
    let (mut before, mut nonspacing) = (' ', 0);
    for c in text.nfd() {
        let is_mark = c.general_category_group() == Group::Mark;
        let is_spacing = c.general_category() == GeneralCategory::SpacingMark;
        nonspacing = if is_mark && !is_spacing { nonspacing + 1 } else { 0 };
        let repeats = nonspacing > 0 && c == before;
        if (is_mark && before == ' ') || repeats || nonspacing > MARKS_MAX {
            return false;
        }
        before = c;
    }
    true
}

/// Whether all characters are in the class of RFC 8264, section 4.3, where its rules for their
/// context allow them, or are emoji.
///
/// The class is that of Unicode 6.3, and it knows no emoji sequences. So characters that are allowed
/// for another reason are masked, and the class judges the rest in its context.
fn is_valid(text: &str) -> bool {
    let mut masked = String::with_capacity(text.len());
    for cluster in text.graphemes(true) {
        if is_emoji(cluster) {
            masked.push(ALLOWED);
        } else {
            masked.extend(cluster.chars().map(|c| if is_exempt(c) { ALLOWED } else { c }));
        }
    }
    let masked = masked.replace(BENGALI_JOINED_RA, ALLOWED_RA);
    !text.chars().any(is_blank) && FreeformClass::default().allows(&masked).is_ok()
}

/// Whether the cluster is an emoji of the Unicode list, with any style. The joiners, selectors and
/// tags of others are invisible, and the class refuses them.
fn is_emoji(cluster: &str) -> bool {
    let styled = cluster.strip_suffix(TEXT_STYLE).unwrap_or(cluster);
    !cluster.is_ascii() && emojis::get(styled).is_some()
}

/// Whether the class refuses `c`, but names may hold it.
fn is_exempt(c: char) -> bool {
    match FreeformClass::default().get_value_from_char(c) {
        // Characters of Unicode 7 and later, by the rules of RFC 8264, section 8.
        Property::Unassigned => matches!(
            c.general_category_group(),
            Group::Letter | Group::Mark | Group::Number | Group::Symbol | Group::Punctuation
        ),
        // Visible punctuation and digits (RFC 8264, section 9.6) that the RFC allows in some scripts
        // only, for the sake of domain names. `Neon · Club` is a room that users expect to work.
        Property::ContextO => true,
        // The stretched line of Arabic words. The RFC refuses it as decoration.
        Property::Disallowed => c == '\u{640}',
        Property::PValid
        | Property::SpecClassPval
        | Property::SpecClassDis
        | Property::ContextJ => false,
    }
}

/// Whether `c` has no ink, though its class says so: the empty Braille pattern, the empty note head,
/// the place of an object, and a filler of Khitan.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{1d159}' | '\u{fffc}' | '\u{16fe4}')
}
