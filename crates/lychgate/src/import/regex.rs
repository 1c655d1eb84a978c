//! Patterns that can be said without one.
//!
//! **Absent on purpose:** understanding patterns. What is not one of a few known forms is none of ours.

/// The one text that a pattern such as `^app$` matches.
pub(super) fn literal(pattern: &str) -> Option<String> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let mut text = String::new();
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => text.push(characters.next().filter(char::is_ascii_punctuation)?),
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => return None,
            c => text.push(c),
        }
    }
    (!text.is_empty()).then_some(text)
}

/// The kind of a parameter that holds nothing but what a pattern of channels' names matches.
pub(super) fn kind(pattern: &str) -> Option<&'static str> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let class = inner.strip_suffix('+')?;
    if matches!(class, "\\d" | "[\\d]") {
        // A whole number may be below zero here, which these digits are not.
        return None;
    }
    let set = class.strip_prefix('[')?.strip_suffix(']')?;
    let mut rest = set.replace("\\w", "a-zA-Z0-9_").replace("\\d", "0-9").replace("\\-", "-");
    for range in ["a-z", "A-Z", "0-9"] {
        if !rest.contains(range) {
            return None;
        }
        rest = rest.replacen(range, "", 1);
    }
    let mut left: Vec<char> = rest.chars().collect();
    left.sort_unstable();
    left.dedup();
    (left == ['-', '_']).then_some("name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_forms_are_understood_and_no_others() {
        for (pattern, text) in [
            ("^app$", Some("app")),
            ("^https://app\\.example\\.com$", Some("https://app.example.com")),
            ("app", None),
            ("^app", None),
            ("^app.$", None),
            ("^a|b$", None),
            ("^\\w$", None),
            ("^$", None),
        ] {
            assert_eq!(literal(pattern).as_deref(), text, "{pattern}");
        }
        for (pattern, kind_found) in [
            ("^[a-zA-Z0-9_-]+$", Some("name")),
            ("^[-_A-Za-z0-9]+$", Some("name")),
            ("^[\\w-]+$", Some("name")),
            ("^[a-zA-Z0-9_.-]+$", None),
            ("^[a-zA-Z0-9_]+$", None),
            ("^[a-z0-9_-]+$", None),
            ("^[0-9]+$", None),
            ("^\\d+$", None),
            ("[a-zA-Z0-9_-]+", None),
            ("^[a-zA-Z0-9_-]*$", None),
            ("^.+$", None),
        ] {
            assert_eq!(kind(pattern), kind_found, "{pattern}");
        }
    }
}
