//! A secret that protects nothing stops the start, by the name of the setting that it is for.

use super::{Journal, behind, text};
use crate::harness::token::SECRET;
use crate::harness::{Model, Setup};

#[tokio::test]
async fn a_secret_that_is_missing_weak_or_published_stops_the_start() {
    for (case, secret) in [
        ("missing", None),
        ("empty", Some("")),
        ("blank", Some(" \t ")),
        ("the documents' default", Some("change_me")),
        ("the documents' default, longer", Some("change_mechange_mechange_mechange_me")),
        ("None", Some("None")),
        ("short", Some("thirty-one bytes are not enough")),
    ] {
        let setup = Setup::outside(&text()).variable("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none");
        let setup = match secret {
            Some(secret) => setup.variable("JWT_SECRET", secret),
            None => setup,
        };
        let mut process = setup.launch();
        assert_eq!(process.exited().await.code(), Some(2), "{case}");
        process.log.ended().await;
        let said = process.log.text();
        assert!(said.contains("tokens.secret_env") && said.contains("JWT_SECRET"), "{case}: {said}");
        assert!(secret.is_none_or(|secret| secret.len() < 10 || !said.contains(secret)), "{case}: {said}");
    }
    let (journal, model) = (Journal::start().await, Model::bind().await);
    behind(&text(), &journal, &model).start().await;
}

#[tokio::test]
async fn so_does_a_journal_that_cannot_be_read_and_its_password_is_not_told() {
    let setup = Setup::outside(&text()).variable("JWT_SECRET", SECRET);
    let mut process = setup.launch();
    assert_eq!(process.exited().await.code(), Some(2));
    process.log.ended().await;
    assert!(process.log.text().contains("source.journal.url_env"), "{}", process.log.text());

    let (journal, model) = (Journal::start().await, Model::bind().await);
    journal.run("revoke select on entries from reader").await;
    let setup = behind(&text(), &journal, &model);
    let mut process = setup.launch();
    assert!(!process.exited().await.success());
    process.log.ended().await;
    let said = process.log.text();
    assert!(said.contains("endpoint.reflections.policy.query") && said.contains("permission denied"), "{said}");
    assert!(!said.contains("reads-Only-1"), "{said}");
}
