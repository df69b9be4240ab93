//! The beginning of a word, by which names are found.

use unicode_normalization::UnicodeNormalization as _;

use super::Rejection;

/// Longest query, in characters: a name has no more.
const QUERY_CHARS_MAX: usize = 64;

/// What somebody types to find a name: a name matches if one of its words begins so, in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameQuery(Box<str>);

impl NameQuery {
    /// Accepts 1 to 64 characters besides white space around them.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let raw = raw.trim();
        if raw.is_empty() || raw.chars().nth(QUERY_CHARS_MAX).is_some() {
            return Err(Rejection::BadRequest("a query has 1 to 64 characters"));
        }
        Ok(Self(folded(raw).into()))
    }

    /// Whether a word of this name begins as the query, which may go on into further words.
    pub fn matches(&self, name: &str) -> bool {
        let name = folded(name);
        let mut is_word_before = false;
        name.char_indices().any(|(at, c)| {
            let begins = !is_word_before;
            is_word_before = c.is_alphanumeric();
            begins && name.get(at..).is_some_and(|rest| rest.starts_with(&*self.0))
        })
    }
}

/// The text in lower case, composed as names are.
fn folded(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase().nfc().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_matches_by_the_beginning_of_any_word() {
        for (query, name, expected) in [
            ("an", "Ann Lee", true),
            ("AN", "ann lee", true),
            ("lee", "Ann Lee", true),
            ("ee", "Ann Lee", false),
            ("ann l", "Ann Lee", true),
            ("ann  l", "Ann Lee", false),
            ("lee", "ann.lee@example.com", true),
            ("example", "ann.lee@example.com", true),
            ("7", "agent-007", false),
            ("007", "agent-007", true),
            ("@", "ann@example.com", false),
            ("#gen", "#general", true),
            ("gen", "#general", true),
            ("GÉN", "#général", true),
            ("ge\u{301}n", "#général", true),
            ("жен", "Анна Женева", true),
            ("李", "Ann 李", true),
            ("ann", "", false),
        ] {
            let matches = NameQuery::parse(query).unwrap().matches(name);
            assert_eq!(matches, expected, "{query:?} {name:?}");
        }
    }

    #[test]
    fn a_query_has_1_to_64_characters() {
        assert!(NameQuery::parse(&"é".repeat(64)).is_ok());
        for bad in ["", " \t", &*"é".repeat(65)] {
            assert!(matches!(NameQuery::parse(bad), Err(Rejection::BadRequest(_))), "{bad:?}");
        }
    }
}
