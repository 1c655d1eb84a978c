//! Sessions and revocations from the command line. What a running server makes of them is tested with one.

use crate::support::Place;

const CONFIG: &str =
    "[database]\nurl = \"sqlite:data/people.db\"\n[tokens]\nsigning = \"hs256\"\nsecret_env = \"NOT_SET_HERE\"\n";

fn place() -> Place {
    let place = Place::with(&[("lychgate.toml", CONFIG)]);
    let add = ["user", "add", "alice", "--password-stdin"];
    place.feed("purple-Lantern-52\n", &add).expect(0);
    place
}

#[test]
fn what_can_be_revoked_is() {
    let place = place();
    for arguments in [
        &["token", "revoke", "--jti", "a"][..],
        &["token", "revoke", "--sid", "a"],
        &["token", "revoke", "--user", "a"],
        &["token", "revoke", "--user", "a", "--issued-before", "2026-11-01T00:00:00Z"],
        &["token", "revoke", "--issued-before", "2h"],
    ] {
        assert_eq!(place.run(arguments).expect(0).out, "Revoked.\n", "{arguments:?}");
    }
    assert_eq!(place.run(&["token", "revoke", "--jti", "b", "--json"]).expect(0).out, "{\"revoked\":true}\n");
    let ran = place.run(&["user", "block", "alice", "--until", "2099-01-01T00:00:00Z"]).expect(0);
    assert_eq!(ran.out, "alice is blocked until 2099-01-01T00:00:00Z.\n");
    assert_eq!(place.run(&["user", "unblock", "#1"]).expect(0).out, "#1 is not blocked.\n");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let place = place();
    for (arguments, code) in [
        (&["token", "revoke"][..], 2),
        (&["token", "revoke", "--jti", "a", "--sid", "b"], 2),
        (&["token", "revoke", "--jti", "a", "--user", "b"], 2),
        (&["token", "revoke", "--sid", "a", "--issued-before", "2h"], 2),
        (&["token", "revoke", "--issued-before", "yesterday"], 2),
        (&["user", "block", "alice"], 2),
        (&["user", "block", "alice", "--until", "2020-01-01T00:00:00Z"], 2),
        (&["user", "block", "nobody", "--until", "1h"], 1),
        (&["session", "list", "nobody"], 1),
        (&["session", "end", "none"], 1),
    ] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
    let ran = place.run(&["session", "list", "alice"]).expect(0);
    assert_eq!(ran.out, "SESSION  BEGAN  LAST USED  FROM  STATE\n");
    assert_eq!(place.run(&["session", "list", "alice", "--json"]).expect(0).out, "");
}

#[test]
fn settings_that_contradict_each_other_stop_the_start() {
    let cases = [
        ("[sessions]\nrefresh_tokens = true\nidle_timeout = \"2d\"\nlifetime = \"1d\"\n", "sessions.idle_timeout"),
        ("[sessions]\nrefresh_tokens = true\nrevoke_path = \"/token\"\n", "sessions.revoke_path"),
        ("[revocations]\nread_every = \"3s\"\nstale_after = \"5s\"\n", "revocations.stale_after"),
    ];
    for (text, key) in cases {
        let config = format!("[tokens]\nsigning = \"eddsa\"\n{text}");
        let place = Place::with(&[("lychgate.toml", &config)]);
        let ran = place.run(&["config", "check"]).expect(2);
        assert!(ran.err.contains(key) && ran.err.contains("lychgate.toml:"), "{}", ran.err);
    }
    let fine = "[tokens]\nsigning = \"eddsa\"\n[sessions]\nidle_timeout = \"2d\"\nlifetime = \"1d\"\n";
    Place::with(&[("lychgate.toml", fine)]).run(&["config", "check"]).expect(0);
}
