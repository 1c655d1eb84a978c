//! The environment: our own variables over the files, the variables of other programs between the two.

use std::collections::BTreeMap;

use crate::support::Place;

const FILE: &str =
    "[server]\nlisten = \"127.0.0.1:8000\"\n[tokens]\nlifetime = \"30m\"\n[endpoint.my-room]\npath = \"/room\"\n";

/// Prints the configuration under these variables.
fn printed(environment: &[(&str, &str)]) -> (i32, String, String) {
    let place = Place::with(&[("c.toml", FILE)]);
    let environment: BTreeMap<_, _> = environment.iter().copied().collect();
    let checked = place.run_in(&environment, &["config", "check", "--config", "c.toml"]);
    let ran = place.run_in(&environment, &["config", "print", "--config", "c.toml"]);
    assert_eq!(ran.code, checked.code);
    (ran.code, ran.out, checked.err)
}

#[test]
fn a_variable_sets_what_its_name_says() {
    let cases = [
        ("LYCHGATE__SERVER__LISTEN", "127.0.0.1:7", "listen = \"127.0.0.1:7\"  # $LYCHGATE__SERVER__LISTEN"),
        ("LYCHGATE__SERVER__WORKERS", "3", "workers = 3  # $"),
        (
            "LYCHGATE__SERVER__ORIGINS",
            "https://a.example, https://b.example",
            "origins = [\"https://a.example\", \"https://b.example\"]  # $",
        ),
        ("LYCHGATE__SERVER__ORIGINS", "[\"https://a.example\"]", "origins = [\"https://a.example\"]  # $"),
        ("LYCHGATE__LOGIN__ENABLED", "false", "enabled = false  # $"),
        ("LYCHGATE__LIMITS__QUEUE_BYTES_MAX", "2MiB", "queue_bytes_max = \"2MiB\"  # $"),
        ("LYCHGATE__LIMITS__QUEUE_BYTES_MAX", "2097153", "queue_bytes_max = 2097153  # $"),
        ("LYCHGATE__ENDPOINT__MY_ROOM__CHANNEL", "all:1", "channel = \"all:1\"  # $"),
        ("LYCHGATE__ENDPOINT__MY_ROOM__CODEC__ANSWER_PING", "true", "answer_ping = true  # $"),
        ("LYCHGATE__PROFILE__MINE__SLOW", "[4001, \"too slow\"]", "slow = [4001, \"too slow\"]  # $"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "5", "lifetime = \"5m\"  # $ACCESS_TOKEN_EXPIRE_MINUTES"),
        ("JWT_EXPIRATION_HOURS", "5", "lifetime = \"5h\"  # $JWT_EXPIRATION_HOURS"),
        ("WS_PORT", "8083", "listen = \"127.0.0.1:8083\"  # $WS_PORT"),
        ("LOG_LEVEL", "WARNING", "level = \"warn\"  # $LOG_LEVEL"),
        ("LOG_LEVEL", "INFO", "level = \"info\"  # $LOG_LEVEL"),
    ];
    let (_, without, _) = printed(&[]);
    for (name, value, line) in cases {
        let (code, out, err) = printed(&[(name, value)]);
        assert_eq!(code, 0, "{name}={value}: {err}");
        assert!(out.contains(line), "{name}={value} does not give: {line}\n{out}");
        assert!(!without.contains(line), "{line} is there without {name}");
    }
}

#[test]
fn a_variable_that_says_nothing_sensible_is_a_fault() {
    let cases = [
        (
            "LYCHGATE__SERVER__WORKERS",
            "many",
            "environment variable LYCHGATE__SERVER__WORKERS: server.workers: expected a whole number",
        ),
        (
            "LYCHGATE__SERVER__WORKER",
            "3",
            "environment variable LYCHGATE__SERVER__WORKER: server.worker: unknown key \"worker\"",
        ),
        ("LYCHGATE__SERVER", "3", "environment variable LYCHGATE__SERVER: server: expected a section, found text"),
        ("LYCHGATE__SRVER__LISTEN", "x", "srver: unknown section \"srver\""),
        ("LYCHGATE__SERVER__LISTEN__X", "3", "server.listen: expected an address in quotes, found a table"),
        ("LYCHGATE__ENDPOINT__MY_ROOM__PATH", "room", "endpoint.my-room.path: \"room\" is not a path"),
        (
            "ACCESS_TOKEN_EXPIRE_MINUTES",
            "half an hour",
            "variable ACCESS_TOKEN_EXPIRE_MINUTES: tokens.lifetime: this is not a value",
        ),
        (
            "ACCESS_TOKEN_EXPIRE_MINUTES",
            "0",
            "variable ACCESS_TOKEN_EXPIRE_MINUTES: tokens.lifetime: \"0m\" is outside the bounds",
        ),
        ("JWT_EXPIRATION_HOURS", "a day", "variable JWT_EXPIRATION_HOURS: tokens.lifetime: this is not a value"),
        ("WS_PORT", "99999", "variable WS_PORT: server.listen: this is not a value"),
        ("LOG_LEVEL", "LOUD", "variable LOG_LEVEL: log.level: \"loud\" is not known here"),
    ];
    for (name, value, sentence) in cases {
        let (code, _, err) = printed(&[(name, value)]);
        assert_eq!(code, 2, "{name}={value}");
        assert!(err.contains(sentence), "not said: {sentence}\n{err}");
    }
}

#[test]
fn two_names_of_one_setting_must_agree() {
    let (code, out, _) = printed(&[("ACCESS_TOKEN_EXPIRE_MINUTES", "5"), ("LYCHGATE__TOKENS__LIFETIME", "5m")]);
    assert_eq!(code, 0);
    assert!(out.contains("lifetime = \"5m\"  # $LYCHGATE__TOKENS__LIFETIME"), "{out}");
    let (code, _, err) = printed(&[("ACCESS_TOKEN_EXPIRE_MINUTES", "5"), ("LYCHGATE__TOKENS__LIFETIME", "6m")]);
    assert_eq!(code, 2);
    assert!(err.contains("tokens.lifetime: it says 5m, and LYCHGATE__TOKENS__LIFETIME says something else"), "{err}");
    let (code, _, err) = printed(&[("ACCESS_TOKEN_EXPIRE_MINUTES", "5"), ("JWT_EXPIRATION_HOURS", "24")]);
    assert_eq!(code, 2);
    assert!(err.contains("tokens.lifetime: it says 24h, and ACCESS_TOKEN_EXPIRE_MINUTES says something else"), "{err}");
    let (code, ..) = printed(&[("ACCESS_TOKEN_EXPIRE_MINUTES", "1440"), ("JWT_EXPIRATION_HOURS", "24")]);
    assert_eq!(code, 2, "however much they mean the same");
}

#[test]
fn an_alias_that_changes_a_file_says_so() {
    let (_, _, err) = printed(&[("WS_PORT", "8083")]);
    assert!(err.contains("variable WS_PORT: server.listen: sets 127.0.0.1:8083, over c.toml:2"), "{err}");
    let (_, _, err) = printed(&[("WS_PORT", "8000"), ("LOG_LEVEL", "DEBUG"), ("ACCESS_TOKEN_EXPIRE_MINUTES", "")]);
    assert!(!err.contains("over c.toml"), "{err}");
}

#[test]
fn a_test_token_is_ignored_outside_development() {
    let (code, _, err) = printed(&[("WS_TEST_TOKEN", "abc.def.ghi")]);
    assert_eq!(code, 0);
    assert!(err.contains("variable WS_TEST_TOKEN: test token: is ignored"), "{err}");
    assert!(!err.contains("abc.def.ghi"), "{err}");
}

#[test]
fn a_later_file_lies_over_an_earlier_one() {
    let place = Place::with(&[
        (
            "a.toml",
            "[server]\nworkers = 1\norigins = [\"https://a.example\"]\n[endpoint.a]\npath = \"/a\"\n[endpoint.a.codec]\nstamp = { x = \"uuid\", y = \"uuid\" }\n",
        ),
        (
            "b.toml",
            "[server]\norigins = [\"https://b.example\"]\n[endpoint.a.codec.stamp]\nx = \"now.unix\"\n[endpoint.b]\npath = \"/b\"\n",
        ),
    ]);
    let ran = place.run(&["config", "print", "--config", "a.toml", "--config", "b.toml"]).expect(0);
    for line in [
        "workers = 1  # a.toml:2",
        "origins = [\"https://b.example\"]  # b.toml:2",
        "path = \"/a\"  # a.toml:5",
        "stamp = { x = \"now.unix\", y = \"uuid\" }",
        "path = \"/b\"  # b.toml:6",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    let ran = place.run(&["config", "print", "--config", "b.toml", "--config", "a.toml"]).expect(0);
    assert!(ran.out.contains("stamp = { x = \"uuid\", y = \"uuid\" }"), "{}", ran.out);
}

#[test]
fn a_variable_can_name_the_file() {
    let place = Place::with(&[("mine.toml", "[server]\nworkers = 7\n")]);
    let environment = BTreeMap::from([("LYCHGATE_CONFIG", "mine.toml")]);
    assert!(place.run_in(&environment, &["config", "print"]).expect(0).out.contains("workers = 7"));
    place.run(&["config", "print"]).expect(2);
}
