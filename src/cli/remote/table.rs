//! Rows for a terminal, and what users wrote without control characters.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use serde_json::Value;

/// A key of the API, and the title above its column.
pub(super) type Column = (&'static str, &'static str);

/// Prints rows in columns as wide as their longest value, below titles in capitals.
pub(super) fn print_rows(columns: &[Column], rows: &[Value]) -> io::Result<()> {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            columns.iter().map(|(key, _)| row.get(*key).map_or_else(missing, cell)).collect()
        })
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, (_, title))| {
            let longest = cells.iter().filter_map(|row| Some(row.get(at)?.chars().count())).max();
            longest.unwrap_or(0).max(title.chars().count())
        })
        .collect();
    let titles = columns.iter().map(|(_, title)| (*title).to_owned()).collect();
    let mut text = String::new();
    for row in [titles].iter().chain(&cells) {
        let line: Vec<_> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    io::stdout().lock().write_all(text.as_bytes())
}

/// Prints a line.
pub(super) fn print_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// A value as text on one line.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => missing(),
        Value::String(text) => printable(text),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => printable(&other.to_string()),
    }
}

/// What stands for a value that is not there.
pub(super) fn missing() -> String {
    "-".to_owned()
}

/// The text with control characters, and those that change the direction of text, as escapes.
pub(super) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut printed, character| {
        let changes_direction =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if changes_direction || character.is_control() {
            let _infallible = write!(printed, "{}", character.escape_debug());
        } else {
            printed.push(character);
        }
        printed
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changes_a_terminal_is_printed_as_an_escape() {
        for (text, printed) in [
            ("héllo 👋", "héllo 👋"),
            ("a\nb\tc", "a\\nb\\tc"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}txt", "\\u{202e}txt"),
        ] {
            assert_eq!(printable(text), printed);
        }
        assert_eq!(cell(&json!(null)), "-");
        assert_eq!(cell(&json!(["a", "b\n"])), "a b\\n");
        assert_eq!(cell(&json!(3)), "3");
    }
}
