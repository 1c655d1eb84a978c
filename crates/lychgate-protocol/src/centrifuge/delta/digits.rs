//! Whole numbers to the base of 64, most significant digit first.

const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// The most digits that a number of 32 bits has.
const DIGITS_MAX: usize = 6;

/// Appends `number`.
pub(super) fn push(number: usize, out: &mut Vec<u8>) {
    for place in (0..count(number)).rev() {
        out.push(DIGITS[(number >> (6 * place)) & 63]);
    }
}

/// How many digits `number` has.
pub(super) fn count(number: usize) -> usize {
    let bits = (usize::BITS - number.leading_zeros()) as usize;
    bits.div_ceil(6).max(1)
}

/// Takes the number at the beginning of `bytes`; `None` if there is none, or one of more than 32 bits.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u32> {
    let count = bytes.iter().take(DIGITS_MAX + 1).take_while(|byte| value(**byte).is_some()).count();
    let (digits, rest) = bytes.split_at_checked(count).filter(|_| (1..=DIGITS_MAX).contains(&count))?;
    *bytes = rest;
    let number = digits.iter().filter_map(|byte| value(*byte)).fold(0, |number, digit| number << 6 | digit);
    u32::try_from(number).ok()
}

fn value(digit: u8) -> Option<u64> {
    let (first, base) = match digit {
        b'0'..=b'9' => (b'0', 0),
        b'A'..=b'Z' => (b'A', 10),
        b'_' => (b'_', 36),
        b'a'..=b'z' => (b'a', 37),
        b'~' => (b'~', 63),
        _ => return None,
    };
    Some(base + u64::from(digit - first))
}
