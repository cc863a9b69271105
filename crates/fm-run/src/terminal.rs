//! Text from files and names, made harmless for terminals and logs.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Control characters as escapes such as `\\u{1b}`, which a terminal shows instead of obeying. Line ends and tabs stay.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmful(c) {
            let _ = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert!(matches!(visible("a\tb\nü 中"), Cow::Borrowed(_)));
        assert_eq!(
            visible("a\u{1b}]0;title\u{7}\r\u{9b}m\u{7f}"),
            "a\\u{1b}]0;title\\u{7}\\u{d}\\u{9b}m\\u{7f}"
        );
    }
}
