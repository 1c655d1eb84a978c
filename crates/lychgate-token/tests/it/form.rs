//! The compact form: sizes, parts, base64url, JSON.

use crate::support::*;
use lychgate_token::{TOKEN_BYTES_MAX, Token};

fn code_of(text: impl Into<String>) -> &'static str {
    code(both().verify(&Token::from(text.into()), NOW))
}

fn valid() -> String {
    forge(HS, &header(&[]), &claims(&[])).expose().to_owned()
}

#[test]
fn the_valid_token_of_these_tests_is_accepted() {
    assert_eq!(code_of(valid()), "accepted");
}

#[test]
fn nothing_at_all_is_missing() {
    assert_eq!(code_of(""), "missing");
}

#[test]
fn other_numbers_of_parts_are_malformed() {
    let valid = valid();
    let (two, _) = valid.rsplit_once('.').expect("three parts");
    let five = format!("{}.a.b.c.d", b64(br#"{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2147483647}"#));
    for text in
        ["a", ".", "..", "...", two, &format!("{valid}."), &format!(".{valid}"), &format!("{valid}.{valid}"), &five]
    {
        assert_eq!(code_of(text), "malformed", "{text}");
    }
}

#[test]
fn size_is_capped_before_all_else() {
    // Base64url knows no length of 4n + 1, so the header is padded as well until the limit is met exactly.
    let filled = |header_fill: usize, claims_fill: usize| {
        let header_fill = format!("\"{}\"", "x".repeat(header_fill));
        let claims_fill = format!("\"{}\"", "x".repeat(claims_fill));
        let token = forge(HS, &header(&[("fill", &header_fill)]), &claims(&[("fill", &claims_fill)]));
        token.expose().to_owned()
    };
    let near = (TOKEN_BYTES_MAX - filled(0, 0).len()) * 3 / 4 - 4;
    let longest: Vec<String> =
        (0..3).flat_map(|header_fill| (near..near + 9).map(move |fill| filled(header_fill, fill))).collect();
    let lengths: Vec<usize> = longest.iter().map(String::len).collect();
    assert!(lengths.contains(&TOKEN_BYTES_MAX) && lengths.contains(&(TOKEN_BYTES_MAX + 1)), "{lengths:?}");
    for token in longest {
        let expected = if token.len() <= TOKEN_BYTES_MAX { "accepted" } else { "malformed" };
        assert_eq!(code_of(token), expected);
    }
    assert_eq!(code_of("a".repeat(1 << 20)), "malformed");
    assert_eq!(code_of(".".repeat(5_000_000)), "malformed");
    assert_eq!(code_of(format!("{}.{}.", b64(br#"{"alg":"HS256"}"#), "A".repeat(1 << 20))), "malformed");
}

#[test]
fn base64url_has_one_spelling() {
    let valid = valid();
    let parts: Vec<&str> = valid.split('.').collect();
    assert_eq!(parts[2].len(), 43, "an HMAC of 32 bytes leaves two unused bits in its last character");
    let last = parts[2].chars().last().expect("not empty");
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let sibling = alphabet.chars().nth(alphabet.find(last).expect("in the alphabet") | 1).expect("in the alphabet");
    assert_ne!(last, sibling);
    let unused_bits = format!("{}{sibling}", &valid[..valid.len() - 1]);
    for text in [
        unused_bits,
        format!("{valid}="),
        format!("{valid} "),
        format!("{valid}\n"),
        format!(" {valid}"),
        format!("\u{feff}{valid}"),
        valid.replacen('.', "=.", 1),
        valid.replacen('.', "\n.", 1),
        format!("{}.{}.{}+", parts[0], parts[1], &parts[2][..42]),
        format!("{}.{}.{}/", parts[0], parts[1], &parts[2][..42]),
        format!("{}.{}.{}é", parts[0], parts[1], &parts[2][..41]),
        format!("{}.{}.{}", parts[0], parts[1], &parts[2][..41]),
    ] {
        assert_eq!(code_of(text.clone()), "malformed", "{text}");
    }
}

#[test]
fn a_signature_of_another_length_does_not_verify() {
    let valid = valid();
    let (input, _) = valid.rsplit_once('.').expect("three parts");
    for length in [0, 1, 16, 31, 33, 64, 256] {
        assert_eq!(code_of(format!("{input}.{}", b64(&vec![0; length]))), "bad_signature", "{length}");
    }
}

#[test]
fn json_is_read_strictly() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let claims_ok = |json: &str| code(verify_own(&header(&[]), json));
    // The claims' object is one level of the sixteen.
    assert_eq!(claims_ok(&claims(&[("a", &deep(15))])), "accepted");
    assert_eq!(claims_ok(&claims(&[("a", &deep(16))])), "malformed");
    assert_eq!(claims_ok(&claims(&[("a", &deep(2_500))])), "malformed");
    assert_eq!(claims_ok(&claims(&[("a", r#""\ud83d\ude00""#)])), "accepted");
    assert_eq!(claims_ok(&claims(&[("a", r#""\ud83d""#)])), "malformed");
    assert_eq!(claims_ok(&claims(&[("sub", r#""\udc00""#)])), "malformed");
    for text in ["", "[]", "null", "\"a\"", "{", "{}{}", "{}\0", "{\"sub\":\"a\",}", "\u{feff}{}"] {
        assert_eq!(claims_ok(text), "malformed", "{text}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_malformed() {
    for (fill, expected) in [(&b"a"[..], "accepted"), (b"\xff", "malformed"), (b"\xed\xa0\x80", "malformed")] {
        let mut json = claims(&[("fill", "\"")]).into_bytes();
        json.truncate(json.len() - 1);
        json.extend_from_slice(fill);
        json.extend_from_slice(b"\"}");
        let input = format!("{}.{}", b64(header(&[]).as_bytes()), b64(&json));
        assert_eq!(code_of(format!("{input}.{}", sign(HS, &input))), expected);
    }
}

#[test]
fn claims_are_counted() {
    let many = |count: usize| {
        let names: Vec<String> = (0..count - 7).map(|index| format!("c{index}")).collect();
        let changes: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        code(verify_own(&header(&[]), &claims(&changes)))
    };
    assert_eq!(many(64), "accepted");
    assert_eq!(many(65), "malformed");
}

#[test]
fn equal_names_are_refused() {
    let twice = |json: &str| code(verify_own(&header(&[]), &claims(&[]).replacen('{', &format!("{{{json},"), 1)));
    assert_eq!(twice(r#""other":1"#), "accepted");
    assert_eq!(twice(r#""sub":"mallory""#), "malformed");
    assert_eq!(twice(r#""s\u0075b":"mallory""#), "malformed");
    assert_eq!(twice(r#""exp":9007199254740991"#), "malformed");
    assert_eq!(twice(r#""a":{"b":1,"b":2}"#), "malformed");
    let in_header = |json: &str| code(verify_own(&header(&[]).replacen('{', &format!("{{{json},"), 1), &claims(&[])));
    assert_eq!(in_header(r#""cty":"x""#), "accepted");
    assert_eq!(in_header(r#""alg":"none""#), "malformed");
    assert_eq!(in_header(r#""kid":"hs-1""#), "malformed");
    assert_eq!(in_header(r#""a":{"b":1,"b":2}"#), "malformed");
}
