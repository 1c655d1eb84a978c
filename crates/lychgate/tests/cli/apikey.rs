//! API keys, made and revoked from the command line.

use serde_json::{Value, json};

use crate::support::{Place, Ran};

const CONFIG: &str =
    "[database]\nurl = \"sqlite:data/keys.db\"\n[tokens]\nsigning = \"hs256\"\nsecret_env = \"NOT_SET_HERE\"\n";

/// A place with a configuration whose server secret is absent: keys do not need it.
fn place() -> Place {
    Place::with(&[("lychgate.toml", CONFIG)])
}

fn lines(ran: &Ran) -> Vec<Value> {
    let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    ran.out.lines().map(read).collect()
}

/// The text of a key, which is all that its line holds.
fn is_key(text: &str) -> bool {
    text.strip_prefix("lgk_").is_some_and(|rest| {
        rest.len() == 43 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    })
}

#[test]
fn a_key_is_printed_once_and_kept_nowhere() {
    let place = place();
    let ran =
        place.run(&["apikey", "create", "shop", "--scope", "registry:write", "--scope", "registry:read"]).expect(0);
    let key = ran.out.strip_suffix('\n').unwrap();
    assert!(is_key(key), "{}", ran.out);
    assert_eq!(
        ran.err,
        "shop is made, for registry:read registry:write. The key is shown this once; it cannot be shown again.\n"
    );
    let ran = place.run(&["apikey", "create", "other", "--scope", "registry:read", "--json"]).expect(0);
    let made = lines(&ran).remove(0);
    assert!(is_key(made["key"].as_str().unwrap()) && made["key"] != key, "{made}");
    assert_eq!((&made["name"], &made["scopes"]), (&json!("other"), &json!(["registry:read"])));
    assert_eq!(ran.err, "");

    for command in [&["apikey", "list"][..], &["apikey", "list", "--json"], &["apikey", "revoke", "shop"]] {
        assert!(!place.run(command).expect(0).says(&key[4..]), "{command:?}");
    }
    for file in std::fs::read_dir(place.path.join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(43).any(|window| window == &key.as_bytes()[4..]), "the key is on the disk");
    }
}

#[test]
fn a_list_is_a_table_for_people_and_lines_for_programs() {
    let place = place();
    assert_eq!(place.run(&["apikey", "list"]).expect(0).out, "NAME  SCOPES  CREATED  LAST USED  STATE\n");
    assert_eq!(place.run(&["apikey", "list", "--json"]).expect(0).out, "");
    for name in ["shop", "backup"] {
        place.run(&["apikey", "create", name, "--scope", "registry:read"]).expect(0);
    }
    place.run(&["apikey", "revoke", "shop"]).expect(0);
    let table = place.run(&["apikey", "list"]).expect(0).out;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((rows[1][0], rows[1][1], rows[1][3], rows[1][4]), ("backup", "registry:read", "never", "good"));
    assert_eq!((rows[2][0], rows[2][4]), ("shop", "revoked"));

    let listed = lines(&place.run(&["apikey", "list", "--json"]).expect(0));
    assert_eq!((&listed[0]["name"], &listed[0]["revoked"]), (&json!("backup"), &json!(false)));
    assert_eq!((&listed[1]["name"], &listed[1]["revoked"]), (&json!("shop"), &json!(true)));
    assert_eq!(listed[0]["last_used_at"], Value::Null);
    assert!(listed[0]["created_at"].as_str().unwrap().ends_with('Z') && listed[0].get("hash").is_none(), "{listed:?}");
}

#[test]
fn a_key_is_revoked_and_its_name_stays_taken() {
    let place = place();
    let create = ["apikey", "create", "shop", "--scope", "registry:read"];
    place.run(&create).expect(0);
    let ran = place.run(&create).expect(1);
    assert_eq!(
        (ran.out.as_str(), ran.err.as_str()),
        ("", "lychgate: there is, or was, a key called shop; choose another name\n")
    );
    assert_eq!(place.run(&["apikey", "revoke", "shop"]).expect(0).out, "shop is revoked.\n");
    assert_eq!(place.run(&["apikey", "revoke", "shop"]).expect(0).out, "shop was revoked already.\n");
    assert_eq!(place.run(&["apikey", "revoke", "none"]).expect(1).err, "lychgate: there is no key \"none\"\n");
    place.run(&create).expect(1);
    place.run(&["apikey", "create", "shop-2", "--scope", "registry:read"]).expect(0);
    let ran = place.run(&["apikey", "revoke", "shop-2", "--json"]).expect(0);
    assert_eq!(lines(&ran), [json!({"name": "shop-2", "revoked": true, "was_good": true})]);
}

#[test]
fn scopes_and_names_that_cannot_be_are_wrong_usage() {
    let place = place();
    for scope in ["", "registry", "registry:write ", "users:write", "*", "a\u{1b}[2J"] {
        let ran = place.run(&["apikey", "create", "shop", "--scope", "registry:read", "--scope", scope]).expect(2);
        let named = format!("there is no scope \"{}\"", scope.replace('\u{1b}', "\u{fffd}"));
        assert!(ran.err.contains(&named) && ran.err.contains("registry:read and registry:write"), "{}", ran.err);
    }
    let ran = place.run(&["apikey", "create", "shop"]).expect(2);
    assert!(ran.err.contains("--scope"), "{}", ran.err);
    let long = "x".repeat(65);
    for name in ["", "with blank", "é", long.as_str()] {
        let ran = place.run(&["apikey", "create", name, "--scope", "registry:read"]).expect(2);
        assert!(ran.err.contains("visible ASCII"), "{}", ran.err);
    }
    assert_eq!(place.run(&["apikey", "list", "--json"]).expect(0).out, "", "none was made");
    place.run(&["apikey", "create", &long[..64], "--scope", "registry:read"]).expect(0);
}

#[test]
fn paths_of_the_api_are_its_own() {
    let api = "[endpoint.ws]\n[api]\nenabled = true\npath = \"/v1/api\"\n[tokens]\nsigning = \"eddsa\"\n";
    for (more, key) in [
        ("[endpoint.ws]\npath = \"/v1/api/resources/{name}\"\n", "endpoint.ws.path"),
        ("[endpoint.ws]\npath = \"/v1/api/resources\"\n", "endpoint.ws.path"),
        ("[login]\npath = \"/v1/api/resources/login\"\n", "login.path"),
        ("[ticket]\nenabled = true\npath = \"/v1/api/resources/a/members/b\"\n", "ticket.path"),
        ("[route.r]\npath = \"/v1/api/resources/{x}/members\"\nbody = {}\n", "route.r.path"),
    ] {
        let place = Place::with(&[("a.toml", api), ("b.toml", more)]);
        let check = ["config", "check", "--config", "a.toml", "--config", "b.toml"];
        let ran = place.run(&check).expect(2);
        assert!(ran.err.contains(key) && ran.err.contains("/v1/api/resources"), "{}", ran.err);
        std::fs::write(place.path.join("b.toml"), more.replace("/v1/api/", "/v1/other/")).unwrap();
        place.run(&check).expect(0);
    }
    let channels = "[namespace.news]\nchannel = \"news\"\npolicy = { rule = \"any\" }\n";
    for (name, taken) in [("publish", true), ("presence_stats", true), ("publish/x", false), ("published", false)] {
        let more = format!("[endpoint.ws]\npath = \"/v1/api/{name}\"\n");
        let place = Place::with(&[("a.toml", api), ("b.toml", &more), ("c.toml", channels)]);
        place.run(&["config", "check", "--config", "a.toml", "--config", "b.toml"]).expect(0);
        let all = ["config", "check", "--config", "a.toml", "--config", "b.toml", "--config", "c.toml"];
        let ran = place.run(&all).expect(if taken { 2 } else { 0 });
        assert_eq!(ran.err.contains(&format!("which has all of /v1/api/{name}")), taken, "{}", ran.err);
    }
    let place = Place::with(&[("a.toml", &format!("{api}[login]\npath = \"/v1/api/auth/login\"\n"))]);
    place.run(&["config", "check", "--config", "a.toml"]).expect(0);
}

#[test]
fn the_register_says_when_a_change_is_felt() {
    let place = place();
    for command in ["resource", "member"] {
        let help = place.run(&[command, "--help"]).expect(0).out;
        assert!(help.contains("policy.ask_again"), "{help}");
    }
}
