//! What the account ports' own types take and refuse, and the fakes against the conformance suite.

use std::sync::Arc;

use lychgate_service::ports::keys::{Keys, StoredKey};
use lychgate_service::ports::users::{
    Attributes, AttributesFault, BCRYPT_COST_MAX, Email, HashKind, NameFault, NotAHashKind, NotAUserId, PasswordHash,
    UserId, UserName, Users,
};
use lychgate_service::testing::{MemoryKeys, MemoryUsers, keys_conformance, users_conformance};

#[tokio::test]
async fn users_in_memory_keep_the_contract() {
    users_conformance(async || Arc::new(MemoryUsers::default()) as Arc<dyn Users>).await;
}

#[tokio::test]
async fn keys_in_memory_keep_the_contract() {
    keys_conformance(async || Arc::new(MemoryKeys::default()) as Arc<dyn Keys>).await;
}

#[test]
fn attributes_are_taken_and_refused() {
    let long_name = "n".repeat(64);
    let text = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - r#"{"a":""}"#.len()));
    let many = |count: usize| {
        let all: Vec<_> = (0..count).map(|n| format!("\"a{n}\":{n}")).collect();
        format!("{{{}}}", all.join(","))
    };
    for good in [
        "{}",
        " { } ",
        r#"{"a":"","b":true,"c":-0.5,"d":18446744073709551615}"#,
        r#"{"display_name":"Ä 🦁 \"q\" </script>","x-y_Z9":1e300}"#,
        &format!("{{\"{long_name}\":1}}"),
        &text(4_096),
        &many(64),
    ] {
        let attributes = Attributes::from_json(good).unwrap_or_else(|fault| panic!("{good}: {fault}"));
        let again = Attributes::from_json(&attributes.to_json());
        assert_eq!(again, Ok(attributes), "{good}: what is written is read");
    }
    for (bad, fault) in [
        ("", AttributesFault::NoObject),
        ("null", AttributesFault::NoObject),
        ("[]", AttributesFault::NoObject),
        (r#"{"a":1}x"#, AttributesFault::NoObject),
        (r#"{"a":1e999}"#, AttributesFault::NoObject),
        (r#"{"":1}"#, AttributesFault::Name),
        (r#"{"1a":1}"#, AttributesFault::Name),
        (r#"{"__proto__":1}"#, AttributesFault::Name),
        (r#"{"a.b":1}"#, AttributesFault::Name),
        (r#"{"ä":1}"#, AttributesFault::Name),
        (r#"{"id":1}"#, AttributesFault::Name),
        (r#"{"n\u0061me":"root"}"#, AttributesFault::Name),
        (r#"{"username":"root"}"#, AttributesFault::Name),
        (r#"{"email":"root"}"#, AttributesFault::Name),
        (r#"{"active":true}"#, AttributesFault::Name),
        (&format!("{{\"{long_name}x\":1}}"), AttributesFault::Name),
        (r#"{"a":null}"#, AttributesFault::Value),
        (r#"{"a":[]}"#, AttributesFault::Value),
        (r#"{"a":{}}"#, AttributesFault::Value),
        (r#"{"a":"\u0000"}"#, AttributesFault::Value),
        (r#"{"a":"\u009b"}"#, AttributesFault::Value),
        (r#"{"a":1,"a":1}"#, AttributesFault::Twice),
        (r#"{"a":1,"\u0061":2}"#, AttributesFault::Twice),
        (&text(4_097), AttributesFault::Long),
        (&many(65), AttributesFault::Many),
    ] {
        assert_eq!(Attributes::from_json(bad), Err(fault), "{bad}");
    }
    let secret = Attributes::from_json(r#"{"note":"private"}"#).expect("an object");
    assert_eq!(format!("{secret:?}"), "Attributes(1, redacted)");
}

#[test]
fn names_are_taken_and_refused() {
    let longest = "n".repeat(255);
    for name in ["a", "Ada Lovelace", "名前", "o'brien", "a@b", "-", "0", "🦀", longest.as_str()] {
        assert_eq!(UserName::new(name).map(|name| name.as_str().to_owned()).as_deref(), Ok(name));
    }
    let long = "n".repeat(256);
    let long_in_bytes = "ß".repeat(128);
    for (name, fault) in [
        ("", NameFault::Blank),
        (" \t ", NameFault::Blank),
        (long.as_str(), NameFault::Long { bytes: 256, bytes_max: 255 }),
        (long_in_bytes.as_str(), NameFault::Long { bytes: 256, bytes_max: 255 }),
        (" ada", NameFault::BlankEdge),
        ("ada ", NameFault::BlankEdge),
        ("ada\u{3000}", NameFault::BlankEdge),
        ("a\0da", NameFault::Unprintable(0)),
        ("ada\n", NameFault::Unprintable(0x0A)),
        ("a\r\nda", NameFault::Unprintable(0x0D)),
        ("a\u{7F}da", NameFault::Unprintable(0x7F)),
        ("a\u{85}da", NameFault::Unprintable(0x85)),
        ("a\u{200B}da", NameFault::Unprintable(0x200B)),
        ("a\u{202E}da", NameFault::Unprintable(0x202E)),
        ("\u{FEFF}ada", NameFault::Unprintable(0xFEFF)),
        ("a\u{2028}da", NameFault::Unprintable(0x2028)),
        ("a\u{E0041}da", NameFault::Unprintable(0xE0041)),
    ] {
        assert_eq!(UserName::new(name), Err(fault), "{name:?}");
    }
}

#[test]
fn addresses_are_taken_and_refused() {
    for email in ["a@b", "ada@example.org", "o'brien+tag@sub.example.org", "jürgen@münchen.example"] {
        assert_eq!(Email::new(email).map(|email| email.as_str().to_owned()).as_deref(), Ok(email));
    }
    let long = format!("{}@example.org", "l".repeat(243));
    for (email, fault) in [
        ("", NameFault::Blank),
        ("ada", NameFault::NotAnAddress),
        ("@example.org", NameFault::NotAnAddress),
        ("ada@", NameFault::NotAnAddress),
        ("ada@b@c", NameFault::NotAnAddress),
        ("a da@example.org", NameFault::NotAnAddress),
        ("ada@exa\nmple.org", NameFault::Unprintable(0x0A)),
        (long.as_str(), NameFault::Long { bytes: 255, bytes_max: 254 }),
    ] {
        assert_eq!(Email::new(email), Err(fault), "{email:?}");
    }
}

#[test]
fn an_id_has_one_spelling() {
    for id in [1, 42, i64::MAX] {
        assert_eq!(id.to_string().parse(), Ok(UserId(id)));
        assert_eq!(UserId(id).to_string(), id.to_string());
    }
    for text in ["", "0", "-1", "+1", "01", " 1", "1 ", "1.0", "0x1", "٣", "9223372036854775808"] {
        assert_eq!(text.parse::<UserId>(), Err(NotAUserId), "{text:?}");
    }
}

fn bcrypt(prefix: &str, cost: &str) -> String {
    format!("{prefix}{cost}${}", "A".repeat(53))
}

fn argon2(parameters: &str) -> String {
    format!("$argon2id$v=19${parameters}${}${}", "A".repeat(22), "A".repeat(43))
}

#[test]
fn kinds_are_read_off_hashes_within_the_limits() {
    let argon2id = |memory_kib, passes, lanes| HashKind::Argon2id { memory_kib, passes, lanes };
    for (hash, kind) in [
        (bcrypt("$2a$", "04"), HashKind::Bcrypt { cost: 4 }),
        (bcrypt("$2b$", "12"), HashKind::Bcrypt { cost: 12 }),
        (bcrypt("$2y$", "14"), HashKind::Bcrypt { cost: BCRYPT_COST_MAX }),
        (argon2("m=19456,t=2,p=1"), HashKind::POLICY),
        (argon2("m=8,t=1,p=1"), argon2id(8, 1, 1)),
        (argon2("m=262144,t=10,p=16"), argon2id(262_144, 10, 16)),
    ] {
        assert_eq!(HashKind::of(&hash), kind, "{hash}");
        assert_eq!(kind.to_string().parse(), Ok(kind), "the label is read back");
    }
    for hash in [
        String::new(),
        "password".into(),
        bcrypt("$2b$", "15"),
        bcrypt("$2b$", "31"),
        bcrypt("$2b$", "03"),
        bcrypt("$2b$", "4"),
        bcrypt("$2b$", "+5"),
        bcrypt("$2x$", "12"),
        bcrypt("$2$", "12"),
        bcrypt("$2b$", "12") + "A",
        bcrypt("$2b$", "12").replace('A', "é"),
        bcrypt("bcrypt_sha256$$2b$", "12"),
        argon2("m=262145,t=2,p=1"),
        argon2("m=4294967295,t=2,p=1"),
        argon2("m=99999999999,t=2,p=1"),
        argon2("m=19456,t=11,p=1"),
        argon2("m=19456,t=0,p=1"),
        argon2("m=19456,t=2,p=17"),
        argon2("m=19456,t=2,p=0"),
        argon2("m=7,t=2,p=1"),
        argon2("m=+19456,t=2,p=1"),
        argon2("m=019456,t=2,p=1"),
        argon2("t=2,m=19456,p=1"),
        argon2("m=19456,t=2"),
        argon2("m=19456,t=2,p=1,keyid=AAAA"),
        argon2("m=19456,t=2,p=1").replace("argon2id", "argon2i"),
        argon2("m=19456,t=2,p=1").replace("v=19", "v=16"),
        argon2("m=19456,t=2,p=1").replace("$v=19", ""),
        argon2("m=19456,t=2,p=1") + &"A".repeat(100),
        argon2("m=19456,t=2,p=1") + "$",
        argon2("m=19456,t=2,p=1") + "=",
        argon2("m=19456,t=2,p=1").replace("AA$", "A!$"),
        argon2("m=19456,t=2,p=1").replace(&"A".repeat(43), &"B".repeat(43)),
    ] {
        assert_eq!(HashKind::of(&hash), HashKind::Unsupported, "{hash}");
    }
    for label in ["", "bcrypt", "bcrypt 15", "bcrypt 012", "argon2id m=1,t=1,p=1", "argon2id", "md5 1", "Unsupported"] {
        assert_eq!(label.parse::<HashKind>(), Err(NotAHashKind), "{label}");
    }
}

#[test]
fn secrets_do_not_print() {
    let hash = PasswordHash::new(argon2("m=19456,t=2,p=1"));
    assert_eq!(format!("{hash:?}"), "PasswordHash(argon2id m=19456,t=2,p=1, redacted)");
    let key = StoredKey { kid: "k1".into(), algorithm: "EdDSA".into(), pkcs8: vec![0x5A; 8].into(), created_at_s: 7 };
    let printed = format!("{key:?}");
    assert!(printed.contains("k1") && printed.contains("redacted"), "{printed}");
    assert!(!printed.contains("90") && !printed.to_lowercase().contains("5a"), "{printed}");
}
