//! The characters of names: the class of RFC 8266 (nicknames), and emoji.
//!
//! The text of a name is its form NFC, with spaces mapped as in RFC 8266, section 2.1. It is not
//! NFKC, which that RFC applies as well: names of back ends keep their letters. NFKC is part of the
//! key ([`NameKey`](super::NameKey)).

use std::borrow::Cow;

use unicode_joining_type::{JoiningType, get_joining_type};
use unicode_normalization::{UnicodeNormalization as _, char::canonical_combining_class};
use unicode_properties::{
    GeneralCategory, GeneralCategoryGroup as Group, UnicodeGeneralCategory as _,
};
use unicode_segmentation::UnicodeSegmentation as _;

/// How many characters NFC may compose into one; no name needs more.
const COMPOSED_MAX: usize = 4;
/// Most nonspacing marks in a row: UTS 39, section 5.4.
const MARKS_MAX: usize = 4;

/// The selector of the text style of an emoji.
const TEXT_STYLE: char = '\u{fe0e}';
const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';
/// The combining class of signs that take the vowel from a letter.
const VIRAMA: u8 = 9;

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
    let text: String = map_spaces(raw).nfc().collect();
    let fits = text.chars().count() <= chars_max && has_valid_marks(&text) && is_valid(&text);
    fits.then_some(Cow::Owned(text))
}

/// Puts one ASCII space between words, and none at the ends: RFC 8266, section 2.1.
fn map_spaces(raw: &str) -> String {
    let is_space = |c: char| c.general_category() == GeneralCategory::SpaceSeparator;
    raw.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
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

/// Whether all characters are allowed where they are, or are emoji.
fn is_valid(text: &str) -> bool {
    text.grapheme_indices(true).all(|(start, cluster)| {
        let is_allowed = |(offset, c)| match c {
            JOINER | NON_JOINER => {
                let (before, rest) = text.split_at(start + offset);
                has_effect(c, before, rest)
            }
            _ => is_visible(c),
        };
        is_emoji(cluster) || cluster.char_indices().all(is_allowed)
    })
}

/// Whether the cluster is an emoji of the Unicode list, with any style. The joiners, selectors and
/// tags of others are invisible, and refused.
fn is_emoji(cluster: &str) -> bool {
    let styled = cluster.strip_suffix(TEXT_STYLE).unwrap_or(cluster);
    !cluster.is_ascii() && emojis::get(styled).is_some()
}

/// Whether a joiner changes the letters beside it: RFC 5892, appendices A.1 and A.2. `rest` begins
/// with the joiner.
fn has_effect(joiner: char, before: &str, rest: &str) -> bool {
    let previous = before.chars().next_back();
    let mut after = rest.chars().skip(1);
    if previous.is_some_and(|c| canonical_combining_class(c) == VIRAMA) {
        return true;
    }
    if joiner == JOINER {
        // The joiner of Bengali ra is before the virama: Unicode, chapter 12.2.
        return previous == Some('\u{9b0}') && after.next() == Some('\u{9cd}');
    }
    let is_letter = |joining: &JoiningType| *joining != JoiningType::Transparent;
    let left = before.chars().rev().map(get_joining_type).find(is_letter);
    let right = after.map(get_joining_type).find(is_letter);
    matches!(left, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(right, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

/// Whether `c` is in the `FreeformClass`: RFC 8264, section 8, by today's tables of Unicode.
///
/// What RFC 5892 restricts for the sake of domain names is allowed: punctuation and digits that need
/// a script (`Neon · Club` is a room that users expect to work), and the stretched line of Arabic
/// words.
fn is_visible(c: char) -> bool {
    let has_ink = match c.general_category_group() {
        Group::Letter | Group::Mark | Group::Number | Group::Symbol | Group::Punctuation => true,
        Group::Separator => c == ' ',
        Group::Other => false,
    };
    has_ink && !is_blank(c) && !is_old_jamo(c) && !is_excepted(c)
}

/// Whether `c` has no ink, though its category says so: what Unicode lists as default ignorable, the
/// empty Braille pattern, the empty note head, the place of an object, and a filler of Khitan.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
            | '\u{2800}' | '\u{1d159}' | '\u{fffc}' | '\u{16fe4}'
    )
}

/// Whether `c` is a part of a Korean syllable: RFC 8264, section 9.9. NFC composes those in use.
fn is_old_jamo(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}' | '\u{d7b0}'..='\u{d7ff}')
}

/// Stretched lines, tone marks and repeat marks that RFC 5892, section 2.6, refuses.
fn is_excepted(c: char) -> bool {
    matches!(c, '\u{7fa}' | '\u{302e}' | '\u{302f}' | '\u{3031}'..='\u{3035}' | '\u{303b}')
}

#[cfg(test)]
mod tests;
