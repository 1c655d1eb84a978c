//! `config import`: what comes of configurations as people have them, and of what is none.
//!
//! Each file of `import/` has what is expected beside it: `NAME.lychgate.toml`. `LYCHGATE_BLESS=1` writes that anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Place, SECRET};

const FILES: [&str; 6] =
    ["v5_shop.json", "v5_proxies.yaml", "v6_chat.json", "v6_backend.yaml", "v6_open.toml", "v6_everything.json"];

/// The public half of a key, for the files that an issuer names.
const PUBLIC_KEYS: [(&str, &str); 2] = [
    (
        "backend-rsa.pem",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokens/keys/test-only-rs256.public.pem")),
    ),
    (
        "backend-ecdsa.pem",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokens/keys/test-only-es256.public.pem")),
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/import")
}

fn import<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["config", "import", "--from", "centrifugo", file], more].concat()
}

#[test]
fn a_configuration_becomes_one_that_is_good() {
    let environment = BTreeMap::from([
        ("CENTRIFUGO_TOKEN_SECRET", SECRET),
        ("LYCHGATE_CALL_SECRET", "another-secret-of-the-tests-8d1f02c7aa"),
        ("RPC_URL", "http://127.0.0.1:3000/rpc?key=a-key"),
        ("PRIVATE_URL", "https://robot:password@backend.example.com/private"),
    ]);
    for file in FILES {
        let place = Place::with(&PUBLIC_KEYS);
        let text = fs::read_to_string(folder().join(file)).unwrap();
        fs::write(place.path.join(file), &text).unwrap();
        let printed = place.run(&import(file, &[])).expect(0);
        let written = place.run(&import(file, &["--out", "ours.toml"])).expect(0);
        assert_eq!(fs::read_to_string(place.path.join("ours.toml")).unwrap(), printed.out, "{file}");
        assert!(written.out.is_empty() && written.err == printed.err, "{file}");
        place.run_in(&environment, &["config", "check", "--config", "ours.toml"]).expect(0);
        // What people are told is at the head of the file as well.
        for line in printed.err.lines().filter(|line| !line.is_empty()) {
            assert!(printed.out.contains(&format!("# {line}\n")), "{file}: {line}");
        }
        // Every secret of these files has words of this form in it.
        let secrets: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c == '"')
            .filter(|word| word.contains("the-") || *word == "short-secret")
            .collect();
        assert!(!secrets.is_empty(), "{file}");
        for secret in secrets {
            assert!(!printed.says(secret), "{file}: {secret} is repeated");
        }
        let expected = folder().join(format!("{}.lychgate.toml", file.split('.').next().unwrap()));
        if std::env::var_os("LYCHGATE_BLESS").is_some() {
            fs::write(&expected, &printed.out).unwrap();
        }
        assert_eq!(printed.out, fs::read_to_string(&expected).unwrap_or_default(), "{file}");
    }
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let place =
        Place::with(&[("config.json", r#"{"api_key": "x", "token_hmac_secret_key": "y"}"#), ("ours.toml", "mine")]);
    let ran = place.run(&import("config.json", &["--out", "ours.toml"])).expect(2);
    assert!(ran.err.contains("ours.toml is there already"), "{}", ran.err);
    assert_eq!(fs::read_to_string(place.path.join("ours.toml")).unwrap(), "mine");
    place.run(&import("config.json", &["--out", "other.toml"])).expect(0);
}

#[test]
fn what_is_no_such_configuration_is_named() {
    let place = Place::with(&[
        ("broken.json", "{\n\"client\": {\n}}}"),
        ("broken.yaml", "client:\n  token: [\n"),
        ("broken.toml", "[client]\ninsecure = maybe\n"),
        ("twice.json", "{\"client\": {},\n\"client\": {}}"),
        ("twice.yaml", "client: {}\nclient: {}\n"),
        ("other.json", r#"{"name_of_the_cat": "Mia"}"#),
        ("list.json", "[1]"),
        ("nothing.yaml", ""),
        ("no_text.json", ""),
        ("kinds.json", r#"{"client": {"token": {"hmac_secret_key": ["the-secret"]}, "channel_limit": "many"}}"#),
        ("kinds.yaml", "namespaces:\n  - name: a\n    history_ttl: soon\n    presence: 7\n"),
    ]);
    fs::create_dir(place.path.join("folder.json")).unwrap();
    fs::write(place.path.join("binary.json"), [0xff, 0xfe, 0x00]).unwrap();
    fs::File::create(place.path.join("huge.json")).unwrap().set_len(5 * 1024 * 1024).unwrap();
    for (file, says) in [
        ("missing.json", &["cannot read missing.json"][..]),
        ("folder.json", &["folder.json is no file"]),
        ("huge.json", &["larger than 4 MiB"]),
        ("binary.json", &["no text in UTF-8"]),
        ("broken.json", &["broken.json:3: this is not JSON"]),
        ("broken.yaml", &["broken.yaml:", ": this is not YAML"]),
        ("broken.toml", &["broken.toml:2: this is not TOML"]),
        ("twice.json", &["twice.json:2: a key is there twice"]),
        ("twice.yaml", &["twice.yaml:2: a key is there twice"]),
        ("other.json", &["none of its keys is one of a configuration of Centrifugo 5"]),
        ("list.json", &["expected the keys of a configuration, found a list"]),
        ("nothing.yaml", &["found nothing"]),
        ("no_text.json", &["this is not JSON"]),
        (
            "kinds.json",
            &[
                "client.token.hmac_secret_key: expected text, found a list",
                "client.channel_limit: expected a whole number, found text",
            ],
        ),
        (
            "kinds.yaml",
            &[
                "namespaces[a].history_ttl: expected a time such as \"25s\", found text",
                "namespaces[a].presence: expected true or false, found a number",
            ],
        ),
    ] {
        let ran = place.run(&import(file, &[])).expect(2);
        assert!(ran.out.is_empty(), "{file}");
        for says in says {
            assert!(ran.err.contains(says), "{file}: {}", ran.err);
        }
        assert!(!ran.says("the-secret"), "{file}: {}", ran.err);
    }
    let ran = place.run(&["config", "import", "--from", "nobody", "list.json"]).expect(2);
    assert!(ran.err.contains("centrifugo"), "{}", ran.err);
}

#[test]
fn the_language_is_seen_where_the_name_does_not_tell_it() {
    let place = Place::with(&[
        ("a", r#"{"namespaces": [{"name": "chat"}]}"#),
        ("b.conf", "namespaces:\n  - name: chat\n"),
        ("c.cfg", "[[channel.namespaces]]\nname = \"chat\"\n"),
        ("d.txt", "{ no: [ json"),
    ]);
    for (file, version) in [("a", 5), ("b.conf", 5), ("c.cfg", 6)] {
        let ran = place.run(&import(file, &[])).expect(0);
        assert!(ran.out.contains(&format!("from {file}, a configuration of Centrifugo {version}")), "{}", ran.out);
        assert!(ran.out.contains("channel = \"chat:{name}\""), "{}", ran.out);
    }
    place.run(&import("d.txt", &[])).expect(2);
}
