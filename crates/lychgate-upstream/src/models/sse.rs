//! Server-sent events (WHATWG HTML, section 9.2) out of a body that comes in parts.
//!
//! **Invariant:** an event is handed out only when the empty line after it has come; one that is cut off is none.
//!
//! **Absent on purpose:** `id` and `retry`. They are for reconnecting, and a text is not asked for twice.

use bytes::Bytes;

use super::lines::{LineEnd, LineTooLong, Lines};

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// The last `event` field.
    pub(super) name: Vec<u8>,
    /// The `data` fields, joined by LF.
    pub(super) data: Vec<u8>,
}

/// Cuts a body into events.
#[derive(Debug)]
pub(super) struct Events {
    lines: Lines,
    bytes_max: usize,
    event: Event,
    has_data: bool,
    is_first_line: bool,
}

impl Events {
    /// Neither a line nor the data of an event may be longer than `bytes_max`.
    pub(super) fn new(bytes_max: usize) -> Self {
        let lines = Lines::new(LineEnd::Any, bytes_max);
        Self { lines, bytes_max, event: Event::default(), has_data: false, is_first_line: true }
    }

    /// Takes the next part of the body. The events of the one before must have been read.
    pub(super) fn push(&mut self, part: Bytes) {
        self.lines.push(part);
    }

    /// The next event, or `None` when more of the body is needed.
    pub(super) fn next_event(&mut self) -> Result<Option<Event>, LineTooLong> {
        while let Some(line) = self.lines.next_line()? {
            let mark: &[u8] = if std::mem::take(&mut self.is_first_line) { b"\xEF\xBB\xBF" } else { b"" };
            let line = line.strip_prefix(mark).unwrap_or(line);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(event));
                }
                continue;
            }
            let (field, value) = split_field(line);
            match field {
                b"data" => {
                    if value.len() >= self.bytes_max.saturating_sub(self.event.data.len()) {
                        return Err(LineTooLong);
                    }
                    if std::mem::replace(&mut self.has_data, true) {
                        self.event.data.push(b'\n');
                    }
                    self.event.data.extend_from_slice(value);
                }
                b"event" => self.event.name = value.to_vec(),
                // A comment has an empty name; other fields are for others.
                _ => {}
            }
        }
        Ok(None)
    }
}

/// The name before the first colon and what follows it, without one space.
fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return (line, b"") };
    let value = &line[colon + 1..];
    (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events_of(parts: &[&[u8]]) -> Vec<(String, String)> {
        let mut events = Events::new(1_000);
        let mut found = Vec::new();
        for part in parts {
            events.push(Bytes::copy_from_slice(part));
            while let Some(event) = events.next_event().unwrap() {
                found.push((String::from_utf8(event.name).unwrap(), String::from_utf8(event.data).unwrap()));
            }
        }
        found
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        for (name, body, expected) in [
            ("one", "data: a\n\n", vec![("", "a")]),
            ("no space", "data:a\n\n", vec![("", "a")]),
            ("one space of two", "data:  a\n\n", vec![("", " a")]),
            ("a colon in the value", "data: a: b\n\n", vec![("", "a: b")]),
            ("lines are joined", "data: a\ndata\ndata: b\n\n", vec![("", "a\n\nb")]),
            ("empty data is an event", "data\n\n", vec![("", "")]),
            ("CR alone", "data: a\rdata: b\r\r", vec![("", "a\nb")]),
            ("CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", vec![("", "a"), ("", "b")]),
            ("CR and LF mixed", "data: a\r\n\rdata: b\n\r\n", vec![("", "a"), ("", "b")]),
            ("comments", ": hello\n:\ndata: a\n: more\n\n", vec![("", "a")]),
            ("other fields", "id: 7\nretry: 5\ndatum: x\ndata: a\n\n", vec![("", "a")]),
            ("a name", "event: error\ndata: a\n\ndata: b\n\n", vec![("error", "a"), ("", "b")]),
            ("a name without data", "event: error\n\ndata: b\n\n", vec![("", "b")]),
            ("a byte order mark", "\u{feff}data: a\n\n", vec![("", "a")]),
            ("a second mark is a letter", "data: a\n\n\u{feff}data: b\n\n", vec![("", "a")]),
            ("cut off", "data: a\n\ndata: b\n", vec![("", "a")]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(n, d)| ((*n).to_owned(), (*d).to_owned())).collect();
            assert_eq!(events_of(&[body.as_bytes()]), expected, "{name}");
            let single: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
            assert_eq!(events_of(&single), expected, "{name}, byte by byte");
        }
    }

    #[test]
    fn neither_a_line_nor_many_pass_the_limit() {
        let fed = |body: &str| {
            let mut events = Events::new(10);
            events.push(Bytes::copy_from_slice(body.as_bytes()));
            events.next_event()
        };
        assert!(fed("data:12345\n\n").unwrap().is_some());
        assert_eq!(fed("data:123456\n\n"), Err(LineTooLong));
        assert_eq!(fed("data:1234\ndata:1234\ndata:1234\n\n"), Err(LineTooLong));
        assert_eq!(fed(":2345678901"), Err(LineTooLong), "not even while it is still coming");
    }
}
