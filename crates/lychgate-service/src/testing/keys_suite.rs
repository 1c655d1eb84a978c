//! What keeping the contract of [`Keys`] means.

use std::sync::Arc;

use futures_util::future::join_all;
use secrecy::SecretSlice;

use crate::ports::keys::{Keys, StoredKey};

/// Runs the suite; `make` returns a store of its own at each call.
///
/// # Panics
///
/// Panics at the first rule that is broken.
pub async fn keys_conformance<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn Keys>>,
{
    no_key_at_first(&*make().await).await;
    first_candidate_stays(&*make().await).await;
    any_bytes_are_kept(&*make().await).await;
    one_of_many_is_elected(&*make().await).await;
}

fn candidate(n: u8) -> StoredKey {
    let pkcs8: SecretSlice<u8> = vec![n; 48].into();
    StoredKey { kid: format!("key-{n}"), algorithm: "EdDSA".into(), pkcs8, created_at_s: 1_700_000_000 + u64::from(n) }
}

async fn no_key_at_first(keys: &dyn Keys) {
    assert_eq!(keys.signing_key().await.expect("reading works"), None, "a new store has no key");
}

async fn first_candidate_stays(keys: &dyn Keys) {
    let first = keys.load_or_insert_signing_key(candidate(1)).await.expect("storing works");
    assert_eq!(first, candidate(1), "the first candidate is stored");
    let second = keys.load_or_insert_signing_key(candidate(2)).await.expect("loading works");
    assert_eq!(second, candidate(1), "a later candidate changes nothing");
    assert_eq!(keys.signing_key().await.expect("reading works"), Some(candidate(1)));
}

async fn any_bytes_are_kept(keys: &dyn Keys) {
    let all: Vec<u8> = (0..=255).collect();
    let key = StoredKey { pkcs8: all.into(), ..candidate(1) };
    keys.load_or_insert_signing_key(key.clone()).await.expect("storing works");
    assert_eq!(keys.signing_key().await.expect("reading works"), Some(key), "bytes are kept as they are");
}

async fn one_of_many_is_elected(keys: &dyn Keys) {
    let elected = join_all((1..=16).map(|n| keys.load_or_insert_signing_key(candidate(n)))).await;
    let stored = keys.signing_key().await.expect("reading works").expect("there is a key now");
    for key in elected {
        assert_eq!(key.expect("storing works"), stored, "every caller gets the one that is stored");
    }
}
