//! Bytes that no polite client sends, and those it may (RFC 6455), through the real socket.

use crate::harness::wire::{self, BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, close, frame, header};
use crate::harness::{Client, Server, Setup, Wire};

/// The example with an endpoint that sends everything back.
async fn server(overlay: &str) -> Server {
    let echo = "[endpoint.echo]\npath = \"/echo\"\nkind = \"echo\"\nprofile = \"policy\"\n\
                message_bytes_max = \"256KiB\"\nmessages_per_second = 1000000\nmessages_burst = 1000000\n";
    Setup::ship().over(echo).over(overlay).start().await
}

/// One fault, with its close code and what a log line calls it; nothing for what is no fault of the protocol.
struct Fault {
    what: &'static str,
    bytes: Vec<u8>,
    code: u16,
    logged: &'static str,
}

fn fault(what: &'static str, bytes: Vec<u8>, code: u16, logged: &'static str) -> Fault {
    Fault { what, bytes, code, logged }
}

/// Sends each of `faults` on a socket of its own, between two good messages, and looks at the end of it.
async fn each_ends_its_socket(server: &Server, path: &str, faults: &[Fault]) {
    let mut bystander = Wire::enter(server, path, "bystander").await;
    for (n, Fault { what, bytes, code, logged }) in faults.iter().enumerate() {
        let mut wire = Wire::enter(server, path, "mallory").await;
        let good = frame(FIN | TEXT, br#"{"good":1}"#);
        wire.write(&[good.as_slice(), bytes, &good].concat()).await;
        let first = wire.frame().await;
        assert_eq!(first.opcode, TEXT, "{what}: what came before is answered: {}", first.show());
        let (closed, reason) = wire.closed().await;
        assert_eq!(closed, *code, "{what}: {reason}");
        wire.ended().await;
        if !logged.is_empty() {
            let line = |line: &serde_json::Value| line["violation"] == *logged;
            server.log().wait_for(what, line).await;
        }
        bystander.say(&format!(r#"{{"n":{n}}}"#)).await;
        while bystander.hear().await["n"] != n {}
    }
    let violations = faults.iter().filter(|fault| !fault.logged.is_empty()).count() as u64;
    let counted = server.metrics().await.value("lychgate_protocol_errors_total", &[]);
    assert_eq!(counted, violations);
}

#[tokio::test]
async fn frames_that_break_a_rule() {
    let server = server("").await;
    let unmasked = vec![FIN | TEXT, 5, b'H', b'e', b'l', b'l', b'o'];
    let mut faults = vec![
        fault("unmasked", unmasked, 1002, "unmasked"),
        fault("an unmasked ping", vec![FIN | PING, 0], 1002, "unmasked"),
        fault("an unmasked close", vec![FIN | CLOSE, 2, 3, 232], 1002, "unmasked"),
        fault("a ping without FIN", frame(PING, b""), 1002, "fragmented_control"),
        fault("a close without FIN", frame(CLOSE, b""), 1002, "fragmented_control"),
        fault("a ping of 126 bytes", frame(FIN | PING, &[b'x'; 126]), 1002, "control_too_long"),
        fault("a close of 126 bytes", frame(FIN | CLOSE, &[3; 126]), 1002, "control_too_long"),
        fault("a continuation of nothing", frame(FIN | CONTINUATION, b"x"), 1002, "nothing_to_continue"),
        fault(
            "a message inside a message",
            [frame(TEXT, b"a"), frame(FIN | TEXT, b"b")].concat(),
            1002,
            "message_interrupted",
        ),
        fault("5 bytes, told in 16 bits", vec![FIN | TEXT, 0x80 | 126, 0, 5, 0, 0, 0, 0], 1002, "length_not_minimal"),
        fault(
            "5 bytes, told in 64 bits",
            [&[FIN | TEXT, 0x80 | 127], &5_u64.to_be_bytes()[..], &[0; 4]].concat(),
            1002,
            "length_not_minimal",
        ),
        fault("a length with its top bit", header(FIN | BINARY, 1 << 63), 1002, "length_top_bit"),
        fault("half a close code", frame(FIN | CLOSE, &[3]), 1002, "close_length"),
        fault("a close reason that is not UTF-8", frame(FIN | CLOSE, &[3, 232, 0xff]), 1007, "close_reason_not_utf8"),
    ];
    for bit in [0x40, 0x20, 0x10] {
        faults.push(fault("a reserved bit", frame(FIN | bit | TEXT, b"x"), 1002, "reserved_bits"));
        faults.push(fault("a reserved bit on a ping", frame(FIN | bit | PING, b""), 1002, "reserved_bits"));
    }
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        faults.push(fault("a reserved opcode", frame(FIN | opcode, b""), 1002, "reserved_opcode"));
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        faults.push(fault("a close code that may not travel", close(code, ""), 1002, "close_code"));
    }
    each_ends_its_socket(&server, "/echo", &faults).await;
    server.log().never_holds("Hello");
}

#[tokio::test]
async fn text_that_is_not_utf8() {
    let server = server("").await;
    let broken: [(&str, &[u8]); 8] = [
        ("a lone continuation byte", b"\x80"),
        ("an overlong slash", b"\xc0\xaf"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("beyond Unicode", b"\xf4\x90\x80\x80"),
        ("a byte that never occurs", b"\xff"),
        ("a cut character", b"a\xe2\x82"),
        ("an overlong null", b"\xc0\x80"),
        ("a good beginning", b"abc\xf0\x28\x8c\x28"),
    ];
    let mut faults = Vec::new();
    for (what, bytes) in broken {
        faults.push(fault(what, frame(FIN | TEXT, bytes), 1007, "text_not_utf8"));
        faults.push(fault(
            what,
            [frame(TEXT, b"ok"), frame(FIN | CONTINUATION, bytes)].concat(),
            1007,
            "text_not_utf8",
        ));
    }
    // The verdict does not wait for the end of a message that can no longer be text.
    faults.push(fault("in the middle", [frame(TEXT, b"\xff"), frame(PING, b"")].concat(), 1007, "text_not_utf8"));
    each_ends_its_socket(&server, "/echo", &faults).await;

    let mut wire = Wire::enter(&server, "/echo", "alice").await;
    let text = "käse 名 \u{1f600}".as_bytes();
    for cut in 0..=text.len() {
        let (one, two) = text.split_at(cut);
        wire.write(&[frame(TEXT, one), frame(FIN | CONTINUATION, two)].concat()).await;
        assert_eq!(wire.frame().await.payload, text, "a character may be cut between frames, here at {cut}");
    }
}

#[tokio::test]
async fn messages_that_are_too_much() {
    let server = server("").await;
    let too_big = "message too big";
    let half = vec![b' '; 40 * 1024];
    let mut wire = Wire::enter(&server, "/ws", "alice").await;
    let mut largest = br#"{"n":1}"#.to_vec();
    largest.resize(64 * 1024, b' ');
    wire.write(&frame(FIN | TEXT, &largest)).await;
    assert_eq!(wire.hear().await["n"], 1, "the limit itself is no fault");

    let cases = [
        ("one frame", frame(FIN | TEXT, &[largest.as_slice(), b" "].concat())),
        ("two fragments", [frame(TEXT, &half), frame(FIN | CONTINUATION, &half)].concat()),
        ("a claim of 2^62 bytes", header(FIN | BINARY, 1 << 62)),
        ("a claim of 2^62 bytes more", [frame(TEXT, b"x"), header(CONTINUATION, 1 << 62)].concat()),
        ("a claim of 4 GiB", header(FIN | TEXT, 1 << 32)),
    ];
    let before = server.memory_kib("VmRSS");
    for (what, bytes) in cases {
        let mut wire = Wire::enter(&server, "/ws", "mallory").await;
        wire.write(&bytes).await;
        assert_eq!(wire.closed().await, (1009, too_big.to_owned()), "{what}");
        wire.ended().await;
    }
    let claims: Vec<_> = (0..20).map(|_| header(FIN | BINARY, 256 * 1024)).collect();
    let mut waiting = Vec::new();
    for claim in claims {
        let mut wire = Wire::enter(&server, "/echo", "mallory").await;
        wire.write(&claim).await;
        waiting.push(wire);
    }
    let mut alice = Client::enter(&server, "alice").await;
    alice.say(r#"{"n":2}"#).await;
    assert_eq!(alice.hear().await["n"], 2);
    let grown = server.memory_kib("VmRSS").saturating_sub(before);
    assert!(grown < 16 * 1024, "memory grew by {grown} KiB for claims alone");
    assert_eq!(server.metrics().await.value("lychgate_closes_total", &[("event", "too_big")]), 5);
}

#[tokio::test]
async fn fragments_are_counted_and_empty_ones_too() {
    let server = server("").await;
    let split = |fragments: usize, payload: &[u8]| {
        let mut bytes = frame(TEXT, payload);
        for n in 1..fragments {
            let fin = if n + 1 == fragments { FIN } else { 0 };
            bytes.extend(frame(fin | CONTINUATION, payload));
        }
        bytes
    };
    for payload in ["x", ""] {
        let mut wire = Wire::enter(&server, "/echo", "alice").await;
        wire.write(&split(1024, payload.as_bytes())).await;
        let whole = wire.frame().await;
        assert_eq!((whole.opcode, whole.payload.len()), (TEXT, 1024 * payload.len()), "1,024 fragments are a message");

        wire.write(&split(1025, payload.as_bytes())).await;
        let (code, reason) = wire.closed().await;
        assert_eq!(code, 1008, "{reason}");
        wire.ended().await;
    }
    // A flood without an end is cut long before its end.
    let mut wire = Wire::enter(&server, "/echo", "mallory").await;
    let before = server.memory_kib("VmRSS");
    wire.write(&[frame(TEXT, b""), frame(CONTINUATION, b"").repeat(100_000)].concat()).await;
    assert_eq!(wire.closed().await.0, 1008);
    assert!(server.memory_kib("VmRSS").saturating_sub(before) < 16 * 1024);
    assert_eq!(server.metrics().await.value("lychgate_protocol_errors_total", &[]), 3);
}

#[tokio::test]
async fn a_close_is_answered_with_its_own_code_and_nothing_after_it_counts() {
    let server = server("").await;
    let mut listener = Client::enter(&server, "listener").await;
    let codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
    let after = frame(FIN | TEXT, br#"{"n":"too late"}"#);
    for code in codes {
        let mut wire = Wire::enter(&server, "/ws", "alice").await;
        wire.write(&[close(code, "so long"), after.clone()].concat()).await;
        assert_eq!(wire.closed().await.0, code);
        wire.ended().await;
    }
    let mut wire = Wire::enter(&server, "/ws", "alice").await;
    wire.write(&[frame(FIN | CLOSE, b""), after.clone()].concat()).await;
    assert_eq!(wire.closed().await.0, 1000, "an empty close is answered, too");
    wire.ended().await;
    let longest = close(4000, &"r".repeat(123));
    let mut wire = Wire::enter(&server, "/ws", "alice").await;
    wire.write(&longest).await;
    assert_eq!(wire.closed().await.0, 4000);

    listener.say(r#"{"n":1}"#).await;
    assert_eq!(listener.hear().await["n"], 1, "nothing was published behind a close");
    assert_eq!(server.metrics().await.value("lychgate_protocol_errors_total", &[]), 0);
}

#[tokio::test]
async fn pings_are_answered_with_what_they_hold_and_a_flood_of_them_is_not() {
    let server =
        server("[limits]\npings_per_second = 1\npings_burst = 10\n[profile.policy]\nrate = [4029, \"slow down\"]")
            .await;
    let mut wire = Wire::enter(&server, "/echo", "alice").await;
    for bytes in [0, 1, 5, 124, 125] {
        let payload: Vec<u8> = (0..bytes).map(|n| n as u8).collect();
        wire.write(&frame(FIN | PING, &payload)).await;
        let pong = wire.frame().await;
        assert_eq!((pong.opcode, pong.payload), (PONG, payload), "{bytes} bytes");
    }
    // Pongs that nobody asked for are no fault, and are not answered.
    wire.write(&[frame(FIN | PONG, b"x"), frame(PONG | FIN, b""), frame(FIN | TEXT, b"still here")].concat()).await;
    assert_eq!(wire.frame().await.payload, b"still here");

    let mut flood = Wire::enter(&server, "/echo", "mallory").await;
    flood.write(&frame(FIN | PING, b"x").repeat(50)).await;
    let mut pongs = 0;
    let close = loop {
        let frame = flood.frame().await;
        if frame.opcode == CLOSE {
            break frame.close();
        }
        assert_eq!(frame.opcode, PONG);
        pongs += 1;
    };
    assert_eq!(close, (4029, "slow down".to_owned()));
    // One of the ten was taken when it entered.
    assert!((9..=20).contains(&pongs), "{pongs} were answered");
    wire.say("and I am still here").await;
    assert_eq!(wire.frame().await.payload, b"and I am still here");
}

#[tokio::test]
async fn control_frames_may_come_between_fragments() {
    let server = server("").await;
    let mut wire = Wire::enter(&server, "/echo", "alice").await;
    let parts = [
        frame(TEXT, b"one "),
        frame(FIN | PING, b"a"),
        frame(CONTINUATION, b"two "),
        frame(FIN | PONG, b"b"),
        frame(CONTINUATION, b""),
        frame(FIN | PING, b"c"),
        frame(FIN | CONTINUATION, b"three"),
    ];
    wire.write(&parts.concat()).await;
    let answers: Vec<_> =
        [wire.frame().await, wire.frame().await, wire.frame().await].map(|frame| (frame.opcode, frame.payload)).into();
    assert_eq!(answers, [(PONG, b"a".to_vec()), (PONG, b"c".to_vec()), (TEXT, b"one two three".to_vec())]);
    // A close in the middle of a message ends it unfinished.
    wire.write(&[frame(TEXT, b"never"), close(1001, "")].concat()).await;
    assert_eq!(wire.closed().await.0, 1001);
}

#[tokio::test]
async fn echo_returns_what_came_in_every_size_and_shape() {
    let server = server("").await;
    let mut wire = Wire::enter(&server, "/echo", "alice").await;
    for bytes in [0, 1, 2, 125, 126, 127, 128, 1000, 4096, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let payload: Vec<u8> = (0..bytes).map(|n| b'a' + (n % 23) as u8).collect();
        for opcode in [TEXT, BINARY] {
            wire.write(&frame(FIN | opcode, &payload)).await;
            let echo = wire.frame().await;
            assert!(echo.opcode == opcode && echo.payload == payload, "{bytes} bytes in one frame: {}", echo.show());

            let third = bytes / 3;
            let pieces = [(opcode, 0..third), (CONTINUATION, third..2 * third), (FIN | CONTINUATION, 2 * third..bytes)];
            for (first, range) in pieces {
                wire.write(&frame(first, &payload[range])).await;
            }
            let echo = wire.frame().await;
            assert!(echo.opcode == opcode && echo.payload == payload, "{bytes} bytes in three: {}", echo.show());
        }
    }
    // Bytes that arrive one by one are the same bytes.
    let slow = frame(FIN | TEXT, "Schritt für Schritt".as_bytes());
    for byte in &slow {
        wire.write(std::slice::from_ref(byte)).await;
    }
    assert_eq!(wire.frame().await.payload, "Schritt für Schritt".as_bytes());
    let many: Vec<u8> = (0..500).flat_map(|n| frame(FIN | TEXT, format!("{n}").as_bytes())).collect();
    wire.write(&many).await;
    for n in 0..500 {
        assert_eq!(wire.frame().await.payload, format!("{n}").as_bytes());
    }
}

#[tokio::test]
async fn a_client_that_reads_gets_every_echo_however_many_it_asked_for_at_once() {
    const MESSAGES: usize = 5_000;
    let server = server("").await;
    let mut wire = Wire::enter(&server, "/echo", "alice").await;
    wire.write(&frame(FIN | TEXT, b"x").repeat(MESSAGES)).await;
    for n in 0..MESSAGES {
        let echo = wire.frame().await;
        assert_eq!((echo.opcode, echo.payload), (TEXT, b"x".to_vec()), "number {n}");
    }
}

#[tokio::test]
async fn what_comes_right_behind_the_request_is_heard() {
    let server = server("").await;
    let target = Server::at("/echo", "alice");
    let big = vec![b'x'; 100_000];
    let behind = [frame(FIN | TEXT, b"early"), frame(FIN | PING, b"p"), frame(FIN | BINARY, &big)].concat();
    for cut in [0, 1, 3, 9, behind.len()] {
        let (early, later) = behind.split_at(cut);
        let tcp = wire::connect(server.address).await;
        let mut wire = Wire::over(tcp, &wire::request(&target, ""), early).await;
        wire.write(later).await;
        assert_eq!(wire.frame().await.payload, b"early", "cut at {cut}");
        assert_eq!(wire.frame().await.payload, b"p", "cut at {cut}");
        assert_eq!(wire.frame().await.payload, big, "cut at {cut}");
    }
    // A stranger's frames behind a refused request are not looked at.
    let mut listener = Client::enter(&server, "listener").await;
    let tcp = wire::connect(server.address).await;
    let mut stranger =
        Wire::over(tcp, &wire::request("/ws?token=x", ""), &frame(FIN | TEXT, br#"{"n":"stranger"}"#)).await;
    assert_eq!(stranger.closed().await.0, 1008);
    listener.say(r#"{"n":1}"#).await;
    assert_eq!(listener.hear().await["n"], 1);
}
