//! Fields of a Protobuf message, borrowed from its bytes.
//!
//! Stricter than the format asks: a field that may occur once and occurs twice is a fault, a number that its type cannot
//! hold is a fault and not cut, and the group types that the format has long retired are a fault.

use std::borrow::Cow;

use crate::centrifuge::Data;

/// The bytes are no message of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadMessage;

/// What is left of a message.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    /// Which of the fields 1 to 31 have been read by [`Value::once`].
    seen: u32,
}

/// One field of a message.
pub(super) struct Field<'a> {
    /// Its number in the schema.
    pub(super) number: u32,
    pub(super) value: Value<'a>,
}

/// The value of a field, by the type it has on the wire.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// A number, of any of the types that travel so.
    Varint(u64),
    /// A text, bytes or a message.
    Bytes(&'a [u8]),
    /// Four or eight bytes, which no field of the protocol is.
    Fixed,
}

const NUMBER_MAX: u64 = (1 << 29) - 1;

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, seen: 0 }
    }

    /// The next field.
    pub(super) fn next_field(&mut self) -> Result<Option<Field<'a>>, BadMessage> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let tag = varint(&mut self.bytes)?;
        // check: centrifuge-field-number
        if !(1..=NUMBER_MAX).contains(&(tag >> 3)) {
            return Err(BadMessage);
        }
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut self.bytes)?),
            1 => take(&mut self.bytes, 8).map(|_| Value::Fixed)?,
            2 => Value::Bytes(delimited(&mut self.bytes)?),
            5 => take(&mut self.bytes, 4).map(|_| Value::Fixed)?,
            _ => return Err(BadMessage),
        };
        Ok(Some(Field { number: u32::try_from(tag >> 3).map_err(|_| BadMessage)?, value }))
    }

    /// Notes that a field that may occur once has occurred.
    pub(super) fn once(&mut self, number: u32) -> Result<(), BadMessage> {
        let bit = 1_u32.checked_shl(number).unwrap_or(0);
        // check: centrifuge-protobuf-field-twice
        if self.seen & bit != 0 {
            return Err(BadMessage);
        }
        self.seen |= bit;
        Ok(())
    }
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], BadMessage> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Varint(_) | Self::Fixed => Err(BadMessage),
        }
    }

    pub(super) fn text(self) -> Result<Cow<'a, str>, BadMessage> {
        // check: centrifuge-protobuf-text
        let text = simdutf8::basic::from_utf8(self.bytes()?).map_err(|_| BadMessage)?;
        Ok(Cow::Borrowed(text))
    }

    pub(super) fn data(self) -> Result<Data<'a>, BadMessage> {
        self.bytes().map(Data::bytes_of)
    }

    pub(super) fn number(self) -> Result<u64, BadMessage> {
        match self {
            Self::Varint(number) => Ok(number),
            Self::Bytes(_) | Self::Fixed => Err(BadMessage),
        }
    }

    pub(super) fn number_32(self) -> Result<u32, BadMessage> {
        u32::try_from(self.number()?).map_err(|_| BadMessage)
    }

    /// A signed number travels as its two's complement in 64 bits.
    pub(super) fn signed(self) -> Result<i64, BadMessage> {
        self.number().map(u64::cast_signed)
    }

    pub(super) fn signed_32(self) -> Result<i32, BadMessage> {
        i32::try_from(self.signed()?).map_err(|_| BadMessage)
    }

    pub(super) fn flag(self) -> Result<bool, BadMessage> {
        self.number().map(|number| number != 0)
    }
}

/// Takes bytes with their length in front; a length beyond the end is a fault, so a claim alone gets nothing.
pub(super) fn delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], BadMessage> {
    let length = varint(bytes)?;
    take(bytes, usize::try_from(length).map_err(|_| BadMessage)?)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], BadMessage> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(BadMessage)?;
    *bytes = rest;
    Ok(taken)
}

/// Takes a number of at most ten bytes, seven bits in each, least significant first.
fn varint(bytes: &mut &[u8]) -> Result<u64, BadMessage> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(BadMessage)?;
        *bytes = rest;
        // The tenth byte has room for one bit.
        // check: centrifuge-varint-64-bits
        if shift == 63 && byte > 1 {
            return Err(BadMessage);
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(BadMessage)
}
