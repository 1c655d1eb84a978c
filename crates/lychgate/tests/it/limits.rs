//! How many sockets there may be: in all, from one address, of one user, and how fast they may come.

use std::net::SocketAddr;

use tokio::net::{TcpSocket, TcpStream};

use crate::harness::http::reply;
use crate::harness::wait::until;
use crate::harness::wire::{ask, connect, request};
use crate::harness::{Client, Server, Setup, Wire};

/// Knocks from 127.0.0.`last`, and gives the status; nothing for a connection that is dropped unheard.
async fn knock(server: &Server, last: u8, sub: &str) -> (Option<u16>, TcpStream) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).expect("an address of this machine");
    let mut tcp = socket.connect(server.address).await.expect("the kernel accepts");
    let _ = tokio::io::AsyncWriteExt::write_all(&mut tcp, request(&Server::at("/ws", sub), "").as_bytes()).await;
    let status = reply(&mut tcp).await.map(|reply| reply.status);
    (status, tcp)
}

async fn turned_away(server: &Server, limit: &str) -> u64 {
    server.metrics().await.value("lychgate_accepts_refused_total", &[("limit", limit)])
}

#[tokio::test]
async fn no_more_than_so_many_in_all() {
    let server = Setup::ship().over("[limits]\nconnections_max = 3").start().await;
    let mut inside = Vec::new();
    for _ in 0..3 {
        let (status, tcp) = knock(&server, 1, "alice").await;
        assert_eq!(status, Some(101));
        inside.push(tcp);
    }
    for last in [1, 2] {
        assert_eq!(knock(&server, last, "bob").await.0, None, "the fourth is dropped before it is read");
    }
    assert_eq!(turned_away(&server, "connections").await, 2);
    inside.pop();
    until("the place of the one who left", async || match knock(&server, 2, "bob").await.0 {
        Some(101) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test]
async fn no_more_than_so_many_from_one_address() {
    let server = Setup::ship().over("[limits]\nconnections_per_address = 2").start().await;
    let (one, two) = (knock(&server, 1, "alice").await, knock(&server, 1, "bob").await);
    assert_eq!((one.0, two.0), (Some(101), Some(101)));
    assert_eq!(knock(&server, 1, "cleo").await.0, None);
    assert_eq!(knock(&server, 2, "cleo").await.0, Some(101), "another address has its own places");
    assert_eq!(turned_away(&server, "connections_per_address").await, 1);
    drop(one);
    until("the place of the one who left", async || match knock(&server, 1, "cleo").await.0 {
        Some(101) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;

    let behind_a_proxy = Setup::ship()
        .over("[limits]\nconnections_per_address = 2\n[server]\ntrusted_proxies = [\"127.0.0.1\"]")
        .start()
        .await;
    let mut inside = Vec::new();
    for _ in 0..4 {
        let (status, tcp) = knock(&behind_a_proxy, 1, "alice").await;
        assert_eq!(status, Some(101), "everybody has the proxy's address");
        inside.push(tcp);
    }
}

#[tokio::test]
async fn no_more_than_so_many_of_one_user() {
    let server = Setup::ship()
        .over(
            "[limits]\nconnections_per_user = 2\n[profile.policy]\nover_limit = [4030, \"enough sockets\"]\n\
             [endpoint.second]\npath = \"/second\"\nprofile = \"policy\"",
        )
        .start()
        .await;
    let one = Wire::enter(&server, "/ws", "alice").await;
    let _two = Wire::enter(&server, "/second", "alice").await;
    for path in ["/ws", "/second"] {
        let mut third = Wire::open(server.address, &Server::at(path, "alice")).await;
        assert_eq!(third.closed_politely().await, (4030, "enough sockets".to_owned()), "{path}");
    }
    let mut bob = Client::enter(&server, "bob").await;
    bob.say("{}").await;
    assert_eq!(bob.hear().await["user"], "bob");
    let labels = [("reason", "connections_per_user")];
    assert_eq!(server.metrics().await.value("lychgate_refusals_total", &labels), 2);

    one.leave().await;
    until("the place of the socket that left", async || {
        let mut third = Wire::open(server.address, &Server::at("/ws", "alice")).await;
        third.say("{}").await;
        let frame = third.frame().await;
        if frame.opcode == 1 { Ok(()) } else { Err(frame.show()) }
    })
    .await;
}

#[tokio::test]
async fn no_faster_than_so_many_a_second_from_one_address() {
    let limits = "[limits]\nconnects_per_second_per_address = 1\nconnects_burst_per_address = 3";
    let server = Setup::ship().over(limits).start().await;
    for n in 0..3 {
        assert_eq!(knock(&server, 1, "alice").await.0, Some(101), "{n}");
    }
    let refused = ask(server.address, &request(&Server::at("/ws", "alice"), "")).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "connect_rate"), "{refused:?}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(knock(&server, 2, "alice").await.0, Some(101), "another address");
    assert!(turned_away(&server, "connect_rate_per_address").await >= 1);
    until("the next second", async || match knock(&server, 1, "alice").await.0 {
        Some(101) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;

    // A stranger's forwarding header buys nothing; a listed proxy's tells clients apart.
    for (trusted, status) in [("", 503), ("[server]\ntrusted_proxies = [\"127.0.0.1\"]", 101)] {
        let server = Setup::ship().over(limits).over(trusted).start().await;
        for n in 0..3 {
            assert_eq!(knock(&server, 1, "alice").await.0, Some(101), "{n}");
        }
        let forwarded = request(&Server::at("/ws", "alice"), "x-forwarded-for: 203.0.113.7\r\n");
        assert_eq!(ask(server.address, &forwarded).await.status, status, "{trusted}");
    }
    drop(connect(server.address).await);
}
