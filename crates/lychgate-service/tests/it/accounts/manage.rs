//! What operators do with accounts, users with their own passwords, and which passwords are taken.

use std::sync::Arc;

use lychgate_service::accounts::{
    Accounts, AttributesRefused, ChangeRefused, CreateRefused, Hashing, HashingLimits, LoginField, LoginRequest,
    NewAccount, PAGE_USERS_MAX, PasswordRule, SetPasswordRefused, WeakPassword, barred_stems,
};
use lychgate_service::ports::StoreError;
use lychgate_service::ports::clock::{Clock, UnixMicros};
use lychgate_service::ports::users::{
    AttributeChange, Attributes, AttributesFault, HashKind, NameFault, UserId, Users,
};
use lychgate_service::testing::{Fault, MemoryUsers, QuickHashes, new_user};

struct At(u64);

impl Clock for At {
    fn now(&self) -> UnixMicros {
        UnixMicros(self.0)
    }
}

fn world() -> (Arc<MemoryUsers>, Arc<QuickHashes>, Accounts) {
    let (users, hashes) = (Arc::new(MemoryUsers::default()), Arc::new(QuickHashes::default()));
    let hashing = Hashing::with_functions(HashingLimits::default(), Arc::clone(&hashes) as _);
    let accounts = Accounts::new(Arc::clone(&users) as _, hashing, Arc::new(At(1_700_000_000_999_999)));
    (users, hashes, accounts)
}

const GOOD: &str = "a quiet heron at dusk";

fn account<'a>(name: &'a str, email: Option<&'a str>, password: &str) -> NewAccount<'a> {
    NewAccount { name, email, password: password.into(), rule: PasswordRule::Standard, active: true }
}

async fn can_log_in(accounts: &Accounts, login: &str, password: &str) -> bool {
    accounts.login(LoginRequest { login, password: password.into(), fields: &[LoginField::Name] }).await.is_ok()
}

#[test]
fn passwords_are_taken_and_refused() {
    let longest = "wd".repeat(128);
    let (longest_bytes, long) = ("🦀a".repeat(128), "wd".repeat(128) + "x");
    let names = ["ada.lovelace", "Lovelace@Example.org"];
    for good in [GOOD, "kf7#pq2!", "ünïcödé", "日本語のパスワード", &longest, &longest_bytes, "passwordless door"]
    {
        let good = if good.chars().count() < 8 { good.to_owned() + "x" } else { good.to_owned() };
        assert_eq!(PasswordRule::Standard.check(&good, &names), Ok(()), "{good}");
    }
    for (weak, fault) in [
        ("", WeakPassword::Blank),
        ("          ", WeakPassword::Blank),
        ("kf7#pq2", WeakPassword::Short { chars: 7 }),
        ("ßßßßßßß", WeakPassword::Short { chars: 7 }),
        (&long, WeakPassword::Long),
        ("kf7#pq2!\n", WeakPassword::ControlCharacter),
        ("kf7#\0pq2!", WeakPassword::ControlCharacter),
        ("password", WeakPassword::Common),
        ("PassWord", WeakPassword::Common),
        ("password1", WeakPassword::Common),
        ("Password123!", WeakPassword::Common),
        ("12345678", WeakPassword::Common),
        ("qwertyuiop", WeakPassword::Common),
        ("admin2026", WeakPassword::Common),
        ("Summer24", WeakPassword::Common),
        ("zzzzzzzzzz", WeakPassword::Common),
        ("ada.lovelace", WeakPassword::OwnName),
        ("ADA.Lovelace", WeakPassword::OwnName),
        ("lovelace@example.org", WeakPassword::OwnName),
        ("lovelace", WeakPassword::OwnName),
    ] {
        assert_eq!(PasswordRule::Standard.check(weak, &names), Err(fault), "{weak:?}");
    }
    for (password, fault) in [("x", None), ("password", None), ("ada.lovelace", None), (" ", Some(WeakPassword::Blank))]
    {
        assert_eq!(PasswordRule::Relaxed.check(password, &names).err(), fault, "relaxed: {password:?}");
    }
    assert_eq!(PasswordRule::Relaxed.check(&long, &names), Err(WeakPassword::Long));
}

#[test]
fn the_barred_words_are_in_the_form_that_they_are_compared_in() {
    let words: Vec<_> = barred_stems().collect();
    assert!(words.len() >= 500, "{} words", words.len());
    assert!(words.is_sorted_by(|a, b| a < b), "sorted, each once");
    for word in words {
        assert_eq!(word, word.to_lowercase());
        assert!(!word.contains(char::is_whitespace), "{word:?}");
    }
}

#[tokio::test]
async fn an_account_is_made_whole_or_refused() {
    let (users, _, accounts) = world();
    let ada = accounts.create(account("ada", Some("Ada@example.org"), GOOD)).await.expect("nothing is wrong with it");
    assert_eq!((ada.name.as_str(), ada.email.as_deref()), ("ada", Some("Ada@example.org")));
    assert_eq!((ada.active, ada.created_at_s), (true, 1_700_000_000));
    assert_eq!(ada.password_hash.kind(), HashKind::POLICY);
    assert_eq!(users.find_by_id(ada.id).await.unwrap(), Some(ada));
    assert!(can_log_in(&accounts, "ada", GOOD).await);

    type Check = fn(&CreateRefused) -> bool;
    let refused: [(NewAccount<'_>, Check); 6] = [
        (account(" bob", None, GOOD), |e| matches!(e, CreateRefused::Name(NameFault::BlankEdge))),
        (account("bob", Some("bob"), GOOD), |e| matches!(e, CreateRefused::Email(NameFault::NotAnAddress))),
        (account("bob", None, "password"), |e| matches!(e, CreateRefused::Password(WeakPassword::Common))),
        (account("bob-the-first", None, "bob-the-first"), |e| {
            matches!(e, CreateRefused::Password(WeakPassword::OwnName))
        }),
        (account("ada", None, GOOD), |e| matches!(e, CreateRefused::NameTaken)),
        (account("bob", Some("ADA@example.org"), GOOD), |e| matches!(e, CreateRefused::EmailTaken)),
    ];
    for (account, is_expected) in refused {
        let what = format!("{account:?}");
        assert!(!what.contains(GOOD), "an account does not print its password: {what}");
        let error = accounts.create(account).await.expect_err(&what);
        assert!(is_expected(&error), "{what}: {error:?}");
    }
    users.set_fault(Some(Fault::Full));
    let error = accounts.create(account("bob", None, GOOD)).await.expect_err("the disk is full");
    assert!(matches!(error, CreateRefused::Store(StoreError::Full(_))), "{error:?}");
    users.set_fault(None);
    assert_eq!(accounts.list(None, 10).await.unwrap().users.len(), 1, "only ada is there");
    let demo = NewAccount { rule: PasswordRule::Relaxed, ..account("user", None, "password") };
    accounts.create(demo).await.expect("the relaxed rule takes it");
    assert!(can_log_in(&accounts, "user", "password").await);
}

#[tokio::test]
async fn an_operator_sets_a_password() {
    let (_, _, accounts) = world();
    let id = accounts.create(account("ada", None, GOOD)).await.unwrap().id;
    let weak = accounts.set_password(id, "password".into(), PasswordRule::Standard).await;
    assert!(matches!(weak, Err(SetPasswordRefused::Password(WeakPassword::Common))), "{weak:?}");
    let own = accounts.set_password(id, "ada".into(), PasswordRule::Standard).await;
    assert!(matches!(own, Err(SetPasswordRefused::Password(_))), "{own:?}");
    assert!(can_log_in(&accounts, "ada", GOOD).await, "refused, nothing changed");
    accounts.set_password(id, "another quiet heron".into(), PasswordRule::Standard).await.expect("it is a good one");
    assert!(can_log_in(&accounts, "ada", "another quiet heron").await);
    assert!(!can_log_in(&accounts, "ada", GOOD).await);
    let unknown = accounts.set_password(UserId(99), GOOD.into(), PasswordRule::Standard).await;
    assert!(matches!(unknown, Err(SetPasswordRefused::Unknown)), "{unknown:?}");
}

#[tokio::test]
async fn a_user_changes_the_password_that_they_know() {
    let (users, hashes, accounts) = world();
    let id = accounts.create(account("ada", None, GOOD)).await.unwrap().id;
    let change = async |present: &str, new: &str| accounts.change_password(id, present.into(), new.into()).await;
    assert!(matches!(change("wrong", "another heron").await, Err(ChangeRefused::BadCredentials)));
    assert!(matches!(change("wrong", "password").await, Err(ChangeRefused::BadCredentials)), "the rule is not told");
    assert!(matches!(change(GOOD, "password").await, Err(ChangeRefused::Password(WeakPassword::Common))));
    assert!(matches!(change(&"x".repeat(1_025), "another heron").await, Err(ChangeRefused::BadCredentials)));
    assert!(can_log_in(&accounts, "ada", GOOD).await, "refused, nothing changed");

    // Somebody else changes it between the check and the change.
    let meanwhile = Arc::clone(&users);
    hashes.before_next_verify(move || {
        let newer = QuickHashes::hash_as(HashKind::POLICY, "a newer heron");
        let set = async move { meanwhile.set_password_hash(id, None, &newer).await };
        assert!(futures_util::FutureExt::now_or_never(set).expect("memory does not wait").expect("it works"));
    });
    assert!(matches!(change(GOOD, "another heron").await, Err(ChangeRefused::BadCredentials)));
    assert!(can_log_in(&accounts, "ada", "a newer heron").await, "the newer one stays");

    change("a newer heron", "another heron").await.expect("the present password is right");
    assert!(can_log_in(&accounts, "ada", "another heron").await);
    assert!(accounts.set_active(id, false).await.unwrap());
    assert!(matches!(change("another heron", GOOD).await, Err(ChangeRefused::BadCredentials)), "disabled");
}

#[tokio::test]
async fn accounts_are_enabled_disabled_shown_and_listed() {
    let (users, _, accounts) = world();
    for n in 1..=5 {
        users.insert(&new_user(&format!("user {n}"))).await.unwrap();
    }
    let ada = accounts.create(account("ada", Some("ada@example.org"), GOOD)).await.unwrap();
    for login in ["ada", "ADA@example.org", "#6"] {
        assert_eq!(accounts.show(login).await.unwrap().as_ref(), Some(&ada), "{login}");
    }
    users.insert(&new_user("#hash")).await.unwrap();
    assert_eq!(accounts.show("#hash").await.unwrap().map(|user| user.name).as_deref(), Some("#hash"));
    for login in ["nobody", "#99", "#0", ""] {
        assert_eq!(accounts.show(login).await.unwrap(), None, "{login}");
    }
    assert!(accounts.set_active(ada.id, false).await.unwrap());
    assert!(!can_log_in(&accounts, "ada", GOOD).await);
    assert!(accounts.set_active(ada.id, true).await.unwrap());
    assert!(can_log_in(&accounts, "ada", GOOD).await);
    assert!(!accounts.set_active(UserId(99), true).await.unwrap());

    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = accounts.list(after, 3).await.unwrap();
        pages.push(page.users.iter().map(|user| user.id.0).collect::<Vec<_>>());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    assert_eq!(accounts.list(Some(UserId(4)), 3).await.unwrap().next, None, "a full last page is the last");
    assert_eq!(accounts.list(None, 0).await.unwrap().users.len(), 1, "no page is empty");
    for n in 0..PAGE_USERS_MAX {
        users.insert(&new_user(&format!("more {n}"))).await.unwrap();
    }
    assert_eq!(accounts.list(None, u32::MAX).await.unwrap().users.len(), PAGE_USERS_MAX as usize);
}

fn change(name: &str, value: impl Into<serde_json::Value>) -> AttributeChange {
    AttributeChange { name: name.to_owned(), value: Some(value.into()) }
}

#[tokio::test]
async fn a_change_of_attributes_loses_none_that_another_makes_meanwhile() {
    let (users, _, accounts) = world();
    let ada = users.insert(&new_user("ada")).await.expect("memory answers").id;
    users.before_next_write(move |users| {
        let theirs = Attributes::from_json(r#"{"theirs":1,"both":1}"#).expect("an object");
        let set = async { users.set_attributes(ada, &Attributes::default(), &theirs).await };
        assert!(futures_util::FutureExt::now_or_never(set).expect("memory does not wait").expect("memory answers"));
    });
    let changes = [change("ours", 2), change("both", 2)];
    let user = accounts.change_attributes(ada, &changes).await.expect("it is tried again");
    let all = Attributes::from_json(r#"{"theirs":1,"ours":2,"both":2}"#).expect("an object");
    assert_eq!(user.attributes, all);
    assert_eq!(users.find_by_id(ada).await.expect("memory answers").expect("ada is there"), user);

    let bad = [change("ours", 3), change("id", 3)];
    let refused = accounts.change_attributes(ada, &bad).await;
    assert!(matches!(refused, Err(AttributesRefused::Attributes(AttributesFault::Name))), "{refused:?}");
    assert_eq!(users.find_by_id(ada).await.expect("memory answers").expect("ada is there").attributes, all);
    let unknown = accounts.change_attributes(UserId(9), &changes).await;
    assert!(matches!(unknown, Err(AttributesRefused::Unknown)), "{unknown:?}");
    users.set_fault(Some(Fault::Unavailable));
    let failed = accounts.change_attributes(ada, &changes).await;
    assert!(matches!(failed, Err(AttributesRefused::Store(StoreError::Unavailable(_)))), "{failed:?}");
}
