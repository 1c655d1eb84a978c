//! Pieces of JSON, appended to a buffer.
//!
//! **Invariant:** no newline is written, since it would end the object.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::centrifuge::{Data, DataKind};
use crate::json::push_string;

/// An object that is being written; [`Object::close`] ends it.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl<'o> Object<'o> {
    pub(super) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_first: true }
    }

    /// Begins a member whatever its value; the value is to be appended.
    ///
    /// `name` is of the protocol, so it needs no escapes.
    pub(super) fn member(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Begins a member with a name from outside.
    pub(super) fn key(&mut self, name: &str) -> &mut Vec<u8> {
        self.separate();
        push_string(name, self.out);
        self.out.push(b':');
        self.out
    }

    pub(super) fn text(&mut self, name: &'static str, value: &str) {
        if !value.is_empty() {
            push_string(value, self.member(name));
        }
    }

    pub(super) fn flag(&mut self, name: &'static str, value: bool) {
        if value {
            self.member(name).extend_from_slice(b"true");
        }
    }

    pub(super) fn number(&mut self, name: &'static str, value: u64) {
        if value != 0 {
            push_number(value, self.member(name));
        }
    }

    pub(super) fn signed(&mut self, name: &'static str, value: i64) {
        if value != 0 {
            let out = self.member(name);
            if value < 0 {
                out.push(b'-');
            }
            push_number(value.unsigned_abs(), out);
        }
    }

    pub(super) fn data(&mut self, name: &'static str, value: Data<'_>) {
        if !value.is_absent() {
            push_data(value, self.member(name));
        }
    }

    pub(super) fn close(self) {
        self.out.push(b'}');
    }

    fn separate(&mut self) {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
    }
}

/// Appends an array, each element by `push`.
pub(super) fn push_array<T>(elements: &[T], out: &mut Vec<u8>, push: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(element, out);
    }
    out.push(b']');
}

pub(super) fn push_number(value: u64, out: &mut Vec<u8>) {
    // Writing to a Vec does not fail.
    let _ = write!(out, "{value}");
}

/// Appends a payload that is there.
fn push_data(data: Data<'_>, out: &mut Vec<u8>) {
    match data.checked().map(|data| (data.kind(), data.bytes())) {
        Ok((DataKind::Json, text)) if !text.contains(&b'\n') => out.extend_from_slice(text),
        Ok((DataKind::Json, text)) => text.split(|byte| *byte == b'\n').for_each(|line| out.extend_from_slice(line)),
        _ => push_string(&STANDARD.encode(data.bytes()), out),
    }
}
