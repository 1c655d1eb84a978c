//! A secret that protects nothing stops the start, by the name of the setting that it is for.

use super::{APPLICATION_SECRET, strangers, text};
use crate::harness::Setup;
use crate::harness::token::SECRET;

#[tokio::test]
async fn a_secret_that_is_missing_or_weak_stops_the_start() {
    let short = "thirty-one bytes are not enough";
    assert_eq!(short.len(), 31);
    for (case, secret) in [
        ("missing", None),
        ("empty", Some("")),
        ("blank", Some(" \t ")),
        ("None", Some("None")),
        ("null", Some("null")),
        ("undefined", Some("undefined")),
        ("short", Some(short)),
        ("published", Some("development_secret_key_for_jwt_do_not_use_in_production")),
        ("published, in quotes", Some("\"development_secret_key_for_jwt_do_not_use_in_production\"")),
        ("one letter", Some("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
    ] {
        let setup = Setup::outside(&text()).variable("APPLICATION_SECRET", APPLICATION_SECRET);
        let setup = match secret {
            Some(secret) => setup.variable("JWT_SECRET_KEY", secret),
            None => setup,
        };
        let mut process = setup.launch();
        assert_eq!(process.exited().await.code(), Some(2), "{case}");
        process.log.ended().await;
        let said = process.log.text();
        assert!(said.contains("tokens.secret_env") && said.contains("JWT_SECRET_KEY"), "{case}: {said}");
        assert!(secret.is_none_or(|secret| secret.len() < 10 || !said.contains(secret)), "{case}: {said}");
    }
    strangers(&text()).start().await;
}

#[tokio::test]
async fn so_does_the_one_that_calls_are_signed_with() {
    for secret in [None, Some(""), Some("changeme"), Some("too short")] {
        let setup = Setup::outside(&text()).variable("JWT_SECRET_KEY", SECRET);
        let setup = match secret {
            Some(secret) => setup.variable("APPLICATION_SECRET", secret),
            None => setup,
        };
        let mut process = setup.launch();
        assert_eq!(process.exited().await.code(), Some(2), "{secret:?}");
        process.log.ended().await;
        let said = process.log.text();
        assert!(said.contains("source.application.secret_env"), "{secret:?}: {said}");
    }
}
