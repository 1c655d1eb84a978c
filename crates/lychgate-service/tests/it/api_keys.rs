//! API keys as the office makes and checks them, over the fake and a clock of the test's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use lychgate_service::api_key_office::{API_KEY_PREFIX, ApiKey, ApiKeyNotMade, ApiKeyOffice, ApiKeyRefused, Scope};
use lychgate_service::ports::StoreError;
use lychgate_service::ports::api_keys::{ApiKeys, StoredApiKey};
use lychgate_service::ports::clock::{Clock, UnixMicros};
use lychgate_service::testing::MemoryApiKeys;

const READ: Scope = Scope::RegistryRead;
const WRITE: Scope = Scope::RegistryWrite;

#[derive(Default)]
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> UnixMicros {
        UnixMicros(self.0.load(Ordering::Relaxed) * 1_000_000)
    }
}

struct World {
    keys: Arc<MemoryApiKeys>,
    clock: Arc<Hand>,
    office: ApiKeyOffice,
}

fn world() -> World {
    let (keys, clock) = (Arc::new(MemoryApiKeys::default()), Arc::new(Hand(AtomicU64::new(1_000))));
    let office = ApiKeyOffice::new(keys.clone(), clock.clone());
    World { keys, clock, office }
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_name_and_nothing_else() {
    let World { office, .. } = world();
    let (reads, _) = office.make("reads", &[READ]).await.expect("it is made");
    let (writes, _) = office.make("writes", &[WRITE, WRITE]).await.expect("it is made");
    let (both, stored) = office.make("both", &[WRITE, READ]).await.expect("it is made");
    assert_eq!(stored.scopes, ["registry:read", "registry:write"]);
    for (key, scope, opens) in [
        (&reads, READ, true),
        (&reads, WRITE, false),
        (&writes, READ, false),
        (&writes, WRITE, true),
        (&both, READ, true),
        (&both, WRITE, true),
    ] {
        match office.check(key, scope).await {
            Ok(_) => assert!(opens, "{scope}"),
            Err(ApiKeyRefused::Lacks { scope: lacking, .. }) => assert!(!opens && lacking == scope, "{scope}"),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(office.check(&both, READ).await.expect("it is good"), "both");
}

#[tokio::test]
async fn a_key_is_long_random_and_never_printed() {
    let World { office, .. } = world();
    let (first, stored) = office.make("first", &[READ]).await.expect("it is made");
    let (second, _) = office.make("second", &[READ]).await.expect("it is made");
    let text = first.expose();
    assert!(text.starts_with(API_KEY_PREFIX) && text.len() == 4 + 43, "{}", text.len());
    assert_ne!(text, second.expose());
    assert_eq!(format!("{first:?}"), "ApiKey(redacted)");
    let refused = office.check(&ApiKey::new(&format!("{text}A")), READ).await.expect_err("it is longer");
    assert!(!format!("{refused} {refused:?} {stored:?}").contains(&text[4..]));
}

#[tokio::test]
async fn what_is_no_key_is_told_from_one_that_is_none_of_ours() {
    let World { office, .. } = world();
    let (key, _) = office.make("app", &[READ]).await.expect("it is made");
    let text = key.expose().to_owned();
    office.check(&key, READ).await.expect("the control is good");
    let bare = &text[4..];
    for wrong in [
        "",
        "lgk_",
        bare,
        &text[..46],
        &format!("{text}="),
        &format!(" {text}"),
        &text.replace("lgk_", "LGK_"),
        &format!("lgk_{}", "é".repeat(20)),
    ] {
        let refused = office.check(&ApiKey::new(wrong), READ).await;
        assert!(matches!(refused, Err(ApiKeyRefused::Malformed)), "{wrong}: {refused:?}");
    }
    let refused = office.check(&ApiKey::new(&format!("lgk_{}", "A".repeat(43))), READ).await;
    assert!(matches!(refused, Err(ApiKeyRefused::Unknown)), "{refused:?}");
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_from_then_on() {
    let World { office, .. } = world();
    let (key, _) = office.make("app", &[READ]).await.expect("it is made");
    let (other, _) = office.make("other", &[READ]).await.expect("it is made");
    office.check(&key, READ).await.expect("it is good");
    assert_eq!(office.revoke("app").await.expect("it works"), Some(true));
    let refused = office.check(&key, READ).await;
    assert!(matches!(&refused, Err(ApiKeyRefused::Revoked { name }) if name == "app"), "{refused:?}");
    office.check(&other, READ).await.expect("the other one stays good");
    assert!(matches!(office.make("app", &[READ]).await, Err(ApiKeyNotMade::Taken)));
}

#[tokio::test]
async fn names_and_scopes_that_cannot_be_make_no_key() {
    let World { office, keys, .. } = world();
    for name in ["", "a b", "é", "a\n", &"x".repeat(65)] {
        assert!(matches!(office.make(name, &[READ]).await, Err(ApiKeyNotMade::Name)), "{name:?}");
    }
    assert!(matches!(office.make("app", &[]).await, Err(ApiKeyNotMade::NoScope)));
    assert!(keys.list("", 9).await.expect("reading works").is_empty());
    office.make(&"x".repeat(64), &[READ]).await.expect("the control is made");
    for scope in Scope::ALL {
        assert_eq!(Scope::named(scope.name()), Some(*scope));
    }
    for name in ["", "registry", "registry:write ", "REGISTRY:READ", "*"] {
        assert_eq!(Scope::named(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_use_is_noted_once_a_minute() {
    let World { office, keys, clock } = world();
    let (key, _) = office.make("app", &[READ]).await.expect("it is made");
    for (now_s, noted_s) in
        [(1_000, 1_000), (1_059, 1_000), (1_060, 1_060), (1_070, 1_060), (900, 1_060), (1_120, 1_120)]
    {
        clock.0.store(now_s, Ordering::Relaxed);
        let _ = office.check(&key, if now_s == 1_120 { WRITE } else { READ }).await;
        let listed = keys.list("", 9).await.expect("reading works");
        assert_eq!(listed[0].last_used_at_s, Some(noted_s), "at {now_s}");
    }
    office.revoke("app").await.expect("it works");
    clock.0.store(2_000, Ordering::Relaxed);
    office.check(&key, READ).await.expect_err("it is revoked");
    assert_eq!(keys.list("", 9).await.expect("reading works")[0].last_used_at_s, Some(1_120));
}

/// A store whose disk is full, and one that is away.
struct Failing {
    keys: MemoryApiKeys,
    is_away: bool,
}

#[async_trait]
impl ApiKeys for Failing {
    async fn insert(&self, key: &StoredApiKey) -> Result<bool, StoreError> {
        self.keys.insert(key).await
    }
    async fn find(&self, hash: &[u8; 32]) -> Result<Option<StoredApiKey>, StoreError> {
        if self.is_away { Err(StoreError::Unavailable("away".into())) } else { self.keys.find(hash).await }
    }
    async fn list(&self, after: &str, limit: u32) -> Result<Vec<StoredApiKey>, StoreError> {
        self.keys.list(after, limit).await
    }
    async fn revoke(&self, name: &str, now_s: u64) -> Result<Option<bool>, StoreError> {
        self.keys.revoke(name, now_s).await
    }
    async fn note_use(&self, _: &[u8; 32], _: u64, _: u64) -> Result<bool, StoreError> {
        Err(StoreError::Full("full".into()))
    }
}

#[tokio::test]
async fn a_full_disk_lets_a_key_in_and_a_store_that_is_away_does_not() {
    for is_away in [false, true] {
        let keys = Arc::new(Failing { keys: MemoryApiKeys::default(), is_away });
        let office = ApiKeyOffice::new(keys, Arc::new(Hand::default()));
        let (key, _) = office.make("app", &[READ]).await.expect("it is made");
        match office.check(&key, READ).await {
            Ok(name) => assert!(!is_away && name == "app"),
            Err(refused) => assert!(is_away && matches!(refused, ApiKeyRefused::Store(_)), "{refused:?}"),
        }
    }
}
