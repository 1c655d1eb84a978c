//! Masking: XOR with four bytes, again and again (RFC 6455 §5.3).

/// XORs `bytes` with `mask` in place; masking and unmasking are the same.
///
/// Eight bytes at a time: the compiler turns the loop into vector instructions, and no `unsafe` is needed for it.
pub(super) fn apply(mask: [u8; 4], bytes: &mut [u8]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= key;
    }
}

/// The mask as it stands after `bytes` of payload: a frame that arrives in pieces goes on where it was.
pub(super) fn after(mut mask: [u8; 4], bytes: usize) -> [u8; 4] {
    mask.rotate_left(bytes % 4);
    mask
}
