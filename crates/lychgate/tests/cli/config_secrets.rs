//! Secrets: taken from where the configuration says, refused when weak, and never printed.

use std::collections::BTreeMap;

use crate::support::{Place, SECRET};

const HS256: &str = "[tokens]\nsigning = \"hs256\"\n[endpoint.ws]\n";

/// What a configuration and an environment come to.
struct Case {
    file: &'static str,
    environment: &'static [(&'static str, &'static str)],
    /// The faults or, when that is empty, success.
    faults: &'static [&'static str],
    /// Warnings that must be there.
    warnings: &'static [&'static str],
}

const fn case(
    file: &'static str,
    environment: &'static [(&'static str, &'static str)],
    faults: &'static [&'static str],
    warnings: &'static [&'static str],
) -> Case {
    Case { file, environment, faults, warnings }
}

const OTHER: &str = "Wm8xC2-Vt6Kz0Pq4Nd9Gh1Rj5By3Lf7Uo";

const CASES: &[Case] = &[
    // Every place a secret can be in.
    case("secret = \"k3vQ9w-Zp2Lx7Tn5Rb8Yc4Hd6Mf1Jg0Sa\"", &[], &[], &[]),
    case("secret_file = \"secret.txt\"", &[], &[], &[]),
    case("secret_env = \"MY_SECRET\"", &[("MY_SECRET", SECRET)], &[], &[]),
    case("", &[("LYCHGATE__TOKENS__SECRET", SECRET)], &[], &[]),
    case("", &[("LYCHGATE__TOKENS__SECRET_ENV", "MINE"), ("MINE", SECRET)], &[], &[]),
    case("", &[("JWT_SECRET_KEY", SECRET)], &[], &[]),
    case("", &[("SECRET_KEY", SECRET)], &[], &[]),
    case("", &[("JWT_SECRET", SECRET)], &[], &[]),
    // None, and named but not there.
    case("", &[], &["c.toml:2: tokens.secret: signing = \"hs256\" needs a secret, and none is named"], &[]),
    case("secret_env = \"MY_SECRET\"", &[], &["c.toml:3: tokens.secret_env: the variable MY_SECRET is not set"], &[]),
    case(
        "secret_env = \"MY_SECRET\"",
        &[("JWT_SECRET_KEY", SECRET)],
        &["c.toml:3: tokens.secret_env: the variable MY_SECRET is not set"],
        &[],
    ),
    case("secret_file = \"gone.txt\"", &[], &["c.toml:3: tokens.secret_file: the file named here cannot be read"], &[]),
    // Weak.
    case("secret = \"\"", &[], &["c.toml:3: tokens.secret: the secret is blank"], &[]),
    case(
        "secret_env = \"MY_SECRET\"",
        &[("MY_SECRET", "  ")],
        &["variable MY_SECRET: tokens.secret_env: the secret is blank"],
        &[],
    ),
    case("", &[("JWT_SECRET_KEY", "")], &["variable JWT_SECRET_KEY: tokens.secret: the secret is blank"], &[]),
    case(
        "secret = \"k3vQ9w-Zp2Lx7Tn5Rb8Yc4Hd6Mf1Jg0\"",
        &[],
        &["c.toml:3: tokens.secret: the secret has 31 bytes; 32 are the least"],
        &[],
    ),
    case(
        "",
        &[("SECRET_KEY", "your-secret-key-here")],
        &["variable SECRET_KEY: tokens.secret: the secret is a published default"],
        &[],
    ),
    // Two of them.
    case(
        "secret = \"k3vQ9w-Zp2Lx7Tn5Rb8Yc4Hd6Mf1Jg0Sa\"\nsecret_file = \"secret.txt\"",
        &[],
        &["c.toml:4: tokens.secret_file: the secret is named twice: by secret and by secret_file"],
        &[],
    ),
    case("", &[("JWT_SECRET_KEY", SECRET), ("SECRET_KEY", SECRET)], &[], &[]),
    case(
        "",
        &[("JWT_SECRET_KEY", SECRET), ("SECRET_KEY", OTHER)],
        &["variable JWT_SECRET_KEY, SECRET_KEY: tokens.secret: these variables hold different values"],
        &[],
    ),
    case(
        "secret_env = \"JWT_SECRET\"",
        &[("JWT_SECRET", SECRET), ("SECRET_KEY", OTHER)],
        &["variable SECRET_KEY, JWT_SECRET: tokens.secret: these variables hold different values"],
        &[],
    ),
    case(
        "secret_file = \"secret.txt\"",
        &[("SECRET_KEY", OTHER)],
        &[],
        &["variable SECRET_KEY: tokens.secret: is not used: tokens.secret_file names the secret"],
    ),
    // Written where its name belongs, or its type is wrong.
    case(
        "secret_env = \"k3vQ9w-Zp2Lx7Tn5Rb8Yc4Hd6Mf1Jg0Sa\"",
        &[],
        &["c.toml:3: tokens.secret_env: this is not the name of a variable"],
        &[],
    ),
    case(
        "secret_env = \"k3vQ9wZp2Lx7Tn5Rb8\"",
        &[],
        &["c.toml:3: tokens.secret_env: the variable named here is not set"],
        &[],
    ),
    case(
        "secret_file = \"k3vQ9w-Zp2Lx7Tn5Rb8Yc4Hd6Mf1Jg0Sa\"",
        &[],
        &["c.toml:3: tokens.secret_file: the file named here cannot be read"],
        &[],
    ),
    case("secret = \"k3vQ9w-Zp2Lx7Tn5Rb8Yc4Hd6Mf1Jg0Sa", &[], &["c.toml:3: this is not valid TOML"], &[]),
    case(
        "secret = [\"k3vQ9w-Zp2Lx7Tn5Rb8Yc4Hd6Mf1Jg0Sa\"]",
        &[],
        &["c.toml:3: tokens.secret: expected text, found a list"],
        &[],
    ),
    case(
        "secrte = \"k3vQ9w-Zp2Lx7Tn5Rb8Yc4Hd6Mf1Jg0Sa\"",
        &[("JWT_SECRET", SECRET)],
        &["c.toml:3: tokens.secrte: unknown key \"secrte\""],
        &[],
    ),
    case(
        "",
        &[("JWT_SECRET", SECRET), ("LYCHGATE__TOKENS__SECRTE", OTHER)],
        &["variable LYCHGATE__TOKENS__SECRTE: tokens.secrte: unknown key \"secrte\""],
        &[],
    ),
];

#[test]
fn a_secret_comes_from_where_it_is_named_and_from_nowhere_else() {
    for Case { file, environment, faults, warnings } in CASES {
        let text = HS256.replace("\"hs256\"\n", &format!("\"hs256\"\n{file}\n"));
        let place = Place::with(&[("c.toml", &text), ("secret.txt", &format!("{SECRET}\r\n"))]);
        let environment: BTreeMap<_, _> = environment.iter().copied().collect();
        for command in ["check", "print"] {
            let ran = place.run_in(&environment, &["config", command, "--config", "c.toml"]);
            let ran = ran.expect(if faults.is_empty() { 0 } else { 2 });
            for sentence in *faults {
                assert!(
                    ran.err.contains(sentence),
                    "not said: {sentence}\n--- of\n{text}{environment:?}\n--- said\n{}",
                    ran.err
                );
            }
            for sentence in *warnings {
                assert!(command == "print" || ran.err.contains(sentence), "not warned: {sentence}\n{}", ran.err);
            }
            for secret in [SECRET, OTHER, "k3vQ9w"] {
                assert!(!ran.says(secret), "a secret is printed for\n{text}\n--- {}\n{}", ran.out, ran.err);
            }
        }
    }
}

#[test]
fn a_secret_in_the_file_is_printed_as_redacted() {
    let place = Place::with(&[("c.toml", &format!("[tokens]\nsigning = \"hs256\"\nsecret = \"{SECRET}\"\n"))]);
    let ran = place.run(&["config", "print", "--config", "c.toml"]).expect(0);
    assert!(ran.out.contains("secret = \"(redacted)\"  # c.toml:3"), "{}", ran.out);
}

#[test]
fn nothing_flips_the_way_of_signing() {
    let place = Place::with(&[("eddsa.toml", "[endpoint.ws]\n"), ("hs256.toml", HS256)]);
    let check = |file: &str, environment: &[(&'static str, &'static str)]| {
        place.run_in(&environment.iter().copied().collect(), &["config", "check", "--config", file])
    };
    // A secret does not, whatever its name; it is warned of.
    for name in ["JWT_SECRET_KEY", "SECRET_KEY", "JWT_SECRET", "LYCHGATE__TOKENS__SECRET"] {
        let ran = check("eddsa.toml", &[(name, SECRET)]).expect(0);
        let warning =
            format!("variable {name}: tokens.secret: is not used: signing = \"eddsa\" keeps its key in the database");
        assert!(ran.err.contains(&warning), "{name}: {}", ran.err);
    }
    assert!(!check("eddsa.toml", &[]).expect(0).says("is not used"));
    // ALGORITHM does not; it is a fault when it disagrees.
    check("eddsa.toml", &[("ALGORITHM", "EdDSA")]).expect(0);
    check("hs256.toml", &[("ALGORITHM", "HS256"), ("SECRET_KEY", SECRET)]).expect(0);
    let ran = check("eddsa.toml", &[("ALGORITHM", "HS256"), ("SECRET_KEY", SECRET)]).expect(2);
    assert!(
        ran.err.contains("variable ALGORITHM: tokens.signing: the variable disagrees with signing = \"eddsa\""),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("Write signing = \"hs256\" under [tokens]"), "{}", ran.err);
    check("hs256.toml", &[("ALGORITHM", "RS256"), ("SECRET_KEY", SECRET)]).expect(2);
}

#[test]
fn a_foreign_issuer_needs_the_one_key_of_its_algorithm() {
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let cases: &[(&str, &[&str])] = &[
        ("algorithm = \"EdDSA\"\npublic_key_file = \"key.pem\"", &[]),
        ("algorithm = \"HS256\"\nsecret_file = \"secret.txt\"", &[]),
        ("public_key_file = \"key.pem\"", &["c.toml:1: issuer.app.algorithm: it is missing"]),
        ("algorithm = \"none\"", &["c.toml:2: issuer.app.algorithm: \"none\" is not known here"]),
        ("algorithm = \"HS256\"", &["c.toml:1: issuer.app.secret: HS256 needs the issuer's secret"]),
        ("algorithm = \"EdDSA\"", &["c.toml:1: issuer.app.public_key_file: EdDSA needs the issuer's public key"]),
        // A public key is nobody's secret.
        (
            "algorithm = \"HS256\"\npublic_key_file = \"key.pem\"",
            &["c.toml:3: issuer.app.public_key_file: HS256 is checked with a shared secret"],
        ),
        ("algorithm = \"HS256\"\nsecret_file = \"key.pem\"", &["issuer.app: its key cannot be used"]),
        (
            "algorithm = \"EdDSA\"\nsecret_file = \"secret.txt\"",
            &["c.toml:3: issuer.app.secret_file: EdDSA is checked with a public key"],
        ),
        ("algorithm = \"RS256\"\npublic_key_file = \"key.pem\"", &["issuer.app: its key cannot be used"]),
        ("algorithm = \"EdDSA\"\npublic_key_file = \"secret.txt\"", &["issuer.app: its key cannot be used"]),
        ("algorithm = \"HS256\"\nsecret = \"short\"", &["c.toml:3: issuer.app.secret: the secret has 5 bytes"]),
        (
            "algorithm = \"EdDSA\"\npublic_key_file = \"key.pem\"\nissuer = \"lychgate\"",
            &["c.toml:4: issuer.app.issuer: \"lychgate\" is also tokens.issuer"],
        ),
        (
            "algorithm = \"EdDSA\"\npublic_key_file = \"key.pem\"\nissuer = \"lychgate-dev\"",
            &["c.toml:4: issuer.app.issuer: \"lychgate-dev\" belongs to --dev"],
        ),
    ];
    for (keys, faults) in cases {
        let text = format!("[issuer.app]\n{keys}\n[endpoint.ws]\n");
        let place = Place::with(&[("c.toml", &text), ("key.pem", PEM), ("secret.txt", SECRET)]);
        let ran = place.run(&["config", "check", "--config", "c.toml"]).expect(if faults.is_empty() { 0 } else { 2 });
        for sentence in *faults {
            assert!(ran.err.contains(sentence), "not said: {sentence}\n--- of\n{text}\n--- said\n{}", ran.err);
        }
        assert!(!ran.says(SECRET), "{}", ran.err);
    }
}
