//! What keeping the contract of [`Users`] means.

use std::sync::Arc;

use futures_util::future::join_all;

use super::memory::new_user;
use crate::ports::users::{Attributes, Email, HashKind, InsertError, NewUser, PasswordHash, User, UserId, Users};

/// Runs the suite; `make` returns an empty store of its own at each call.
///
/// # Panics
///
/// Panics at the first rule that is broken.
pub async fn users_conformance<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn Users>>,
{
    what_is_stored_is_found(&*make().await).await;
    absence_is_no_failure(&*make().await).await;
    names_differ_by_a_byte_and_addresses_by_more_than_case(&*make().await).await;
    a_login_text_leads_to_one_user(&*make().await).await;
    checking_stores_nothing(&*make().await).await;
    ids_ascend_and_lists_follow_them(&*make().await).await;
    a_refused_insert_leaves_no_trace(&*make().await).await;
    active_is_set_and_set_again(&*make().await).await;
    hashes_are_replaced_where_they_are_as_expected(&*make().await).await;
    attributes_are_kept_and_replaced_where_they_are_as_expected(&*make().await).await;
    kinds_are_told_once_each(&*make().await).await;
    of_many_inserts_of_one_name_one_wins(&*make().await).await;
    of_many_replacements_of_one_hash_one_wins(&*make().await).await;
    of_many_changes_of_the_same_attributes_one_wins(&*make().await).await;
    texts_are_data(&*make().await).await;
}

fn with_email(name: &str, email: &str) -> NewUser {
    NewUser { email: Some(Email::new(email).expect("an address for a test is one")), ..new_user(name) }
}

fn argon2_hash(fill: &str) -> PasswordHash {
    PasswordHash::new(format!("$argon2id$v=19$m=19456,t=2,p=1${}${}A", "A".repeat(22), fill.repeat(42)))
}

async fn insert(users: &dyn Users, user: &NewUser) -> User {
    users.insert(user).await.expect("this user can be stored")
}

async fn what_is_stored_is_found(users: &dyn Users) {
    let new = NewUser { active: false, ..with_email("Ada Lovelace", "Ada@Example.org") };
    let stored = insert(users, &new).await;
    assert!(stored.id.0 > 0, "an id is positive");
    assert_eq!(stored.name, "Ada Lovelace");
    assert_eq!(stored.email.as_deref(), Some("Ada@Example.org"), "an address keeps its letter case");
    assert_eq!(stored.password_hash, new.password_hash);
    assert_eq!((stored.active, stored.created_at_s), (false, 1_700_000_000));
    let found = Some(stored.clone());
    assert_eq!(users.find_by_id(stored.id).await.expect("reading works"), found);
    assert_eq!(users.find_by_name("Ada Lovelace").await.expect("reading works"), found);
    assert_eq!(users.find_by_email("aDA@eXAMPLE.ORG").await.expect("reading works"), found, "whatever the case");
    let no_email = insert(users, &new_user("no address")).await;
    let another = insert(users, &new_user("no address either")).await;
    assert_eq!((no_email.email, another.email), (None, None), "any number of users have none");
}

async fn absence_is_no_failure(users: &dyn Users) {
    for user in [
        users.find_by_id(UserId(1)).await,
        users.find_by_id(UserId(i64::MAX)).await,
        users.find_by_id(UserId(-1)).await,
        users.find_by_name("nobody").await,
        users.find_by_name("").await,
        users.find_by_email("nobody@example.org").await,
        users.find_by_email("").await,
    ] {
        assert_eq!(user.expect("reading works"), None);
    }
    assert!(users.list(None, 10).await.expect("reading works").is_empty());
    assert!(users.hash_kinds().await.expect("reading works").is_empty());
    assert!(!users.set_active(UserId(1), true).await.expect("nobody is changed"));
    assert!(!users.set_password_hash(UserId(1), None, &argon2_hash("A")).await.expect("nobody is changed"));
}

async fn names_differ_by_a_byte_and_addresses_by_more_than_case(users: &dyn Users) {
    let stored = insert(users, &with_email("ada", "ada@example.org")).await;
    insert(users, &with_email("Ada", "ada@example.com")).await;
    assert!(matches!(users.insert(&new_user("ada")).await, Err(InsertError::NameTaken)));
    for email in ["ada@example.org", "ADA@EXAMPLE.ORG", "Ada@example.ORG"] {
        assert!(matches!(users.insert(&with_email("eve", email)).await, Err(InsertError::EmailTaken)), "{email}");
    }
    let both = users.insert(&with_email("ada", "ada@example.org")).await;
    assert!(matches!(both, Err(InsertError::NameTaken)), "of two faults it is the name");
    // Letter case is more than ASCII.
    insert(users, &with_email("umlaut", "JÜRGEN@example.org")).await;
    assert!(matches!(users.insert(&with_email("eve", "jürgen@example.org")).await, Err(InsertError::EmailTaken)));
    assert_eq!(users.find_by_name("ada").await.expect("reading works"), Some(stored));
}

async fn a_login_text_leads_to_one_user(users: &dyn Users) {
    insert(users, &with_email("ada", "ada@example.org")).await;
    insert(users, &new_user("Bob@example.org")).await;
    for name in ["ada@example.org", "ADA@example.org"] {
        assert!(matches!(users.insert(&new_user(name)).await, Err(InsertError::NameTaken)), "{name} is ada's address");
    }
    for email in ["Bob@example.org", "bob@EXAMPLE.org"] {
        assert!(
            matches!(users.insert(&with_email("eve", email)).await, Err(InsertError::EmailTaken)),
            "{email} is a name"
        );
    }
    insert(users, &with_email("self@example.org", "Self@Example.org")).await;
}

async fn checking_stores_nothing(users: &dyn Users) {
    insert(users, &with_email("ada", "ada@example.org")).await;
    users.check_insert(&new_user("bob")).await.expect("bob is free");
    users.check_insert(&new_user("bob")).await.expect("and still is");
    for taken in [new_user("ada"), new_user("Ada@example.org")] {
        assert!(matches!(users.check_insert(&taken).await, Err(InsertError::NameTaken)), "{taken:?}");
    }
    for taken in [with_email("bob", "ADA@example.org")] {
        assert!(matches!(users.check_insert(&taken).await, Err(InsertError::EmailTaken)), "{taken:?}");
    }
    assert_eq!(users.list(None, 10).await.expect("reading works").len(), 1);
}

async fn ids_ascend_and_lists_follow_them(users: &dyn Users) {
    let mut stored = Vec::new();
    for n in 0..7 {
        stored.push(insert(users, &new_user(&format!("user {n}"))).await);
    }
    assert!(stored.is_sorted_by(|a, b| a.id < b.id), "later users have greater ids");
    assert_eq!(users.list(None, 100).await.expect("reading works"), stored);
    assert_eq!(users.list(None, 3).await.expect("reading works"), stored[..3]);
    assert_eq!(users.list(Some(stored[2].id), 3).await.expect("reading works"), stored[3..6]);
    assert!(users.list(Some(stored[6].id), 3).await.expect("reading works").is_empty());
    assert!(users.list(None, 0).await.expect("reading works").is_empty());
}

async fn a_refused_insert_leaves_no_trace(users: &dyn Users) {
    insert(users, &with_email("ada", "ada@example.org")).await;
    let refused = NewUser { password_hash: argon2_hash("A"), ..with_email("eve", "ada@example.org") };
    assert!(users.insert(&refused).await.is_err());
    assert_eq!(users.find_by_name("eve").await.expect("reading works"), None);
    assert_eq!(users.hash_kinds().await.expect("reading works"), [HashKind::Bcrypt { cost: 4 }]);
    insert(users, &with_email("eve", "eve@example.org")).await;
}

async fn active_is_set_and_set_again(users: &dyn Users) {
    let ada = insert(users, &new_user("ada")).await;
    let bob = insert(users, &new_user("bob")).await;
    for active in [false, false, true, true] {
        assert!(users.set_active(ada.id, active).await.expect("ada can be changed"));
        let now = users.find_by_id(ada.id).await.expect("reading works");
        assert_eq!(now, Some(User { active, ..ada.clone() }), "and nothing else of ada");
    }
    assert_eq!(users.find_by_id(bob.id).await.expect("reading works"), Some(bob), "and nothing of bob");
}

async fn hashes_are_replaced_where_they_are_as_expected(users: &dyn Users) {
    let ada = insert(users, &new_user("ada")).await;
    let bob = insert(users, &new_user("bob")).await;
    let (first, second) = (argon2_hash("A"), argon2_hash("B"));
    assert!(!users.set_password_hash(ada.id, Some(&first), &second).await.expect("asking works"), "it is another hash");
    assert_eq!(users.find_by_id(ada.id).await.expect("reading works"), Some(ada.clone()));
    let expected = Some(&ada.password_hash);
    assert!(users.set_password_hash(ada.id, expected, &first).await.expect("asking works"));
    assert!(!users.set_password_hash(ada.id, expected, &second).await.expect("asking works"), "it is replaced already");
    let replaced = User { password_hash: first, ..ada.clone() };
    assert_eq!(users.find_by_id(ada.id).await.expect("reading works"), Some(replaced));
    assert!(users.set_password_hash(ada.id, None, &second).await.expect("asking works"), "whatever it was");
    let replaced = User { password_hash: second, ..ada.clone() };
    assert_eq!(users.find_by_id(ada.id).await.expect("reading works"), Some(replaced));
    assert_eq!(users.find_by_id(bob.id).await.expect("reading works"), Some(bob), "and nobody else");
}

fn attributes(json: &str) -> Attributes {
    Attributes::from_json(json).expect("attributes for a test are some")
}

async fn attributes_are_kept_and_replaced_where_they_are_as_expected(users: &dyn Users) {
    let all = attributes(
        r#"{"display_name":"Ada \"the\" Löwe 🦁","is_admin":true,"level":-7,"share":0.1,"big":18446744073709551615}"#,
    );
    let ada = insert(users, &NewUser { attributes: all.clone(), ..with_email("ada", "ada@example.org") }).await;
    let bob = insert(users, &new_user("bob")).await;
    assert_eq!((&ada.attributes, &bob.attributes), (&all, &Attributes::default()), "an insert tells what was stored");
    for found in [
        users.find_by_id(ada.id).await.expect("reading works"),
        users.find_by_name("ada").await.expect("reading works"),
        users.find_by_email("ada@example.org").await.expect("reading works"),
        users.list(None, 1).await.expect("reading works").pop(),
    ] {
        assert_eq!(found.as_ref(), Some(&ada), "every read tells them");
    }
    let fewer = attributes(r#"{"is_admin":false}"#);
    let unknown = UserId(bob.id.0 + 1);
    assert!(!users.set_attributes(unknown, &Attributes::default(), &fewer).await.expect("nobody is changed"));
    assert!(!users.set_attributes(ada.id, &fewer, &fewer).await.expect("asking works"), "they are others");
    assert_eq!(users.find_by_id(ada.id).await.expect("reading works"), Some(ada.clone()));
    assert!(users.set_attributes(ada.id, &all, &fewer).await.expect("asking works"));
    assert!(!users.set_attributes(ada.id, &all, &fewer).await.expect("asking works"), "they are replaced already");
    assert!(users.set_attributes(ada.id, &fewer, &fewer).await.expect("asking works"), "the same again is set");
    let now = users.find_by_id(ada.id).await.expect("reading works");
    assert_eq!(now, Some(User { attributes: fewer, ..ada }), "and nothing else of ada");
    assert_eq!(users.find_by_id(bob.id).await.expect("reading works"), Some(bob), "and nothing of bob");
}

async fn of_many_changes_of_the_same_attributes_one_wins(users: &dyn Users) {
    let ada = insert(users, &new_user("ada")).await;
    let new: Vec<_> = (0..8).map(|n| attributes(&format!("{{\"n\":{n}}}"))).collect();
    let answers = join_all(new.iter().map(|new| users.set_attributes(ada.id, &ada.attributes, new))).await;
    let won: Vec<_> = (0..new.len()).filter(|n| *answers[*n].as_ref().expect("asking works")).collect();
    let stored = users.find_by_id(ada.id).await.expect("reading works").expect("ada is there").attributes;
    assert!(matches!(won[..], [n] if new[n] == stored), "winners: {won:?}");
}

async fn kinds_are_told_once_each(users: &dyn Users) {
    let hashes = [
        PasswordHash::new(format!("$2b$12${}", "A".repeat(53))),
        PasswordHash::new(format!("$2y$12${}", "B".repeat(53))),
        PasswordHash::new(format!("$2a$10${}", "C".repeat(53))),
        argon2_hash("A"),
        argon2_hash("B"),
        PasswordHash::new("{SHA}nobody-verifies-this"),
    ];
    let mut ids = Vec::new();
    for (n, password_hash) in hashes.into_iter().enumerate() {
        ids.push(insert(users, &NewUser { password_hash, ..new_user(&format!("user {n}")) }).await.id);
    }
    let all =
        vec![HashKind::POLICY, HashKind::Bcrypt { cost: 10 }, HashKind::Bcrypt { cost: 12 }, HashKind::Unsupported];
    assert_eq!(users.hash_kinds().await.expect("reading works"), all);
    assert!(users.set_password_hash(ids[0], None, &argon2_hash("C")).await.expect("it can be replaced"));
    assert_eq!(users.hash_kinds().await.expect("reading works"), all, "one of cost 12 is left");
    assert!(users.set_password_hash(ids[1], None, &argon2_hash("D")).await.expect("it can be replaced"));
    let left = vec![HashKind::POLICY, HashKind::Bcrypt { cost: 10 }, HashKind::Unsupported];
    assert_eq!(users.hash_kinds().await.expect("reading works"), left, "none of cost 12 is left");
}

async fn of_many_inserts_of_one_name_one_wins(users: &dyn Users) {
    let new = new_user("ada");
    let answers = join_all((0..16).map(|_| users.insert(&new))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(InsertError::NameTaken))), "{answers:?}");
}

async fn of_many_replacements_of_one_hash_one_wins(users: &dyn Users) {
    let ada = insert(users, &new_user("ada")).await;
    let new: Vec<_> = ["A", "B", "C", "D", "E", "F", "G", "H"].map(argon2_hash).into();
    let answers = join_all(new.iter().map(|new| users.set_password_hash(ada.id, Some(&ada.password_hash), new))).await;
    let won: Vec<_> = (0..new.len()).filter(|n| *answers[*n].as_ref().expect("asking works")).collect();
    let stored = users.find_by_id(ada.id).await.expect("reading works").expect("ada is there").password_hash;
    assert!(matches!(won[..], [n] if new[n] == stored), "winners: {won:?}");
}

async fn texts_are_data(users: &dyn Users) {
    let names = ["'; DROP TABLE users; --", "%", "_", "\"", "\\", "?1", "ß", "İstanbul", "名前", "a'b\"c"];
    for name in names {
        insert(users, &with_email(name, &format!("{}@example.org", name.replace([' ', '@'], "")))).await;
    }
    for name in names {
        let found = users.find_by_name(name).await.expect("reading works");
        assert_eq!(found.map(|user| user.name).as_deref(), Some(name));
    }
    assert_eq!(users.list(None, 100).await.expect("reading works").len(), names.len());
}
