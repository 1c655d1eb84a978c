//! Going on by refresh tokens, in order and out of order.

use serde_json::json;

use super::{
    CONFIG, PASSWORD, REVOKED, Session, enter, log_in, refresh, refused, setup, show, stays_out, still_there, told,
};
use crate::harness::Setup;
use crate::harness::http::{form, post, post_form};

#[tokio::test]
async fn a_login_goes_on_without_the_password_and_its_socket_stays() {
    let setup = setup().set("alice", &["level=1"]);
    let (server, setup) = setup.start_and_keep().await;
    let body = form(&[("username", "alice"), ("password", PASSWORD)]);
    let reply = post_form(server.address, "/token", &body, "").await;
    assert_eq!(reply.json()["refresh_expires_in"], 14 * 86_400);
    let first = Session::of(&reply);
    assert!(first.refresh.starts_with("lgr_") && first.refresh.len() == 47, "{first:?}");
    assert_eq!(first.claims()["level"], 1);
    let mut socket = enter(&server, &first.access).await;

    setup.run(&["user", "set", "alice", "level=2"]);
    let reply = show(&server, &first.refresh).await;
    let second = Session::of(&reply);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("pragma"), Some("no-cache"));
    let mut members: Vec<_> = reply.json().as_object().expect("an object").keys().cloned().collect();
    members.sort_unstable();
    assert_eq!(members, ["access_token", "expires_in", "refresh_expires_in", "refresh_token", "token_type"]);
    let (before, after) = (first.claims(), second.claims());
    assert_eq!((&after["sid"], &after["sub"]), (&before["sid"], &before["sub"]));
    assert_ne!(after["jti"], before["jti"]);
    assert_eq!(after["level"], 2, "what is told of an account is read anew");
    assert_ne!(second.refresh, first.refresh);

    still_there(&mut socket).await;
    drop(enter(&server, &second.access).await);
    drop(enter(&server, &first.access).await);
    let third = refresh(&server, &second).await;
    assert_eq!(third.sid(), first.sid());
    still_there(&mut socket).await;
    assert_ne!(log_in(&server, "alice").await.sid(), first.sid(), "another login is another session");
    assert_eq!(server.metrics().await.value("lychgate_refreshes_total", &[("outcome", "ok")]), 2);
    for session in [first, second, third] {
        server.log().never_holds(&session.refresh);
        server.log().never_holds(&session.access);
    }
}

#[tokio::test]
async fn a_refresh_is_taken_as_json_where_logins_are() {
    let server = setup().over("[login]\nbody = \"any\"").start().await;
    let first = log_in(&server, "alice").await;
    let body = json!({ "grant_type": "refresh_token", "refresh_token": first.refresh, "scope": "" }).to_string();
    let second = Session::of(&post(server.address, "/token", &body, "content-type: application/json\r\n").await);
    assert_eq!(second.sid(), first.sid());
    let body = json!({ "grant_type": "password", "username": "alice", "password": PASSWORD }).to_string();
    Session::of(&post(server.address, "/token", &body, "content-type: application/json\r\n").await);
}

#[tokio::test]
async fn a_lost_answer_is_given_once_more() {
    let server = setup().start().await;
    let first = log_in(&server, "alice").await;
    let mut socket = enter(&server, &first.access).await;
    let second = refresh(&server, &first).await;
    let again = refresh(&server, &first).await;
    assert_eq!(again.refresh, second.refresh, "the same heir");
    refused(&server, &first.refresh).await;
    refused(&server, &first.refresh).await;
    still_there(&mut socket).await;
    let third = refresh(&server, &again).await;
    drop(enter(&server, &third.access).await);
}

#[tokio::test]
async fn a_token_that_was_used_before_ends_the_session_with_all_that_came_of_it() {
    let server = setup().start().await;
    let first = log_in(&server, "alice").await;
    let other = log_in(&server, "alice").await;
    let (mut socket, mut others) = (enter(&server, &first.access).await, enter(&server, &other.access).await);
    let second = refresh(&server, &first).await;
    let third = refresh(&server, &second).await;
    let mut late = enter(&server, &third.access).await;

    refused(&server, &first.refresh).await;
    // It was answered behind that: nothing is waited for.
    assert_eq!(socket.closed().await, told(REVOKED));
    assert_eq!(late.closed().await, told(REVOKED));
    for session in [&first, &second, &third] {
        refused(&server, &session.refresh).await;
        stays_out(&server, &session.access).await;
    }
    still_there(&mut others).await;
    refresh(&server, &other).await;
    let line =
        server.log().wait_for("the replay", |line| line["session"] == *first.sid() && line["level"] == "WARN").await;
    assert_eq!(line["user"], "alice", "{line}");
    for session in [first, second, third] {
        server.log().never_holds(&session.refresh);
    }
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("lychgate_refreshes_total", &[("outcome", "replayed")]), 1);
    assert_eq!(metrics.value("lychgate_closes_total", &[("endpoint", "room"), ("event", "revoked")]), 2);
}

#[tokio::test]
async fn the_time_for_a_lost_answer_is_a_setting() {
    let server = setup().over("[sessions]\nrepeat_within = \"0s\"").start().await;
    let first = log_in(&server, "alice").await;
    let second = refresh(&server, &first).await;
    refused(&server, &first.refresh).await;
    refused(&server, &second.refresh).await;
}

#[tokio::test]
async fn a_restart_makes_no_used_token_good() {
    let (mut server, setup) = setup().start_and_keep().await;
    let first = log_in(&server, "alice").await;
    let second = refresh(&server, &first).await;
    server.process.kill();
    server.process.exited().await;
    let (mut server, setup) = setup.start_and_keep().await;
    // The answer may have been lost, and what was in it is not known any more: another heir takes its place.
    let third = refresh(&server, &first).await;
    assert_ne!(third.refresh, second.refresh);
    refused(&server, &first.refresh).await;
    let fourth = refresh(&server, &third).await;
    server.process.kill();
    server.process.exited().await;
    let server = setup.start().await;
    let mut socket = enter(&server, &fourth.access).await;
    // Whoever has this one got the answer that was thought to be lost.
    refused(&server, &second.refresh).await;
    assert_eq!(socket.closed().await, told(REVOKED));
    refused(&server, &fourth.refresh).await;
}

#[tokio::test]
async fn what_was_ended_stays_so_over_a_restart() {
    let (mut server, setup) = setup().start_and_keep().await;
    let (gone, stays) = (log_in(&server, "alice").await, log_in(&server, "alice").await);
    assert_eq!(super::revoke(&server, &gone.refresh).await.status, 200);
    server.process.kill();
    server.process.exited().await;
    let server = setup.start().await;
    stays_out(&server, &gone.access).await;
    refused(&server, &gone.refresh).await;
    drop(enter(&server, &stays.access).await);
    refresh(&server, &stays).await;
}

#[tokio::test]
async fn with_one_session_more_than_allowed_the_one_that_rests_longest_ends() {
    let server = setup().over("[sessions]\nper_user_max = 2").user("bob", PASSWORD).start().await;
    let bob = log_in(&server, "bob").await;
    let first = log_in(&server, "alice").await;
    let mut socket = enter(&server, &first.access).await;
    let second = log_in(&server, "alice").await;
    let third = log_in(&server, "alice").await;
    assert_eq!(socket.closed().await, told(REVOKED));
    refused(&server, &first.refresh).await;
    for session in [&second, &third, &bob] {
        refresh(&server, session).await;
    }
}

#[tokio::test]
async fn no_token_outlives_its_session() {
    let setup = Setup::of(CONFIG).over("[sessions]\nlifetime = \"100s\"\nidle_timeout = \"60s\"");
    let server = setup.user("alice", PASSWORD).start().await;
    let body = form(&[("username", "alice"), ("password", PASSWORD)]);
    let reply = post_form(server.address, "/token", &body, "").await;
    let answer = reply.json();
    assert_eq!(answer["refresh_expires_in"], 60);
    // A second may begin while it is made.
    let expires_in = answer["expires_in"].as_u64().expect("whole seconds");
    assert!((90..=100).contains(&expires_in), "{expires_in}");
    let reply = show(&server, &Session::of(&reply).refresh).await;
    let claims = Session::of(&reply).claims();
    let time = |claim: &str| claims[claim].as_u64().expect("whole seconds");
    assert!(time("exp") - time("iat") <= 100, "{claims}");
}

#[tokio::test]
async fn a_disabled_account_and_a_new_password_end_all_sessions() {
    let (server, setup) = setup().user("bob", PASSWORD).user("carol", PASSWORD).start_and_keep().await;
    let begin = async |user: &str| {
        let session = log_in(&server, user).await;
        let socket = enter(&server, &session.access).await;
        (session, socket)
    };
    let (alice, mut alices) = begin("alice").await;
    let (bob, mut bobs) = begin("bob").await;
    let (carol, mut carols) = begin("carol").await;
    setup.run(&["user", "disable", "alice"]);
    setup.passwd("bob", "eight blue bottles");
    assert_eq!(alices.closed().await, told(REVOKED));
    assert_eq!(bobs.closed().await, told(REVOKED));
    for session in [&alice, &bob] {
        refused(&server, &session.refresh).await;
        stays_out(&server, &session.access).await;
    }
    still_there(&mut carols).await;
    refresh(&server, &carol).await;
    setup.run(&["user", "enable", "alice"]);
    refused(&server, &alice.refresh).await;
    let again = log_in(&server, "alice").await;
    refresh(&server, &again).await;
}
