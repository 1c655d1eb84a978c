//! Deltas: golden ones, those that a decoder refuses, and what an encoder must find.

use lychgate_protocol::centrifuge::delta::{BadDelta, apply, encode, encode_if_shorter, json_string};

use super::{golden, text};

fn delta_of(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut delta = Vec::new();
    encode(old, new, &mut delta);
    delta
}

fn applied(old: &[u8], delta: &[u8]) -> Result<Vec<u8>, BadDelta> {
    let mut new = b"before".to_vec();
    let result = apply(old, delta, 1 << 20, &mut new);
    let new = new.strip_prefix(b"before").expect("what was there stays").to_vec();
    assert!(result.is_ok() || new.is_empty(), "nothing is left of a refused delta");
    result.map(|()| new)
}

/// The clients' own decoders make the same of these: they were run on this file.
#[test]
fn golden_deltas() {
    let entries = golden("deltas.json");
    assert!(entries.len() >= 8, "{} deltas", entries.len());
    for entry in entries {
        let [name, old, new, delta] = ["name", "old", "new", "delta"].map(|name| text(&entry, name));
        assert_eq!(String::from_utf8(delta_of(old.as_bytes(), new.as_bytes())).expect("UTF-8"), delta, "{name}");
        assert_eq!(applied(old.as_bytes(), delta.as_bytes()).as_deref(), Ok(new.as_bytes()), "{name}");
    }
}

#[test]
fn a_delta_of_what_hardly_changed_is_short() {
    let old = (0..1_000).map(|n| format!(r#"{{"id":{n},"price":{}}}"#, n * 7919 % 1_000)).collect::<Vec<_>>().join(",");
    let new = old.replacen("\"id\":500,\"price\":500", "\"id\":500,\"price\":7", 1);
    assert_ne!(old, new);
    let delta = delta_of(old.as_bytes(), new.as_bytes());
    assert!(delta.len() < 60, "{} bytes for {}", delta.len(), new.len());
    // The same pieces in another order.
    let (front, back) = new.split_at(new.len() / 2);
    let swapped = format!("{back}{front}");
    let delta = delta_of(old.as_bytes(), swapped.as_bytes());
    assert!(delta.len() < 80, "{} bytes", delta.len());
    assert_eq!(applied(old.as_bytes(), &delta).as_deref(), Ok(swapped.as_bytes()));
}

#[test]
fn a_delta_is_used_only_if_it_is_shorter() {
    let mut out = b"before".to_vec();
    assert!(!encode_if_shorter(b"", b"short", &mut out));
    assert!(!encode_if_shorter(b"something else, long enough", b"nothing alike, long enough too", &mut out));
    assert_eq!(out, b"before");
    let old = "the quick brown fox jumps over the lazy dog";
    assert!(encode_if_shorter(old.as_bytes(), old.as_bytes(), &mut out));
    assert_eq!(applied(old.as_bytes(), &out[6..]).as_deref(), Ok(old.as_bytes()));
}

/// A delta, and what comes of it.
type Case<'a> = (&'a [u8], Result<Vec<u8>, BadDelta>);

#[test]
fn refused_deltas() {
    let old = b"0123456789abcdef";
    assert_eq!(applied(old, b"4\n4@A,3Nk_jN;").as_deref(), Err(&BadDelta::Checksum));
    let malformed = |at| Err(BadDelta::Malformed { at });
    let cases: &[Case<'_>] = &[
        (b"", malformed(0)),
        (b"\n", malformed(0)),
        (b"4", malformed(1)),
        (b"4,4@0,0;", malformed(1)),
        (b"4\n", malformed(2)),
        (b"4\n4@0,", malformed(6)),
        (b"4\n4?0,", malformed(4)),
        (b"4\n@0,0;", malformed(2)),
        (b"4\n4@,0;", malformed(4)),
        (b"4\n4@0;0;", malformed(5)),
        (b"4\n4:abc", malformed(4)),
        (b"~~~~~~\n0;", malformed(0)),
        (b"0000004\n4:abcd1XObD_;", malformed(0)),
        (b"3~~~~~\n0;", Err(BadDelta::TooBig { bytes: u32::MAX >> 2 | 3 << 30 })),
        (b"4\n4@D,0;", Err(BadDelta::OutOfRange)),
        (b"4\n1@3~~~~~,0;", Err(BadDelta::OutOfRange)),
        (b"4\n5@0,0;", Err(BadDelta::Length)),
        (b"4\n3:abc3:abc0;", Err(BadDelta::Length)),
        (b"4\n3:abc1XOZ6_;", Err(BadDelta::Length)),
        (b"4\n4:abcd0;", Err(BadDelta::Checksum)),
        (b"0\n0;x", malformed(4)),
        (b"0\n0;", Ok(vec![])),
        (b"4\n4:abcd1XObD_;", Ok(b"abcd".to_vec())),
    ];
    for (delta, expected) in cases {
        assert_eq!(applied(old, delta), *expected, "{}", delta.escape_ascii());
    }
}

#[test]
fn the_output_is_bounded_whatever_a_delta_claims_or_repeats() {
    let old = vec![b'a'; 1_000];
    let bomb = format!("V00\n{}", "Fd@0,".repeat(100));
    for bytes_max in [0, 1_000, 100_000] {
        let mut out = Vec::new();
        let result = apply(&old, bomb.as_bytes(), bytes_max, &mut out);
        assert!(matches!(result, Err(BadDelta::TooBig { .. })), "{bytes_max}: {result:?}");
        assert_eq!(out.capacity(), 0, "a claim reserves nothing");
    }
    let bomb = format!("V0\n{}", "Fd@0,".repeat(100));
    let mut out = Vec::new();
    assert_eq!(apply(&old, bomb.as_bytes(), 100_000, &mut out), Err(BadDelta::Length));
    assert!(out.capacity() <= 4_096, "{} bytes", out.capacity());
}

#[test]
fn a_cut_character_is_no_string() {
    assert_eq!(json_string("héllo\n".as_bytes()).expect("UTF-8").as_str(), "\"héllo\\n\"");
    // The two characters share their first byte, so the delta cuts them behind it.
    let (old, new) = ("0123456789abcdef0123456789abcdefé", "0123456789abcdef0123456789abcdefè");
    let delta = delta_of(old.as_bytes(), new.as_bytes());
    assert_eq!(applied(old.as_bytes(), &delta).as_deref(), Ok(new.as_bytes()));
    assert_eq!(json_string(&delta), None);
}
