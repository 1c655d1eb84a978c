//! Users are the other application's: they have to exist and be active there, and what happens when it is away.

use serde_json::{Value, json};

use super::outside::Application;
use super::{CALLS, FAILED, MISMATCH, REQUIRED, Song, closed, example, song, song_over, theirs, theirs_with};
use crate::harness::token::{self, Signer};
use crate::harness::wait::until;

/// The example with the application in the place of its database, as its comment says.
async fn asking(application: &str, over: &str) -> Song {
    let text: String =
        example().lines().filter(|line| !line.starts_with("query = ")).map(|line| format!("{line}\n")).collect();
    let source = format!("[source.people]\nurl = \"{application}\"\nsecret = \"{CALLS}\"\n");
    song_over(&text, &format!("{source}{over}")).await
}

const TRUST: &str = "[endpoint.user.identity]\nwhen_unavailable = \"trust-token\"\n";

const TRUSTED: &str = "users cannot be looked up: a verified token's word is taken, as configured";

impl Song {
    /// Waits until so many lines of the log are wanted ones; never more may be.
    async fn logs(&self, times: usize, wanted: impl Fn(&Value) -> bool) {
        until("lines of the log", async || match self.server.log().lines(&wanted).len() {
            lines if lines == times => Ok(()),
            lines => Err(lines.to_string()),
        })
        .await;
    }
}

#[tokio::test]
async fn a_user_who_is_disabled_or_removed_stays_outside_from_then_on() {
    let song = song().await;
    let target = format!("/ws/124?token={}", theirs("124"));
    song.welcomed(&target, "").await;
    song.people.run("update users set is_active = false where id = 124").await;
    assert_eq!(song.refused(&target, "").await, closed(FAILED));
    song.people.run("update users set is_active = true where id = 124").await;
    song.welcomed(&target, "").await;
    song.people.run("delete from users where id = 124").await;
    assert_eq!(song.refused(&target, "").await, closed(FAILED));
}

#[tokio::test]
async fn a_user_who_is_disabled_while_connected_is_closed() {
    let song = song_over(&example(), "[endpoint.user.policy]\nask_again = \"1s\"\n").await;
    let mut bob = song.enter("124", "general").await;
    song.people.run("update users set is_active = false where id = 124").await;
    assert_eq!(bob.closed_politely().await, closed(FAILED));
}

#[tokio::test]
async fn the_application_itself_may_be_asked() {
    let application = Application::listen().await;
    let song = asking(&application.url(), "").await;
    let target = format!("/ws/123?token={}", theirs("123"));

    let yes = r#"{"allowed":true,"attributes":{"id":123,"email":"ann@example.com","active":true}}"#;
    let (call, (_, welcome)) = tokio::join!(application.answer(200, yes), song.welcomed(&target, ""));
    assert_eq!((&call["user"], &call["resource"], &call["event"]), (&json!("123"), &json!("user"), &json!("rights")));
    assert_eq!((&welcome["authenticated"], &welcome["user_email"]), (&json!(true), &json!("ann@example.com")));

    for (what, status, answer) in [
        ("inactive", 200, r#"{"allowed":true,"attributes":{"active":false}}"#),
        ("not found", 200, r#"{"allowed":false,"exists":false}"#),
        ("not found", 404, ""),
        ("an answer that is none", 200, "[]"),
        ("somebody else's id", 200, r#"{"allowed":true,"attributes":{"id":124}}"#),
    ] {
        let reason = if what.starts_with("somebody") { MISMATCH } else { FAILED };
        let (_, refused) = tokio::join!(application.answer(status, answer), song.refused(&target, ""));
        assert_eq!(refused, closed(reason), "{what}");
    }
}

#[tokio::test]
async fn a_database_that_is_away_refuses_and_the_log_says_so() {
    let song = song().await;
    let target = format!("/ws/123?token={}", theirs("123"));
    song.people.leave();
    for times in 1..=2 {
        assert_eq!(song.refused(&target, "").await, closed(FAILED));
        song.logs(times, |line| line["reason"] == "lookup" && line["level"] == "ERROR").await;
    }
    assert_eq!(song.refused("/ws/123", "").await, closed(REQUIRED), "it has no say in what is wrong without it");
    assert_eq!(song.refused("/ws/123?token=rubbish", "").await, closed(FAILED));
    let reply = song.post("/api/v1/broadcast/general", r#"{"type":"x","data":{}}"#, &theirs("123")).await;
    assert_eq!(reply.status, 503);
    song.visit("general").await;
    song.logs(0, |line| line["message"] == TRUSTED).await;
    song.people.come_back();
    song.welcomed(&target, "").await;
}

#[tokio::test]
async fn where_a_token_is_trusted_meanwhile_it_has_to_be_a_good_one_and_the_log_says_so_each_time() {
    let away = Application::listen().await.url();
    let without = song_over(&example(), TRUST).await;
    without.people.leave();
    for (name, song) in [("application", asking(&away, TRUST).await), ("database", without)] {
        for times in 1..=3 {
            let (_, welcome) = song.welcomed(&format!("/ws/123?token={}", theirs("123")), "").await;
            assert_eq!((&welcome["authenticated"], &welcome["user_email"]), (&json!(true), &json!(null)), "{name}");
            song.logs(times, |line| line["message"] == TRUSTED && line["user"] == "123").await;
        }
        let past = (token::now() - 60).to_string();
        for (token, reason) in [
            ("rubbish".to_owned(), FAILED),
            (theirs_with(&[("exp", &past)]), FAILED),
            (
                token::forge(
                    Signer::Hmac(b"a secret that nobody has told us, 3b1"),
                    r#"{"alg":"HS256"}"#,
                    r#"{"sub":"123","exp":4000000000}"#,
                ),
                FAILED,
            ),
            (theirs("124"), MISMATCH),
        ] {
            assert_eq!(song.refused(&format!("/ws/123?token={token}"), "").await, closed(reason), "{name}");
        }
    }
}
