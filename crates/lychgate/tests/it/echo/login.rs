//! From an address and a password to a socket, by the token itself or by a ticket that stands in for it.

use serde_json::json;

use super::{ENTRY, Echo, Journal, PASSWORD, behind, piece, text, told};
use crate::harness::http::{exchange, post};
use crate::harness::token::{now, own_until, unpart};
use crate::harness::{Model, Wire};

const JSON: &str = "content-type: application/json\r\n";

/// The example with people who may log in, called by their ids in the journal. Cleo may not.
async fn with_people(over: &str) -> Echo {
    let (journal, model) = (Journal::start().await, Model::bind().await);
    let setup = behind(&text(), &journal, &model).over(over);
    let setup = setup.account("1", PASSWORD, &["--email", "ann@example.com"]);
    let setup = setup.account("3", PASSWORD, &["--email", "cleo@example.com", "--disabled"]);
    Echo { server: setup.start().await, model, journal }
}

impl Echo {
    async fn log_in(&self, email: &str, password: &str) -> crate::harness::http::Reply {
        let body = json!({ "email": email, "password": password }).to_string();
        post(self.server.address, "/auth/login", &body, JSON).await
    }

    async fn ask_for_ticket(&self, method: &str, token: &str) -> crate::harness::http::Reply {
        let bearer = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        let request = format!("{method} /auth/ws-ticket HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n{bearer}\r\n");
        exchange(self.server.address, request.as_bytes()).await
    }

    async fn token(&self) -> String {
        let answer = self.log_in("ann@example.com", PASSWORD).await.json();
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// Hears that the socket at `target` has its reflection.
    async fn reflects(&self, target: &str) {
        let mut wire = Wire::open(self.server.address, target).await;
        let mut asked = self.model.asked().await;
        asked.says(&["yes"]).await;
        assert_eq!(piece(&mut wire).await, "yes");
        asked.ends().await;
        assert_eq!(wire.closed_politely().await, told(1000, ""));
    }
}

#[tokio::test]
async fn the_login_takes_json_and_says_no_in_the_words_of_the_contract() {
    let echo = with_people("").await;
    let reply = echo.log_in("ann@example.com", PASSWORD).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.json();
    let fields: Vec<&str> = answer.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!((fields, &answer["token_type"]), (vec!["access_token", "token_type"], &json!("bearer")));
    let token = answer["access_token"].as_str().expect("a token");
    let claims = unpart(token.split('.').nth(1).expect("three parts"));
    assert_eq!(claims["sub"], "1", "the id in the journal, as text");
    assert_eq!(claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat"), 1800);
    for (case, email, password, status, detail) in [
        ("a wrong password", "ann@example.com", "eight green bottles", 401, "Incorrect email or password"),
        ("nobody", "nobody@example.com", PASSWORD, 401, "Incorrect email or password"),
        ("a name", "1", PASSWORD, 401, "Incorrect email or password"),
        ("inactive", "cleo@example.com", PASSWORD, 403, "User account is inactive"),
        ("inactive, with a wrong password", "cleo@example.com", "no", 401, "Incorrect email or password"),
    ] {
        let refused = echo.log_in(email, password).await;
        assert_eq!((refused.status, &refused.json()["detail"]), (status, &json!(detail)), "{case}");
    }
    let form = "username=ann%40example.com&password=seven+green+bottles";
    let refused =
        post(echo.server.address, "/auth/login", form, "content-type: application/x-www-form-urlencoded\r\n").await;
    assert_eq!(refused.status, 415, "{refused:?}");
    echo.reflects(&format!("{ENTRY}?token={token}")).await;
    echo.server.log().never_holds(token);
    echo.server.log().never_holds(PASSWORD);
}

#[tokio::test]
async fn a_ticket_opens_one_socket_and_says_how_long_it_is_good() {
    let echo = with_people("").await;
    let token = echo.token().await;
    let reply = echo.ask_for_ticket("GET", &token).await;
    assert_eq!((reply.status, &reply.json()["expires_in"]), (200, &json!(60)), "{reply:?}");
    let ticket = reply.json()["ticket"].as_str().expect("a ticket").to_owned();
    for (case, method, token, status) in
        [("nobody", "GET", "", 401), ("rubbish", "GET", "rubbish", 401), ("another method", "POST", &token, 405)]
    {
        assert_eq!(echo.ask_for_ticket(method, token).await.status, status, "{case}");
    }
    let target = format!("{ENTRY}?ticket={ticket}");
    echo.reflects(&target).await;
    let bad = || told(4001, "Invalid or expired token");
    assert_eq!(echo.told(&target).await, bad(), "it was used");
    assert_eq!(echo.told(&format!("{ENTRY}?ticket=never-was")).await, bad());
    assert_eq!(echo.told(&format!("{ENTRY}?ticket=")).await, told(4001, "Missing authentication token"));
    let fresh = echo.ask_for_ticket("GET", &token).await.json()["ticket"].as_str().expect("a ticket").to_owned();
    assert_eq!(echo.told(&format!("{ENTRY}?ticket={fresh}&token={token}")).await, bad(), "two at once");
    // It is as good at the other endpoint, and as narrow: what is Bob's stays his.
    let foreign = echo.ask_for_ticket("GET", &token).await.json()["ticket"].as_str().expect("a ticket").to_owned();
    let told_so = echo.told(&format!("/ws/reflections/20?ticket={foreign}")).await;
    assert_eq!(told_so, told(4003, "Not authorized"));
    echo.server.log().never_holds(&ticket);
}

#[tokio::test]
async fn a_ticket_is_over_in_its_time_and_never_outlives_its_token() {
    let echo = with_people("[ticket]\nlifetime = \"1s\"\n").await;
    let token = echo.token().await;
    let reply = echo.ask_for_ticket("GET", &token).await.json();
    assert_eq!(reply["expires_in"], 1);
    let target = format!("{ENTRY}?ticket={}", reply["ticket"].as_str().expect("a ticket"));
    let got_at = now();
    crate::harness::wait::until("the ticket's second to pass", async || match now() {
        late if late > got_at + 2 => Ok(()),
        early => Err(early.to_string()),
    })
    .await;
    assert_eq!(echo.told(&target).await, told(4001, "Invalid or expired token"));
    let short = own_until("1", now() + 600);
    assert_eq!(echo.ask_for_ticket("GET", &short).await.status, 200, "the control");
    assert_eq!(echo.ask_for_ticket("GET", &own_until("1", now() - 60)).await.status, 401);
}
