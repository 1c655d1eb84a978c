//! The login as other systems have it: path, body, field, answer, texts and claims, all from the configuration.

use serde_json::{Value, json};

use crate::harness::http::{Reply, form, get, post, post_form};
use crate::harness::token::unpart;
use crate::harness::{Client, Server, Setup};

const PASSWORD: &str = "seven green bottles";
const WRONG: &str = "eight green bottles";

/// A login and all that is to come of it.
struct Variant {
    what: &'static str,
    config: &'static str,
    path: &'static str,
    is_json: bool,
    field: &'static str,
    /// What Alice may log in with.
    known_by: &'static [&'static str],
    /// What is hers as well, and no login here.
    unknown_by: &'static [&'static str],
    /// The answer without its token.
    answer: Value,
    /// `sub` and the claims that are not ours.
    claims: Value,
    lifetime_s: u64,
    incorrect: &'static str,
    disabled: (u16, &'static str),
}

impl Variant {
    async fn log_in(&self, server: &Server, login: &str, password: &str) -> Reply {
        log_in(server, self.path, self.is_json, self.field, login, password).await
    }
}

fn variants() -> Vec<Variant> {
    let bearer = json!({ "token_type": "bearer" });
    vec![
        Variant {
            what: "an identifier in JSON, a user in the answer",
            config: r#"
                [login]
                path = "/api/auth/login"
                body = "json"
                field = "identifier"
                identify_by = ["name", "email"]
                subject = "id"
                claims = ["username"]
                return_user = ["id", "username", "email", "display_name", "avatar_url", "is_system_admin"]
                return_expires_in = false
                incorrect = "Incorrect username/email or password"
                [tokens]
                lifetime = "24h"
            "#,
            path: "/api/auth/login",
            is_json: true,
            field: "identifier",
            known_by: &["alice", "alice@example.com", "ALICE@Example.com"],
            unknown_by: &["1", "Alice", "Alice L."],
            answer: json!({
                "token_type": "bearer",
                "user": {
                    "id": 1,
                    "username": "alice",
                    "email": "Alice@example.com",
                    "display_name": "Alice L.",
                    "avatar_url": null,
                    "is_system_admin": true,
                },
            }),
            claims: json!({ "sub": "1", "username": "alice" }),
            lifetime_s: 86_400,
            incorrect: "Incorrect username/email or password",
            disabled: (403, "User account is disabled"),
        },
        Variant {
            what: "a name in a form",
            config: "",
            path: "/token",
            is_json: false,
            field: "username",
            known_by: &["alice"],
            unknown_by: &["Alice@example.com", "1"],
            answer: json!({ "token_type": "bearer", "expires_in": 1800 }),
            claims: json!({ "sub": "alice" }),
            lifetime_s: 1800,
            incorrect: "Incorrect username or password",
            disabled: (403, "User account is disabled"),
        },
        Variant {
            what: "an address in JSON",
            config: r#"
                [login]
                path = "/auth/login"
                body = "json"
                field = "email"
                identify_by = ["email"]
                subject = "id"
                return_expires_in = false
                incorrect = "Incorrect email or password"
                disabled = [403, "User account is inactive"]
            "#,
            path: "/auth/login",
            is_json: true,
            field: "email",
            known_by: &["alice@example.com"],
            unknown_by: &["alice", "1"],
            answer: bearer.clone(),
            claims: json!({ "sub": "1" }),
            lifetime_s: 1800,
            incorrect: "Incorrect email or password",
            disabled: (403, "User account is inactive"),
        },
        Variant {
            what: "an address in the field of a form that is called after a name",
            config: r#"
                [login]
                path = "/api/auth/token"
                identify_by = ["email"]
                subject = "id"
                return_expires_in = false
                disabled = [401, "Incorrect username or password"]
            "#,
            path: "/api/auth/token",
            is_json: false,
            field: "username",
            known_by: &["alice@example.com"],
            unknown_by: &["alice"],
            answer: bearer,
            claims: json!({ "sub": "1" }),
            lifetime_s: 1800,
            incorrect: "Incorrect username or password",
            disabled: (401, "Incorrect username or password"),
        },
    ]
}

/// The shipped example with Alice, who has everything, and Bob, who is disabled.
pub(super) fn people(config: &str) -> Setup {
    Setup::ship()
        .over(config)
        .account("alice", PASSWORD, &["--email", "Alice@example.com"])
        .set("alice", &["display_name=Alice L.", "is_system_admin=true", "level=7"])
        .account("bob", PASSWORD, &["--email", "bob@example.com", "--disabled"])
}

pub(super) async fn log_in(
    server: &Server,
    path: &str,
    is_json: bool,
    field: &str,
    login: &str,
    password: &str,
) -> Reply {
    if is_json {
        let body = json!({ field: login, "password": password }).to_string();
        return post(server.address, path, &body, "content-type: application/json\r\n").await;
    }
    post_form(server.address, path, &form(&[(field, login), ("password", password)]), "").await
}

/// The answer without its token, and the claims of the token.
pub(super) fn taken_apart(reply: &Reply) -> (Value, Value) {
    let mut answer = reply.json();
    let token = answer.as_object_mut().and_then(|answer| answer.remove("access_token"));
    let claims = match &token {
        Some(Value::String(token)) => unpart(token.split('.').nth(1).expect("three parts")),
        other => panic!("no token but {other:?} in {reply:?}"),
    };
    (answer, claims)
}

/// Everything that is the same in two answers to the same question.
fn without_ids(reply: &Reply) -> (u16, Vec<&(String, String)>, &str) {
    let ids = ["date", "x-request-id"];
    (reply.status, reply.headers.iter().filter(|(name, _)| !ids.contains(&name.as_str())).collect(), reply.text())
}

#[tokio::test]
async fn each_login_is_a_matter_of_configuration() {
    for variant in variants() {
        let what = variant.what;
        let server = people(variant.config).start().await;
        for login in variant.known_by {
            let reply = variant.log_in(&server, login, PASSWORD).await;
            assert_eq!(reply.status, 200, "{what}, {login}: {reply:?}");
            assert_eq!((reply.header("cache-control"), reply.header("set-cookie")), (Some("no-store"), None), "{what}");
            let (answer, mut claims) = taken_apart(&reply);
            assert_eq!(answer, variant.answer, "{what}, {login}");
            let time = |claim: &str| claims[claim].as_u64().expect("whole seconds");
            assert_eq!(time("exp") - time("iat"), variant.lifetime_s, "{what}");
            let ours = ["iss", "aud", "exp", "iat", "jti", "sid"];
            claims.as_object_mut().expect("an object").retain(|claim, _| !ours.contains(&claim.as_str()));
            assert_eq!(claims, variant.claims, "{what}, {login}");
        }
        let token = variant.log_in(&server, variant.known_by[0], PASSWORD).await.json()["access_token"].clone();
        let target = format!("/ws?token={}", token.as_str().expect("a token"));
        Client::open(server.address, &target).await.entered().await;

        let bob = if variant.known_by.contains(&"alice") { "bob" } else { "bob@example.com" };
        let incorrect = (401, json!({ "detail": variant.incorrect, "code": "bad_credentials" }));
        let disabled = (variant.disabled.0, json!({ "detail": variant.disabled.1, "code": "disabled" }));
        let unknown = variant.unknown_by.iter().map(|login| (*login, PASSWORD, &incorrect));
        let others = [(variant.known_by[0], WRONG, &incorrect), (bob, WRONG, &incorrect), (bob, PASSWORD, &disabled)];
        for (login, password, (status, body)) in unknown.chain(others) {
            let reply = variant.log_in(&server, login, password).await;
            assert_eq!((reply.status, &reply.json()), (*status, body), "{what}, {login} {password}");
            assert_eq!(reply.header("www-authenticate"), (*status == 401).then_some("Bearer"), "{what}, {login}");
        }
        server.log().never_holds("bottles");
    }
}

#[tokio::test]
async fn a_system_whose_tokens_come_from_elsewhere_has_no_login() {
    let server = people("[login]\nenabled = false\n").start().await;
    assert_eq!(log_in(&server, "/token", false, "username", "alice", PASSWORD).await.status, 404);
    let server = people("").start().await;
    assert_eq!(log_in(&server, "/token", false, "username", "alice", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_body_is_taken_in_the_form_that_was_configured() {
    let form_body = form(&[("login", "alice"), ("password", PASSWORD)]);
    let json_body = json!({ "login": "alice", "password": PASSWORD }).to_string();
    let form_types = ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded ; charset=utf-8"];
    let json_types = ["application/json", "application/JSON;charset=utf-8"];
    let neither = ["text/plain", "application/json-seq", "application/vnd.api+json", "multipart/form-data", ""];
    for (body, takes_form, takes_json, said) in [
        ("form", true, false, "Send login and password as application/x-www-form-urlencoded."),
        ("json", false, true, "Send login and password as application/json."),
        ("any", true, true, "Send login and password as application/x-www-form-urlencoded or application/json."),
    ] {
        let server = people(&format!("[login]\nbody = \"{body}\"\nfield = \"login\"\n")).start().await;
        let sent = (form_types.iter().map(|name| (*name, &form_body, takes_form)))
            .chain(json_types.iter().map(|name| (*name, &json_body, takes_json)))
            .chain(neither.iter().map(|name| (*name, &json_body, false)));
        for (content_type, text, is_taken) in sent {
            let header =
                if content_type.is_empty() { String::new() } else { format!("content-type: {content_type}\r\n") };
            let reply = post(server.address, "/token", text, &header).await;
            assert_eq!(reply.status, if is_taken { 200 } else { 415 }, "{body} as {content_type:?}: {reply:?}");
            if !is_taken {
                assert_eq!((reply.code().as_str(), &reply.json()["detail"]), ("content_type", &json!(said)), "{body}");
            }
        }
        let two = "content-type: application/json\r\ncontent-type: application/x-www-form-urlencoded\r\n";
        assert_eq!(post(server.address, "/token", &json_body, two).await.status, 415, "{body}: two types");
        // A form that says it is JSON, and the other way round.
        let (as_json, as_form) = ("content-type: application/json\r\n", "");
        let lying = if takes_json {
            post(server.address, "/token", &form_body, as_json).await
        } else {
            post_form(server.address, "/token", &json_body, as_form).await
        };
        assert_eq!((lying.status, lying.code().as_str()), (400, "invalid_request"), "{body}: {lying:?}");
        server.log().never_holds("bottles");
    }
}

#[tokio::test]
async fn a_json_login_is_read_strictly_and_never_repeated() {
    let server = people("[login]\nbody = \"json\"\nfield = \"identifier\"\n").start().await;
    let send = async |body: &str| post(server.address, "/token", body, "content-type: application/json\r\n").await;
    let secret = json!(PASSWORD).to_string();
    let right = format!(r#""identifier":"alice","password":{secret}"#);
    for (what, body) in [
        ("nothing", String::new()),
        ("no JSON", format!("{{{right}")),
        ("more than JSON", format!("{{{right}}}x")),
        ("a list", format!("[{secret}]")),
        ("a text", secret.clone()),
        ("no password", r#"{"identifier":"alice"}"#.to_owned()),
        ("no identifier", format!(r#"{{"password":{secret}}}"#)),
        ("another system's field", format!(r#"{{"username":"alice","password":{secret}}}"#)),
        ("an empty object", "{}".to_owned()),
        ("two identifiers", format!(r#"{{{right},"identifier":"bob"}}"#)),
        ("two passwords", format!(r#"{{{right},"password":{secret}}}"#)),
        ("two passwords, one escaped", format!(r#"{{{right},"p\u0061ssword":"x"}}"#)),
        ("two of something else", format!(r#"{{{right},"remember":true,"remember":true}}"#)),
        ("a number", format!(r#"{{"identifier":1,"password":{secret}}}"#)),
        ("null", format!(r#"{{"identifier":null,"password":{secret}}}"#)),
        ("a password in a list", format!(r#"{{"identifier":"alice","password":[{secret}]}}"#)),
        ("an operator", r#"{"identifier":{"$gt":""},"password":{"$gt":""}}"#.to_owned()),
        ("half a character", format!(r#"{{"identifier":"\ud83d","password":{secret}}}"#)),
        ("no end of brackets", format!(r#"{{{right},"deep":{}"#, "[".repeat(10_000))),
    ] {
        let reply = send(&body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_request"), "{what}: {reply:?}");
        assert!(!reply.text().contains("bottles") && !reply.text().contains("alice"), "{what}: {}", reply.text());
    }
    for (what, body) in [
        ("in order", format!("{{{right}}}")),
        (
            "with more, and with blanks",
            format!("\n {{ {right} , \"remember\" : {{\"identifier\":[1]}}, \"x\":null }}\n"),
        ),
        ("escaped", format!(r#"{{"identifi\u0065r":"\u0061lice","password":{secret}}}"#)),
        ("another grant, which JSON knows nothing of", format!(r#"{{{right},"grant_type":"refresh_token"}}"#)),
    ] {
        let reply = send(&body).await;
        assert_eq!(reply.status, 200, "{what}: {reply:?}");
    }
    let padded = |bytes: usize| format!("{{{right}}}{}", " ".repeat(bytes - right.len() - 2));
    assert_eq!(send(&padded(16 * 1024)).await.status, 200, "the limit itself is no fault");
    let reply = send(&padded(16 * 1024 + 1)).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "too_large"));
    let reply = get(server.address, "/token").await;
    assert_eq!(reply.status, 405, "{reply:?}");
    server.log().never_holds("bottles");
}

#[tokio::test]
async fn a_form_keeps_its_rules_under_another_field() {
    let server = people("[login]\nbody = \"any\"\nfield = \"login\"\n").start().await;
    let right = form(&[("login", "alice"), ("password", PASSWORD)]);
    for (what, body, status) in [
        ("as it should be", right.clone(), 200),
        ("with a field that means nothing here", format!("{right}&username=bob"), 200),
        ("with its grant", format!("{right}&grant_type=password"), 200),
        ("under the old name", form(&[("username", "alice"), ("password", PASSWORD)]), 400),
        ("twice", format!("{right}&log%69n=bob"), 400),
        ("for another grant", format!("{right}&grant_type=refresh_token"), 400),
    ] {
        let reply = post_form(server.address, "/token", &body, "").await;
        assert_eq!(reply.status, status, "{what}: {reply:?}");
    }
}

#[tokio::test]
async fn a_token_named_by_an_address_needs_one() {
    let server = Setup::ship()
        .over("[login]\nidentify_by = [\"name\"]\nsubject = \"email\"\nclaims = [\"id\", \"email\", \"level\", \"active\"]\n")
        .account("alice", PASSWORD, &["--email", "Alice@example.com"])
        .user("carol", PASSWORD)
        .start()
        .await;
    let (_, claims) = taken_apart(&log_in(&server, "/token", false, "username", "alice", PASSWORD).await);
    assert_eq!(
        (&claims["sub"], &claims["email"], &claims["id"], &claims["active"], claims.get("level")),
        (&json!("Alice@example.com"), &json!("Alice@example.com"), &json!(1), &json!(true), None)
    );
    let reply = log_in(&server, "/token", false, "username", "carol", PASSWORD).await;
    let told = json!({ "detail": "This account has no e-mail address.", "code": "no_email" });
    assert_eq!((reply.status, reply.json()), (403, told));
    let id = reply.header("x-request-id").expect("an id").to_owned();
    let line = server.log().wait_for("the refusal", |line| line["request_id"] == *id).await;
    assert_eq!(
        (&line["level"], &line["reason"], &line["user"]),
        (&json!("ERROR"), &json!("no_email"), &json!("carol"))
    );
    assert!(line["message"].as_str().is_some_and(|text| text.contains("login.subject")), "{line}");

    let reply = log_in(&server, "/token", false, "username", "carol", WRONG).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "bad_credentials"), "only the owner is told");
    let metrics = server.metrics().await;
    for outcome in ["ok", "no_email", "bad_credentials"] {
        assert_eq!(metrics.value("lychgate_logins_total", &[("outcome", outcome)]), 1, "{outcome}");
    }
}

#[tokio::test]
async fn that_an_account_is_disabled_can_be_kept_back() {
    let server = people("[login]\ntell_disabled = false\nincorrect = \"No.\"\n").start().await;
    let disabled = log_in(&server, "/token", false, "username", "bob", PASSWORD).await;
    let wrong = log_in(&server, "/token", false, "username", "alice", WRONG).await;
    assert_eq!(without_ids(&disabled), without_ids(&wrong), "nobody can tell one from the other");
    assert_eq!((wrong.status, wrong.json()), (401, json!({ "detail": "No.", "code": "bad_credentials" })));
    let id = disabled.header("x-request-id").expect("an id").to_owned();
    let line = server.log().wait_for("the refusal", |line| line["request_id"] == *id).await;
    assert_eq!(line["reason"], "disabled", "the operator can: {line}");
    assert_eq!(log_in(&server, "/token", false, "username", "alice", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn what_is_set_of_an_account_is_told_from_the_next_login_on() {
    let config = "[login]\nclaims = [\"level\", \"nick\"]\nreturn_user = [\"name\", \"active\", \"level\", \"nick\", \"quota\"]\n";
    let (server, setup) = people(config).start_and_keep().await;
    let told = async || taken_apart(&log_in(&server, "/token", false, "username", "alice", PASSWORD).await);
    let (answer, claims) = told().await;
    let user = json!({ "name": "alice", "active": true, "level": 7, "nick": null, "quota": null });
    assert_eq!((&answer["user"], &claims["level"], claims.get("nick")), (&user, &json!(7), None));

    let _setup = setup.set("alice", &["nick=Ä \"quoted\" </script>", "quota=0.25", "--remove", "level"]);
    let (answer, claims) = told().await;
    let nick = json!("Ä \"quoted\" </script>");
    let user = json!({ "name": "alice", "active": true, "level": null, "nick": nick, "quota": 0.25 });
    assert_eq!((&answer["user"], claims.get("level"), &claims["nick"]), (&user, None, &nick));
}
