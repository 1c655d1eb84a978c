//! The mark inside every payload: who sent it, its place in that sender's order, and when it was due.
//!
//! It is one JSON string of fixed width.
//! A server may add fields, move them or write the object anew: the string passes unchanged and is found by its prefix.

use memchr::memmem::Finder;

const PREFIX: &[u8] = b"@mark:";
const PUBLISHER_DIGITS: usize = 5;
const SEQUENCE_DIGITS: usize = 10;
const DUE_DIGITS: usize = 15;
/// Prefix, three numbers, and a colon between them.
const MARK_BYTES: usize = PREFIX.len() + PUBLISHER_DIGITS + 1 + SEQUENCE_DIGITS + 1 + DUE_DIGITS;
const HEAD: &[u8] = br#"{"type":"bench","mark":""#;
const FILL: &[u8] = br#"","fill":""#;
const TAIL: &[u8] = br#""}"#;

/// The smallest payload that holds a mark.
pub const PAYLOAD_BYTES_MIN: usize = HEAD.len() + MARK_BYTES + FILL.len() + TAIL.len();

/// Who sent a message, its place in that sender's order, and when it was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The sender's number within the run.
    pub publisher: u32,
    /// Counts from 0 for each sender.
    pub sequence: u64,
    /// On this process's monotonic clock.
    pub due_ns: u64,
}

/// Appends a JSON payload of exactly `payload_bytes` that carries `mark`.
///
/// # Panics
///
/// Panics when `payload_bytes` is below [`PAYLOAD_BYTES_MIN`]; the command line refuses that.
pub fn append_payload(mark: Mark, payload_bytes: usize, out: &mut Vec<u8>) {
    assert!(payload_bytes >= PAYLOAD_BYTES_MIN, "payload too small for a mark");
    let start = out.len();
    out.extend_from_slice(HEAD);
    out.extend_from_slice(PREFIX);
    append_digits(u64::from(mark.publisher), PUBLISHER_DIGITS, out);
    out.push(b':');
    append_digits(mark.sequence, SEQUENCE_DIGITS, out);
    out.push(b':');
    append_digits(mark.due_ns, DUE_DIGITS, out);
    out.extend_from_slice(FILL);
    out.resize(start + payload_bytes - TAIL.len(), b'x');
    out.extend_from_slice(TAIL);
}

fn append_digits(value: u64, digits: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + digits, b'0');
    let mut rest = value;
    for place in out[start..].iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// Finds marks in payloads.
///
/// A server puts the mark at the same place in nearly every frame, so the place of the last one is tried first.
pub struct Reader {
    finder: Finder<'static>,
    last_at: usize,
}

impl Reader {
    /// Makes a reader that has seen nothing yet.
    pub fn new() -> Self {
        Self { finder: Finder::new(PREFIX), last_at: HEAD.len() }
    }

    /// Returns the mark of a whole JSON object, or `None` when the payload carries none.
    pub fn read(&mut self, payload: &[u8]) -> Option<Mark> {
        if payload.first() != Some(&b'{') || payload.last() != Some(&b'}') {
            return None;
        }
        if !payload.get(self.last_at..).is_some_and(|rest| rest.starts_with(PREFIX)) {
            self.last_at = self.finder.find(payload)?;
        }
        let mark = payload.get(self.last_at + PREFIX.len()..self.last_at + MARK_BYTES)?;
        let (publisher, rest) = mark.split_at(PUBLISHER_DIGITS);
        let (sequence, due) = rest[1..].split_at(SEQUENCE_DIGITS);
        Some(Mark {
            publisher: u32::try_from(number(publisher)?).ok()?,
            sequence: number(sequence)?,
            due_ns: number(&due[1..])?,
        })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { publisher: 17, sequence: 9_876_543_210, due_ns: 123_456_789_012_345 };

    #[test]
    fn a_payload_is_json_of_the_wanted_size_and_gives_its_mark_back() {
        for payload_bytes in [PAYLOAD_BYTES_MIN, 128, 4096] {
            let mut payload = Vec::new();
            append_payload(MARK, payload_bytes, &mut payload);
            assert_eq!(payload.len(), payload_bytes);
            assert!(serde_json::from_slice::<serde_json::Value>(&payload).is_ok());
            assert_eq!(Reader::new().read(&payload), Some(MARK));
        }
    }

    #[test]
    fn a_mark_is_found_wherever_a_server_put_it() {
        let mut payload = Vec::new();
        append_payload(MARK, 128, &mut payload);
        let mut reader = Reader::new();
        for stamped in ["", "\"user\":\"u1\",", "\"timestamp\": 1.5, \"user\": \"someone\", "] {
            let moved = format!("{{{stamped}{}", String::from_utf8_lossy(&payload[1..]));
            assert_eq!(reader.read(moved.as_bytes()), Some(MARK), "{stamped}");
        }
    }

    #[test]
    fn a_payload_without_a_whole_mark_gives_none() {
        for payload in ["", "{}", "{\"mark\":\"@mark:00001:00000x0001:000000000000001\"}", "{\"mark\":\"@mark:\"}"] {
            assert_eq!(Reader::new().read(payload.as_bytes()), None, "{payload}");
        }
        let mut cut = Vec::new();
        append_payload(MARK, 128, &mut cut);
        cut.pop();
        assert_eq!(Reader::new().read(&cut), None);
    }
}
