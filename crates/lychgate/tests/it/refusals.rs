//! Hostile tokens at the real door: each is refused as the example's profile says, counted by its reason, and never logged.

use std::collections::BTreeMap;
use std::net::TcpListener;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::harness::token::{OURS, RS_PUBLIC, RS_PUBLIC_FILE, Signer, claims, forge, header, now, own, part, sign};
use crate::harness::{Client, Server, Setup, Wire};

/// The token that a document has printed for everybody to see.
const PRINTED: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyIn0.dNsYhOKsYlKZzUmOJl8Zpf9SbJ4DJxhd3AU6pO-PWko";

const INVALID: &str = "Invalid or expired token";
const PAYLOAD: &str = "Invalid token payload";

/// A token, what the client is told, and what the operator is told.
struct Case {
    what: String,
    token: String,
    told: &'static str,
    reason: &'static str,
}

fn case(what: impl Into<String>, token: String, told: &'static str, reason: &'static str) -> Case {
    Case { what: what.into(), token, told, reason }
}

/// Presents every token and looks at the wire, the log and the counters; a good one gets in before and after.
async fn all_are_refused(server: &Server, cases: Vec<Case>) {
    let heard = server.metrics().await.value("lychgate_hub_frames_total", &[]);
    gets_in(server, &own("alice")).await;
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for Case { what, token, told, reason } in &cases {
        let mut wire = Wire::open(server.address, &format!("/ws?token={token}")).await;
        assert_eq!(wire.closed().await, (1008, (*told).to_owned()), "{what}");
        wire.leave().await;
        *expected.entry(reason).or_default() += 1;
        let counted = server.metrics().await;
        let labels = [("endpoint", "ws"), ("reason", *reason)];
        assert_eq!(counted.value("lychgate_refusals_total", &labels), expected[reason], "{what}: {reason}");
        server.log().never_holds(token);
    }
    for (reason, count) in &expected {
        let is_refusal = |line: &Value| line["reason"] == **reason && line["endpoint"] == "ws";
        let lines = server.log().wait_for_lines(reason, *count as usize, is_refusal).await;
        assert_eq!(lines.len() as u64, *count, "{reason}: {lines:?}");
        for line in lines {
            assert_eq!(line["address"], "127.0.0.1", "{line}");
            assert!(line["request_id"].is_string(), "{line}");
        }
    }
    gets_in(server, &own("alice")).await;
    let metrics = server.metrics().await;
    let all = metrics.value("lychgate_refusals_total", &[("endpoint", "ws")]);
    assert_eq!(all, cases.len() as u64, "each was counted once and under one reason");
    let heard_now = metrics.value("lychgate_hub_frames_total", &[]);
    assert_eq!(heard_now, heard + 2, "nobody but the two good ones was heard");
}

async fn gets_in(server: &Server, token: &str) {
    let mut client = Client::open(server.address, &format!("/ws?token={token}")).await;
    client.say("{}").await;
    assert!(client.hear().await["user"].is_string());
}

#[tokio::test]
async fn headers_that_choose_their_own_rules() {
    // A jku that is followed would knock here.
    let bait = TcpListener::bind("127.0.0.1:0").expect("a free port");
    bait.set_nonblocking(true).expect("a socket");
    let url = format!("\"http://{}/keys\"", bait.local_addr().expect("an address"));

    let good = claims(&[]);
    let mut cases = Vec::new();
    for alg in [
        "none", "None", "NONE", "nOnE", "none ", "", "null", "HS256 ", "hs256", "HS-256", "HS384", "HS512", "RS256",
        "ES256", "EdDSA",
    ] {
        let header = header(&[("alg", &format!("\"{alg}\""))]);
        for (how, signer) in [("unsigned", Signer::Nobody), ("signed", OURS)] {
            cases.push(case(format!("alg {alg:?}, {how}"), forge(signer, &header, &good), INVALID, "wrong_algorithm"));
        }
    }
    for (what, alg) in [("absent", ""), ("a number", "256"), ("null", "null"), ("a list", r#"["HS256"]"#)] {
        cases.push(case(format!("alg {what}"), sign(&header(&[("alg", alg)]), &good), INVALID, "malformed"));
    }
    let jwk = r#"{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI"}"#;
    let x5c = r#"["MIIB"]"#;
    for (name, value) in [
        ("jwk", jwk),
        ("jku", &url),
        ("x5u", &url),
        ("x5c", x5c),
        ("x5t", r#""a""#),
        ("x5t#S256", r#""a""#),
        ("crit", r#"["exp"]"#),
        ("crit", "[]"),
        ("b64", "false"),
        ("b64", "true"),
        ("zip", r#""DEF""#),
        ("enc", r#""A128GCM""#),
    ] {
        cases.push(case(format!("{name} {value}"), sign(&header(&[(name, value)]), &good), INVALID, "malformed"));
    }
    for kid in [
        "../../../../dev/null",
        "/proc/self/environ",
        "' OR '1'='1",
        "1; DROP TABLE users",
        "http://127.0.0.1/key",
        r"\u0000",
        "",
        "own",
        "*",
    ] {
        let header = header(&[("kid", &format!("\"{kid}\""))]);
        cases.push(case(format!("kid {kid:?}"), sign(&header, &good), INVALID, "unknown_key"));
        let empty = forge(Signer::Hmac(b""), &header, &good);
        cases.push(case(format!("kid {kid:?}, empty key"), empty, INVALID, "unknown_key"));
    }
    let huge = format!("\"{}\"", "k".repeat(200));
    cases.push(case("a huge kid", sign(&header(&[("kid", &huge)]), &good), INVALID, "malformed"));
    cases.push(case("a kid that is a number", sign(&header(&[("kid", "1")]), &good), INVALID, "malformed"));
    let twice = r#"{"alg":"HS256","typ":"at+jwt","alg":"none"}"#;
    cases.push(case("alg twice", sign(twice, &good), INVALID, "malformed"));
    let twice = r#"{"alg":"HS256","typ":"at+jwt","\u0061lg":"none"}"#;
    cases.push(case("alg twice, once escaped", sign(twice, &good), INVALID, "malformed"));

    let server =
        Setup::ship().over("[log]\nlevel = \"trace\"\n[limits]\nconnects_burst_per_address = 1000").start().await;
    all_are_refused(&server, cases).await;
    assert!(bait.accept().is_err(), "nothing in a token starts a request");
}

#[tokio::test]
async fn claims_that_are_not_what_they_should_be() {
    let later = (now() + 600).to_string();
    let far = (now() + 6000).to_string();
    let ago = (now() - 60).to_string();
    let shape = [
        ("exp", format!("\"{later}\"")),
        ("exp", "null".to_owned()),
        ("exp", "true".to_owned()),
        ("exp", format!("[{later}]")),
        ("exp", "18446744073709551616".to_owned()),
        ("exp", "9007199254740992".to_owned()),
        ("exp", "1e300".to_owned()),
        ("exp", "-1".to_owned()),
        ("nbf", "\"0\"".to_owned()),
        ("iat", "\"0\"".to_owned()),
        ("nbf", "-1".to_owned()),
        ("sub", "7".to_owned()),
        ("sub", "null".to_owned()),
        ("sub", r#"["alice"]"#.to_owned()),
        ("sub", r#""""#.to_owned()),
        ("sub", r#""a\u0000b""#.to_owned()),
        ("sub", r#""a\r\nb""#.to_owned()),
        ("sub", r#""a\u202eb""#.to_owned()),
        ("sub", format!("\"{}\"", "a".repeat(300))),
        ("jti", "1".to_owned()),
        ("sid", r#""""#.to_owned()),
        ("iss", "1".to_owned()),
        ("aud", "1".to_owned()),
        ("aud", "[1]".to_owned()),
    ];
    let mut cases: Vec<Case> = shape
        .iter()
        .map(|(claim, value)| {
            let token = sign(&header(&[]), &claims(&[(claim, value)]));
            case(format!("{claim} {value}"), token, PAYLOAD, "payload_claim_shape")
        })
        .collect();
    for claim in ["sub", "exp", "iat", "jti", "sid"] {
        let token = sign(&header(&[]), &claims(&[(claim, "")]));
        cases.push(case(format!("no {claim}"), token, PAYLOAD, "payload_claim_missing"));
    }
    let others = [
        ("exp", ago.as_str(), "expired"),
        ("exp", "0", "expired"),
        ("exp", "1.5", "expired"),
        ("nbf", &far, "not_yet_valid"),
        ("iat", &far, "not_yet_valid"),
        ("iss", r#""somebody""#, "wrong_issuer"),
        ("iss", r#""lychgate ""#, "wrong_issuer"),
        ("iss", r#""""#, "wrong_issuer"),
        ("iss", "", "wrong_issuer"),
        ("aud", r#""somebody""#, "wrong_audience"),
        ("aud", "[]", "wrong_audience"),
        ("aud", "", "wrong_audience"),
        ("aud", r#"["a","Lychgate"]"#, "wrong_audience"),
        ("exp", "1e400", "malformed"),
        ("exp", "NaN", "malformed"),
        ("sub", r#""\ud800""#, "malformed"),
    ];
    for (claim, value, reason) in others {
        cases.push(case(format!("{claim} {value}"), sign(&header(&[]), &claims(&[(claim, value)])), INVALID, reason));
    }
    let good = claims(&[]);
    let twice = good.replacen('{', r#"{"sub":"eve","#, 1);
    cases.push(case("sub twice", sign(&header(&[]), &twice), INVALID, "malformed"));
    let twice = good.replacen('{', r#"{"\u0073ub":"eve","#, 1);
    cases.push(case("sub twice, once escaped", sign(&header(&[]), &twice), INVALID, "malformed"));
    let deep = good.replacen('{', &format!(r#"{{"x":{}{},"#, "[".repeat(40), "]".repeat(40)), 1);
    cases.push(case("deep", sign(&header(&[]), &deep), INVALID, "malformed"));
    let wide: String = (0..70).map(|n| format!("\"x{n}\":1,")).collect();
    cases.push(case(
        "many claims",
        sign(&header(&[]), &good.replacen('{', &format!("{{{wide}"), 1)),
        INVALID,
        "malformed",
    ));
    for typ in [r#""JWT""#, r#""rt+jwt""#, r#""refresh""#, r#""""#, ""] {
        let token = sign(&header(&[("typ", typ)]), &good);
        cases.push(case(format!("typ {typ}"), token, INVALID, "payload_token_type"));
    }

    let server =
        Setup::ship().over("[log]\nlevel = \"trace\"\n[limits]\nconnects_burst_per_address = 1000").start().await;
    for (claim, value) in
        [("exp", format!("{later}.75")), ("nbf", ago.clone()), ("aud", r#"["a","lychgate"]"#.to_owned())]
    {
        let token = sign(&header(&[]), &claims(&[(claim, &value)]));
        let mut client = Client::open(server.address, &format!("/ws?token={token}")).await;
        client.entered().await;
    }
    all_are_refused(&server, cases).await;
}

#[tokio::test]
async fn texts_and_signatures_that_are_not_ours() {
    let good = own("alice");
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, signature] = parts[..] else { panic!("three parts") };
    let other = part(claims(&[("sub", r#""eve""#)]).as_bytes());
    let long = "x".repeat(9 * 1024);
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let mut cases = vec![
        case("the printed token", PRINTED.to_owned(), INVALID, "bad_signature"),
        case(
            "another secret",
            forge(Signer::Hmac(b"another secret of thirty-two bytes"), &header(&[]), &claims(&[])),
            INVALID,
            "bad_signature",
        ),
        case("no secret", forge(Signer::Hmac(b""), &header(&[]), &claims(&[])), INVALID, "bad_signature"),
        case("unsigned", format!("{head}.{body}."), INVALID, "bad_signature"),
        case("other claims", format!("{head}.{other}.{signature}"), INVALID, "bad_signature"),
        case("one character off", format!("{head}.{body}.{flipped}{}", &signature[1..]), INVALID, "bad_signature"),
        case("half a signature", format!("{head}.{body}.{}", &signature[..20]), INVALID, "bad_signature"),
        case("more than a signature", format!("{good}AAAA"), INVALID, "bad_signature"),
        case(
            "a public key as the secret",
            forge(Signer::Hmac(RS_PUBLIC.as_bytes()), &header(&[]), &claims(&[])),
            INVALID,
            "bad_signature",
        ),
        case(
            "signed with RSA, said to be HS256",
            forge(Signer::Rs, &header(&[]), &claims(&[])),
            INVALID,
            "bad_signature",
        ),
        case(
            "signed with ECDSA, said to be HS256",
            forge(Signer::Es, &header(&[]), &claims(&[])),
            INVALID,
            "bad_signature",
        ),
    ];
    let malformed = [
        ("five parts, as an encrypted token has", format!("{head}.{body}.{signature}.{body}.{signature}")),
        ("four parts", format!("{good}.")),
        ("two parts", format!("{head}.{body}")),
        ("a word", "open-sesame".to_owned()),
        ("dots", ".a.b.c.".to_owned()),
        ("thousands of dots", ".".repeat(4000)),
        ("padding", format!("{good}%3D")),
        ("a space before", format!("%20{good}")),
        ("a newline behind", format!("{good}%0A")),
        ("a null byte", format!("{good}%00")),
        ("not UTF-8", format!("{good}%ff")),
        ("the letters of plain base64", format!("{head}.{body}.%2B%2F{}", &signature[2..])),
        ("a header that is no object", format!("{}.{body}.{signature}", part(b"[]"))),
        ("a body that is no object", sign(&header(&[]), "\"alice\"")),
        ("9 KiB of letters", long.clone()),
        ("9 KiB of claims", sign(&header(&[]), &claims(&[("x", &format!("\"{long}\""))]))),
    ];
    cases.extend(malformed.into_iter().map(|(what, token)| case(what, token, INVALID, "malformed")));

    let server =
        Setup::ship().over("[log]\nlevel = \"trace\"\n[limits]\nrequest_target_bytes_max = \"15KiB\"").start().await;
    all_are_refused(&server, cases).await;
}

#[tokio::test]
async fn keys_of_one_issuer_say_nothing_about_another() {
    let issuer = format!(
        "[log]\nlevel = \"trace\"\n\
         [issuer.partner]\nalgorithm = \"RS256\"\npublic_key_file = \"{RS_PUBLIC_FILE}\"\nissuer = \"https://partner.test\""
    );
    let server = Setup::ship().over(&issuer).start().await;
    let theirs = |iss: &str, exp: u64| {
        let exp = exp.to_string();
        claims(&[("iss", iss), ("aud", ""), ("sub", r#""paul""#), ("exp", &exp)])
    };
    let (partner, soon) = (r#""https://partner.test""#, now() + 600);
    let rs = r#"{"alg":"RS256","typ":"JWT"}"#;
    let hs = r#"{"alg":"HS256","typ":"JWT"}"#;
    gets_in(&server, &forge(Signer::Rs, rs, &theirs(partner, soon))).await;
    gets_in(&server, &own("alice")).await;

    let der =
        STANDARD.decode(RS_PUBLIC.lines().filter(|line| !line.starts_with('-')).collect::<String>()).expect("PEM");
    let trimmed = RS_PUBLIC.trim_end();
    let spaced = format!(" {RS_PUBLIC}");
    let secrets = [
        ("PEM", RS_PUBLIC.as_bytes()),
        ("PEM without its last newline", trimmed.as_bytes()),
        ("PEM behind a space", spaced.as_bytes()),
        ("DER", &der),
    ];
    let mut cases = Vec::new();
    for (form, secret) in secrets {
        for iss in [partner, r#""lychgate""#, ""] {
            let theirs = theirs(iss, soon);
            // The partner's key takes RS256 alone; our own is an HMAC key, and this is not its secret.
            let reason = if iss.contains("partner") { "wrong_algorithm" } else { "bad_signature" };
            let token = forge(Signer::Hmac(secret), hs, &theirs);
            cases.push(case(format!("HS256 with the public key as {form}, iss {iss}"), token, INVALID, reason));
        }
    }
    let ours_as_theirs = forge(OURS, hs, &theirs(partner, soon));
    cases.push(case("our secret, their name", ours_as_theirs, INVALID, "wrong_algorithm"));
    let theirs_as_ours = forge(Signer::Rs, r#"{"alg":"RS256","typ":"at+jwt"}"#, &claims(&[]));
    cases.push(case("their key, our name", theirs_as_ours, INVALID, "wrong_algorithm"));
    let stranger = theirs(r#""https://partner.test.evil""#, soon);
    cases.push(case("their key, a stranger's name", forge(Signer::Rs, rs, &stranger), INVALID, "wrong_issuer"));
    let long_lived = theirs(partner, now() + 30 * 86_400);
    cases.push(case("a month", forge(Signer::Rs, rs, &long_lived), INVALID, "payload_lifetime"));
    let es = forge(Signer::Es, r#"{"alg":"ES256","typ":"JWT"}"#, &theirs(partner, soon));
    cases.push(case("another kind of key", es, INVALID, "wrong_algorithm"));

    all_are_refused(&server, cases).await;
}
