//! Rust source reduced to what is code, so that a word in a comment or a string is not taken for one.
//!
//! **Invariant:** the result has the length and the line breaks of its input, so a position means the same in both.
//!
//! **Absent on purpose:** a parser.
//! Comments, strings and lifetimes are all that can mislead a search for attributes.

/// Blanks comments and the inside of string and character literals.
pub(super) fn code_of(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => comment_end(bytes, at),
            b'r' if !follows_a_word(bytes, at) => raw_string_end(bytes, at).unwrap_or(at),
            b'"' => quoted_end(bytes, at),
            b'\'' => character_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end.max(at + 1);
    }
    // Whole literals and comments are blanked, so no character is ever cut in two.
    String::from_utf8(code).unwrap_or_default()
}

fn follows_a_word(bytes: &[u8], at: usize) -> bool {
    // `br"…"` is a raw string too; its `b` is then no word of its own.
    let before = if at > 0 && bytes[at - 1] == b'b' { at - 1 } else { at };
    before > 0 && (bytes[before - 1].is_ascii_alphanumeric() || bytes[before - 1] == b'_')
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| from + n)
}

/// Block comments nest.
fn comment_end(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_u32);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if bytes[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn raw_string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let hashes = bytes[from + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = from + 1 + hashes;
    (bytes.get(open) == Some(&b'"')).then_some(())?;
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let inside = &bytes[open + 1..];
    let length = inside.windows(close.len()).position(|window| window == close).map(|n| n + close.len());
    Some(open + 1 + length.unwrap_or(inside.len()))
}

fn quoted_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a character literal, or `None` where the quote opens a lifetime.
fn character_end(bytes: &[u8], from: usize) -> Option<usize> {
    if bytes.get(from + 1) == Some(&b'\\') {
        // The escaped character itself may be a quote.
        let close = bytes.get(from + 3..)?.iter().position(|byte| *byte == b'\'')?;
        return Some(from + 3 + close + 1);
    }
    let rest = std::str::from_utf8(bytes.get(from + 1..)?).ok()?;
    let character = rest.chars().next()?;
    let close = from + 1 + character.len_utf8();
    (bytes.get(close) == Some(&b'\'')).then_some(close + 1)
}
