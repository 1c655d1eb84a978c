//! Cuts a text at its braces, and an expression into tokens.
//!
//! The engine's own words for names never see the configuration: each dotted name becomes a slot (`_0`, `_1`, …), so
//! `in` can be a name here though it is an operator there, and what a name means is decided here alone.
//!
//! **Invariant:** an expression that leaves here names only slots, allowed filters and allowed tests, and calls nothing.

use super::EXPRESSION_BYTES_MAX;
use super::engine;
use super::fault::TemplateFault;
use super::names::Names;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'s> {
    /// Said as it is.
    Literal(String),
    /// What was between two braces.
    Expression(&'s str),
}

/// Cuts `text` at its braces. Two literals are never neighbours.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, TemplateFault> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            let wrong = format!("a }} closes nothing in \"{}\"", cut(text));
            return Err(TemplateFault::new(wrong, "Write }} twice for a brace that is meant as one"));
        }
        let Some(end) = closing(rest) else {
            let wrong = format!("a {{ is not closed in \"{}\"", cut(text));
            return Err(TemplateFault::new(wrong, "Close it, or write { twice for a brace that is meant as one"));
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Expression(rest[..end].trim()));
        rest = &rest[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// Where the expression at the beginning of `rest` ends: at the first `}` that is in no quotes.
fn closing(rest: &str) -> Option<usize> {
    let mut quote = None;
    let mut bytes = rest.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') => {
                bytes.next();
            }
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'}') => return Some(at),
            _ => {}
        }
    }
    None
}

fn cut(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

/// An expression in the engine's words.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    /// With slots for names.
    pub(super) text: String,
    /// The name behind each slot.
    pub(super) names: Vec<String>,
    /// Whether it is one name, or one name and the filter `int`.
    pub(super) plain: Option<Plain>,
}

/// Expressions that need no engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// A name.
    Name,
    /// A name and `|int`.
    Int,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'s> {
    Word(&'s str),
    Number(&'s str),
    Quoted(&'s str),
    Sign(&'s str),
}

/// The signs that an expression may hold, longest first.
const SIGNS: [&str; 18] =
    ["==", "!=", "<=", ">=", "//", "|", "(", ")", "[", "]", ",", ".", ":", "<", ">", "=", "+", "-"];

const OPERATORS: [&str; 7] = ["and", "or", "not", "in", "is", "if", "else"];
const VALUES: [&str; 6] = ["true", "True", "false", "False", "none", "None"];

/// Puts slots for names, and refuses whatever is not allowed.
pub(super) fn rewrite(expression: &str, known: &Names) -> Result<Rewritten, TemplateFault> {
    if expression.is_empty() {
        return Err(TemplateFault::new("there is nothing between two braces", "Write a name there, such as {user.id}"));
    }
    if expression.len() > EXPRESSION_BYTES_MAX {
        let wrong = format!("an expression has {} bytes", expression.len());
        return Err(TemplateFault::new(wrong, format!("Shorten it to {EXPRESSION_BYTES_MAX} bytes")));
    }
    let tokens = tokens(expression)?;
    let mut out = Rewritten::default();
    let mut at = 0;
    // Whether what came last is a value, so that an operator may follow.
    let mut after_value = false;
    while let Some(token) = tokens.get(at) {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let following = tokens.get(at + 1);
        at += 1;
        match *token {
            Token::Sign("(") if after_value && !is_argument_list(&tokens, at - 1) => {
                return Err(TemplateFault::new(
                    format!("{{{expression}}} calls something"),
                    "Use a filter, as in {name|filter}: nothing can be called",
                ));
            }
            Token::Sign(sign) => {
                push(&mut out.text, sign);
                after_value = matches!(sign, ")" | "]");
            }
            Token::Number(text) | Token::Quoted(text) => {
                push(&mut out.text, text);
                after_value = true;
            }
            Token::Word(word) if before == Some(&Token::Sign("|")) => {
                allowed(word, engine::FILTERS, "filter")?;
                push(&mut out.text, word);
                after_value = true;
            }
            Token::Word(word) if is_test(&tokens, at - 1) => {
                allowed(word, engine::TESTS, "test")?;
                push(&mut out.text, word);
                after_value = true;
            }
            // A field of something that is in no name, and a named argument.
            Token::Word(word)
                if before == Some(&Token::Sign(".")) || following == Some(&Token::Sign("=")) && !after_value =>
            {
                push(&mut out.text, word);
                after_value = true;
            }
            Token::Word(word) if is_operator(word, &tokens, at, after_value) => {
                push(&mut out.text, word);
                after_value = false;
            }
            Token::Word(word) if VALUES.contains(&word) => {
                push(&mut out.text, word);
                after_value = true;
            }
            Token::Word(word) => {
                let mut name = word.to_owned();
                while let (Some(Token::Sign(".")), Some(Token::Word(key) | Token::Number(key))) =
                    (tokens.get(at), tokens.get(at + 1))
                {
                    name.push('.');
                    name.push_str(key);
                    at += 2;
                }
                known.check(&name)?;
                let slot = out.names.iter().position(|known| *known == name).unwrap_or_else(|| {
                    out.names.push(name);
                    out.names.len() - 1
                });
                push(&mut out.text, &format!("_{slot}"));
                after_value = true;
            }
        }
    }
    out.plain = match out.text.as_str() {
        "_0" => Some(Plain::Name),
        "_0 | int" => Some(Plain::Int),
        _ => None,
    };
    Ok(out)
}

fn push(out: &mut String, token: &str) {
    if !out.is_empty() {
        out.push(' ');
    }
    out.push_str(token);
}

fn allowed(word: &str, list: &[&str], what: &str) -> Result<(), TemplateFault> {
    if list.contains(&word) {
        return Ok(());
    }
    Err(TemplateFault::new(
        format!("there is no {what} \"{}\"", word.escape_debug()),
        format!("Use one of: {}", list.join(", ")),
    ))
}

/// Whether the parenthesis at `at` follows a filter or a test.
fn is_argument_list(tokens: &[Token<'_>], at: usize) -> bool {
    let is_filter = at >= 2 && tokens.get(at - 2) == Some(&Token::Sign("|"));
    is_filter || (at >= 1 && is_test(tokens, at - 1))
}

/// Whether the word at `at` is what a value is asked to be.
fn is_test(tokens: &[Token<'_>], at: usize) -> bool {
    let word = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
    let is = Some(&Token::Word("is"));
    let here = tokens.get(at);
    match word(1) {
        before if before == is => here != Some(&Token::Word("not")),
        Some(Token::Word("not")) => word(2) == is,
        _ => false,
    }
}

/// Whether `word`, which ends before `next`, is an operator here: `in` is a name where a value is expected.
fn is_operator(word: &str, tokens: &[Token<'_>], next: usize, after_value: bool) -> bool {
    match word {
        "in" => {
            let behind_not = next >= 2 && tokens.get(next - 2) == Some(&Token::Word("not"));
            // `x not in y`: what comes before `not` is a value.
            after_value || (behind_not && next >= 3 && ends_value(tokens.get(next - 3)))
        }
        _ => OPERATORS.contains(&word),
    }
}

fn ends_value(token: Option<&Token<'_>>) -> bool {
    match token {
        Some(Token::Word(word)) => !OPERATORS.contains(word),
        Some(Token::Number(_) | Token::Quoted(_) | Token::Sign(")" | "]")) => true,
        _ => false,
    }
}

fn tokens(expression: &str) -> Result<Vec<Token<'_>>, TemplateFault> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let end_of = |is_part: fn(char) -> bool| rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (token, end) = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = end_of(|c| c.is_ascii_alphanumeric() || c == '_');
                (Token::Word(&rest[..end]), end)
            }
            // `in.items.0.1`: behind a point only digits, so that the next point is not taken for a fraction.
            '0'..='9' => {
                let is_key = tokens.last() == Some(&Token::Sign("."));
                let mut end = end_of(|c| c.is_ascii_digit());
                let fraction = rest[end..]
                    .strip_prefix('.')
                    .map_or(0, |digits| digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
                if fraction > 0 && !is_key {
                    end += 1 + fraction;
                }
                (Token::Number(&rest[..end]), end)
            }
            '"' | '\'' => {
                let end = quoted(rest).ok_or_else(|| {
                    let wrong = format!("a quote is not closed in {{{expression}}}");
                    TemplateFault::new(wrong, "Close it with the same sign")
                })?;
                (Token::Quoted(&rest[..end]), end)
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                // One `/` is a sign, too; two are found first.
                let sign = sign.copied().or_else(|| rest.starts_with('/').then_some("/"));
                let sign = sign.ok_or_else(|| {
                    TemplateFault::new(
                        format!("{{{expression}}} holds {first:?}, which no expression may"),
                        "Use names, texts in quotes, numbers, filters, and + - / == != < > and or not in is if else",
                    )
                })?;
                (Token::Sign(sign), sign.len())
            }
        };
        tokens.push(token);
        rest = rest[end..].trim_start();
    }
    Ok(tokens)
}

/// The length of the quoted text at the beginning of `rest`.
fn quoted(rest: &str) -> Option<usize> {
    let quote = rest.bytes().next()?;
    let mut bytes = rest.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == quote {
            return Some(at + 1);
        }
    }
    None
}
