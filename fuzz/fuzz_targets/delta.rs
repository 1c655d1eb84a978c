//! Any two texts: the delta makes the one of the other. Any bytes: a delta or a fault, within the limit.
//!
//! The first byte says where the rest is cut in two, in parts of 256.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lychgate_protocol::centrifuge::delta::{apply, encode, encode_if_shorter};

const BYTES_MAX: usize = 4_096;

fuzz_target!(|data: &[u8]| {
    let [cut, rest @ ..] = data else { return };
    let (old, new) = rest.split_at(rest.len() * usize::from(*cut) / 256);
    let (mut delta, mut made) = (Vec::new(), Vec::new());
    encode(old, new, &mut delta);
    assert_eq!(apply(old, &delta, new.len(), &mut made), Ok(()));
    assert_eq!(made, new);
    assert!(delta.len() <= new.len() + 20, "{} bytes for {}", delta.len(), new.len());

    let mut shorter = b"before".to_vec();
    let is_shorter = encode_if_shorter(old, new, &mut shorter);
    assert_eq!(is_shorter, delta.len() < new.len());
    assert_eq!(&shorter[6..], if is_shorter { &delta[..] } else { b"" });

    let mut made = Vec::new();
    let result = apply(old, new, BYTES_MAX, &mut made);
    assert!(made.len() <= BYTES_MAX && (result.is_ok() || made.is_empty()));
    assert!(made.capacity() <= 2 * (BYTES_MAX + old.len() + new.len()));
});
