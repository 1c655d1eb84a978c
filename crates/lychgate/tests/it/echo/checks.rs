//! Token, user, entry, owner: in this order, each accepted first and closed with a code and a reason of its own.

use serde_json::json;

use super::{ENTRY, at, echo, echo_over, piece, theirs, told, with_token};
use crate::harness::token::{self, Signer, claims, forge, header, now, own_until, sign};

const NO_TOKEN: (u16, &str) = (4001, "Missing authentication token");
const BAD: (u16, &str) = (4001, "Invalid or expired token");
const PAYLOAD: (u16, &str) = (4001, "Invalid token payload");
const NO_ID: (u16, &str) = (4001, "Invalid user ID");
const NOBODY: (u16, &str) = (4002, "User not found or inactive");
const FOREIGN: (u16, &str) = (4003, "Not authorized");
const NO_ENTRY: (u16, &str) = (4004, "Entry not found");

#[tokio::test]
async fn each_check_has_its_code_and_its_reason_and_the_first_that_fails_is_told() {
    let echo = echo().await;
    let in_ten = now() + 600;
    let foreign = forge(Signer::Hmac(b"the secret of another server altogether"), &header(&[]), &claims(&[]));
    let unsigned = forge(Signer::Nobody, &header(&[("alg", r#""none""#)]), &claims(&[]));
    let good = token::own("1");
    let changed = format!("{good}x");
    let expired = own_until("1", now() - 100);
    let without_sub = sign(&header(&[]), &claims(&[("sub", "")]));
    let number_as_sub = theirs(&json!({ "sub": 1, "exp": in_ten }));
    let without_exp = theirs(&json!({ "sub": "1" }));
    for (case, token, told_is) in [
        ("missing", "", NO_TOKEN),
        ("rubbish", "invalid_token", BAD),
        ("three parts", "a.b.c", BAD),
        ("changed", &changed, BAD),
        ("of somebody else", &foreign, BAD),
        ("unsigned", &unsigned, BAD),
        ("expired", &expired, BAD),
        ("malformed payload: no exp", &without_exp, PAYLOAD),
        ("malformed payload: no sub", &without_sub, PAYLOAD),
        ("malformed payload: no sub, the application's", &theirs(&json!({ "exp": in_ten })), PAYLOAD),
        ("malformed payload: sub is no text", &number_as_sub, PAYLOAD),
        ("no id: a name", &token::own("ann"), NO_ID),
        ("no id: an address", &token::own("ann@example.com"), NO_ID),
        ("no id: a fraction", &token::own("1.5"), NO_ID),
        ("no id: another spelling of one", &token::own("01"), NO_ID),
        ("no id: too long a number", &token::own("99999999999999999999"), NO_ID),
        ("not found", &token::own("99"), NOBODY),
        ("not found: larger than the column", &token::own("3000000000"), NOBODY),
        ("inactive", &token::own("3"), NOBODY),
        ("not the owner", &token::own("2"), FOREIGN),
    ] {
        let wanted = told(told_is.0, told_is.1);
        assert_eq!(echo.told(&with_token(ENTRY, token)).await, wanted, "{case}");
        if !token.is_empty() {
            echo.server.log().never_holds(token);
        }
        // Who is refused by what the token says learns nothing of the entries.
        if told_is != FOREIGN {
            for entry in ["/ws/reflections/999", "/ws/reflections/20", "/ws/reflections/abc"] {
                assert_eq!(echo.told(&with_token(entry, token)).await, wanted, "{case} at {entry}");
            }
        }
    }
    assert_eq!(echo.told(ENTRY).await, told(NO_TOKEN.0, NO_TOKEN.1));
    assert_eq!(echo.told(&format!("{ENTRY}?token={good}&token={good}")).await, told(BAD.0, BAD.1), "two tokens");
    for (entry, wanted) in [
        ("/ws/reflections/999", NO_ENTRY),
        ("/ws/reflections/12", NO_ENTRY),
        ("/ws/reflections/abc", NO_ENTRY),
        ("/ws/reflections/010", NO_ENTRY),
        ("/ws/reflections/3000000000", NO_ENTRY),
        ("/ws/reflections/10%20or%201=1", NO_ENTRY),
        ("/ws/reflections/20", FOREIGN),
        ("/ws/reflections/30", FOREIGN),
    ] {
        assert_eq!(echo.told(&at(entry, "1")).await, told(wanted.0, wanted.1), "{entry}");
    }
    // The control: whoever passes every check hears the model, with a token of either kind.
    for token in [good, theirs(&json!({ "sub": "1", "exp": in_ten }))] {
        let mut ann = crate::harness::Wire::open(echo.server.address, &with_token(ENTRY, &token)).await;
        let mut asked = echo.model.asked().await;
        asked.says(&["yes"]).await;
        assert_eq!(piece(&mut ann).await, "yes");
        asked.ends().await;
        assert_eq!(ann.closed_politely().await, told(1000, ""));
    }
    assert_eq!(echo.counted("lychgate_streams_total", &[]).await, 2, "no model is asked for anybody else");
    for reason in ["missing", "malformed", "bad_signature", "expired", "subject", "user", "inactive", "not_owner"] {
        let lines = echo.server.log().lines(|line| line["reason"] == reason);
        assert!(!lines.is_empty(), "no refusal in the log with the reason {reason}");
    }
}

#[tokio::test]
async fn foreign_entries_can_be_hidden() {
    let echo = echo_over("[endpoint.reflections.policy]\nhide_foreign = true\n").await;
    for entry in ["/ws/reflections/20", "/ws/reflections/999"] {
        assert_eq!(echo.told(&at(entry, "1")).await, told(NO_ENTRY.0, NO_ENTRY.1), "{entry}");
    }
    let mut bob = echo.open("/ws/reflections/20", "2").await;
    let mut asked = echo.model.asked().await;
    asked.says(&["his own"]).await;
    assert_eq!(piece(&mut bob).await, "his own");
}

#[tokio::test]
async fn a_journal_that_is_away_is_a_failure_of_the_server() {
    let mut echo = echo_over("[source.journal]\ntimeout = \"2s\"\n").await;
    echo.journal.0.stop();
    assert_eq!(echo.told(&at(ENTRY, "1")).await, told(1011, "Internal server error"));
    assert_eq!(echo.told(&at(ENTRY, "ann")).await, told(NO_ID.0, NO_ID.1), "nobody need be asked for that");
    assert_eq!(echo.told(ENTRY).await, told(NO_TOKEN.0, NO_TOKEN.1), "nor for that");
    echo.journal.0.restart();
    let mut ann = echo.open(ENTRY, "1").await;
    let mut asked = echo.model.asked().await;
    asked.says(&["back"]).await;
    assert_eq!(piece(&mut ann).await, "back");
}
