//! What happens to an account while somebody logs in to it or goes on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lychgate_service::issue::{Issuer, TokenShape};
use lychgate_service::ports::StoreError;
use lychgate_service::ports::clock::Clock;
use lychgate_service::ports::sessions::{End, EndedBy, RefreshHash, Rotation, Sessions, Shown, StoredSession};
use lychgate_service::ports::users::{PasswordHash, User, UserId, Users};
use lychgate_service::session_office::{Granted, Invalid, NotGranted, SessionOffice, SessionParts, SessionRules};
use lychgate_service::testing::{MemorySessions, MemoryUsers, new_user};
use lychgate_token::{Algorithm, Minter, ProfileKind, SigningKey};

use super::{World, world};

/// A store that lets others run before it answers, as those do that are on a disk.
struct Slow(Arc<MemorySessions>);

#[async_trait]
impl Sessions for Slow {
    async fn open(
        &self,
        session: &StoredSession,
        first: RefreshHash,
        per_user_max: u32,
        tokens_end_at_s: u64,
    ) -> Result<Vec<String>, StoreError> {
        self.0.open(session, first, per_user_max, tokens_end_at_s).await
    }

    async fn find(&self, hash: &RefreshHash) -> Result<Option<StoredSession>, StoreError> {
        tokio::task::yield_now().await;
        self.0.find(hash).await
    }

    async fn rotate(&self, shown: &Shown) -> Result<Rotation, StoreError> {
        tokio::task::yield_now().await;
        self.0.rotate(shown).await
    }

    async fn end(&self, sid: &str, end: End) -> Result<bool, StoreError> {
        self.0.end(sid, end).await
    }

    async fn end_all_of(&self, user: UserId, end: End) -> Result<u32, StoreError> {
        self.0.end_all_of(user, end).await
    }

    async fn list(&self, user: UserId) -> Result<Vec<StoredSession>, StoreError> {
        self.0.list(user).await
    }
}

struct Office {
    world: World,
    users: Arc<MemoryUsers>,
    office: Arc<SessionOffice>,
    ann: User,
}

async fn office() -> Office {
    let world = world();
    world.revocations.read().await.expect("it can be read");
    let users = Arc::new(MemoryUsers::default());
    let ann = Users::insert(&*users, &new_user("ann")).await.expect("ann is stored");
    let key = SigningKey::hmac(Algorithm::Hs256, b"an example secret that no server should use", None).expect("a key");
    let minter = Minter::new(key, "test".into(), "test".into(), ProfileKind::Own).expect("it is complete");
    let clock: Arc<dyn Clock> = world.clock.clone();
    let parts = SessionParts {
        sessions: Arc::new(Slow(world.log.clone())),
        users: users.clone(),
        issuer: Arc::new(Issuer::new(minter, TokenShape::default(), 600, clock.clone())),
        revocations: world.revocations.clone(),
        clock,
    };
    let rules = SessionRules {
        idle_timeout: Duration::from_secs(1_000),
        lifetime: Duration::from_secs(5_000),
        repeat_within: Duration::from_secs(10),
        per_user_max: 3,
    };
    Office { office: SessionOffice::new(parts, rules), world, users, ann }
}

fn granted(result: &Result<Granted, NotGranted>) -> &Granted {
    result.as_ref().expect("it is granted")
}

#[tokio::test]
async fn a_login_that_meets_a_new_password_opens_nothing() {
    let Office { world, users, office, ann } = office().await;
    granted(&office.open(ann.clone(), "192.0.2.1".to_owned()).await);
    // Between the look at the old password and the session.
    let new = PasswordHash::new("another one");
    assert!(users.set_password_hash(ann.id, None, &new).await.expect("it can be set"));
    let refused = office.open(ann.clone(), "192.0.2.1".to_owned()).await;
    assert!(matches!(refused, Err(NotGranted::Changed)), "{refused:?}");
    let sessions = world.log.list(ann.id).await.expect("reading works");
    let ended: Vec<_> = sessions.iter().filter_map(|session| session.ended).map(|(_, by)| by).collect();
    assert_eq!((sessions.len(), ended.as_slice()), (2, &[EndedBy::Password][..]), "{sessions:?}");
    let now = users.find_by_id(ann.id).await.expect("reading works").expect("she is there");
    granted(&office.open(now, "192.0.2.1".to_owned()).await);
}

#[tokio::test]
async fn callers_at_once_get_one_answer_and_one_alone_does_the_work() {
    let Office { office, ann, .. } = office().await;
    let first = office.open(ann, "192.0.2.1".to_owned()).await;
    let token = &granted(&first).refresh;
    let answers = futures_util::future::join_all((0..8).map(|_| office.refresh(token))).await;
    for answer in &answers {
        assert_eq!(granted(answer).refresh.expose(), granted(&answers[0]).refresh.expose());
        assert_eq!(granted(answer).issued.token.expose(), granted(&answers[0]).issued.token.expose());
    }
    // Nothing of it was a repetition.
    let again = office.refresh(token).await;
    assert_eq!(granted(&again).refresh.expose(), granted(&answers[0]).refresh.expose());
    let twice = office.refresh(token).await;
    assert!(matches!(&*twice, Err(NotGranted::Invalid(Invalid::RepeatedBefore))), "{twice:?}");
}

#[tokio::test]
async fn whoever_stops_waiting_takes_nothing_from_the_others() {
    let Office { office, ann, .. } = office().await;
    let first = office.open(ann, "192.0.2.1".to_owned()).await;
    let token = &granted(&first).refresh;
    let mut gone = Box::pin(office.refresh(token));
    assert!(futures_util::poll!(gone.as_mut()).is_pending());
    let mut stays = Box::pin(office.refresh(token));
    assert!(futures_util::poll!(stays.as_mut()).is_pending());
    drop(gone);
    let answer = stays.await;
    // It was used once, so it can be asked for once more.
    let again = office.refresh(token).await;
    assert_eq!(granted(&again).refresh.expose(), granted(&answer).refresh.expose());
    // And where nobody is left, the next one begins anew.
    let mut gone = Box::pin(office.refresh(&granted(&answer).refresh));
    assert!(futures_util::poll!(gone.as_mut()).is_pending());
    drop(gone);
    let next = office.refresh(&granted(&answer).refresh).await;
    granted(&next);
}

#[tokio::test]
async fn a_store_that_is_away_uses_nothing_up() {
    let Office { world, office, ann, .. } = office().await;
    let first = office.open(ann, "192.0.2.1".to_owned()).await;
    let token = &granted(&first).refresh;
    world.log.set_away(true);
    let refused = office.refresh(token).await;
    assert!(matches!(&*refused, Err(NotGranted::Store(_))), "{refused:?}");
    assert!(office.log_out(token).await.is_err());
    world.log.set_away(false);
    let again = office.refresh(token).await;
    granted(&again);
}

#[tokio::test]
async fn a_disabled_account_ends_its_session_when_it_asks() {
    let Office { world, users, office, ann } = office().await;
    let first = office.open(ann.clone(), "192.0.2.1".to_owned()).await;
    users.set_active(ann.id, false).await.expect("it can be disabled");
    let refused = office.refresh(&granted(&first).refresh).await;
    assert!(matches!(&*refused, Err(NotGranted::Invalid(Invalid::Disabled))), "{refused:?}");
    users.set_active(ann.id, true).await.expect("it can be enabled");
    let refused = office.refresh(&granted(&first).refresh).await;
    assert!(matches!(&*refused, Err(NotGranted::Invalid(Invalid::Ended))), "{refused:?}");
    let sessions = world.log.list(ann.id).await.expect("reading works");
    assert_eq!(sessions[0].ended.map(|(_, by)| by), Some(EndedBy::Disabled));
}
