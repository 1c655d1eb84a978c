//! What a peer says while it cannot be acted on yet.
//!
//! The bytes are kept as they came; of their frames only the headers are looked at, for one that says goodbye.
//! Where something takes long, pings are taken out and answered, for a peer may give up whom it gets no pong from.
//!
//! **Invariant:** the first byte is the first of a frame: a message that has to be waited for was read to its end.
//!
//! **Absent on purpose:** judging. What breaks a rule is found out by the decoder, in its turn.

/// The most that is read ahead of a connection's turn. What comes beyond that waits in the network.
const PARKED_BYTES_MAX: usize = 64 * 1024;

/// The first byte of a close frame, and of a ping: they are never in fragments (RFC 6455 sections 5.2 and 5.5).
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;

/// The most that a control frame carries.
const CONTROL_BYTES_MAX: usize = 125;

/// Bytes that wait for their turn.
#[derive(Default)]
pub(super) struct Parked {
    bytes: Vec<u8>,
    /// Where the next frame begins that has not been looked at.
    next: usize,
    says_goodbye: bool,
    /// What the pings held that have been taken out, where they are.
    pings: Option<Vec<Vec<u8>>>,
}

impl Parked {
    /// Nothing yet; pings are to be taken out.
    pub(super) fn without_pings() -> Self {
        Self { pings: Some(Vec::new()), ..Self::default() }
    }

    /// Keeps `bytes` behind those that are there.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        while !self.says_goodbye
            && let Some(ahead) = self.bytes.get(self.next..)
            && let Some(frame) = Frame::of(ahead)
        {
            let end = self.next.saturating_add(frame.bytes);
            if let (Some(pings), PING, Some(mask)) = (&mut self.pings, frame.first, frame.mask)
                && frame.bytes <= frame.header_bytes + CONTROL_BYTES_MAX
            {
                let Some(payload) = self.bytes.get(self.next + frame.header_bytes..end) else { return };
                pings.push(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect());
                self.bytes.drain(self.next..end);
                continue;
            }
            self.says_goodbye = frame.first == CLOSE;
            self.next = end;
        }
    }

    /// What the pings held that came meanwhile.
    pub(super) fn take_pings(&mut self) -> Vec<Vec<u8>> {
        self.pings.as_mut().map(std::mem::take).unwrap_or_default()
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

/// A frame as its header has it (RFC 6455 section 5.2).
struct Frame {
    first: u8,
    mask: Option<[u8; 4]>,
    header_bytes: usize,
    /// With its header.
    bytes: usize,
}

impl Frame {
    /// The frame at the start of `bytes`, once its whole header is there.
    fn of(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else { return None };
        let (length, rest) = match second & 0x7f {
            127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest))?,
            126 => rest.split_first_chunk().map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest))?,
            short => (u64::from(short), rest),
        };
        let (mask, rest) = match second & 0x80 {
            0 => (None, rest),
            _ => rest.split_first_chunk().map(|(mask, rest)| (Some(*mask), rest))?,
        };
        let header_bytes = bytes.len() - rest.len();
        let payload_bytes = usize::try_from(length).unwrap_or(usize::MAX);
        Some(Self { first: *first, mask, header_bytes, bytes: payload_bytes.saturating_add(header_bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![first];
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
            let others: Vec<u8> = sizes.iter().flat_map(|size| masked(0x81, *size)).collect();
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
    fn pings_are_taken_out_where_that_is_asked_for_and_the_rest_is_as_it_was() {
        let parts = [masked(0x01, 3), masked(PING, 0), masked(0x80, 200), masked(PING, 125), masked(0x82, 1)];
        let all = parts.concat();
        let rest = [&*parts[0], &*parts[2], &*parts[4]].concat();
        for cut in 0..=all.len() {
            let (mut parked, mut whole) = (Parked::without_pings(), Parked::default());
            for part in [&all[..cut], &all[cut..]] {
                parked.push(part);
                whole.push(part);
            }
            assert_eq!(parked.take_pings(), [vec![], vec![0; 125]], "cut at {cut}");
            assert_eq!((parked.take(), whole.take_pings().len(), whole.take()), (rest.clone(), 0, all.clone()));
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
