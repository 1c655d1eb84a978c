//! Changed tokens are never accepted, whatever the change, and nothing panics.

use std::sync::LazyLock;

use crate::support::*;
use lychgate_token::{Token, Verifier, inspect};
use proptest::prelude::*;

static VERIFIER: LazyLock<Verifier> = LazyLock::new(both);

/// One valid token of each key.
static VALID: LazyLock<Vec<String>> = LazyLock::new(|| {
    let asymmetric = |signer, alg: &str, kid: &str| {
        forge(signer, &header(&[("alg", &format!("{alg:?}")), ("kid", &format!("{kid:?}"))]), &claims(&[]))
    };
    let tokens = [
        forge(HS, &header(&[]), &claims(&[])),
        forge(HS, &header(&[]), &claims(&[("sub", r#""carol""#), ("exp", "1800000601")])),
        forge(LEGACY, &legacy_header(&[]), &legacy_claims(&[])),
        asymmetric(Signer::Rs, "RS256", "rs-1"),
        asymmetric(Signer::Es, "ES256", "es-1"),
        asymmetric(Signer::Ed, "EdDSA", "ed-1"),
    ];
    tokens.iter().map(|token| token.expose().to_owned()).collect()
});

#[derive(Clone, Debug)]
enum Mutation {
    FlipBit(usize, u8),
    FlipDecodedBit(usize, usize, u8),
    Replace(usize, char),
    Insert(usize, char),
    Remove(usize),
    Truncate(usize),
    Behead(usize),
    Splice(usize, usize, usize),
    OtherPart(usize, usize),
    SwapParts(usize, usize),
    Repeat(usize),
}

fn mutations() -> impl Strategy<Value = Mutation> {
    let any_char = prop_oneof![
        5 => proptest::sample::select("ABCDwxyz0189-_".chars().collect::<Vec<_>>()),
        2 => proptest::sample::select("=.+/ \n\0%".chars().collect::<Vec<_>>()),
        1 => any::<char>(),
    ];
    prop_oneof![
        (any::<usize>(), 0..8_u8).prop_map(|(at, bit)| Mutation::FlipBit(at, bit)),
        (0..3_usize, any::<usize>(), 0..8_u8).prop_map(|(part, at, bit)| Mutation::FlipDecodedBit(part, at, bit)),
        (any::<usize>(), any_char.clone()).prop_map(|(at, c)| Mutation::Replace(at, c)),
        (any::<usize>(), any_char).prop_map(|(at, c)| Mutation::Insert(at, c)),
        any::<usize>().prop_map(Mutation::Remove),
        any::<usize>().prop_map(Mutation::Truncate),
        any::<usize>().prop_map(Mutation::Behead),
        (any::<usize>(), any::<usize>(), any::<usize>()).prop_map(|(a, b, c)| Mutation::Splice(a, b, c)),
        (any::<usize>(), 0..3_usize).prop_map(|(other, part)| Mutation::OtherPart(other, part)),
        (0..3_usize, 0..3_usize).prop_map(|(a, b)| Mutation::SwapParts(a, b)),
        any::<usize>().prop_map(Mutation::Repeat),
    ]
}

/// Applies one mutation; places wrap round, and a text that has become too odd for it is left alone.
fn mutate(text: &str, mutation: &Mutation) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    if chars.is_empty() {
        return String::new();
    }
    let place = |at: usize| at % chars.len();
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    match *mutation {
        Mutation::FlipBit(at, bit) => {
            let at = place(at);
            chars[at] = char::from_u32(u32::from(chars[at]) ^ (1 << bit)).unwrap_or('\u{FFFD}');
        }
        Mutation::FlipDecodedBit(part, at, bit) => {
            use base64::Engine as _;
            let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
            let Some(Ok(mut bytes)) = parts.get(part).map(|part| engine.decode(part)) else {
                return text.to_owned();
            };
            if !bytes.is_empty() {
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
            }
            parts[part] = b64(&bytes);
            return parts.join(".");
        }
        Mutation::Replace(at, c) => {
            let at = place(at);
            chars[at] = c;
        }
        Mutation::Insert(at, c) => {
            let at = place(at);
            chars.insert(at, c);
        }
        Mutation::Remove(at) => {
            let at = place(at);
            chars.remove(at);
        }
        Mutation::Truncate(at) => {
            let at = place(at);
            chars.truncate(at);
        }
        Mutation::Behead(at) => {
            let at = place(at);
            chars.drain(..at);
        }
        Mutation::Splice(at, other, from) => {
            let at = place(at);
            let other: Vec<char> = VALID[other % VALID.len()].chars().collect();
            chars.truncate(at);
            chars.extend(&other[from % other.len()..]);
        }
        Mutation::OtherPart(other, part) => {
            let other = VALID[other % VALID.len()].split('.').nth(part).unwrap_or_default();
            if let Some(slot) = parts.get_mut(part) {
                *slot = other.to_owned();
            }
            return parts.join(".");
        }
        Mutation::SwapParts(a, b) => {
            if a.max(b) < parts.len() {
                parts.swap(a, b);
            }
            return parts.join(".");
        }
        Mutation::Repeat(at) => {
            let at = place(at);
            let tail: Vec<char> = chars[at..].to_vec();
            chars.extend(tail);
        }
    }
    chars.into_iter().collect()
}

#[test]
fn the_unchanged_tokens_are_accepted() {
    for token in VALID.iter() {
        assert_eq!(code(VERIFIER.verify(&Token::from(token.as_str()), NOW)), "accepted");
    }
}

/// Every single bit of one token, so that no position is left to chance.
#[test]
fn no_single_flipped_bit_is_accepted() {
    let token = &VALID[2];
    for at in 0..token.len() {
        for bit in 0..7 {
            let changed = mutate(token, &Mutation::FlipBit(at, bit));
            assert_ne!(&changed, token);
            assert!(VERIFIER.verify(&Token::from(changed.as_str()), NOW).is_err(), "{changed}");
        }
    }
}

#[test]
fn no_prefix_is_accepted() {
    for token in VALID.iter() {
        for end in 0..token.len() {
            assert!(VERIFIER.verify(&Token::from(&token[..end]), NOW).is_err());
        }
    }
}

proptest! {
    // A failure prints the input it was reduced to, and that input alone repeats it.
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_tokens_are_refused(
        which in any::<usize>(),
        changes in proptest::collection::vec(mutations(), 1..4),
    ) {
        let original = &VALID[which % VALID.len()];
        let changed = changes.iter().fold(original.clone(), |text, change| mutate(&text, change));
        // A change may undo another, or put a whole other valid token in the place of this one.
        prop_assume!(!VALID.contains(&changed));
        let result = VERIFIER.verify(&Token::from(changed.as_str()), NOW);
        prop_assert!(result.is_err(), "accepted {} as {:?}", changed, result);
        let _ = inspect(&changed);
    }

    #[test]
    fn any_text_is_refused(text in any::<String>()) {
        prop_assert!(VERIFIER.verify(&Token::from(text.as_str()), NOW).is_err());
        let _ = inspect(&text);
    }

    /// Genuine signatures over arbitrary bytes: the reader behind the signature must hold by itself.
    #[test]
    fn signed_rubbish_does_not_panic(
        header_bytes in proptest::collection::vec(any::<u8>(), 0..64),
        claims_bytes in proptest::collection::vec(any::<u8>(), 0..256),
        keep_header in any::<bool>(),
    ) {
        let header = if keep_header { header(&[]).into_bytes() } else { header_bytes };
        let input = format!("{}.{}", b64(&header), b64(&claims_bytes));
        let token = Token::from(format!("{input}.{}", sign(HS, &input)));
        prop_assert!(VERIFIER.verify(&token, NOW).is_err());
    }

    /// Genuine tokens with a claim of any JSON form, at any time.
    #[test]
    fn any_claim_at_any_time_has_an_answer(
        claim in proptest::sample::select(vec!["sub", "exp", "iat", "nbf", "iss", "aud", "jti", "sid", "x"]),
        value in proptest::sample::select(vec![
            "0", "-1", "1.5", "1e308", "9007199254740991", "9007199254740992", "18446744073709551615", "null", "true",
            "\"\"", "\"a\"", "[]", "[\"a\"]", "{}", "[[[]]]", "\"\\u0000\"",
        ]),
        now in any::<u64>(),
    ) {
        let token = forge(LEGACY, &legacy_header(&[]), &legacy_claims(&[(claim, value)]));
        if let Ok(read) = VERIFIER.verify(&token, now) {
            prop_assert!(read.exp.is_some_and(|exp| now < exp + 5));
            prop_assert!(!read.sub.is_empty());
        }
    }
}
