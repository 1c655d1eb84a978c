//! Fields of a Protobuf message, appended to a buffer; one at its zero value is left out.

/// A message that is being written.
pub(super) struct Message<'o> {
    out: &'o mut Vec<u8>,
}

const VARINT: u32 = 0;
const DELIMITED: u32 = 2;

impl Message<'_> {
    pub(super) fn number(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.tag(field, VARINT);
            push_varint(value, self.out);
        }
    }

    /// A signed number, as its two's complement.
    pub(super) fn signed(&mut self, field: u32, value: i64) {
        self.number(field, value.cast_unsigned());
    }

    pub(super) fn flag(&mut self, field: u32, value: bool) {
        self.number(field, value.into());
    }

    /// A text or bytes.
    pub(super) fn bytes(&mut self, field: u32, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        if !value.is_empty() {
            self.tag(field, DELIMITED);
            push_varint(value.len() as u64, self.out);
            self.out.extend_from_slice(value);
        }
    }

    /// A message within this one, also if it is empty.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Message<'_>)) {
        self.tag(field, DELIMITED);
        delimited(self.out, write);
    }

    fn tag(&mut self, field: u32, wire_type: u32) {
        push_varint((field << 3 | wire_type).into(), self.out);
    }
}

/// Appends a message with its length in front.
pub(super) fn delimited(out: &mut Vec<u8>, write: impl FnOnce(&mut Message<'_>)) {
    // The length is known at the end. Most are below 128 and fit the one byte that is kept free.
    let at = out.len();
    out.push(0);
    write(&mut Message { out });
    let length = (out.len() - at - 1) as u64;
    let mut prefix = [0; 10];
    let used = varint(length, &mut prefix);
    out.splice(at..=at, prefix.into_iter().take(used));
}

fn push_varint(value: u64, out: &mut Vec<u8>) {
    let mut bytes = [0; 10];
    let used = varint(value, &mut bytes);
    out.extend(bytes.into_iter().take(used));
}

/// Seven bits in each byte, least significant first; how many bytes that are.
fn varint(mut value: u64, bytes: &mut [u8; 10]) -> usize {
    let mut used = 0;
    for byte in bytes {
        used += 1;
        *byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    used
}
