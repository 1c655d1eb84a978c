//! Five sockets for each user; the oldest makes room, or what the configuration says instead.

use serde_json::json;

use super::{enter, example, greeted, legacy, people, text, told};
use crate::harness::token::now;
use crate::harness::{Server, Wire};

const FULL: &str = "Connection limit exceeded";

#[tokio::test]
async fn the_sixth_socket_closes_the_oldest_whichever_way_its_token_names_the_user() {
    let server = example().start().await;
    let by_address = legacy(&json!({ "sub": "ann@example.com", "exp": now() + 600 }));
    let mut sockets = Vec::new();
    for n in 0..5 {
        let target = if n % 2 == 0 { Server::at("/ws", "1") } else { format!("/ws?token={by_address}") };
        let mut wire = Wire::open(server.address, &target).await;
        greeted(&mut wire).await;
        sockets.push(wire);
    }
    let mut bob = enter(&server, "2").await;
    sockets.push(enter(&server, "1").await);
    assert_eq!(sockets.remove(0).closed_politely().await, told(FULL));
    sockets.push(enter(&server, "1").await);
    assert_eq!(sockets.remove(0).closed_politely().await, told(FULL));
    for wire in &mut sockets {
        wire.entered().await;
    }
    bob.entered().await;
    // A seat that was given back is free.
    sockets.pop().expect("the newest").leave().await;
    sockets.push(enter(&server, "1").await);
    for wire in &mut sockets {
        wire.entered().await;
    }
    assert_eq!(server.metrics().await.value("lychgate_closes_total", &[("event", "over_limit")]), 2);
}

#[tokio::test]
async fn or_the_sixth_is_refused() {
    let server = example().over("[endpoint.ws]\nwhen_full = \"refuse\"\n").start().await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(enter(&server, "1").await);
    }
    let mut sixth = Wire::open(server.address, &Server::at("/ws", "1")).await;
    assert_eq!(sixth.closed_politely().await, told(FULL));
    enter(&server, "2").await;
    for wire in &mut sockets {
        wire.entered().await;
    }
}

#[tokio::test]
async fn or_the_socket_of_the_same_device_is_replaced() {
    let text = text().replace("path = \"/ws\" ", "path = \"/ws?client_id={client:name=none}\" ");
    let server = people(&text).over("[endpoint.ws]\nwhen_full = \"replace-same:client\"\n").start().await;
    let open = async |client: &str| {
        let mut wire = Wire::open(server.address, &format!("{}&client_id={client}", Server::at("/ws", "1"))).await;
        greeted(&mut wire).await;
        wire
    };
    let mut phone = open("phone").await;
    let mut desk = open("desk").await;
    let mut again = open("phone").await;
    assert_eq!(phone.closed_politely().await, told(FULL));
    desk.entered().await;
    again.entered().await;
}
