//! Reads a query just far enough to tell its words from its texts and comments.
//!
//! **Absent on purpose:** grammar. The database has it, and reads the query before the first question.

/// Whose rules hold for quotes and comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// A stretch of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Goes to the database as it is: quoted texts, words, blanks, signs.
    Plain(&'a str),
    /// A comment.
    Comment(&'a str),
    /// `:name`, without the colon.
    Name(&'a str),
    /// What ends a statement.
    Semicolon,
    /// An opening or closing parenthesis.
    Open,
    /// See [`Open`](Piece::Open).
    Close,
    /// A placeholder of the database's own, which would take what is bound to another.
    Foreign(&'a str),
    /// A quote or a comment that does not end.
    Endless(&'static str),
}

/// The next stretch of `text`, which is not empty, and its length in bytes.
pub(super) fn next(text: &str, before: Option<char>, dialect: Dialect) -> (Piece<'_>, usize) {
    let mut characters = text.chars();
    let (Some(first), second) = (characters.next(), characters.next()) else {
        return (Piece::Plain(text), text.len());
    };
    let plain = |length: usize| (Piece::Plain(&text[..length]), length);
    let is_postgres = dialect == Dialect::Postgres;
    match (first, second) {
        ('-', Some('-')) => {
            let length = text.find('\n').unwrap_or(text.len());
            (Piece::Comment(&text[..length]), length)
        }
        ('/', Some('*')) => match comment_end(text, is_postgres) {
            Some(length) => (Piece::Comment(&text[..length]), length),
            None => (Piece::Endless("comment"), text.len()),
        },
        ('\'', _) => quoted(text, 1, '\'', false),
        ('e' | 'E', Some('\'')) if is_postgres => quoted(text, 2, '\'', true),
        ('"', _) => quoted(text, 1, '"', false),
        ('`', _) if !is_postgres => quoted(text, 1, '`', false),
        ('[', _) if !is_postgres => match text.find(']') {
            Some(at) => plain(at + 1),
            None => (Piece::Endless("bracket"), text.len()),
        },
        ('$', _) if is_postgres => dollar(text, before),
        ('$' | '@' | '#', Some(c)) if !is_postgres && is_word(c) => (Piece::Foreign(&text[..1]), 1),
        ('?', _) if !is_postgres => (Piece::Foreign("?"), 1),
        (':', Some(':')) => plain(2),
        (':', Some(c)) if c.is_ascii_alphabetic() || c == '_' => {
            let length = 1 + word_length(&text[1..]);
            (Piece::Name(&text[1..length]), length)
        }
        (';', _) => (Piece::Semicolon, 1),
        ('(', _) => (Piece::Open, 1),
        (')', _) => (Piece::Close, 1),
        // A word is taken whole, so that its last letter begins no quote.
        (c, _) if is_word(c) => plain(word_length(text)),
        (c, _) => plain(c.len_utf8()),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !is_word(c)).unwrap_or(text.len())
}

/// What is quoted, from its opening of `from` bytes on. The quote doubled is one of its characters.
fn quoted(text: &str, from: usize, quote: char, with_backslash: bool) -> (Piece<'_>, usize) {
    let mut characters = text[from..].char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if with_backslash && c == '\\' {
            characters.next();
        } else if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            let length = from + at + quote.len_utf8();
            return (Piece::Plain(&text[..length]), length);
        }
    }
    (Piece::Endless("quote"), text.len())
}

fn comment_end(text: &str, nests: bool) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") && (nests || depth == 0) {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    None
}

/// `$1`, or a text between `$tag$` and `$tag$`.
fn dollar(text: &str, before: Option<char>) -> (Piece<'_>, usize) {
    let tag_length = word_length(&text[1..]);
    let is_inside_word = before.is_some_and(|c| is_word(c) || c == '$');
    if is_inside_word {
        return (Piece::Plain(&text[..1]), 1);
    }
    if text[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return (Piece::Foreign(&text[..1 + tag_length]), 1 + tag_length);
    }
    let opening = 1 + tag_length + 1;
    if !text[1 + tag_length..].starts_with('$') {
        return (Piece::Plain(&text[..1]), 1);
    }
    match text[opening..].find(&text[..opening]) {
        Some(at) => (Piece::Plain(&text[..opening + at + opening]), opening + at + opening),
        None => (Piece::Endless("quote"), text.len()),
    }
}
