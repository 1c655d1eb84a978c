//! What `--dev` changes, read the way the server reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use lychgate::config::{self, DEV_ISSUER, Event, Loaded, Machine, Operations, Signing, SigningMethod, Sources};

use crate::support::SECRET;

fn load(text: &str, environment: &[(&str, &str)], dev: bool) -> Loaded {
    let environment: BTreeMap<String, String> =
        environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let files = vec![("c.toml".to_owned(), text.to_owned())];
    match config::load(&Sources { files, environment, dev, machine: Machine { descriptors: None } }) {
        Ok(loaded) => loaded,
        Err(faults) => panic!("{faults}"),
    }
}

#[test]
fn no_configured_secret_is_used() {
    let text = "[tokens]\nsigning = \"hs256\"\nissuer = \"prod\"\n[issuer.app]\nalgorithm = \"HS256\"\nsecret_env = \"APP\"\n[endpoint.ws]\n";
    let environment = [("JWT_SECRET_KEY", SECRET), ("APP", SECRET), ("WS_TEST_TOKEN", "a.b.c")];
    let dev = load(text, &environment, true);
    assert!(matches!(dev.config.signing, Signing::Ephemeral(SigningMethod::Hs256)));
    assert_eq!(dev.config.tokens.issuer, DEV_ISSUER);
    assert!(dev.config.issuers.is_empty());
    assert!(dev.config.test_token.is_some());
    let notices: Vec<_> = dev.notices.iter().map(ToString::to_string).collect();
    assert!(
        notices.iter().any(|notice| notice.contains("JWT_SECRET_KEY") && notice.contains("is ignored")),
        "{notices:?}"
    );
    assert!(notices.iter().any(|notice| notice.contains("issuer.app") && notice.contains("left out")), "{notices:?}");

    let real = load(text, &environment, false);
    assert!(matches!(real.config.signing, Signing::Secret(_)));
    assert_eq!(real.config.tokens.issuer, "prod");
    assert_eq!(real.config.issuers.len(), 1);
    assert!(real.config.test_token.is_none());
}

#[test]
fn it_stays_on_this_machine_and_keeps_nothing() {
    let text = "[server]\nlisten = \"0.0.0.0:8123\"\noperations_listen = \"10.0.0.1:9123\"\n[database]\nurl = \"sqlite:real.db\"\n[endpoint.ws]\n";
    let dev = load(text, &[], true).config;
    assert_eq!(dev.server.listen.to_string(), "127.0.0.1:8123");
    assert!(
        matches!(dev.server.operations_listen, Operations::Own(address) if address.to_string() == "127.0.0.1:9123")
    );
    assert_eq!(dev.database.url, "sqlite::memory:");
    assert_eq!(dev.server.drain_spread, Duration::ZERO);

    let real = load(text, &[], false).config;
    assert_eq!(real.server.listen.to_string(), "0.0.0.0:8123");
    assert_eq!(real.database.url, "sqlite:real.db");
    assert_eq!(real.server.drain_spread, Duration::from_secs(25));
}

#[test]
fn the_built_in_example_is_a_good_development_server() {
    let dev = load(config::DEV_EXAMPLE, &[], true).config;
    let endpoint = &dev.endpoints["ws"];
    let close = dev.profile_of(endpoint).close(Event::Missing);
    assert_eq!((close.code, close.reason.as_str()), (1008, "Missing authentication token"));
    assert_eq!(dev.tokens.lifetime, Duration::from_secs(1800));
}

#[test]
fn an_event_falls_back_to_its_profile_and_then_to_the_built_in_one() {
    let text = "[profile.a]\nslow = [4001, \"a\"]\ndefault = [4000, \"d\"]\n[profile.b]\nslow = [4002, \"b\"]\n[endpoint.a]\nprofile = \"a\"\n[endpoint.b]\nprofile = \"b\"\npath = \"/b\"\n";
    let config = load(text, &[], false).config;
    let code = |endpoint: &str, event| config.profile_of(&config.endpoints[endpoint]).close(event).code;
    assert_eq!([code("a", Event::Slow), code("a", Event::Restart)], [4001, 4000]);
    assert_eq!([code("b", Event::Slow), code("b", Event::Restart)], [4002, 1012]);
    // A text that is whole is no refusal; one that is not, is.
    assert_eq!([code("a", Event::Completed), code("a", Event::Upstream)], [1000, 4000]);
    // Those who are asked are a part of the server, unless the profile tells the two apart.
    let text = "[profile.c]\nerror = [4003, \"e\"]\n[profile.d]\nerror = [4003, \"e\"]\nlookup = [4004, \"l\"]\n";
    let lookups = load(text, &[], false).config.profiles;
    assert_eq!([lookups["c"].close(Event::Lookup).code, lookups["d"].close(Event::Lookup).code], [4003, 4004]);
    // Every answer that is built in agrees with what clients make of its code.
    use lychgate_protocol::ws::{CloseCode, Retry};
    let default = &config.profiles["default"];
    for (event, retries) in [
        (Event::Missing, false),
        (Event::Expired, true),
        (Event::Slow, true),
        (Event::Forbidden, false),
        (Event::Restart, true),
        (Event::Completed, false),
        (Event::Upstream, true),
        (Event::TooBig, false),
    ] {
        let code = CloseCode(default.close(event).code);
        assert_eq!(code.retry() != Retry::Stop, retries, "{}", event.name());
    }
    assert!(Event::ALL.iter().all(|event| CloseCode(default.close(*event).code).is_valid_on_wire()));
}

#[test]
fn connections_are_lowered_to_what_the_machine_allows() {
    let load = |descriptors| {
        let files = vec![("c.toml".to_owned(), "[limits]\nconnections_max = 1000\n[endpoint.ws]\n".to_owned())];
        let sources = Sources { files, machine: Machine { descriptors }, ..Sources::default() };
        config::load(&sources).unwrap_or_else(|faults| panic!("{faults}"))
    };
    for (descriptors, connections, notices) in
        [(None, 1000, 0), (Some(1064), 1000, 0), (Some(1063), 999, 1), (Some(3), 1, 1)]
    {
        let loaded = load(descriptors);
        assert_eq!(loaded.config.limits.connections_max, connections, "{descriptors:?}");
        assert_eq!(loaded.notices.len(), notices, "{descriptors:?}");
    }
}
