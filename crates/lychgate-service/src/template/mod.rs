//! Templates: JSON values and texts with expressions in them, compiled at start and rendered per frame.
//!
//! A string leaf may hold expressions in single braces.
//! `"{user.id}"` is the value itself, with its type; `"conn {conn.id}!"` is text; `{{` and `}}` are braces.
//! What is in the braces is an expression of minijinja over the names of a [`Scope`].
//! It may use `+ - / // == != < <= > >= and or not in is if else`, lists, indexes and slices, and of
//!
//! * filters: `abs`, `bool`, `default` (or `d`; it stands in for what is absent and for null), `first`, `float`,
//!   `int`, `last`, `length`, `lower`, `round`, `string`, `trim`, `truncate(characters)`, `upper`,
//!   `with(name, value)` (the object with one more member, which takes the place of one that has the name);
//! * tests: `boolean`, `defined`, `endingwith`, `false`, `float`, `integer`, `mapping`, `none`, `number`, `sequence`,
//!   `startingwith`, `string`, `true`, `undefined`.
//!
//! None of them makes more than a few times what it was given, so a client cannot make a template eat memory.
//!
//! **Invariant:** what a template writes is one JSON value.
//! Values are written as JSON where they stand, and no text that was rendered is ever read again as JSON or as a
//! template: braces in what a client sends are braces.
//!
//! **Absent on purpose:** `*`, `**`, `%` and `~`, calls, loops, includes and macros; expressions in the keys of objects.

mod datum;
mod engine;
mod expression;
mod fault;
mod inbound;
mod lexer;
mod meaning;
mod names;
mod scope;
mod source;
mod text;
mod tree;
mod write;

pub use datum::{Datum, Rendered};
pub use fault::{RenderFault, TemplateFault};
pub use inbound::{INBOUND_DEPTH_MAX, Inbound, InboundFault, Part};
pub use names::Names;
pub use scope::{Scope, Stored};
pub use source::{Source, SourceFault};
pub use text::TextTemplate;
pub use tree::Template;

/// The most values that one template may hold, objects and lists among them.
pub const NODES_MAX: usize = 512;

/// The deepest nesting of one template; a plain value is level 1.
pub const DEPTH_MAX: usize = 16;

/// The longest expression between two braces, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 512;
