//! Every frame that the documented systems put on the wire comes out of settings, byte for byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use std::collections::BTreeMap;

use lychgate_service::codec::{
    Act, ActSettings, Announcement, BadFrame, Codec, CodecSettings, Heard, MaxChars, MentionSettings, Refusal,
    RuleSettings, To, ToSettings, Unknown,
};
use lychgate_service::policy::Parameters;
use lychgate_service::ports::clock::UnixMicros;
use lychgate_service::ports::directory::Person;
use lychgate_service::ports::messages::{MessageId, Reaction};
use lychgate_service::ports::rights::Parameter;
use lychgate_service::ports::users::UserId;
use lychgate_service::principal::Principal;
use lychgate_service::template::{Datum, Names, Scope, Source, Stored, Template};

const NOW: UnixMicros = UnixMicros(1_800_000_000_123_456);
const ISO: &str = "2027-01-15T08:00:00.123456Z";
const BYTES_MAX: usize = 65_536;

fn json(text: &str) -> Source {
    Source::from_json(text).unwrap()
}

fn ada() -> Principal {
    let person = Person {
        id: "7".to_owned(),
        user_id: Some(UserId(7)),
        name: Some("ada".to_owned()),
        email: Some("ada@example.com".to_owned()),
        active: true,
    };
    Principal::from_person("7", &person)
}

fn rendered(template: &Template, scope: &Scope<'_>) -> String {
    let mut out = Vec::new();
    template.render(scope, BYTES_MAX, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn said<'c, 't>(heard: Heard<'c, 't>) -> (&'c lychgate_service::codec::Rule, lychgate_service::template::Inbound<'t>) {
    match heard {
        Heard::Say { rule, inbound } => (rule, inbound),
        other => panic!("no rule is followed: {other:?}"),
    }
}

fn answer(codec: &Codec, text: &str, principal: &Principal) -> String {
    let Heard::Refused(refused) = codec.hear(text, principal) else { panic!("{text} is not refused") };
    let mut out = Vec::new();
    codec.refusal_frame(&refused, Scope::new(principal, NOW), BYTES_MAX, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Chat in numbered channels, with reactions, mentions, typing and presence.
fn chat() -> Codec {
    let to_all = |act, send: &str| RuleSettings { act, send: Some(json(send)), ..RuleSettings::default() };
    let typing = |act, kind: &str| RuleSettings {
        to: ToSettings::Others,
        ..to_all(
            act,
            &format!(
                r#"{{"type":"{kind}","user_id":"{{user.id|int}}","username":"{{user.name}}","channel_id":"{{channel}}"}}"#
            ),
        )
    };
    let reaction = |act, kind: &str| {
        to_all(
            act,
            &format!(
                r#"{{"type":"{kind}","message_id":"{{in.message_id}}","emoji":"{{in.emoji}}","user_id":"{{user.id|int}}","username":"{{user.name}}","channel_id":"{{channel}}"}}"#
            ),
        )
    };
    let (message, emoji) = ("{in.message_id}".to_owned(), "{in.emoji}".to_owned());
    let came = |kind: &str| Announcement {
        send: json(&format!(
            r#"{{"type":"{kind}","channel_id":"{{channel}}","user_id":"{{user.id|int}}","username":"{{user.name}}","timestamp":"{{now.iso}}"}}"#
        )),
        to: ToSettings::Others,
    };
    let settings = CodecSettings {
        default_type: Some("message".to_owned()),
        join: Some(came("user_joined")),
        leave: Some(came("user_left")),
        rules: BTreeMap::from([
            (
                "message".to_owned(),
                RuleSettings {
                    drop_blank: Some("content".to_owned()),
                    max_chars: Some(MaxChars { path: "content".to_owned(), count: 2000 }),
                    mention: Some(MentionSettings {
                        path: "content".to_owned(),
                        send: json(
                            r#"{"type":"notification","notification_id":"{uuid}","notification_type":"mention","title":"{user.name} mentioned you","content":"{in.content}","channel_id":"{channel}","message_id":"{stored.id}","sender_id":"{user.id|int}","sender_username":"{user.name}","created_at":"{now.iso}"}"#,
                        ),
                        channel: "user:{mentioned.id}".to_owned(),
                    }),
                    ..to_all(
                        ActSettings::Store,
                        r#"{"type":"message","id":"{stored.id}","content":"{in.content}","user_id":"{user.id|int}","username":"{user.name}","channel_id":"{channel}","timestamp":"{stored.at.iso}","reactions":"{stored.reactions}"}"#,
                    )
                },
            ),
            ("typing_start".to_owned(), typing(ActSettings::TypingStart, "typing_start")),
            ("typing_stop".to_owned(), typing(ActSettings::TypingStop, "typing_stop")),
            (
                "reaction_add".to_owned(),
                reaction(ActSettings::React { message: message.clone(), emoji: emoji.clone() }, "reaction_add"),
            ),
            ("reaction_remove".to_owned(), reaction(ActSettings::Unreact { message, emoji }, "reaction_remove")),
            (
                "heartbeat".to_owned(),
                RuleSettings {
                    act: ActSettings::PresenceLife,
                    reply: Some(json(r#"{"type":"heartbeat_ack"}"#)),
                    ..RuleSettings::default()
                },
            ),
            (
                "status_update".to_owned(),
                RuleSettings {
                    act: ActSettings::PresenceSet {
                        status: "{in.status if in.status in ['online', 'away', 'dnd', 'offline'] else 'online'}"
                            .to_owned(),
                    },
                    ..RuleSettings::default()
                },
            ),
        ]),
        unknown: Some(Unknown::Ignore),
        presence_update: Some(json(
            r#"{"type":"presence_update","user_id":"{user.id|int}","username":"{user.name}","status":"{status}"}"#,
        )),
        presence_list: Some(json(r#"{"type":"presence_list","users":"{people}"}"#)),
        presence_person: Some(json(r#"{"user_id":"{user.id}","username":"{user.name}","status":"{status}"}"#)),
        ..CodecSettings::default()
    };
    Codec::compile(&settings, &Names::none().with("channel")).unwrap()
}

fn channel_five() -> Parameters {
    Box::new([("channel".into(), Parameter::Integer(5))])
}

#[test]
fn a_chat_message_is_stored_and_said_to_all() {
    let (codec, ada, parameters) = (chat(), ada(), channel_five());
    for text in [r#"{"type":"message","content":"hi \"bob\"\u0021"}"#, r#"{"content":"hi \"bob\"\u0021"}"#] {
        let (rule, inbound) = said(codec.hear(text, &ada));
        assert!(matches!((rule.act(), rule.to()), (Act::Store, To::All)));
        let stored = Stored { id: 41, at: NOW, reactions: &[] };
        let scope = Scope::new(&ada, NOW).parameters(&parameters).inbound(&inbound).stored(stored);
        assert_eq!(
            rendered(rule.send().unwrap(), &scope),
            format!(
                r#"{{"type":"message","id":41,"content":"hi \"bob\"\u0021","user_id":7,"username":"ada","channel_id":5,"timestamp":"{ISO}","reactions":[]}}"#
            )
        );
    }
    for blank in [r#"{"content":"  \n "}"#, r#"{"type":"message"}"#, r#"{"content":null}"#] {
        assert!(matches!(codec.hear(blank, &ada), Heard::Silence), "{blank}");
    }
    let long = format!(r#"{{"content":"{}"}}"#, "é".repeat(2001));
    assert!(matches!(codec.hear(&long, &ada), Heard::Refused(refused) if refused.why == Refusal::TooLong));
    let fits = format!(r#"{{"content":"{}"}}"#, "é".repeat(2000));
    assert!(matches!(codec.hear(&fits, &ada), Heard::Say { .. }));
}

#[test]
fn reactions_that_were_stored_are_shown_again() {
    let (codec, ada, parameters) = (chat(), ada(), channel_five());
    let inbound = lychgate_service::template::Inbound::parse(r#"{"content":"old"}"#).unwrap();
    let reactions = [Reaction { subject: "9".to_owned(), emoji: "👍".to_owned() }];
    let stored = Stored { id: 3, at: NOW, reactions: &reactions };
    let scope = Scope::new(&ada, NOW).parameters(&parameters).inbound(&inbound).stored(stored);
    let shown = rendered(codec.rule("message").unwrap().send().unwrap(), &scope);
    assert!(shown.ends_with(r#""reactions":[{"user_id":"9","emoji":"👍"}]}"#), "{shown}");
}

#[test]
fn reactions_typing_and_coming_are_said() {
    let (codec, ada, parameters) = (chat(), ada(), channel_five());
    for kind in ["reaction_add", "reaction_remove"] {
        let text = format!(r#"{{"type":"{kind}","message_id":41,"emoji":"🎉","user_id":1}}"#);
        let (rule, inbound) = said(codec.hear(&text, &ada));
        let scope = Scope::new(&ada, NOW).parameters(&parameters).inbound(&inbound);
        assert_eq!(rule.reaction(&scope).unwrap(), Some((MessageId(41), "🎉".to_owned())));
        assert_eq!(
            rendered(rule.send().unwrap(), &scope),
            format!(r#"{{"type":"{kind}","message_id":41,"emoji":"🎉","user_id":7,"username":"ada","channel_id":5}}"#)
        );
    }
    for kind in ["typing_start", "typing_stop"] {
        let text = format!(r#"{{"type":"{kind}"}}"#);
        let (rule, inbound) = said(codec.hear(&text, &ada));
        assert!(matches!(rule.to(), To::Others));
        let scope = Scope::new(&ada, NOW).parameters(&parameters).inbound(&inbound);
        let expected = format!(r#"{{"type":"{kind}","user_id":7,"username":"ada","channel_id":5}}"#);
        assert_eq!(rendered(rule.send().unwrap(), &scope), expected);
    }
    for (kind, announcement) in [("user_joined", codec.join()), ("user_left", codec.leave())] {
        let scope = Scope::new(&ada, NOW).parameters(&parameters);
        assert_eq!(
            rendered(&announcement.unwrap().send, &scope),
            format!(r#"{{"type":"{kind}","channel_id":5,"user_id":7,"username":"ada","timestamp":"{ISO}"}}"#)
        );
    }
    assert!(matches!(codec.hear(r#"{"type":"dance"}"#, &ada), Heard::Silence));
}

#[test]
fn a_reaction_to_nothing_is_none() {
    let (codec, ada) = (chat(), ada());
    for fields in [
        r#""message_id":0,"emoji":"x""#,
        r#""message_id":"seven","emoji":"x""#,
        r#""message_id":1,"emoji":" ""#,
        r#""message_id":1.5,"emoji":"x""#,
        r#""message_id":[1],"emoji":"x""#,
        r#""emoji":"x""#,
        r#""message_id":1"#,
        r#""message_id":1,"emoji":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#,
    ] {
        let text = format!(r#"{{"type":"reaction_add",{fields}}}"#);
        let (rule, inbound) = said(codec.hear(&text, &ada));
        let reaction = rule.reaction(&Scope::new(&ada, NOW).inbound(&inbound));
        assert!(matches!(reaction, Err(_) | Ok(None)), "{fields}: {reaction:?}");
    }
}

#[test]
fn whoever_is_mentioned_gets_a_notification() {
    let (codec, ada, parameters) = (chat(), ada(), channel_five());
    let text = r#"{"content":"@bob see @eve.x. not mail@home, @bob @"}"#;
    let (rule, inbound) = said(codec.hear(text, &ada));
    let mention = rule.mention().unwrap();
    assert_eq!(mention.names(&inbound).as_slice(), ["bob", "eve.x"]);
    let given = [("mentioned.id", Datum::Text("8".into())), ("mentioned.name", Datum::Text("bob".into()))];
    let stored = Stored { id: 41, at: NOW, reactions: &[] };
    let scope = Scope::new(&ada, NOW).parameters(&parameters).inbound(&inbound).stored(stored).given(&given);
    assert_eq!(mention.channel().render(&scope, 255).unwrap(), "user:8");
    let frame = rendered(mention.send(), &scope);
    let (head, tail) = frame.split_at(r#"{"type":"notification","notification_id":""#.len());
    assert_eq!(head, r#"{"type":"notification","notification_id":""#);
    assert_eq!(
        &tail[36..],
        format!(
            r#"","notification_type":"mention","title":"ada mentioned you","content":"@bob see @eve.x. not mail@home, @bob @","channel_id":5,"message_id":41,"sender_id":7,"sender_username":"ada","created_at":"{ISO}"}}"#
        )
    );
}

#[test]
fn presence_is_a_number_in_one_frame_and_text_in_the_other() {
    let (codec, ada) = (chat(), ada());
    let (rule, inbound) = said(codec.hear(r#"{"type":"heartbeat"}"#, &ada));
    assert!(matches!(rule.act(), Act::PresenceLife));
    let scope = Scope::new(&ada, NOW).inbound(&inbound);
    assert_eq!(rendered(rule.reply().unwrap(), &scope), r#"{"type":"heartbeat_ack"}"#);
    for (said_status, expected) in
        [("\"away\"", "away"), ("\"invisible\"", "online"), ("7", "online"), ("null", "online")]
    {
        let text = format!(r#"{{"type":"status_update","status":{said_status}}}"#);
        let (rule, inbound) = said(codec.hear(&text, &ada));
        let status = rule.status(&Scope::new(&ada, NOW).inbound(&inbound)).unwrap().unwrap();
        assert_eq!(status, expected);
    }
    let scope = Scope::new(&ada, NOW).status("away");
    assert_eq!(
        rendered(codec.presence_update().unwrap(), &scope),
        r#"{"type":"presence_update","user_id":7,"username":"ada","status":"away"}"#
    );
    let bob = Principal::from_verified_subject("8", Some("bob"));
    let person = codec.presence_person().unwrap();
    let people = [
        person.rendered(&scope, BYTES_MAX).unwrap(),
        person.rendered(&Scope::new(&bob, NOW).status("dnd"), BYTES_MAX).unwrap(),
    ];
    let given = [("people", Datum::List(&people))];
    assert_eq!(
        rendered(codec.presence_list().unwrap(), &Scope::new(&ada, NOW).given(&given)),
        r#"{"type":"presence_list","users":[{"user_id":"7","username":"ada","status":"away"},{"user_id":"8","username":"bob","status":"dnd"}]}"#
    );
}

/// Broadcast with stamps: nothing is looked into.
#[test]
fn a_codec_without_rules_passes_everything() {
    let codec = Codec::compile(&CodecSettings::default(), &Names::none()).unwrap();
    for text in [r#"{"type":"x","n":1.50}"#, "[1]", "no json"] {
        assert!(matches!(codec.hear(text, &ada()), Heard::Publish(same) if same == text));
    }
    let settings = CodecSettings { answer_ping: true, ..CodecSettings::default() };
    let codec = Codec::compile(&settings, &Names::none()).unwrap();
    assert!(matches!(codec.hear(r#"{"type":"ping"}"#, &ada()), Heard::Ping));
    assert!(matches!(codec.hear(r#"{"type":"pin"}"#, &ada()), Heard::Publish(_)));
}

/// The later form of the broadcast: known types are answered to the sender, unknown ones are an error.
#[test]
fn requests_are_answered_to_the_sender_alone() {
    let settings = CodecSettings {
        rules: BTreeMap::from([(
            "quote".to_owned(),
            RuleSettings {
                act: ActSettings::Forward { body: None },
                reply: Some(json(
                    r#"{"type":"quote_ready","payload":"{answer}","timestamp":"{now.unix}","requestId":"{in.requestId|default(uuid)}","user":"{user.subject}"}"#,
                )),
                ..RuleSettings::default()
            },
        )]),
        ..CodecSettings::default()
    };
    let codec = Codec::compile(&settings, &Names::none()).unwrap();
    let user = Principal::from_verified_subject("user", None);
    let text = r#"{"type":"quote","payload":{"kg":1.50},"requestId":"r-1"}"#;
    let (rule, inbound) = said(codec.hear(text, &user));
    let tree = serde_json::json!({"price": 12});
    let given = [("answer", Datum::Tree(&tree))];
    let scope = Scope::new(&user, NOW).inbound(&inbound).given(&given);
    let Act::Forward(body) = rule.act() else { panic!("{rule:?}") };
    assert_eq!(
        rendered(body, &scope),
        format!(r#"{{"user":{{"id":"user","name":"user","authenticated":true}},"frame":{text}}}"#)
    );
    assert_eq!(
        rendered(rule.reply().unwrap(), &scope),
        r#"{"type":"quote_ready","payload":{"price":12},"timestamp":1800000000.123456,"requestId":"r-1","user":"user"}"#
    );
    assert_eq!(
        answer(&codec, r#"{"type":"X","n":1.0}"#, &user),
        r#"{"type":"error","payload":{"message":"Unsupported message type: X","original_request":{"type":"X","n":1.0}}}"#
    );
    let settings = CodecSettings {
        error: Some(json(
            r#"{"type":"error","payload":{"message":"{error.message}","code":"{error.code}","original_request":"{in}"}}"#,
        )),
        unknown: Some(Unknown::Error),
        ..CodecSettings::default()
    };
    let codec = Codec::compile(&settings, &Names::none()).unwrap();
    assert_eq!(
        answer(&codec, r#" {"type":"X"} "#, &user),
        r#"{"type":"error","payload":{"message":"Unsupported message type: X","code":"unknown_type","original_request":{"type":"X"}}}"#
    );
    assert_eq!(
        answer(&codec, "x", &user),
        r#"{"type":"error","payload":{"message":"not JSON at byte 0","code":"bad_json","original_request":null}}"#
    );
}

/// Rooms by query, anonymous visitors, an envelope with `type` and `data`.
fn rooms() -> Codec {
    let came = |kind: &str, to| Announcement {
        send: json(&format!(
            r#"{{"type":"{kind}","data":{{"user_id":"{{user.id}}","room_id":"{{room}}"}},"timestamp":"{{now.iso}}"}}"#
        )),
        to,
    };
    let error = |message: &str| {
        Some(json(&format!(r#"{{"type":"error","data":{{"message":"{message}"}},"timestamp":"{{now.iso}}"}}"#)))
    };
    let settings = CodecSettings {
        join: Some(came("user_joined", ToSettings::All)),
        leave: Some(came("user_left", ToSettings::Others)),
        welcome: vec![json(
            r#"{"type":"welcome","data":{"user_id":"{user.id}","room_id":"{room}","connection_id":"{conn.id}","authenticated":"{user.authenticated}","user_email":"{user.email}"},"timestamp":"{now.iso}"}"#,
        )],
        require: vec!["type".to_owned(), "data".to_owned()],
        bad_json: error("Invalid JSON"),
        bad_shape: error("Invalid message format"),
        error: error("{error.message}"),
        rules: BTreeMap::from([
            (
                "chat".to_owned(),
                RuleSettings {
                    require: vec!["data.message".to_owned()],
                    act: ActSettings::Store,
                    send: Some(json(
                        r#"{"type":"chat","data":{"user_id":"{user.id}","message":"{in.data.message}","room_id":"{room}"},"timestamp":"{now.iso}"}"#,
                    )),
                    ..RuleSettings::default()
                },
            ),
            (
                "graph_interaction".to_owned(),
                RuleSettings {
                    needs_authenticated: true,
                    send: Some(json(
                        r#"{"type":"graph_interaction","data":{"user_id":"{user.id}","action":"{in.data.action}","node_id":"{in.data.node_id}","position":"{in.data.position}"},"timestamp":"{now.iso}"}"#,
                    )),
                    to: ToSettings::Channel("room:graph_updates".to_owned()),
                    ..RuleSettings::default()
                },
            ),
        ]),
        ..CodecSettings::default()
    };
    Codec::compile(&settings, &Names::none().with("room")).unwrap()
}

#[test]
fn rooms_welcome_and_chat() {
    let (codec, ada, visitor) = (rooms(), ada(), Principal::anonymous("anonymous"));
    let parameters: Parameters = Box::new([("room".into(), Parameter::Text("general".to_owned()))]);
    for (who, id, authenticated, email) in
        [(&ada, "7", "true", "\"ada@example.com\""), (&visitor, "anonymous", "false", "null")]
    {
        let scope = Scope::new(who, NOW).parameters(&parameters).connection("c-1");
        assert_eq!(
            rendered(&codec.welcome()[0], &scope),
            format!(
                r#"{{"type":"welcome","data":{{"user_id":"{id}","room_id":"general","connection_id":"c-1","authenticated":{authenticated},"user_email":{email}}},"timestamp":"{ISO}"}}"#
            )
        );
        for (kind, announcement) in [("user_joined", codec.join()), ("user_left", codec.leave())] {
            assert_eq!(
                rendered(&announcement.unwrap().send, &scope),
                format!(r#"{{"type":"{kind}","data":{{"user_id":"{id}","room_id":"general"}},"timestamp":"{ISO}"}}"#)
            );
        }
        let (rule, inbound) = said(codec.hear(r#"{"type":"chat","data":{"message":"hi"},"user_id":"eve"}"#, who));
        let scope = Scope::new(who, NOW).parameters(&parameters).inbound(&inbound);
        assert_eq!(
            rendered(rule.send().unwrap(), &scope),
            format!(
                r#"{{"type":"chat","data":{{"user_id":"{id}","message":"hi","room_id":"general"}},"timestamp":"{ISO}"}}"#
            )
        );
    }
}

#[test]
fn rooms_forward_graphs_and_answer_what_is_wrong() {
    let (codec, ada, visitor) = (rooms(), ada(), Principal::anonymous("anonymous"));
    let graph = r#"{"type":"graph_interaction","data":{"action":"drag","node_id":12,"position":{"x":1.50, "y":-0.0}}}"#;
    let (rule, inbound) = said(codec.hear(graph, &ada));
    let To::Channel(channel) = rule.to() else { panic!("{rule:?}") };
    assert_eq!(channel.as_constant(), Some("room:graph_updates"));
    let scope = Scope::new(&ada, NOW).inbound(&inbound);
    assert_eq!(
        rendered(rule.send().unwrap(), &scope),
        format!(
            r#"{{"type":"graph_interaction","data":{{"user_id":"7","action":"drag","node_id":12,"position":{{"x":1.50, "y":-0.0}}}},"timestamp":"{ISO}"}}"#
        )
    );
    let error = |message: &str| format!(r#"{{"type":"error","data":{{"message":"{message}"}},"timestamp":"{ISO}"}}"#);
    for (text, message) in [
        ("{", "Invalid JSON"),
        ("[1]", "Invalid JSON"),
        (r#"{"type":"chat"}"#, "Invalid message format"),
        (r#"{"data":{}}"#, "Invalid message format"),
        (r#"{"type":"chat","data":{}}"#, "Invalid message format"),
        (r#"{"type":"sing","data":{}}"#, "Unsupported message type: sing"),
    ] {
        assert_eq!(answer(&codec, text, &ada), error(message), "{text}");
    }
    assert_eq!(answer(&codec, graph, &visitor), error("This is not open to anonymous visitors."));
}

/// Server pings, literal pongs, wrapped JSON and an inbox per user.
#[test]
fn an_inbox_greets_pings_and_forgives() {
    let settings = CodecSettings {
        welcome: vec![
            json(
                r#"{"type":"connection_established","connection_id":"{conn.id}","timestamp":"{now.unix}","system":true}"#,
            ),
            json(r#"{"type":"ping","timestamp":"{now.unix}","system":true}"#),
        ],
        tolerate: vec!["ping".to_owned(), "auth".to_owned()],
        text_pong: Some("pong".to_owned()),
        unwrap_json: true,
        bad_json: Some(json(
            r#"{"type":"error","payload":{"error":"Invalid message format","sub_agent_name":"System"},"displayed_to_user":true}"#,
        )),
        rules: BTreeMap::from([(
            "user_message".to_owned(),
            RuleSettings {
                act: ActSettings::Forward { body: Some(json(r#"{"user":"{user.id}","payload":"{in.payload}"}"#)) },
                send: Some(json(r#"{"type":"{answer.type}","payload":"{answer.payload}"}"#)),
                ..RuleSettings::default()
            },
        )]),
        ..CodecSettings::default()
    };
    let (codec, ada) = (Codec::compile(&settings, &Names::none()).unwrap(), ada());
    let scope = Scope::new(&ada, NOW).connection("c-1");
    assert_eq!(
        rendered(&codec.welcome()[0], &scope),
        r#"{"type":"connection_established","connection_id":"c-1","timestamp":1800000000.123456,"system":true}"#
    );
    assert_eq!(rendered(&codec.welcome()[1], &scope), r#"{"type":"ping","timestamp":1800000000.123456,"system":true}"#);
    assert!(matches!(codec.hear("pong", &ada), Heard::SignOfLife));
    for silent in [r#"{"type":"ping"}"#, r#"{"type":"auth","token":"x"}"#, r#""{\"type\":\"ping\"}""#] {
        assert!(matches!(codec.hear(silent, &ada), Heard::Silence), "{silent}");
    }
    for bad in ["Pong", "\"\\\"{}\\\"\"", "7"] {
        assert_eq!(
            answer(&codec, bad, &ada),
            r#"{"type":"error","payload":{"error":"Invalid message format","sub_agent_name":"System"},"displayed_to_user":true}"#
        );
    }
    let wrapped = r#""{\"type\":\"user_message\",\"payload\":{\"text\":\"hi\"}}""#;
    for text in [r#"{"type":"user_message","payload":{"text":"hi"}}"#, wrapped] {
        let (rule, inbound) = said(codec.hear(text, &ada));
        let Act::Forward(body) = rule.act() else { panic!("{rule:?}") };
        let scope = Scope::new(&ada, NOW).inbound(&inbound);
        assert_eq!(rendered(body, &scope), r#"{"user":"7","payload":{"text":"hi"}}"#);
        let tree = serde_json::json!({"type": "agent_message", "payload": {"content": "hello"}});
        let given = [("answer", Datum::Tree(&tree))];
        assert_eq!(
            rendered(rule.send().unwrap(), &scope.given(&given)),
            r#"{"type":"agent_message","payload":{"content":"hello"}}"#
        );
    }
}

/// A streamed text in frames.
#[test]
fn pieces_of_a_text_are_framed() {
    let settings = CodecSettings {
        welcome: vec![json(r#"{"type":"context","scope":"entry","reflection":"{resource.content}","id":"{entry}"}"#)],
        chunk: Some(json(r#"{"type":"token","content":"{chunk}"}"#)),
        done: Some(json(r#"{"type":"complete"}"#)),
        error: Some(json(r#"{"type":"error","message":"{error.message}"}"#)),
        bad_frame: BadFrame::Error,
        ..CodecSettings::default()
    };
    let (codec, ada) = (Codec::compile(&settings, &Names::none().with("entry")).unwrap(), ada());
    let resource = serde_json::json!({"content": "dear\n diary"});
    let parameters: Parameters = Box::new([("entry".into(), Parameter::Integer(-3))]);
    let scope = Scope::new(&ada, NOW).resource(resource.as_object().unwrap()).parameters(&parameters);
    assert_eq!(
        rendered(&codec.welcome()[0], &scope),
        r#"{"type":"context","scope":"entry","reflection":"dear\n diary","id":-3}"#
    );
    let scope = Scope::new(&ada, NOW).chunk(" \"{user.id}\"\n");
    assert_eq!(rendered(codec.chunk().unwrap(), &scope), r#"{"type":"token","content":" \"{user.id}\"\n"}"#);
    assert_eq!(codec.done().unwrap().as_constant(), Some(&br#"{"type":"complete"}"#[..]));
    let mut out = Vec::new();
    codec.error_frame("gone", "upstream", Scope::new(&ada, NOW), BYTES_MAX, &mut out).unwrap();
    assert_eq!(out, br#"{"type":"error","message":"gone"}"#);
}
