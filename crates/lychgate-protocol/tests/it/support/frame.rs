//! Frames as values, so that a wrong one is as easy to write as a right one.

use lychgate_protocol::ws::Role;

pub(crate) const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[derive(Clone, Debug)]
pub(crate) struct Frame {
    first: u8,
    length: Length,
    mask: [u8; 4],
    is_mask_wrong: bool,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Length {
    Shortest,
    Sixteen,
    SixtyFour,
    Claims(u64),
}

impl Frame {
    pub(crate) fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        Self { first: 0x80 | opcode, length: Length::Shortest, mask: MASK, is_mask_wrong: false, payload }
    }

    pub(crate) fn text(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x1, payload)
    }

    pub(crate) fn binary(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x2, payload)
    }

    pub(crate) fn continuation(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x0, payload)
    }

    pub(crate) fn ping(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x9, payload)
    }

    pub(crate) fn pong(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0xa, payload)
    }

    pub(crate) fn close(code: u16, reason: impl AsRef<[u8]>) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_ref());
        Self::new(0x8, payload)
    }

    /// Without FIN: more frames of this message follow.
    pub(crate) fn more(mut self) -> Self {
        self.first &= 0x7f;
        self
    }

    /// With reserved bits: 4 is RSV1, 2 is RSV2, 1 is RSV3.
    pub(crate) fn reserved_bits(mut self, bits: u8) -> Self {
        self.first |= bits << 4;
        self
    }

    /// With a length in 16 bits, needed or not.
    pub(crate) fn length_16(mut self) -> Self {
        self.length = Length::Sixteen;
        self
    }

    /// With a length in 64 bits, needed or not.
    pub(crate) fn length_64(mut self) -> Self {
        self.length = Length::SixtyFour;
        self
    }

    /// With a length that is not the payload's, in its shortest form (64 bits if the top bit is set).
    pub(crate) fn claims(mut self, bytes: u64) -> Self {
        self.length = Length::Claims(bytes);
        self
    }

    /// With another mask.
    pub(crate) fn mask(mut self, mask: [u8; 4]) -> Self {
        self.mask = mask;
        self
    }

    /// Masked where it must not be, unmasked where it must be.
    pub(crate) fn wrong_mask(mut self) -> Self {
        self.is_mask_wrong = true;
        self
    }

    /// The frame as the peer of `receiver` sends it.
    pub(crate) fn bytes(&self, receiver: Role) -> Vec<u8> {
        let is_masked = (receiver == Role::Server) != self.is_mask_wrong;
        let mask_bit = if is_masked { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        let claim = self.payload.len() as u64;
        match self.length {
            Length::Shortest => push_shortest(claim, mask_bit, &mut bytes),
            Length::Claims(claim) => push_shortest(claim, mask_bit, &mut bytes),
            Length::Sixteen => {
                bytes.push(mask_bit | 126);
                bytes.extend_from_slice(&(claim as u16).to_be_bytes());
            }
            Length::SixtyFour => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&claim.to_be_bytes());
            }
        }
        if is_masked {
            bytes.extend_from_slice(&self.mask);
            bytes.extend(self.payload.iter().zip(self.mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        } else {
            bytes.extend_from_slice(&self.payload);
        }
        bytes
    }
}

pub(crate) fn stream(receiver: Role, frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.bytes(receiver)).collect()
}

fn push_shortest(length: u64, mask_bit: u8, bytes: &mut Vec<u8>) {
    match length {
        0..=125 => bytes.push(mask_bit | length as u8),
        126..=0xffff => {
            bytes.push(mask_bit | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 127);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
}
