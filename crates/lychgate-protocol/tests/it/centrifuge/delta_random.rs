//! Random pairs of texts: a delta makes the one of the other, and a damaged delta makes nothing else.

use lychgate_protocol::centrifuge::delta::{apply, encode, encode_if_shorter};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::runner;

const CASES: u32 = 500;

/// Two texts that have more or less in common: pieces of one of few bytes, so that blocks repeat.
fn pair() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let few = |bytes: &'static [u8]| vec(prop::sample::select(bytes), 0..300);
    let old = prop_oneof![few(b"a"), few(b"ab"), few(b"ab\n{}:\xc3\xa9"), vec(any::<u8>(), 0..300)];
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), vec(any::<u8>(), 0..20));
    (old, vec(edit, 0..5)).prop_map(|(old, edits)| {
        let mut new = old.clone();
        for (from, to, bytes) in edits {
            let (from, to) = (from.index(new.len() + 1), to.index(new.len() + 1));
            new.splice(from.min(to)..from.max(to).min(from.min(to) + 40), bytes);
        }
        (old, new)
    })
}

#[test]
fn a_delta_makes_the_new_text() {
    runner(CASES)
        .run(&pair(), |(old, new)| {
            for (old, new) in [(&old, &new), (&new, &old), (&old, &old)] {
                let (mut delta, mut made) = (Vec::new(), Vec::new());
                encode(old, new, &mut delta);
                prop_assert_eq!(apply(old, &delta, new.len(), &mut made), Ok(()));
                prop_assert_eq!(&made, new);
                prop_assert!(delta.len() <= new.len() + 20, "{} bytes for {}", delta.len(), new.len());
                prop_assert!(new.is_empty() || apply(old, &delta, new.len() - 1, &mut made).is_err());
                let mut shorter = Vec::new();
                prop_assert_eq!(encode_if_shorter(old, new, &mut shorter), delta.len() < new.len());
            }
            Ok(())
        })
        .expect("deltas hold");
}

#[test]
fn a_damaged_delta_never_makes_more_than_it_may() {
    let damage = (any::<prop::sample::Index>(), vec(any::<u8>(), 0..3));
    runner(CASES)
        .run(&(pair(), damage), |((old, new), (at, bytes))| {
            let mut delta = Vec::new();
            encode(&old, &new, &mut delta);
            let at = at.index(delta.len());
            delta.splice(at..=at, bytes);
            let mut made = Vec::new();
            if apply(&old, &delta, 1_000, &mut made).is_err() {
                prop_assert!(made.is_empty());
            }
            prop_assert!(made.len() <= 1_000);
            Ok(())
        })
        .expect("deltas hold");
}

#[test]
fn any_bytes_are_a_delta_or_a_fault() {
    let near = vec(prop::sample::select(&b"0123~\n@,:;aA_"[..]), 0..30);
    runner(CASES)
        .run(&prop_oneof![near, vec(any::<u8>(), 0..30)], |delta| {
            let mut made = Vec::new();
            let result = apply(b"0123456789", &delta, 100, &mut made);
            prop_assert!(made.len() <= 100 && (result.is_ok() || made.is_empty()));
            Ok(())
        })
        .expect("deltas hold");
}
