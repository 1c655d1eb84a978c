//! Revoking by HTTP (RFC 7009): sessions by their refresh tokens, access tokens by themselves.

use serde_json::{Value, json};

use super::{REVOKED, enter, log_in, refresh, refused, revoke, setup, stays_out, still_there, told};
use crate::harness::http::{form, post, post_form};
use crate::harness::token;

#[tokio::test]
async fn a_logout_ends_its_session_and_no_other() {
    let server = setup().start().await;
    let (gone, stays) = (log_in(&server, "alice").await, log_in(&server, "alice").await);
    let (mut goes, mut keeps) = (enter(&server, &gone.access).await, enter(&server, &stays.access).await);
    let newest = refresh(&server, &gone).await;

    let reply = revoke(&server, &newest.refresh).await;
    assert_eq!((reply.status, reply.text()), (200, ""), "{reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(goes.closed().await, told(REVOKED));
    for session in [&gone, &newest] {
        refused(&server, &session.refresh).await;
        stays_out(&server, &session.access).await;
    }
    still_there(&mut keeps).await;
    drop(enter(&server, &refresh(&server, &stays).await.access).await);
    assert_eq!(revoke(&server, &newest.refresh).await.status, 200, "a second time is as good");
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("lychgate_revocations_total", &[("outcome", "session")]), 2);
}

#[tokio::test]
async fn any_token_of_a_session_ends_it() {
    let server = setup().start().await;
    let first = log_in(&server, "alice").await;
    let second = refresh(&server, &first).await;
    assert_eq!(revoke(&server, &first.refresh).await.status, 200);
    refused(&server, &second.refresh).await;
    stays_out(&server, &second.access).await;
}

#[tokio::test]
async fn an_access_token_is_revoked_alone() {
    let server = setup().start().await;
    let first = log_in(&server, "alice").await;
    let second = refresh(&server, &first).await;
    let (mut goes, mut keeps) = (enter(&server, &first.access).await, enter(&server, &second.access).await);
    assert_eq!(revoke(&server, &first.access).await.status, 200);
    assert_eq!(goes.closed().await, told(REVOKED));
    stays_out(&server, &first.access).await;
    still_there(&mut keeps).await;
    drop(enter(&server, &second.access).await);
    refresh(&server, &second).await;
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_answered_like_one_that_is() {
    let server = setup().start().await;
    let session = log_in(&server, "alice").await;
    let mut socket = enter(&server, &session.access).await;
    let forged = token::forge(token::Signer::Rs, &token::header(&[("alg", "\"RS256\"")]), &token::claims(&[]));
    let (unknown, over) = (format!("lgr_{}", "A".repeat(43)), token::own_until("alice", token::now() - 60));
    for token in ["", "x", "lgr_", &unknown, &forged, &over, &session.access[1..]] {
        let reply = revoke(&server, token).await;
        assert_eq!((reply.status, reply.text()), (200, ""), "{token}");
    }
    let hinted = form(&[("token", "x"), ("token_type_hint", "refresh_token")]);
    assert_eq!(post_form(server.address, "/revoke", &hinted, "").await.status, 200);
    for (body, kind, status) in [
        ("", "application/x-www-form-urlencoded", 400),
        ("token=a&token=b", "application/x-www-form-urlencoded", 400),
        ("{}", "application/json", 400),
        ("token=a", "text/plain", 415),
    ] {
        let reply = post(server.address, "/revoke", body, &format!("content-type: {kind}\r\n")).await;
        assert_eq!(reply.status, status, "{body}: {reply:?}");
    }
    still_there(&mut socket).await;
    let body = json!({ "token": session.refresh }).to_string();
    assert_eq!(post(server.address, "/revoke", &body, "content-type: application/json\r\n").await.status, 200);
    assert_eq!(socket.closed().await, told(REVOKED));
}

#[tokio::test]
async fn an_operator_sees_sessions_and_ends_one() {
    let (server, setup) = setup().start_and_keep().await;
    let first = log_in(&server, "alice").await;
    let second = log_in(&server, "alice").await;
    let (mut goes, mut keeps) = (enter(&server, &first.access).await, enter(&server, &second.access).await);
    let list = || -> Vec<Value> {
        let printed = setup.run(&["session", "list", "alice", "--json"]);
        for session in [&first, &second] {
            assert!(!printed.contains(&session.refresh[4..]), "{printed}");
        }
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let live = |sessions: &[Value]| -> Vec<(String, bool)> {
        let read = |session: &Value| {
            let sid = session["session"].as_str().expect("an id").to_owned();
            (sid, session["live"] == true)
        };
        let mut all: Vec<_> = sessions.iter().map(read).collect();
        all.sort_unstable();
        all
    };
    let mut both = vec![(first.sid(), true), (second.sid(), true)];
    both.sort_unstable();
    let listed = list();
    assert_eq!(live(&listed), both);
    assert!(listed.iter().all(|session| session["address"] == "127.0.0.1"), "{listed:?}");
    setup.run(&["session", "end", &first.sid()]);
    assert_eq!(goes.closed().await, told(REVOKED));
    stays_out(&server, &first.access).await;
    refused(&server, &first.refresh).await;
    still_there(&mut keeps).await;
    let ended = list().into_iter().find(|session| session["session"] == first.sid()).expect("it is known still");
    assert_eq!((&ended["live"], &ended["ended_by"]), (&json!(false), &json!("operator")));
}
