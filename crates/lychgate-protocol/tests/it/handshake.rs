//! `Sec-WebSocket-Key` and its answer (RFC 6455 §4.2).

use lychgate_protocol::ws::handshake::{BadKey, accept_key};

#[test]
fn answers_keys() {
    // RFC 6455 section 1.3; the others by an independent computation.
    let table = [
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
        ("/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
        // The last character has bits left over; sixteen bytes they are all the same.
        ("/////////////////////x==", "qdDD3SSbIlNwLe5yr0qvpERQfSM="),
    ];
    for (key, accept) in table {
        let answer = accept_key(key.as_bytes()).expect("a good key");
        assert_eq!(answer.as_str(), accept, "{key}");
        assert_eq!(answer.as_bytes(), accept.as_bytes());
    }
}

#[test]
fn refuses_what_is_not_sixteen_bytes() {
    let bad: &[&[u8]] = &[
        b"",
        b"dGhlIHNhbXBsZSBub25jZQ=",
        b"dGhlIHNhbXBsZSBub25jZQ",
        b"dGhlIHNhbXBsZSBub25jZQ===",
        b" dGhlIHNhbXBsZSBub25jZQ==",
        b"dGhlIHNhbXBsZSBub25jZQ== ",
        // Seventeen and eighteen bytes.
        b"dGhlIHNhbXBsZSBub25jZSE=",
        b"dGhlIHNhbXBsZSBub25jZSEh",
        // The URL alphabet, and none.
        b"_____________________w==",
        b"dGhlIHNhbXBsZSBub25j*Q==",
        b"dGhlIHNhbXBs ZSBub25jZQ=",
        b"dGhlIHNhbXBsZSBub2=jZQ==",
        b"========================",
        &[0xff; 24],
        &[b'A'; 65_536],
    ];
    for key in bad {
        assert_eq!(accept_key(key), Err(BadKey), "{}", key.escape_ascii());
    }
}
