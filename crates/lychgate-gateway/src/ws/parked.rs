//! What a peer says while it cannot be acted on yet.
//!
//! The bytes are kept as they came; of their frames only the headers are looked at, for one that says goodbye.
//!
//! **Invariant:** the first byte is the first of a frame: a message that has to be waited for was read to its end.
//!
//! **Absent on purpose:** judging. What breaks a rule is found out by the decoder, in its turn.

/// The most that is read ahead of a connection's turn. What comes beyond that waits in the network.
const PARKED_BYTES_MAX: usize = 64 * 1024;

/// The opcode of a close frame (RFC 6455 section 11.8).
const CLOSE: u8 = 0x8;

/// Bytes that wait for their turn.
#[derive(Default)]
pub(super) struct Parked {
    bytes: Vec<u8>,
    /// Where the next frame begins that has not been looked at.
    next: usize,
    says_goodbye: bool,
}

impl Parked {
    /// Keeps `bytes` behind those that are there.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        while !self.says_goodbye
            && let Some(ahead) = self.bytes.get(self.next..)
            && let Some((opcode, frame_bytes)) = frame(ahead)
        {
            self.says_goodbye = opcode == CLOSE;
            self.next = self.next.saturating_add(frame_bytes);
        }
    }

    /// How many more bytes may be read ahead.
    pub(super) const fn room(&self) -> usize {
        PARKED_BYTES_MAX.saturating_sub(self.bytes.len())
    }

    /// Whether a close frame is among them.
    pub(super) const fn says_goodbye(&self) -> bool {
        self.says_goodbye
    }

    /// Gives them back.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes
    }
}

/// Opcode and length of the frame at the start of `bytes`, once its header is there (RFC 6455 section 5.2).
fn frame(bytes: &[u8]) -> Option<(u8, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (length, length_bytes) = match second & 0x7f {
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        short => (u64::from(short), 0),
    };
    let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
    let payload = usize::try_from(length).unwrap_or(usize::MAX);
    Some((first & 0x0f, payload.saturating_add(2 + length_bytes + mask_bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(opcode: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match payload {
            0..=125 => frame.push(0x80 | payload as u8),
            126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend((payload as u16).to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((payload as u64).to_be_bytes());
            }
        }
        // Each byte of mask and payload looks like the header of a close frame.
        frame.extend(std::iter::repeat_n(0x88, 4 + payload));
        frame
    }

    #[test]
    fn a_goodbye_is_found_wherever_the_reads_cut_it_and_nothing_else_is() {
        for sizes in [&[][..], &[0], &[125, 1], &[126], &[0xffff, 3], &[0x1_0000]] {
            let others: Vec<u8> = sizes.iter().flat_map(|size| masked(0x1, *size)).collect();
            let all = [others.clone(), masked(CLOSE, 2)].concat();
            for cut in (0..all.len()).step_by(1 + all.len() / 300) {
                let mut parked = Parked::default();
                parked.push(&all[..cut]);
                assert!(cut > others.len() + 1 || !parked.says_goodbye(), "{sizes:?}, cut at {cut}");
                parked.push(&all[cut..]);
                assert!(parked.says_goodbye(), "{sizes:?}, cut at {cut}");
                assert_eq!(parked.take(), all);
            }
        }
    }

    #[test]
    fn a_length_without_end_is_no_goodbye() {
        let mut parked = Parked::default();
        parked.push(&[0x81, 0xff]);
        parked.push(&[0xff; 8]);
        parked.push(&masked(CLOSE, 0));
        assert!(!parked.says_goodbye());
    }
}
