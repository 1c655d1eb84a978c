//! Who may do what in channels that clients name, asked of the use case itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lychgate_protocol::channel::ChannelName;
use lychgate_service::channels::{
    ChannelAccess, ChannelPattern, Entrance, Member, Namespace, Namespaces, NotEntered, VouchRefused, Who,
};
use lychgate_service::grants::Grants;
use lychgate_service::policy::{Access, Denied, Policy};
use lychgate_service::ports::clock::{Clock, UnixMicros};
use lychgate_service::ports::rights::{Answer, Parameter, Question, Relation, Rights, RightsError};
use lychgate_service::principal::Principal;
use lychgate_service::testing::nothing_revoked;
use lychgate_token::{Algorithm, IssuerProfile, Minter, NewClaims, ProfileKind, Refusal, SigningKey, Token, Verifier};
use serde_json::{Map, Value, json};

/// When everything here happens.
const NOW_S: u64 = 1_800_000_000;

/// A clock that the test sets.
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> UnixMicros {
        UnixMicros(self.0.load(Ordering::Relaxed) * 1_000_000)
    }
}

/// Who knows: the users who are members of everything, and what it was asked.
#[derive(Default)]
struct Register {
    members: Mutex<Vec<&'static str>>,
    is_away: Mutex<bool>,
    asked: Mutex<Vec<Question>>,
}

#[async_trait]
impl Rights for Register {
    async fn ask(&self, question: &Question) -> Result<Answer, RightsError> {
        self.asked.lock().expect("nothing panicked here").push(question.clone());
        if *self.is_away.lock().expect("nothing panicked here") {
            return Err(RightsError::Unavailable("away".into()));
        }
        let is_member =
            self.members.lock().expect("nothing panicked here").iter().any(|member| *member == question.user);
        Ok(if is_member { Answer::Granted(Map::new()) } else { Answer::Foreign })
    }
}

struct World {
    access: ChannelAccess,
    minter: Minter,
    register: Arc<Register>,
    clock: Arc<Hand>,
}

impl World {
    fn new() -> Self {
        let key = SigningKey::hmac(Algorithm::Hs256, b"what the application knows, 51c07be2a9", None).expect("a key");
        let verifier = Verifier::new(vec![IssuerProfile::own("own", "gate", "gate", vec![key.verifying_key()])]);
        let minter = Minter::new(key, "gate".to_owned(), "gate".to_owned(), ProfileKind::Own).expect("a minter");
        let (register, clock) = (Arc::new(Register::default()), Arc::new(Hand(AtomicU64::new(NOW_S))));
        let asked = Access::Asked {
            relation: Relation::Member,
            resource: Arc::new(Named),
            rights: Arc::clone(&register) as _,
            hides_foreign: false,
            is_own: false,
        };
        let namespaces = Namespaces::new(vec![
            namespace("open:{topic}", Access::Any, true),
            namespace("known:{topic}", Access::Any, false),
            namespace("room:{room:int}", asked, false),
            namespace("paid:{name}", Access::Vouched, false),
            namespace("granted:{name}", Access::Granted, false),
            namespace("inbox:{to}", Access::Nobody, false),
        ]);
        let verifier = Arc::new(verifier.expect("a verifier"));
        let access =
            ChannelAccess::new(namespaces.expect("no twins"), verifier, nothing_revoked(), Arc::clone(&clock) as _);
        Self { access, minter, register, clock }
    }

    fn token(&self, sub: &str, channel: Option<&str>, more: Value) -> Token {
        let mut extra = more.as_object().expect("claims").clone();
        if let Some(channel) = channel {
            extra.insert("channel".to_owned(), json!(channel));
        }
        let claims = NewClaims { lifetime_s: Some(60), extra, ..NewClaims::session(sub, "s", "t") };
        self.minter.mint(&claims, NOW_S).expect("a token")
    }

    async fn enter(&self, who: &Member, channel: &str, token: Option<Token>) -> Result<Entrance, NotEntered> {
        Ok(self.access.enter(who, channel, token).await?.entrance)
    }
}

#[derive(Debug)]
struct Named;

impl lychgate_service::policy::Naming for Named {
    fn name(&self, _: &Principal, parameters: &lychgate_service::policy::Parameters) -> Option<String> {
        match parameters.first() {
            Some((_, Parameter::Integer(room))) => Some(format!("room:{room}")),
            _ => None,
        }
    }
}

fn namespace(pattern: &str, access: Access, anonymous: bool) -> Namespace {
    let name = pattern.split(':').next().unwrap_or_default();
    let policy = Policy::new("unnamed".parse().expect("a channel"), access);
    let bare = Namespace::bare(name, ChannelPattern::parse(pattern).expect("a form"), policy);
    Namespace { anonymous, publish: Who::Subscribers, ..bare }
}

fn member(name: &str) -> Member {
    let principal = Principal::from_verified_subject(name, None);
    Member { principal, grants: Grants::default(), client: Member::fresh_client(), info: None, meta: None }
}

fn visitor() -> Member {
    Member { principal: Principal::anonymous("guest"), ..member("guest") }
}

fn granted(caps: Value) -> Grants {
    Grants::of_claims(json!({ "caps": caps }).as_object().expect("claims"))
}

/// A refusal in a word.
fn word(refused: Option<NotEntered>) -> &'static str {
    match refused {
        None => "in",
        Some(NotEntered::Unknown) => "unknown",
        Some(NotEntered::BadName) => "bad name",
        Some(NotEntered::Denied(Denied::Unknown(_))) => "nobody knows",
        Some(NotEntered::Denied(_)) => "denied",
        Some(NotEntered::Token(VouchRefused::NoChannel)) => "no channel",
        Some(NotEntered::Token(VouchRefused::Other)) => "other",
        Some(NotEntered::Token(VouchRefused::Option(_))) => "bad option",
        Some(NotEntered::Token(VouchRefused::Token(Refusal::Expired { .. }))) => "expired",
        Some(NotEntered::Token(VouchRefused::Token(_))) => "bad token",
        Some(NotEntered::Token(VouchRefused::NotAdmissible(_))) => "revoked",
    }
}

#[tokio::test]
async fn each_policy_lets_in_whom_it_says() {
    let world = World::new();
    world.register.members.lock().expect("nothing panicked here").push("ann");
    let (ann, bob, guest) = (member("ann"), member("bob"), visitor());
    let grants = granted(json!([{ "channels": ["granted:a"], "allow": ["sub"] }]));
    let holder = Member { grants, ..member("ann") };
    for (who, channel, expected) in [
        (&ann, "open:a", "in"),
        (&guest, "open:a", "in"),
        (&ann, "known:a", "in"),
        (&guest, "known:a", "denied"),
        (&ann, "room:1", "in"),
        (&bob, "room:1", "denied"),
        (&guest, "room:1", "denied"),
        (&ann, "room:x", "bad name"),
        (&ann, "room:", "bad name"),
        (&ann, "paid:a", "denied"),
        (&ann, "granted:a", "denied"),
        (&holder, "granted:a", "in"),
        (&holder, "granted:b", "denied"),
        (&ann, "inbox:ann", "denied"),
        (&ann, "other:a", "unknown"),
        (&ann, "", "bad name"),
        (&ann, "open:a b", "bad name"),
    ] {
        assert_eq!(word(world.enter(who, channel, None).await.err()), expected, "{:?} {channel}", who.principal);
    }
    *world.register.is_away.lock().expect("nothing panicked here") = true;
    assert_eq!(word(world.enter(&ann, "room:1", None).await.err()), "nobody knows", "and so nobody comes in");
    let asked = world.register.asked.lock().expect("nothing panicked here");
    assert_eq!(asked[0].resource, "room:1");
    assert!(asked.iter().all(|question| question.user != "guest"), "nobody is asked about a visitor");
}

#[tokio::test]
async fn a_token_for_a_channel_is_for_one_user_and_one_channel() {
    let world = World::new();
    let ann = member("ann");
    for (case, token, channel, expected) in [
        ("hers", world.token("ann", Some("paid:a"), json!({})), "paid:a", "in"),
        ("hers, where none is needed", world.token("ann", Some("known:a"), json!({})), "known:a", "in"),
        ("hers, where the register says no", world.token("ann", Some("room:1"), json!({})), "room:1", "in"),
        ("another channel", world.token("ann", Some("paid:b"), json!({})), "paid:a", "other"),
        ("another user", world.token("bob", Some("paid:a"), json!({})), "paid:a", "other"),
        ("no channel", world.token("ann", None, json!({})), "paid:a", "no channel"),
        ("a channel that is no text", world.token("ann", None, json!({ "channel": 7 })), "paid:a", "no channel"),
        ("garbage", Token::from("x.y.z"), "paid:a", "bad token"),
        ("a name of another form", world.token("ann", Some("room:x"), json!({})), "room:x", "bad name"),
        ("no namespace", world.token("ann", Some("other:a"), json!({})), "other:a", "unknown"),
        ("what nobody enters", world.token("ann", Some("inbox:ann"), json!({})), "inbox:ann", "denied"),
    ] {
        assert_eq!(word(world.enter(&ann, channel, Some(token)).await.err()), expected, "{case}");
    }
    assert!(world.register.asked.lock().expect("nothing panicked here").is_empty(), "somebody has vouched");
    let token = || Some(world.token("ann", Some("paid:a"), json!({})));
    world.clock.0.store(NOW_S + 59, Ordering::Relaxed);
    assert_eq!(word(world.enter(&ann, "paid:a", token()).await.err()), "in");
    for late_s in [60, 61, 600] {
        world.clock.0.store(NOW_S + late_s, Ordering::Relaxed);
        assert_eq!(word(world.enter(&ann, "paid:a", token()).await.err()), "expired", "after {late_s} s");
    }
    world.clock.0.store(NOW_S, Ordering::Relaxed);
    let over = world.token("ann", Some("paid:a"), json!({ "expire_at": NOW_S }));
    assert_eq!(word(world.enter(&ann, "paid:a", Some(over)).await.err()), "expired", "its own end counts as well");
}

#[tokio::test]
async fn what_a_token_says_goes_with_the_entrance() {
    let world = World::new();
    let ann = member("ann");
    let enter = async |claims: Value| {
        let token = world.token("ann", Some("paid:a"), claims);
        world.enter(&ann, "paid:a", Some(token)).await.expect("it vouches")
    };
    let plain = enter(json!({})).await;
    assert_eq!((plain.ends_at, plain.info), (Some(NOW_S + 60), None));
    let told = enter(json!({ "info": { "rank": 1 }, "expire_at": NOW_S + 5 })).await;
    assert_eq!((told.ends_at, told.info.as_deref()), (Some(NOW_S + 5), Some(r#"{"rank":1}"#)));
    assert_eq!(enter(json!({ "expire_at": 0 })).await.ends_at, None);
    let channel: ChannelName = "paid:a".parse().expect("a channel");
    let renew = |sub: &str, channel_claim: &str| {
        world.access.renew(&ann, &channel, &world.token(sub, Some(channel_claim), json!({ "expire_at": NOW_S + 90 })))
    };
    assert_eq!(renew("ann", "paid:a"), Ok(Some(NOW_S + 90)));
    assert_eq!(renew("ann", "paid:b"), Err(VouchRefused::Other));
    assert_eq!(renew("bob", "paid:a"), Err(VouchRefused::Other));
}

#[tokio::test]
async fn what_one_may_do_rests_on_being_in_or_on_being_let_in() {
    let world = World::new();
    world.register.members.lock().expect("nothing panicked here").push("ann");
    let (ann, bob) = (member("ann"), member("bob"));
    let inside = world.enter(&ann, "room:1", None).await.expect("she is a member");
    for (who, member, entrance, expected) in [
        (Who::Nobody, &ann, Some(&inside), "denied"),
        (Who::Nobody, &ann, None, "denied"),
        (Who::Subscribers, &ann, Some(&inside), "in"),
        (Who::Subscribers, &ann, None, "denied"),
        (Who::Permitted, &ann, Some(&inside), "in"),
        (Who::Permitted, &ann, None, "in"),
        (Who::Permitted, &bob, None, "denied"),
    ] {
        let allowed = world.access.allow(who, member, "room:1", entrance).await;
        assert_eq!(word(allowed.err()), expected, "{who:?} {:?} {}", member.principal, entrance.is_some());
    }
}

#[tokio::test]
async fn a_right_is_asked_for_again_and_nobody_asks_where_somebody_has_vouched() {
    let world = World::new();
    world.register.members.lock().expect("nothing panicked here").push("ann");
    let ann = member("ann");
    let asked = world.enter(&ann, "room:1", None).await.expect("she is a member");
    let token = world.token("ann", Some("room:1"), json!({}));
    let vouched = world.enter(&ann, "room:1", Some(token)).await.expect("it vouches");
    let grants = granted(json!([{ "channels": ["granted:a"], "allow": ["sub", "pub"] }]));
    let holder = Member { grants: grants.clone(), ..member("ann") };
    let held = world.enter(&holder, "granted:a", None).await.expect("it is granted");
    assert!(world.access.ask_again(&asked, &ann.grants).await.is_ok());
    world.register.members.lock().expect("nothing panicked here").clear();
    assert!(matches!(world.access.ask_again(&asked, &ann.grants).await, Err(Denied::Forbidden)));
    assert!(world.access.ask_again(&vouched, &ann.grants).await.is_ok());
    assert!(world.access.ask_again(&held, &grants).await.is_ok_and(|permit| permit.may_publish()));
    let fewer = granted(json!([{ "channels": ["granted:a"], "allow": ["sub"] }]));
    assert!(world.access.ask_again(&held, &fewer).await.is_ok_and(|permit| !permit.may_publish()));
    assert!(matches!(world.access.ask_again(&held, &Grants::default()).await, Err(Denied::Forbidden)));
    *world.register.is_away.lock().expect("nothing panicked here") = true;
    assert!(matches!(world.access.ask_again(&asked, &ann.grants).await, Err(Denied::Unknown(_))));
}
