//! A JSON value with expressions in it.
//!
//! Compiling turns the value into a row of parts: JSON that is the same everywhere, and values in between.
//! So rendering copies some bytes, writes a value, copies some bytes, and builds nothing.

use super::datum::Rendered;
use super::expression::Expression;
use super::fault::{RenderFault, TemplateFault};
use super::lexer::{self, Piece};
use super::names::Names;
use super::scope::Scope;
use super::source::Source;
use super::text::{Span, constant_fault, spans, write_spans};
use super::write::Out;
use super::{DEPTH_MAX, NODES_MAX};

/// A JSON value, compiled.
#[derive(Debug)]
pub struct Template {
    parts: Box<[Part]>,
    names: Box<[Box<str>]>,
}

#[derive(Debug)]
enum Part {
    /// JSON that is the same everywhere.
    Json(Box<[u8]>),
    /// A value with its type.
    Value(Expression),
    /// A text made of several pieces, without its quotes.
    Text(Box<[Span]>),
}

impl Template {
    /// Compiles `source`, whose expressions may use `known`.
    ///
    /// # Errors
    ///
    /// A [`TemplateFault`] for each value that could not be rendered anywhere.
    pub fn compile(source: &Source, known: &Names) -> Result<Self, Vec<TemplateFault>> {
        let mut compiling = Compiling {
            known,
            parts: Vec::new(),
            json: Vec::new(),
            names: Vec::new(),
            nodes: 0,
            at: Vec::new(),
            faults: Vec::new(),
        };
        compiling.value(source);
        compiling.flush();
        if !compiling.faults.is_empty() {
            return Err(compiling.faults);
        }
        Ok(Self { parts: compiling.parts.into(), names: compiling.names.into() })
    }

    /// The names that it uses, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The JSON text, if it is the same everywhere.
    #[must_use]
    pub fn as_constant(&self) -> Option<&[u8]> {
        match &*self.parts {
            [Part::Json(json)] => Some(json),
            _ => None,
        }
    }

    /// Appends the value at this moment as JSON, of at most `bytes_max` bytes.
    ///
    /// # Errors
    ///
    /// [`RenderFault`]; `out` is then as it was.
    pub fn render(&self, scope: &Scope<'_>, bytes_max: usize, out: &mut Vec<u8>) -> Result<(), RenderFault> {
        let mut out = Out::new(out, bytes_max);
        let done = self.write(scope, &mut out);
        if done.is_err() {
            out.undo();
        }
        done
    }

    /// The value at this moment, for [`Datum::List`](super::Datum::List).
    ///
    /// # Errors
    ///
    /// [`RenderFault`].
    pub fn rendered(&self, scope: &Scope<'_>, bytes_max: usize) -> Result<Rendered, RenderFault> {
        let mut bytes = Vec::new();
        self.render(scope, bytes_max, &mut bytes)?;
        // Only whole texts were appended.
        Ok(Rendered(String::from_utf8(bytes).unwrap_or_else(|_| "null".to_owned()).into()))
    }

    fn write(&self, scope: &Scope<'_>, out: &mut Out<'_>) -> Result<(), RenderFault> {
        for part in &self.parts {
            let (written, source) = match part {
                Part::Json(json) => (out.raw(json), ""),
                Part::Value(expression) => (expression.write(scope, out), &*expression.source),
                Part::Text(spans) => {
                    write_spans(spans, scope, out, true)?;
                    continue;
                }
            };
            written.map_err(|why| why.of(source, out.bytes_max()))?;
        }
        Ok(())
    }
}

struct Compiling<'n> {
    known: &'n Names,
    parts: Vec<Part>,
    /// Constant JSON that is not yet a part.
    json: Vec<u8>,
    names: Vec<Box<str>>,
    nodes: usize,
    /// The keys that lead to the value at hand.
    at: Vec<String>,
    faults: Vec<TemplateFault>,
}

impl Compiling<'_> {
    fn value(&mut self, source: &Source) {
        self.nodes += 1;
        if self.nodes > NODES_MAX || self.at.len() >= DEPTH_MAX {
            // Told once: what follows is not looked at.
            if self.nodes <= NODES_MAX + 1 {
                self.nodes = NODES_MAX + 1;
                let remedy = format!("Write at most {NODES_MAX} values, nested at most {DEPTH_MAX} levels");
                self.fault(TemplateFault::new("the template is too large", remedy));
            }
            return;
        }
        let written = match source {
            Source::Null => self.constant(()),
            Source::Boolean(boolean) => self.constant(boolean),
            Source::Integer(number) => self.constant(number),
            Source::Float(number) if !number.is_finite() => {
                Err(TemplateFault::new("JSON has no such number", "Write a finite one"))
            }
            Source::Float(number) => self.constant(number),
            Source::Text(text) => self.text(text),
            Source::List(items) => {
                self.list(items);
                Ok(())
            }
            Source::Object(members) => {
                self.object(members);
                Ok(())
            }
        };
        if let Err(fault) = written {
            self.fault(fault);
        }
    }

    fn list(&mut self, items: &[Source]) {
        self.json.push(b'[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.json.push(b',');
            }
            self.at.push(at.to_string());
            self.value(item);
            self.at.pop();
        }
        self.json.push(b']');
    }

    fn object(&mut self, members: &[(String, Source)]) {
        self.json.push(b'{');
        for (at, (key, value)) in members.iter().enumerate() {
            if at > 0 {
                self.json.push(b',');
            }
            self.at.push(key.clone());
            if members.iter().take(at).any(|(earlier, _)| earlier == key) {
                self.fault(TemplateFault::new("a key is there twice", "Remove one"));
            }
            if let Err(fault) = self.constant(key) {
                self.fault(fault);
            }
            self.json.push(b':');
            self.value(value);
            self.at.pop();
        }
        self.json.push(b'}');
    }

    fn fault(&mut self, fault: TemplateFault) {
        self.faults.push(TemplateFault { at: self.at.join("."), ..fault });
    }

    fn constant(&mut self, value: impl serde::Serialize) -> Result<(), TemplateFault> {
        serde_json::to_writer(&mut self.json, &value)
            .map_err(|error| TemplateFault::new(format!("this is no JSON value: {error}"), "Write another"))
    }

    fn text(&mut self, text: &str) -> Result<(), TemplateFault> {
        if let [Piece::Expression(source)] = &*lexer::pieces(text)? {
            let expression = Expression::compile(source, self.known, &mut self.names)?;
            if expression.is_constant() {
                let mut out = Out::new(&mut self.json, usize::MAX);
                return expression.write_constant(&mut out, false, true).map_err(|why| constant_fault(why, source));
            }
            self.flush();
            self.parts.push(Part::Value(expression));
            return Ok(());
        }
        let spans = spans(text, self.known, &mut self.names)?;
        match &*spans {
            [] => self.constant(""),
            [Span::Literal(text)] => self.constant(&**text),
            _ => {
                self.json.push(b'"');
                self.flush();
                self.parts.push(Part::Text(spans));
                self.json.push(b'"');
                Ok(())
            }
        }
    }

    fn flush(&mut self) {
        if !self.json.is_empty() {
            self.parts.push(Part::Json(std::mem::take(&mut self.json).into()));
        }
    }
}
