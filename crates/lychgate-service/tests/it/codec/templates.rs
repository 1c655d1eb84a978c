//! Templates and settings: what is refused at start, and what the rest comes to.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use std::collections::BTreeMap;
use std::time::Duration;

use lychgate_service::codec::{
    ActSettings, Announcement, Codec, CodecSettings, MentionSettings, PingSettings, RateSettings, RuleSettings,
    ToSettings,
};
use lychgate_service::ports::clock::UnixMicros;
use lychgate_service::principal::Principal;
use lychgate_service::template::{
    DEPTH_MAX, Inbound, NODES_MAX, Names, RenderFault, Scope, Source, Template, TextTemplate,
};

const NOW: UnixMicros = UnixMicros(1_800_000_000_123_456);

const FRAME: &str = r#"{"n":7,"f":1.5,"big":170141183460469231731687303715884105727,"t":"Ada","b":true,"nil":null,"l":["a",{"k":1}],"o":{"in":"x","z":1,"a":2},"blank":"  x ","inf":1e400}"#;

fn names() -> Names {
    Names::server().open("in").with("channel").with("query.room")
}

fn render(source: &str) -> Result<String, RenderFault> {
    let template = Template::compile(&Source::from(source), &names()).unwrap();
    let inbound = Inbound::parse(FRAME).unwrap();
    let ada = Principal::from_verified_subject("7", Some("ada"));
    let mut out = Vec::new();
    template.render(&Scope::new(&ada, NOW).inbound(&inbound).connection("c1"), 4096, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn expressions_come_to_values() {
    for (source, expected) in [
        ("plain", r#""plain""#),
        ("", r#""""#),
        ("{{user.id}}", r#""{user.id}""#),
        ("a{{b}}c", r#""a{b}c""#),
        ("{user.id}", r#""7""#),
        ("{ user.id }", r#""7""#),
        ("{user.id|int}", "7"),
        ("{user.id | int}", "7"),
        ("conn {conn.id}!", r#""conn c1!""#),
        ("{user.name}{user.id}", r#""ada7""#),
        ("{{{user.id}}}", r#""{7}""#),
        ("{user.email}", "null"),
        ("{user.authenticated}", "true"),
        ("{now.ms}", "1800000000123"),
        ("{now.unix}", "1800000000.123456"),
        ("{in.n}", "7"),
        ("{in.n + 1}", "8"),
        ("{in.f + 1}", "2.5"),
        ("{in.big}", "170141183460469231731687303715884105727"),
        ("{in.big|int}", "170141183460469231731687303715884105727"),
        ("{[in.big, 18446744073709551615]}", "[170141183460469231731687303715884105727,18446744073709551615]"),
        ("{in.big + in.big}", "340282366920938463463374607431768211454"),
        ("{in.nil}", "null"),
        ("{in.gone}", "null"),
        ("{in.gone.deeper}", "null"),
        ("{in.gone[0].deeper}", "null"),
        ("{in.gone|int}", "null"),
        ("{in.nil|default('x')}", r#""x""#),
        ("{in.gone|default(in.t)}", r#""Ada""#),
        ("{query.room|default('general')}", r#""general""#),
        ("{in.l}", r#"["a",{"k":1}]"#),
        ("{in.l.1.k}", "1"),
        ("{in.l[1].k}", "1"),
        ("{in.l[1]['k']}", "1"),
        ("{in.l|length}", "2"),
        ("{in.l|first|upper}", r#""A""#),
        ("{in.o}", r#"{"in":"x","z":1,"a":2}"#),
        ("{in.o.in}", r#""x""#),
        ("{in['o'].in}", r#""x""#),
        ("{in.t in ['Ada', 'Bob']}", "true"),
        ("{in.t not in ['Bob']}", "true"),
        ("{not in.b}", "false"),
        ("{in.t if in.b else in.n}", r#""Ada""#),
        ("{in.t is string and in.n is not string}", "true"),
        ("{in.gone is defined}", "false"),
        ("{in.t is startingwith('A')}", "true"),
        ("{in.t|truncate(2)}", r#""Ad""#),
        ("{in.o|with('z', user.id)}", r#"{"a":2,"in":"x","z":"7"}"#),
        ("{in.o|with('b', in.l)}", r#"{"a":2,"b":["a",{"k":1}],"in":"x","z":1}"#),
        ("{in.gone|with('z', in.gone)}", r#"{"z":null}"#),
        ("{in.blank|trim}", r#""x""#),
        ("{in.f|round}", "2.0"),
        ("{in.f|int}", "1"),
        ("{'}' + in.t}", r#""}Ada""#),
        ("{\"it's\"}", r#""it's""#),
        ("{none}", "null"),
        ("{1 + 2}", "3"),
        ("{[1, 'a']}", r#"[1,"a"]"#),
        ("x{1}y", r#""x1y""#),
        ("{in.n}%", r#""7%""#),
        ("{in.b}/{in.f}", r#""true/1.5""#),
    ] {
        assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn what_cannot_be_worked_out_is_a_fault_and_says_nothing_of_the_client() {
    let expression = |text: &str| text.to_owned();
    for (source, fault) in [
        ("a {in.gone}", RenderFault::NoValue { expression: expression("in.gone") }),
        ("a {in.nil}", RenderFault::NoValue { expression: expression("in.nil") }),
        ("a {user.email}", RenderFault::NoValue { expression: expression("user.email") }),
        ("a {in.l}", RenderFault::NotText { expression: expression("in.l") }),
        ("a {in.l[1]}", RenderFault::NotText { expression: expression("in.l[1]") }),
        ("{in.t|int}", RenderFault::Failed { expression: expression("in.t|int") }),
        ("{in.l|int}", RenderFault::Failed { expression: expression("in.l|int") }),
        ("{in.t|with('a', 1)}", RenderFault::Failed { expression: expression("in.t|with('a', 1)") }),
        ("{in.l|with('a', 1)}", RenderFault::Failed { expression: expression("in.l|with('a', 1)") }),
        ("{in.t + in.n}", RenderFault::Failed { expression: expression("in.t + in.n") }),
        ("{in.n / 0}", RenderFault::Failed { expression: expression("in.n / 0") }),
        ("{in.inf + 1}", RenderFault::NotFinite { expression: expression("in.inf + 1") }),
    ] {
        assert_eq!(render(source), Err(fault), "{source}");
    }
}

#[test]
fn templates_that_cannot_work_are_refused_at_start() {
    for (source, said) in [
        ("{user.nam}", "there is no name \"user.nam\" here; Write {user.name} if"),
        ("{usr.id}", "there is no name \"usr.id\" here; Write {user.id} if"),
        ("{user}", "there is no name \"user\" here; "),
        ("{chanel}", "Write {channel} if"),
        ("{channel.x}", "there is no name \"channel.x\" here"),
        ("{query.zebra}", "there is no name \"query.zebra\" here"),
        ("{something_else_entirely}", "Use one of: user.id, user.name"),
        ("{stored.id}", "there is no name \"stored.id\" here"),
        ("a { b", "a { is not closed"),
        ("a } b", "a } closes nothing"),
        ("{}", "there is nothing between two braces"),
        ("{ }", "there is nothing between two braces"),
        ("{user.id|}", "is no expression"),
        ("{user.id user.name}", "is no expression"),
        ("{user.id|integer}", "there is no filter \"integer\"; Use one of: abs"),
        ("{user.id|safe}", "there is no filter \"safe\""),
        ("{user.id|replace('a','b')}", "there is no filter \"replace\""),
        ("{user.id is odd}", "there is no test \"odd\""),
        ("{user.id is not odd}", "there is no test \"odd\""),
        ("{range(1000000000)}", "there is no name \"range\" here"),
        ("{user.id()}", "calls something"),
        ("{in.o.items()}", "calls something"),
        ("{in.l[0]()}", "calls something"),
        ("{'a' * 1000000000}", "holds '*'"),
        ("{2 ** 100}", "holds '*'"),
        ("{'%9999999999d' % 1}", "holds '%'"),
        ("{'a' ~ in.t}", "holds '~'"),
        ("{% for x in in.l %}", "holds '%'"),
        ("{1 / 0}", "cannot be worked out"),
        ("{'a' + 1}", "cannot be worked out"),
        ("{'open}", "is not closed"),
        ("a{none}", "has no value to be part of a text"),
        ("{_0}", "there is no name \"_0\" here"),
        ("{self}", "there is no name \"self\" here"),
        ("{loop}", "there is no name \"loop\" here"),
        ("{debug}", "there is no name \"debug\" here"),
    ] {
        match Template::compile(&Source::from(source), &names()) {
            Ok(template) => panic!("{source} compiles to {template:?}"),
            Err(faults) => assert!(faults[0].to_string().contains(said), "{source}: {faults:?}"),
        }
    }
    let long = format!("{{'{}'}}", "x".repeat(512));
    assert!(Template::compile(&Source::from(&*long), &names()).is_err());
}

#[test]
fn a_template_has_limits() {
    let list = |count: usize| Source::List(vec![Source::Null; count]);
    Template::compile(&list(NODES_MAX - 1), &names()).unwrap();
    assert!(Template::compile(&list(NODES_MAX), &names()).unwrap_err()[0].wrong.contains("too large"));
    let nested = |depth: usize| (1..depth).fold(Source::Null, |inner, _| Source::List(vec![inner]));
    Template::compile(&nested(DEPTH_MAX), &names()).unwrap();
    assert!(Template::compile(&nested(DEPTH_MAX + 1), &names()).unwrap_err()[0].wrong.contains("too large"));
    let endless = Source::Object(vec![("a".to_owned(), list(NODES_MAX)), ("b".to_owned(), list(NODES_MAX))]);
    assert_eq!(Template::compile(&endless, &names()).unwrap_err().len(), 1);
    assert!(Template::compile(&Source::Float(f64::NAN), &names()).is_err());
    let twice = Source::Object(vec![("a".to_owned(), Source::Null), ("a".to_owned(), Source::Null)]);
    assert_eq!(Template::compile(&twice, &names()).unwrap_err()[0].at, "a");
}

#[test]
fn what_is_constant_is_written_at_start() {
    let source = Source::from_json(r#"{"b":1,"a":[true,null,-2,0.5,"{'x' + 'y'}","{{}}"],"{user.id}":{}}"#).unwrap();
    let template = Template::compile(&source, &Names::none()).unwrap();
    let json = br#"{"b":1,"a":[true,null,-2,0.5,"xy","{}"],"{user.id}":{}}"#;
    assert_eq!(template.as_constant(), Some(&json[..]));
    assert_eq!(template.names().count(), 0);
    let text = |text: &str| TextTemplate::compile(text, &names()).unwrap();
    assert_eq!(text("room:{{x}}{1}").as_constant(), Some("room:{x}1"));
    assert_eq!(text("").as_constant(), Some(""));
    assert_eq!(text("chat:{channel}").as_constant(), None);
    assert_eq!(text("{channel}:{user.id|int}:{channel}").names().collect::<Vec<_>>(), ["channel", "user.id"]);
}

#[test]
fn one_scope_has_one_moment_and_one_uuid() {
    let ada = Principal::from_verified_subject("7", None);
    let template = Template::compile(&Source::from("{uuid} {uuid} {now.iso}"), &names()).unwrap();
    let (one, two) = (Scope::new(&ada, NOW), Scope::new(&ada, NOW));
    let rendered = |scope: &Scope<'_>| template.rendered(scope, 200).unwrap().as_str().to_owned();
    assert_eq!(rendered(&one), rendered(&one));
    assert_ne!(rendered(&one), rendered(&two));
    let text = rendered(&one);
    let uuids: Vec<_> = text.trim_matches('"').split(' ').collect();
    assert_eq!(uuids[0], uuids[1]);
    assert_eq!(uuids[2], "2027-01-15T08:00:00.123456Z");
}

/// Every fault at once, each with the key that it is about.
#[test]
fn faults_of_a_codec_name_their_keys() {
    let bad = || Source::Object(vec![("who".to_owned(), Source::from("{nobody}"))]);
    let rule = RuleSettings {
        require: vec!["a..b".to_owned()],
        rate: Some(RateSettings { count: 0, window: Duration::from_secs(1), reply: Some(bad()) }),
        act: ActSettings::PresenceSet { status: "{in.status".to_owned() },
        reply: Some(bad()),
        to: ToSettings::Channel("room:{in.room}".to_owned()),
        mention: Some(MentionSettings {
            path: "content".to_owned(),
            send: Source::from("{mentioned.nam}"),
            channel: "user:{in.user}".to_owned(),
        }),
        ..RuleSettings::default()
    };
    let settings = CodecSettings {
        welcome: vec![Source::Null, bad()],
        join: Some(Announcement { send: bad(), to: ToSettings::All }),
        rules: BTreeMap::from([("x".to_owned(), rule)]),
        tolerate: vec!["x".to_owned()],
        error: Some(Source::from("{stored.id}")),
        ping: Some(PingSettings { send: Source::Null, every: Duration::from_millis(1) }),
        presence_person: Some(Source::Null),
        chunk: Some(Source::from("{status}")),
        ..CodecSettings::default()
    };
    let faults = Codec::compile(&settings, &Names::none()).unwrap_err();
    let keys: std::collections::BTreeSet<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
    let expected = [
        "chunk",
        "error",
        "in.x.mention.channel",
        "in.x.mention.send",
        "in.x.rate",
        "in.x.rate.reply.who",
        "in.x.reply.who",
        "in.x.require",
        "in.x.status",
        "in.x.to",
        "join.send.who",
        "ping.every",
        "presence_person",
        "tolerate",
        "welcome.1.who",
    ];
    assert_eq!(keys, expected.into_iter().collect());
}

/// What an act adds can be used after it, and nowhere else.
#[test]
fn names_belong_to_their_places() {
    let compiled = |act: ActSettings, send: &str| {
        let rule = RuleSettings { act, send: Some(Source::from(send)), ..RuleSettings::default() };
        let settings = CodecSettings { rules: BTreeMap::from([("x".to_owned(), rule)]), ..CodecSettings::default() };
        Codec::compile(&settings, &Names::none()).is_ok()
    };
    assert!(compiled(ActSettings::Store, "{stored.id}"));
    assert!(!compiled(ActSettings::None, "{stored.id}"));
    assert!(compiled(ActSettings::Forward { body: None }, "{answer.anything}"));
    assert!(!compiled(ActSettings::Store, "{answer.anything}"));
    assert!(compiled(ActSettings::PresenceSet { status: "away".to_owned() }, "{status}"));
    assert!(!compiled(ActSettings::PresenceLife, "{status}"));
    assert!(compiled(ActSettings::None, "{resource.title}"));
    assert!(!compiled(ActSettings::None, "{chunk}"));
    // A client does not choose where its words go.
    let sent_to = |channel: &str| {
        let to = ToSettings::Channel(channel.to_owned());
        let rule = RuleSettings { send: Some(Source::Null), to, ..RuleSettings::default() };
        let settings = CodecSettings { rules: BTreeMap::from([("x".to_owned(), rule)]), ..CodecSettings::default() };
        Codec::compile(&settings, &Names::none()).is_ok()
    };
    assert!(sent_to("room:{user.id}"));
    assert!(!sent_to("room:{in.room}"));
}
