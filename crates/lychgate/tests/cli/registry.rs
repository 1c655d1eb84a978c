//! The register of resources and members, filled from the command line.

use serde_json::{Value, json};

use crate::support::{Place, Ran};

const CONFIG: &str =
    "[database]\nurl = \"sqlite:data/register.db\"\n[tokens]\nsigning = \"hs256\"\nsecret_env = \"NOT_SET_HERE\"\n";

/// A place with a configuration whose server secret is absent: the register does not need it.
fn place() -> Place {
    Place::with(&[("lychgate.toml", CONFIG)])
}

fn lines(ran: &Ran) -> Vec<Value> {
    let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    ran.out.lines().map(read).collect()
}

#[test]
fn a_resource_is_registered_shown_handed_over_and_removed() {
    let place = place();
    let ran = place.run(&["resource", "add", "entry:17", "--owner", "alice"]).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("entry:17 is registered and belongs to alice.\n", ""));
    let ran = place.run(&["resource", "show", "entry:17", "--json"]).expect(0);
    assert_eq!(lines(&ran), [json!({"name": "entry:17", "owner": "alice"})]);

    let ran = place.run(&["resource", "add", "entry:17", "--owner", "bob"]).expect(0);
    assert_eq!(ran.out, "entry:17 was registered and now belongs to bob.\n");
    let ran = place.run(&["resource", "add", "entry:17", "--json"]).expect(0);
    assert_eq!(lines(&ran), [json!({"name": "entry:17", "owner": null})]);
    let ran = place.run(&["resource", "show", "entry:17"]).expect(0);
    assert_eq!(ran.out, "NAME      OWNER\nentry:17  -\n");

    let ran = place.run(&["resource", "remove", "entry:17"]).expect(0);
    assert_eq!(ran.out, "entry:17 and its members are removed.\n");
    for command in ["show", "remove"] {
        let ran = place.run(&["resource", command, "entry:17"]).expect(1);
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "lychgate: there is no resource \"entry:17\"\n"));
    }
}

#[test]
fn members_are_added_listed_and_removed() {
    let place = place();
    let ran = place.run(&["member", "add", "chat:5", "alice"]).expect(1);
    assert_eq!(ran.err, "lychgate: there is no resource \"chat:5\"\n");
    place.run(&["member", "list", "chat:5"]).expect(1);
    place.run(&["resource", "add", "chat:5"]).expect(0);
    assert_eq!(place.run(&["member", "list", "chat:5"]).expect(0).out, "USER\n");

    let ran = place.run(&["member", "add", "chat:5", "alice"]).expect(0);
    assert_eq!(ran.out, "alice is a member of chat:5.\n");
    let ran = place.run(&["member", "add", "chat:5", "alice"]).expect(0);
    assert_eq!(ran.out, "alice was a member of chat:5 already.\n");
    let ran = place.run(&["member", "add", "chat:5", "Bob Ross", "--json"]).expect(0);
    assert_eq!(lines(&ran), [json!({"resource": "chat:5", "user": "Bob Ross"})]);

    assert_eq!(place.run(&["member", "list", "chat:5"]).expect(0).out, "USER\nBob Ross\nalice\n");
    let users: Vec<_> = lines(&place.run(&["member", "list", "chat:5", "--json"]).expect(0))
        .iter()
        .map(|line| line["user"].clone())
        .collect();
    assert_eq!(users, ["Bob Ross", "alice"]);

    place.run(&["resource", "add", "chat:5", "--owner", "carol"]).expect(0);
    assert_eq!(place.run(&["member", "list", "chat:5"]).expect(0).out, "USER\nBob Ross\nalice\n", "they stay");
    let ran = place.run(&["member", "remove", "chat:5", "alice"]).expect(0);
    assert_eq!(ran.out, "alice is no member of chat:5 any more.\n");
    let ran = place.run(&["member", "remove", "chat:5", "alice"]).expect(1);
    assert_eq!(ran.err, "lychgate: \"alice\" is no member of chat:5\n");
    let ran = place.run(&["member", "remove", "chat:6", "alice"]).expect(1);
    assert_eq!(ran.err, "lychgate: there is no resource \"chat:6\"\n");
}

#[test]
fn a_list_is_a_table_for_people_and_lines_for_programs() {
    let place = place();
    assert_eq!(place.run(&["resource", "list"]).expect(0).out, "NAME  OWNER\n");
    assert_eq!(place.run(&["resource", "list", "--json"]).expect(0).out, "");
    place.run(&["resource", "add", "entry:17", "--owner", "alice"]).expect(0);
    place.run(&["resource", "add", "chat:5"]).expect(0);
    assert_eq!(place.run(&["resource", "list"]).expect(0).out, "NAME      OWNER\nchat:5    -\nentry:17  alice\n");
    let names: Vec<_> =
        lines(&place.run(&["resource", "list", "--json"]).expect(0)).iter().map(|line| line["name"].clone()).collect();
    assert_eq!(names, ["chat:5", "entry:17"]);
}

#[test]
fn names_that_cannot_be_are_wrong_usage() {
    let place = place();
    let long = "x".repeat(256);
    for name in ["", "with blank", "é", "tab\t", long.as_str()] {
        let ran = place.run(&["resource", "add", name]).expect(2);
        assert!(ran.err.contains("visible ASCII"), "{}", ran.err);
    }
    place.run(&["resource", "add", "chat:5"]).expect(0);
    for user in ["", "a\u{1b}[2J", long.as_str()] {
        place.run(&["member", "add", "chat:5", user]).expect(2);
        place.run(&["resource", "add", "chat:5", "--owner", user]).expect(2);
    }
    place.run(&["resource", "add", &long[..255], "--owner", &long[..255]]).expect(0);
}

#[test]
fn a_database_that_cannot_be_opened_is_named() {
    let place = Place::with(&[("lychgate.toml", CONFIG), ("data", "not a folder")]);
    for command in [["resource", "list"].as_slice(), &["member", "list", "chat:5"]] {
        let ran = place.run(command).expect(1);
        assert!(ran.err.contains("database.url"), "{}", ran.err);
    }
}
