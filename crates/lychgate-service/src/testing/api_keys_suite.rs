//! What keeping the contract of [`ApiKeys`] means.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::ports::api_keys::{ApiKeys, StoredApiKey};

const NOW_S: u64 = 1_700_000_000;

/// Runs the suite; `make` returns an empty store of its own at each call.
///
/// # Panics
///
/// Panics at the first rule that is broken.
pub async fn api_keys_conformance<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn ApiKeys>>,
{
    a_key_is_found_by_its_hash_as_it_was_kept(&*make().await).await;
    a_name_is_given_once_for_good(&*make().await).await;
    a_revoked_key_stays_revoked_and_known(&*make().await).await;
    uses_are_noted_so_often_and_no_more(&*make().await).await;
    lists_go_by_bytes_and_by_pages(&*make().await).await;
    of_many_at_once_one_is_first(&*make().await).await;
}

fn key(n: u8, name: &str) -> StoredApiKey {
    StoredApiKey {
        name: name.to_owned(),
        hash: [n; 32],
        scopes: vec!["registry:read".to_owned(), "a:scope;--'of%another\"version".to_owned()],
        created_at_s: NOW_S,
        last_used_at_s: None,
        revoked_at_s: None,
    }
}

async fn insert(keys: &dyn ApiKeys, key: &StoredApiKey) -> bool {
    keys.insert(key).await.expect("a key can be kept")
}

async fn find(keys: &dyn ApiKeys, n: u8) -> Option<StoredApiKey> {
    keys.find(&[n; 32]).await.expect("asking works")
}

async fn revoke(keys: &dyn ApiKeys, name: &str, now_s: u64) -> Option<bool> {
    keys.revoke(name, now_s).await.expect("a key can be revoked")
}

async fn a_key_is_found_by_its_hash_as_it_was_kept(keys: &dyn ApiKeys) {
    assert_eq!(find(keys, 1).await, None, "there is none yet");
    let whole = StoredApiKey { last_used_at_s: Some(NOW_S + 1), revoked_at_s: Some(NOW_S + 2), ..key(2, "whole") };
    let bare =
        StoredApiKey { scopes: vec!["x".to_owned()], created_at_s: 0, ..key(1, "';DROP/**/TABLE/**/api_keys;--") };
    for kept in [&bare, &whole] {
        assert!(insert(keys, kept).await);
    }
    assert_eq!(find(keys, 1).await, Some(bare));
    assert_eq!(find(keys, 2).await, Some(whole));
    let mut near = [1; 32];
    near[31] = 2;
    assert_eq!(keys.find(&near).await.expect("asking works"), None, "the last byte counts");
}

async fn a_name_is_given_once_for_good(keys: &dyn ApiKeys) {
    assert!(insert(keys, &key(1, "app")).await);
    assert!(!insert(keys, &key(2, "app")).await);
    assert_eq!(find(keys, 2).await, None, "a refused key is none");
    assert!(insert(keys, &key(3, "App")).await, "names are compared byte for byte");
    assert_eq!(revoke(keys, "app", NOW_S).await, Some(true));
    assert!(!insert(keys, &key(4, "app")).await, "the log has spoken of another one");
}

async fn a_revoked_key_stays_revoked_and_known(keys: &dyn ApiKeys) {
    insert(keys, &key(1, "app")).await;
    insert(keys, &key(2, "other")).await;
    assert_eq!(revoke(keys, "nobody", NOW_S).await, None);
    assert_eq!(revoke(keys, "app", NOW_S + 5).await, Some(true));
    assert_eq!(revoke(keys, "app", NOW_S + 9).await, Some(false), "it was revoked before");
    let revoked = StoredApiKey { revoked_at_s: Some(NOW_S + 5), ..key(1, "app") };
    assert_eq!(find(keys, 1).await, Some(revoked), "the first time counts");
    assert_eq!(find(keys, 2).await, Some(key(2, "other")), "another one stays as it was");
}

async fn uses_are_noted_so_often_and_no_more(keys: &dyn ApiKeys) {
    insert(keys, &key(1, "app")).await;
    insert(keys, &key(2, "other")).await;
    for (now_s, is_noted) in
        [(NOW_S, true), (NOW_S, false), (NOW_S + 59, false), (NOW_S + 60, true), (NOW_S + 61, false)]
    {
        let noted = keys.note_use(&[1; 32], now_s, 60).await.expect("a use can be noted");
        assert_eq!(noted, is_noted, "{} s later", now_s - NOW_S);
    }
    assert_eq!(find(keys, 1).await.and_then(|key| key.last_used_at_s), Some(NOW_S + 60));
    assert_eq!(find(keys, 2).await, Some(key(2, "other")), "another one stays as it was");
    let nobody = keys.note_use(&[9; 32], NOW_S, 60).await.expect("asking works");
    assert!(!nobody, "there is nothing to note it of");
}

async fn lists_go_by_bytes_and_by_pages(keys: &dyn ApiKeys) {
    for (n, name) in (0..).zip(["b", "A", "~", "a", "B"]) {
        insert(keys, &key(n, name)).await;
    }
    let names = async |after: &str, limit| -> Vec<String> {
        keys.list(after, limit).await.expect("reading works").into_iter().map(|key| key.name).collect()
    };
    let sorted = ["A", "B", "a", "b", "~"];
    assert_eq!(names("", 100).await, sorted);
    assert_eq!(names("", 2).await, sorted[..2]);
    assert_eq!(names("B", 2).await, sorted[2..4]);
    assert!(names("~", 2).await.is_empty() && names("", 0).await.is_empty());
    assert_eq!(keys.list("b", 1).await.expect("reading works"), [key(2, "~")]);
}

async fn of_many_at_once_one_is_first(keys: &dyn ApiKeys) {
    let made = join_all((0..16).map(|n| async move { keys.insert(&key(n, "app")).await.expect("asking works") })).await;
    assert_eq!(made.iter().filter(|is_new| **is_new).count(), 1);
    let winner = u8::try_from(made.iter().position(|is_new| *is_new).expect("one is first")).expect("a small number");
    let noted =
        join_all((0..16).map(|_| async { keys.note_use(&[winner; 32], NOW_S, 60).await.expect("it works") })).await;
    assert_eq!(noted.into_iter().filter(|wrote| *wrote).count(), 1);
    let revoked = join_all((0..16).map(|_| revoke(keys, "app", NOW_S))).await;
    assert_eq!(revoked.into_iter().filter(|answer| *answer == Some(true)).count(), 1);
}
