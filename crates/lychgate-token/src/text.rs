//! What a text must look like before it may name somebody.

/// The longest `sub`, `jti` and `sid`, in bytes of UTF-8.
const NAME_BYTES_MAX: usize = 255;

/// Whether `text` may serve as a name: 1 to 255 bytes, nothing invisible.
///
/// Control characters end log lines and C strings; format characters make two names look alike; both line separators
/// of Unicode do what a newline does.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && (is_plain_ascii(text) || !text.chars().any(is_invisible))
}

fn is_plain_ascii(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// The Unicode categories Cc (control), Cf (format), Zl and Zp (line and paragraph separator), as of Unicode 16.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}'
            | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0001}' | '\u{E0020}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_visible_and_bounded() {
        for name in ["a", "alice@example.com", "Zoë Ångström", "名前", "🙂", &"x".repeat(255)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", &"x".repeat(256), "a\0", "a\r\nb", "\u{7f}", "\u{85}", "a\u{200D}b", "\u{202E}a", "\u{2028}"] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
