//! Accounts in a database of the test's own.

use serde_json::Value;

use crate::support::{Place, Ran};

const CONFIG: &str =
    "[database]\nurl = \"sqlite:data/accounts.db\"\n[tokens]\nsigning = \"hs256\"\nsecret_env = \"NOT_SET_HERE\"\n";
const PASSWORD: &str = "purple-Lantern-52\n";

/// A place with a configuration whose server secret is absent: accounts do not need it.
fn place() -> Place {
    Place::with(&[("lychgate.toml", CONFIG)])
}

fn show(place: &Place, user: &str) -> Value {
    json(&place.run(&["user", "show", user, "--json"]).expect(0))
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {}", ran.out))
}

#[test]
fn an_account_is_made_shown_disabled_and_enabled() {
    let place = place();
    let added = ["user", "add", "alice", "--email", "alice@example.com", "--password-stdin"];
    let ran = place.feed(PASSWORD, &added).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("alice (#1) made.\n", ""));

    let alice = show(&place, "alice");
    assert_eq!(alice["name"], "alice");
    assert_eq!(alice["email"], "alice@example.com");
    assert_eq!(alice["active"], true);
    assert!(alice["password"].as_str().is_some_and(|kind| kind.starts_with("argon2id")), "{alice}");
    assert_eq!(show(&place, "ALICE@example.com"), alice);
    assert_eq!(show(&place, "#1"), alice);

    let ran = place.run(&["user", "disable", "alice"]).expect(0);
    assert!(ran.out.contains("is disabled"), "{}", ran.out);
    assert_eq!(show(&place, "alice")["active"], false);
    place.run(&["user", "enable", "#1"]).expect(0);
    assert_eq!(show(&place, "alice")["active"], true);

    for command in ["show", "disable", "enable"] {
        let ran = place.run(&["user", command, "bob"]).expect(1);
        assert_eq!(ran.err, "lychgate: there is no account \"bob\"\n");
    }
    let ran = place.feed(PASSWORD, &["user", "add", "alice", "--password-stdin"]).expect(1);
    assert_eq!(ran.err, "lychgate: the name is taken\n");
}

#[test]
fn a_list_is_a_table_for_people_and_lines_for_programs() {
    let place = place();
    for name in ["alice", "bob"] {
        place.feed(PASSWORD, &["user", "add", name, "--password-stdin", "--disabled"]).expect(0);
    }
    let table = place.run(&["user", "list"]).expect(0).out;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..4], ["ID", "NAME", "E-MAIL", "STATE"]);
    assert_eq!(rows[2][..4], ["2", "bob", "-", "disabled"]);
    let column = |line: &str, name: &str| line.find(name).unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(column(lines[0], "STATE"), column(lines[1], "disabled"));

    let lines = place.run(&["user", "list", "--json"]).expect(0).out;
    let names: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["alice", "bob"]);
}

#[test]
fn a_password_comes_from_a_stream_and_never_from_an_argument() {
    let place = place();
    place.run(&["user", "add", "alice", "--password", "purple-Lantern-52"]).expect(2);
    // No terminal to ask on: setsid is what a service has.
    let ran = place.run(&["user", "add", "alice", "--password-stdin"]).expect(2);
    assert!(ran.err.contains("first line of standard input is empty"), "{}", ran.err);

    let ran = place.feed("password\n", &["user", "add", "alice", "--password-stdin"]).expect(1);
    assert_eq!(ran.err, "lychgate: the password is one of the most common ones\n");
    place.feed("password\n", &["user", "add", "alice", "--password-stdin", "--allow-weak"]).expect(0);

    let before = std::fs::read(place.path.join("data/accounts.db")).unwrap();
    place.feed("short\n", &["user", "passwd", "alice", "--password-stdin"]).expect(1);
    assert!(
        std::fs::read(place.path.join("data/accounts.db")).unwrap() == before,
        "a refused password changed the database"
    );
    let ran = place.feed(PASSWORD, &["user", "passwd", "alice", "--password-stdin"]).expect(0);
    assert_eq!(ran.out, "alice (#1) has a new password.\n");
    assert!(std::fs::read(place.path.join("data/accounts.db")).unwrap() != before);
    assert!(!ran.says("purple"));
}

#[test]
fn a_file_is_imported_with_a_line_for_each_refused_row() {
    let hash = "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW";
    let csv = format!(
        "name,email,password_hash,active\nada,ada@example.com,{hash},true\nbob,,{hash},false\nada,,{hash},true\ncarl,,notahash,true\n"
    );
    let jsonl = format!("{{\"name\":\"dora\",\"password_hash\":\"{hash}\"}}\n{{\"name\":\"eve\"}}\n");
    let place = Place::with(&[("lychgate.toml", CONFIG), ("people.csv", &csv), ("people.jsonl", &jsonl)]);

    let ran = place.run(&["user", "import", "people.csv", "--dry-run"]).expect(1);
    assert_eq!(ran.out, "2 would be made, 2 refused.\n");
    assert_eq!(place.run(&["user", "list", "--json"]).expect(0).out, "");

    let ran = place.run(&["user", "import", "people.csv"]).expect(1);
    assert_eq!(ran.out, "2 made, 2 refused.\n");
    assert!(ran.err.starts_with("line 4: the name is taken\nline 5: the password hash is neither"), "{}", ran.err);
    assert!(!ran.says(hash));
    assert_eq!(show(&place, "bob")["active"], false);

    let ran = place.run(&["user", "import", "people.jsonl", "--json"]).expect(1);
    let report = json(&ran);
    assert_eq!(
        (&report["created"], &report["refused"], &report["faults"][0]["line"]),
        (&1.into(), &1.into(), &2.into())
    );

    let ran = place.feed(&jsonl.replace("dora", "fred"), &["user", "import", "-", "--format", "jsonl"]).expect(1);
    assert_eq!(ran.out, "1 made, 1 refused.\n");
    place.feed(&jsonl, &["user", "import", "-"]).expect(2);
    let good = "name,password\ngus,purple-Lantern-52\n";
    place.feed(good, &["user", "import", "-", "--format", "csv"]).expect(0);
}

#[test]
fn attributes_are_set_replaced_and_removed() {
    let place = place();
    for name in ["alice", "bob"] {
        place.feed(PASSWORD, &["user", "add", name, "--password-stdin"]).expect(0);
    }
    let set =
        ["user", "set", "alice", "display_name=Alice = L.", "level=7", "share=0.5", "admin=true", "badge=\"007\""];
    let ran = place.run(&set).expect(0);
    assert_eq!(ran.out, "alice (#1) has new attributes.\n");
    let all = serde_json::json!({
        "display_name": "Alice = L.", "level": 7, "share": 0.5, "admin": true, "badge": "007"
    });
    assert_eq!(show(&place, "alice")["attributes"], all);
    assert_eq!(show(&place, "bob")["attributes"], serde_json::json!({}), "and nobody else's");

    place
        .run(&["user", "set", "#1", "level=8", "--remove", "share", "--remove", "badge", "--remove", "none"])
        .expect(0);
    let rest = serde_json::json!({ "display_name": "Alice = L.", "level": 8, "admin": true });
    assert_eq!(show(&place, "alice")["attributes"], rest);

    let long = format!("a={}", "x".repeat(4_096));
    let many: Vec<String> = (0..62).map(|n| format!("a{n}=1")).collect();
    let mut too_many = vec!["user", "set", "alice", "level=9"];
    too_many.extend(many.iter().map(String::as_str));
    for (arguments, code, said) in [
        (vec!["user", "set", "alice", "level"], 2, "\"level\" is not NAME=VALUE"),
        (vec!["user", "set", "alice"], 2, "required"),
        (vec!["user", "set", "alice", "level=9", "name=eve"], 1, "an attribute's name is 1 to 64 letters"),
        (vec!["user", "set", "alice", "level=9", "__proto__=1"], 1, "an attribute's name is 1 to 64 letters"),
        (vec!["user", "set", "alice", "level=9", "note=a\nb"], 1, "a text without control characters"),
        (vec!["user", "set", "alice", "level=9", &long], 1, "more than 4096 bytes"),
        (too_many, 1, "more than 64 attributes"),
        (vec!["user", "set", "carol", "level=9"], 1, "there is no account \"carol\""),
    ] {
        let ran = place.run(&arguments).expect(code);
        assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
        assert_eq!(show(&place, "alice")["attributes"], rest, "{arguments:?} changed something");
    }
}

#[test]
fn attributes_come_along_with_a_file() {
    let csv = "name,password,attributes\nada,purple-Lantern-52,\"{\"\"level\"\":1,\"\"admin\"\":true}\"\nbob,purple-Lantern-52,\n\
               carl,purple-Lantern-52,\"{\"\"tags\"\":[]}\"\ndora,purple-Lantern-52,level\n";
    let jsonl = concat!(
        r#"{"name":"eve","password":"purple-Lantern-52","attributes":{"level":2,"display_name":"Eve"}}"#,
        "\n",
        r#"{"name":"fred","password":"purple-Lantern-52","attributes":{"level":2,"level":3}}"#,
        "\n",
        r#"{"name":"gus","password":"purple-Lantern-52","attributes":["level"]}"#,
        "\n",
    );
    let place = Place::with(&[("lychgate.toml", CONFIG), ("people.csv", csv), ("people.jsonl", jsonl)]);
    let ran = place.run(&["user", "import", "people.csv"]).expect(1);
    assert_eq!(ran.out, "2 made, 2 refused.\n");
    assert!(
        ran.err.contains("line 4: an attribute is a text") && ran.err.contains("line 5: the attributes are no JSON"),
        "{}",
        ran.err
    );
    assert_eq!(show(&place, "ada")["attributes"], serde_json::json!({ "level": 1, "admin": true }));
    assert_eq!(show(&place, "bob")["attributes"], serde_json::json!({}));
    let ran = place.run(&["user", "import", "people.jsonl"]).expect(1);
    assert_eq!(ran.out, "1 made, 2 refused.\n");
    assert!(
        ran.err.contains("line 2: an attribute occurs twice") && ran.err.contains("line 3: up to column"),
        "{}",
        ran.err
    );
    assert_eq!(show(&place, "eve")["attributes"], serde_json::json!({ "level": 2, "display_name": "Eve" }));
}

#[test]
fn a_database_that_cannot_be_opened_is_named() {
    let place = Place::with(&[("lychgate.toml", CONFIG), ("data", "not a folder")]);
    let ran = place.run(&["user", "list"]).expect(1);
    assert!(ran.err.contains("database.url"), "{}", ran.err);
}
