//! The key under which names that look alike are the same.

use std::{borrow::Cow, sync::Arc};

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::confusable_detection::skeleton;

/// A key that is the same for names that look alike: names that differ only in case, in forms of the
/// same letters, or in letters of other scripts that look the same (UTS 39). Two users of the back
/// end may share a key; guests may not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameKey(Arc<str>);

impl NameKey {
    /// The version of the rule that makes keys. Stores make their keys anew when it grows. It grows
    /// with every change here, and with the Unicode version of the crates used here.
    pub const RULE: u32 = 2;

    /// The text under which names are indexed.
    pub fn as_raw(&self) -> &str {
        &self.0
    }

    pub(super) fn of(name: &str) -> Self {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -_.".contains(&byte);
        let key = if name.bytes().all(is_plain) { plain(name) } else { unicode(name) };
        Self(single_spaced(&key).into())
    }
}

/// The text without white space at its ends, and with one space in place of each run between words.
fn single_spaced(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_whitespace) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// How often the skeleton is taken of the skeleton. Two rounds are enough for all but a few signs.
const SKELETON_ROUNDS_MAX: usize = 4;

/// As [`unicode`], for ASCII letters and digits, spaces, `-`, `_` and `.`.
fn plain(name: &str) -> String {
    let mut key = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            'm' => key.push_str("rn"),
            'i' | '1' => key.push('l'),
            '0' => key.push('o'),
            c => key.push(c),
        }
    }
    key
}

/// NFKC unifies the forms of a letter, case folding its cases, and the skeleton its look.
///
/// Case comes before the look, so that a name in Cyrillic has one key in both cases. But Greek `ΝΙΝΑ`
/// looks like Latin `NINA`, and `νινα` like `viva`: a name that looks like ASCII as it is shown has
/// the key of that ASCII text. Capitals of two other scripts may look the same and have two keys:
/// Greek `Γ` and Cyrillic `Г`, whose small letters differ.
fn unicode(name: &str) -> String {
    let name: String = name.nfkc().collect();
    let shown = look(&name);
    let mut seen = if shown.is_ascii() { fold(&shown) } else { fold(&name) };
    // A skeleton has capitals and compatible forms: the digit 0 becomes O, and % has a small zero.
    for _ in 0..SKELETON_ROUNDS_MAX {
        let next = fold(&look(&seen).nfkc().collect::<String>());
        if next == seen {
            break;
        }
        seen = next;
    }
    let mut key = String::with_capacity(seen.len());
    for c in seen.nfd() {
        match capital_look(c) {
            Some(letters) => key.push_str(letters),
            None => key.push(c),
        }
    }
    key.nfd().collect()
}

/// The look of the capital, for skeletons of Greek and Cyrillic small letters that look like no
/// Latin letter while their capitals do: `т` and `T`. And `I` looks like `l`, and is the same as `i`.
fn capital_look(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' | 'ƅ' | 'ʙ' => "b",
        'ꞓ' => "e",
        'ϝ' => "f",
        'ɢ' => "g",
        'ʜ' => "h",
        'ĸ' => "k",
        'i' => "l",
        'ю' => "lo",
        'ʍ' | 'μ' | 'ϻ' => "rn",
        'ᴛ' => "t",
        'χ' => "x",
        'ζ' => "z",
        'ƨ' => "2",
        'ȝ' | 'ɜ' => "3",
        _ => return None,
    })
}

/// Folds case. Mapping to lower, upper and lower case again unifies letters that have two forms in
/// one case only.
fn fold(text: &str) -> String {
    let upper = text.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}

/// The skeleton of UTS 39, section 4. Selectors and joiners are dropped with it, but not the tags
/// that tell the flags of regions apart.
fn look(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for c in text.nfd() {
        if is_tag(c) {
            seen.push(c);
        } else {
            seen.extend(skeleton(c.encode_utf8(&mut [0; 4])));
        }
    }
    seen.nfd().collect()
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}
