//! Text from files and names, made harmless for terminals and logs.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Control characters as escapes such as `\\u{1b}`, which a terminal shows instead of obeying. Line ends, those of CSV
/// tables (CRLF) too, and tabs stay.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let ends_line = c == '\r' && rest.peek() == Some(&'\n');
        if harmful(c) && !ends_line {
            let _ = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// A number of things in English: `1 run`, `2 runs`.
#[must_use]
pub fn counted(n: impl Into<u64>, thing: &str) -> String {
    let n = n.into();
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// The lines of a table: every column as wide as its widest cell, two spaces between them.
pub fn columns(rows: &[Vec<String>]) -> impl Iterator<Item = String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    rows.iter().map(move |row| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    })
}

/// A word of a POSIX shell: quoted where it must be.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("a/b-1.json"), "a/b-1.json");
        assert_eq!(shell_word("my plan's.json"), r"'my plan'\''s.json'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0_u32, 1, 2].map(|n| counted(n, "run")), ["0 runs", "1 run", "2 runs"]);
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert!(matches!(visible("a\tb\nü 中"), Cow::Borrowed(_)));
        assert_eq!(
            visible("a\u{1b}]0;title\u{7}\r\u{9b}m\u{7f}"),
            "a\\u{1b}]0;title\\u{7}\\u{d}\\u{9b}m\\u{7f}"
        );
        assert_eq!(visible("a,b\r\nc\r\r\n"), "a,b\r\nc\\u{d}\r\n");
    }
}
