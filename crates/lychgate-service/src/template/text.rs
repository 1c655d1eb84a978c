//! A text with expressions in it: the name of a channel, a key, a status.

use super::expression::Expression;
use super::fault::{RenderFault, TemplateFault};
use super::lexer::{self, Piece};
use super::names::Names;
use super::scope::Scope;
use super::write::{Out, Unwritable};

/// A text, compiled.
#[derive(Debug)]
pub struct TextTemplate {
    spans: Box<[Span]>,
    names: Box<[Box<str>]>,
}

#[derive(Debug)]
pub(super) enum Span {
    Literal(Box<str>),
    Expression(Expression),
}

impl TextTemplate {
    /// Compiles `text`, whose expressions may use `known`.
    ///
    /// # Errors
    ///
    /// [`TemplateFault`] when the text could not be rendered anywhere.
    pub fn compile(text: &str, known: &Names) -> Result<Self, TemplateFault> {
        let mut names = Vec::new();
        let spans = spans(text, known, &mut names)?;
        Ok(Self { spans, names: names.into() })
    }

    /// The names that it uses, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The text, if it is the same everywhere.
    #[must_use]
    pub fn as_constant(&self) -> Option<&str> {
        match &*self.spans {
            [] => Some(""),
            [Span::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text at this moment, of at most `bytes_max` bytes.
    ///
    /// # Errors
    ///
    /// [`RenderFault`], when a name has no value among others.
    pub fn render(&self, scope: &Scope<'_>, bytes_max: usize) -> Result<String, RenderFault> {
        let mut bytes = Vec::new();
        write_spans(&self.spans, scope, &mut Out::new(&mut bytes, bytes_max), false)?;
        // Only whole texts were appended.
        Ok(String::from_utf8(bytes).unwrap_or_default())
    }
}

/// Compiles a text; what is constant in it is one literal.
pub(super) fn spans(text: &str, known: &Names, names: &mut Vec<Box<str>>) -> Result<Box<[Span]>, TemplateFault> {
    let mut spans = Vec::new();
    let mut literal = String::new();
    for piece in lexer::pieces(text)? {
        match piece {
            Piece::Literal(text) => literal.push_str(&text),
            Piece::Expression(source) => {
                let expression = Expression::compile(source, known, names)?;
                if expression.is_constant() {
                    let mut bytes = Vec::new();
                    let written = expression.write_constant(&mut Out::new(&mut bytes, usize::MAX), true, false);
                    written.map_err(|why| constant_fault(why, source))?;
                    literal.push_str(&String::from_utf8(bytes).unwrap_or_default());
                    continue;
                }
                if !literal.is_empty() {
                    spans.push(Span::Literal(std::mem::take(&mut literal).into()));
                }
                spans.push(Span::Expression(expression));
            }
        }
    }
    if !literal.is_empty() {
        spans.push(Span::Literal(literal.into()));
    }
    Ok(spans.into())
}

pub(super) fn constant_fault(why: Unwritable, source: &str) -> TemplateFault {
    TemplateFault::new(why.of(source, usize::MAX).to_string(), "Write another expression")
}

/// Writes a text: as it is, or as the inside of a JSON string.
pub(super) fn write_spans(spans: &[Span], scope: &Scope<'_>, out: &mut Out<'_>, json: bool) -> Result<(), RenderFault> {
    for span in spans {
        let (written, source) = match span {
            Span::Literal(text) if json => (out.string(text, false), ""),
            Span::Literal(text) => (out.raw(text.as_bytes()), ""),
            Span::Expression(expression) => (expression.write_text(scope, out, json), &*expression.source),
        };
        written.map_err(|why| why.of(source, out.bytes_max()))?;
    }
    Ok(())
}
