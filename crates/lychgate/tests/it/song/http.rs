//! Rooms by HTTP: posting into one and reading what it has kept, for whoever has a token.

use serde_json::json;

use super::{Song, chat, hear, song, theirs};
use crate::harness::http::{self, Reply, exchange};

impl Song {
    pub(super) async fn post(&self, path: &str, body: &str, token: &str) -> Reply {
        http::post(self.server.address, path, body, &format!("authorization: Bearer {token}\r\n")).await
    }

    async fn get(&self, path: &str, token: &str) -> Reply {
        let head = format!("GET {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n");
        let request = format!("{head}authorization: Bearer {token}\r\n\r\n");
        exchange(self.server.address, request.as_bytes()).await
    }
}

#[tokio::test]
async fn a_post_reaches_the_room_and_says_where_it_came_from_and_from_whom() {
    let song = song().await;
    let mut ann = song.enter("123", "general").await;
    let mut elsewhere = song.enter("123", "gen").await;
    let body = json!({
        "type": "chat", "source": "websocket", "timestamp": 0,
        "data": { "message": "from a program", "user_id": "123", "tracks": [1, 2] },
    });
    let reply = song.post("/api/v1/broadcast/general", &body.to_string(), &theirs("124")).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let heard = hear(&mut ann, "chat").await;
    let data = json!({ "message": "from a program", "user_id": "124", "tracks": [1, 2] });
    assert_eq!((&heard["data"], &heard["source"]), (&data, &json!("http_api")), "the author is the token's");
    assert!(heard["timestamp"].is_string());
    elsewhere.say(&chat("here")).await;
    assert_eq!(hear(&mut elsewhere, "chat").await["data"]["message"], "here", "other rooms heard nothing");
}

#[tokio::test]
async fn nobody_posts_or_reads_without_a_good_token() {
    let song = song().await;
    let mut ann = song.enter("123", "general").await;
    let body = r#"{"type":"news","data":{}}"#;
    let (post, read) = ("/api/v1/broadcast/general", "/api/v1/rooms/general/history?limit=50");
    for reply in [http::post(song.server.address, post, body, "").await, http::get(song.server.address, read).await] {
        assert_eq!((reply.status, reply.code().as_str()), (401, "missing"));
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    for (token, status) in [("rubbish".to_owned(), 401), (theirs("999"), 401), (theirs("125"), 403)] {
        assert_eq!(song.post(post, body, &token).await.status, status);
        assert_eq!(song.get(read, &token).await.status, status);
    }
    // A token in the query is none here: it would be in every log between.
    let in_query = format!("{post}?token={}", theirs("123"));
    assert_eq!(http::post(song.server.address, &in_query, body, "").await.status, 401);
    let good = theirs("124");
    for (path, body, status, code) in [
        (post, "rubbish", 400, "bad_json"),
        (post, "[1]", 400, "bad_json"),
        (post, "{}", 400, "bad_shape"),
        (post, r#"{"type":"news"}"#, 400, "bad_shape"),
        (post, r#"{"type":"news","data":[1]}"#, 400, "bad_shape"),
        ("/api/v1/broadcast/a:b", body, 404, "not_found"),
    ] {
        let reply = song.post(path, body, &good).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path} {body}");
    }
    assert_eq!(song.post(post, body, &good).await.status, 202);
    hear(&mut ann, "news").await;
}

#[tokio::test]
async fn a_room_keeps_what_was_said_in_it() {
    let song = song().await;
    let mut ann = song.enter("123", "gen_eral2").await;
    let mut heard = Vec::new();
    for n in 0..3 {
        ann.say(&chat(&n.to_string())).await;
        heard.insert(0, hear(&mut ann, "chat").await);
    }
    let good = theirs("124");
    let read = async |query: &str| {
        let reply = song.get(&format!("/api/v1/rooms/gen_eral2/history{query}"), &good).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{reply:?}");
        reply.json()
    };
    assert_eq!(read("?limit=50").await, json!({ "messages": heard, "next": null }), "as they were sent, newest first");
    let page = read("?limit=2").await;
    assert_eq!(page["messages"], json!(heard[..2]));
    assert_eq!(read(&format!("?limit=2&before={}", page["next"])).await["messages"], json!(heard[2..]));
    for room in ["gen", "general", "gen_eral"] {
        let other = song.get(&format!("/api/v1/rooms/{room}/history"), &good).await.json();
        assert_eq!(other["messages"], json!([]), "{room}");
    }
    assert_eq!(song.get("/api/v1/rooms/general/history?limit=0", &good).await.status, 400);
}
