//! Everything that a client may be in the middle of.

use serde_json::json;

use super::client::{Flow, Step};
use super::world::{PASSWORD, World};
use crate::harness::token::own;
use crate::harness::wire::{CONTINUATION, FIN, PING, TEXT, close, frame, request};

/// Every flow, once.
pub(super) fn all(world: &World) -> Vec<Flow> {
    let flow = |name, steps| Flow { name, address: world.server.address, steps };
    let http =
        |head: &str, body: &str| Step::Write(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into());
    let upgraded = |path: &str, sub: &str| {
        let and = if path.contains('?') { '&' } else { '?' };
        [Step::Write(request(&format!("{path}{and}token={}", own(sub)), "").into()), Step::Until("101 Switching")]
    };
    let says = |message: serde_json::Value| Step::Write(frame(FIN | TEXT, message.to_string().as_bytes()));
    let leaves = || Step::Write(close(1000, ""));
    let then = |first: [Step; 2], more: Vec<Step>| first.into_iter().chain(more).collect::<Vec<_>>();
    let login = "POST /login HTTP/1.1\r\nhost: gate\r\ncontent-type: application/json\r\n";
    let credentials = json!({ "username": "ann", "password": PASSWORD }).to_string();
    let bearer = format!("POST /ws-ticket HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer {}\r\n", own("ann"));
    let hello = || json!({ "type": "say", "text": "hello" });
    let in_two = [
        frame(TEXT, br#"{"type":"say","#),
        frame(FIN | PING, b"in between"),
        frame(FIN | CONTINUATION, br#""text":"halves"}"#),
    ];
    vec![
        flow("login", vec![http(login, &credentials), Step::Until("access_token")]),
        flow("ticket", vec![http(&bearer, ""), Step::Until("expires_in")]),
        flow(
            "chat",
            then(
                upgraded("/chat/1", "ann"),
                vec![
                    Step::Until("welcome"),
                    says(hello()),
                    Step::Until("said"),
                    says(hello()),
                    Step::Until("said"),
                    leaves(),
                ],
            ),
        ),
        flow(
            "a message in two halves",
            then(
                upgraded("/chat/2", "bob"),
                vec![Step::Until("welcome"), Step::Write(in_two.concat()), Step::Until("halves"), leaves()],
            ),
        ),
        flow(
            "board",
            then(
                upgraded("/people", "bob"),
                vec![
                    Step::Until("people"),
                    says(json!({ "type": "state", "status": "away" })),
                    Step::Until("away"),
                    leaves(),
                ],
            ),
        ),
        flow("text", then(upgraded("/text/1", "ann"), vec![Step::Until("tick 2"), Step::Until("the end")])),
        flow("text without end", then(upgraded("/text/1000", "ann"), vec![Step::Until("tick 2"), leaves()])),
        flow(
            "question",
            then(
                upgraded("/ask", "ann"),
                vec![
                    says(json!({ "type": "ask", "text": "1" })),
                    Step::Until("tick 2"),
                    Step::Until("complete"),
                    leaves(),
                ],
            ),
        ),
        flow(
            "question without end",
            then(
                upgraded("/ask", "bob"),
                vec![says(json!({ "type": "ask", "text": "1000" })), Step::Until("tick 2"), says(hello()), leaves()],
            ),
        ),
        flow(
            "forward",
            then(
                upgraded("/forward", "ann"),
                vec![says(json!({ "type": "tell", "text": "1" })), Step::Until("answered"), leaves()],
            ),
        ),
        flow(
            "forward without an answer",
            then(
                upgraded("/silence", "bob"),
                vec![says(json!({ "type": "tell", "text": "1000" })), Step::Until("cannot be reached"), leaves()],
            ),
        ),
        flow(
            "first message",
            vec![
                Step::Write(request("/first", "").into()),
                Step::Until("101 Switching"),
                says(json!({ "type": "auth", "token": own("ann") })),
                Step::Until("welcome"),
                says(hello()),
                Step::Until("said"),
                leaves(),
            ],
        ),
        flow(
            "refused",
            vec![
                Step::Write(request("/chat/1?token=rubbish", "").into()),
                Step::Until("101 Switching"),
                Step::Until("no such token"),
                leaves(),
            ],
        ),
        flow("rubbish", then(upgraded("/chat/3", "ann"), vec![Step::Until("welcome"), Step::Write(vec![0xff; 64])])),
    ]
}
