//! A query with named parameters, taken apart where they stand.
//!
//! **Invariant:** a [`Query`] is one statement that begins with SELECT or WITH, its parentheses are in pairs,
//! and every name in it is one that has a value.

use super::OpenError;
use super::scan::{self, Dialect, Piece};

/// What takes a name's place when the query is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The verified user.
    User,
    /// The name of the resource.
    Resource,
    /// What the request said under this name.
    Parameter(Box<str>),
}

/// A query that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// What stands before, between and after the slots: one more than there are slots.
    texts: Vec<String>,
    slots: Vec<Slot>,
}

impl Query {
    /// Reads `text`, in which `:user`, `:resource` and each of `parameters` may be named.
    pub(super) fn parse(text: &str, parameters: &[&str], dialect: Dialect) -> Result<Self, OpenError> {
        let names = names(parameters)?;
        let (mut texts, mut slots) = (vec![String::new()], Vec::new());
        let (mut first_word, mut depth, mut has_ended) = (None, 0_usize, false);
        let mut rest = text;
        while !rest.is_empty() {
            let before = text[..text.len() - rest.len()].chars().next_back();
            let (piece, length) = scan::next(rest, before, dialect);
            rest = &rest[length..];
            let is_blank = matches!(piece, Piece::Plain(plain) if plain.trim().is_empty());
            if has_ended && !is_blank && !matches!(piece, Piece::Comment(_) | Piece::Semicolon) {
                return Err(refused("it is more than one statement"));
            }
            let last = texts.last_mut().ok_or_else(|| refused("it is empty"))?;
            match piece {
                Piece::Plain(plain) => {
                    if !is_blank {
                        first_word.get_or_insert(plain);
                    }
                    last.push_str(plain);
                }
                Piece::Comment(_) => last.push(' '),
                Piece::Semicolon => has_ended = true,
                Piece::Open => {
                    first_word.get_or_insert("(");
                    depth += 1;
                    last.push('(');
                }
                Piece::Close => {
                    depth = depth.checked_sub(1).ok_or_else(|| refused("a parenthesis closes that did not open"))?;
                    last.push(')');
                }
                Piece::Name(name) => {
                    slots.push(slot(name, &names)?);
                    texts.push(String::new());
                }
                Piece::Foreign(placeholder) => {
                    return Err(refused(&format!("{placeholder} is no name; write :user, or :name of a parameter")));
                }
                Piece::Endless(what) => return Err(refused(&format!("a {what} in it does not end"))),
            }
        }
        if depth > 0 {
            return Err(refused("a parenthesis does not close"));
        }
        let begins_well =
            first_word.is_some_and(|word| word.eq_ignore_ascii_case("select") || word.eq_ignore_ascii_case("with"));
        if begins_well { Ok(Self { texts, slots }) } else { Err(refused("it does not begin with SELECT or WITH")) }
    }

    /// Its slots in the order of the text; a name that stands there twice has two.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The text, with `placeholder(n)` for slot `n`, counted from 0.
    pub(super) fn render(&self, placeholder: impl Fn(usize) -> String) -> String {
        let mut text = String::new();
        for (n, piece) in self.texts.iter().enumerate() {
            if n > 0 {
                text.push_str(&placeholder(n - 1));
            }
            text.push_str(piece);
        }
        text
    }
}

/// Each name as it is written in a query, with the parameter that it means.
fn names(parameters: &[&str]) -> Result<Vec<(String, Slot)>, OpenError> {
    let mut names = vec![("user".to_owned(), Slot::User), ("resource".to_owned(), Slot::Resource)];
    for parameter in parameters {
        let written: String = parameter.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let slot = Slot::Parameter((*parameter).into());
        match names.iter().find(|(name, _)| *name == written) {
            // The verified user and the resource come first: what a client says takes the name of neither.
            Some((_, Slot::User | Slot::Resource)) => {}
            Some((_, known)) if *known == slot => {}
            Some((_, Slot::Parameter(other))) => {
                let what = format!("the parameters {other} and {parameter} would both be :{written}; rename one");
                return Err(refused(&what));
            }
            None => names.push((written, slot)),
        }
    }
    Ok(names)
}

fn slot(name: &str, names: &[(String, Slot)]) -> Result<Slot, OpenError> {
    names.iter().find(|(known, _)| known == name).map(|(_, slot)| slot.clone()).ok_or_else(|| {
        let known: Vec<_> = names.iter().map(|(known, _)| format!(":{known}")).collect();
        refused(&format!("there is no :{name}; it may name {}", known.join(", ")))
    })
}

fn refused(what: &str) -> OpenError {
    OpenError::Query(what.to_owned())
}
