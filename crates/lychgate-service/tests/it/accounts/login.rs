//! Logging in: what is answered, and what work is done for it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lychgate_service::accounts::{
    Accounts, Hashing, HashingLimits, LoginField, LoginRefused, LoginRequest, PASSWORD_BYTES_MAX,
};
use lychgate_service::ports::StoreError;
use lychgate_service::ports::clock::SystemClock;
use lychgate_service::ports::users::{Email, HashKind, NewUser, PasswordHash, User, UserId, Users};
use lychgate_service::testing::{Fault, HashWork, MemoryUsers, QuickHashes, new_user};

const BCRYPT_10: HashKind = HashKind::Bcrypt { cost: 10 };
const BCRYPT_12: HashKind = HashKind::Bcrypt { cost: 12 };
const OLD_ARGON2: HashKind = HashKind::Argon2id { memory_kib: 65_536, passes: 3, lanes: 4 };
const NAME: &[LoginField] = &[LoginField::Name];

/// Hash of "secret", as it is found in tutorials of a well-known web framework.
const BCRYPT_OF_SECRET: &str = "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW";

/// Hash of "password" with the salt "somesalt", from the test vectors of the reference implementation.
const ARGON2_OF_PASSWORD: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

struct World {
    users: Arc<MemoryUsers>,
    hashes: Arc<QuickHashes>,
    accounts: Accounts,
}

impl World {
    fn new() -> Self {
        let (users, hashes) = (Arc::new(MemoryUsers::default()), Arc::new(QuickHashes::default()));
        let hashing = Hashing::with_functions(HashingLimits::default(), Arc::clone(&hashes) as _);
        let accounts = Accounts::new(Arc::clone(&users) as _, hashing, Arc::new(SystemClock));
        Self { users, hashes, accounts }
    }

    async fn with(users: &[NewUser]) -> Self {
        let world = Self::new();
        for user in users {
            world.users.insert(user).await.expect("the users of a test can be stored");
        }
        world
    }

    async fn login(&self, login: &str, password: &str) -> Result<User, LoginRefused> {
        let fields = &[LoginField::Name, LoginField::Email];
        self.accounts.login(LoginRequest { login, password: password.into(), fields }).await
    }

    async fn stored(&self, name: &str) -> User {
        self.users.find_by_name(name).await.expect("memory answers").expect("the user is there")
    }
}

fn user(name: &str, kind: HashKind, password: &str) -> NewUser {
    NewUser { password_hash: QuickHashes::hash_as(kind, password), ..new_user(name) }
}

fn kinds_of(work: &[HashWork]) -> Vec<HashKind> {
    let mut kinds: Vec<_> = work
        .iter()
        .map(|work| match work {
            HashWork::Verify(kind) | HashWork::Imitate(kind) => *kind,
            HashWork::Hash => panic!("a failed login makes no hash"),
        })
        .filter(|kind| *kind != HashKind::Unsupported)
        .collect();
    kinds.sort_unstable();
    kinds
}

#[tokio::test]
async fn every_failed_login_does_the_same_work() {
    let unsupported = NewUser { password_hash: PasswordHash::new("{SHA}abc"), ..new_user("sha") };
    let stores = [
        (vec![], vec![HashKind::POLICY]),
        (vec![unsupported.clone()], vec![HashKind::POLICY]),
        (vec![user("a", HashKind::POLICY, "right")], vec![HashKind::POLICY]),
        (vec![user("a", BCRYPT_12, "right")], vec![BCRYPT_12]),
        (vec![user("a", BCRYPT_12, "right"), user("b", BCRYPT_12, "other")], vec![BCRYPT_12]),
        (
            vec![
                user("a", HashKind::POLICY, "right"),
                user("b", BCRYPT_12, "right"),
                user("c", BCRYPT_10, "right"),
                user("d", OLD_ARGON2, "right"),
                NewUser { active: false, ..user("e", BCRYPT_10, "right") },
                unsupported,
            ],
            vec![HashKind::POLICY, OLD_ARGON2, BCRYPT_10, BCRYPT_12],
        ),
    ];
    for (users, expected) in stores {
        let world = World::with(&users).await;
        for name in users.iter().map(|user| user.name.as_str()).chain(["nobody", "nobody@example.org"]) {
            let refused = world.login(name, "wrong").await;
            assert!(matches!(refused, Err(LoginRefused::BadCredentials)), "{name}: {refused:?}");
            let work = world.hashes.take_log();
            assert_eq!(kinds_of(&work), expected, "{name}: {work:?}");
        }
    }
}

#[tokio::test]
async fn a_right_password_is_verified_once() {
    let world = World::with(&[user("a", HashKind::POLICY, "right"), user("b", BCRYPT_12, "right")]).await;
    let logged_in = world.login("a", "right").await.expect("the password is right");
    assert_eq!(logged_in, world.stored("a").await);
    assert_eq!(world.hashes.take_log(), [HashWork::Verify(HashKind::POLICY)]);
}

#[tokio::test]
async fn what_no_account_could_have_costs_nothing() {
    let longest = "p".repeat(PASSWORD_BYTES_MAX);
    let world = World::with(&[user("ada", HashKind::POLICY, &longest)]).await;
    let (too_long, long_name) = (longest.clone() + "p", "n".repeat(256));
    for (login, password) in [
        ("ada", ""),
        ("ada", " \t\u{3000}"),
        ("ada", too_long.as_str()),
        ("", "right"),
        ("  ", "right"),
        (&long_name, "x"),
    ] {
        assert!(matches!(world.login(login, password).await, Err(LoginRefused::BadCredentials)));
        assert_eq!(world.hashes.take_log(), [], "{login:?} with {} bytes", password.len());
    }
    world.login("ada", &longest).await.expect("the longest password logs in");
    assert_eq!(world.hashes.take_log().len(), 1);
}

#[tokio::test]
async fn only_the_right_password_tells_that_an_account_is_disabled() {
    let world = World::with(&[NewUser { active: false, ..user("ada", BCRYPT_12, "right") }]).await;
    assert!(matches!(world.login("ada", "wrong").await, Err(LoginRefused::BadCredentials)));
    world.hashes.take_log();
    assert!(matches!(world.login("ada", "right").await, Err(LoginRefused::Disabled)));
    assert_eq!(world.hashes.take_log(), [HashWork::Verify(BCRYPT_12)], "its hash is left as it is");
    world.users.insert(&user("bob", HashKind::POLICY, "another")).await.expect("it can be stored");
    assert!(matches!(world.login("ada", "wrong").await, Err(LoginRefused::BadCredentials)));
    let of_a_failure = kinds_of(&world.hashes.take_log());
    assert!(matches!(world.login("ada", "right").await, Err(LoginRefused::Disabled)));
    assert_eq!(kinds_of(&world.hashes.take_log()), of_a_failure, "the time tells less than the answer may");
    world.users.set_active(UserId(1), true).await.expect("memory answers");
    world.login("ada", "right").await.expect("enabled, it logs in");
}

#[tokio::test]
async fn the_caller_says_what_a_login_may_be() {
    let ada = NewUser {
        email: Some(Email::new("Ada@Example.org").expect("an address")),
        ..user("ada", HashKind::POLICY, "right")
    };
    let world = World::with(&[ada]).await;
    let (name, email) = (LoginField::Name, LoginField::Email);
    for (fields, login, is_found) in [
        (&[name][..], "ada", true),
        (&[name], "ada@example.org", false),
        (&[email], "ada", false),
        (&[email], "ADA@example.org", true),
        (&[name, email], "ada", true),
        (&[email, name], "ada", true),
        (&[name, email], "aDa@eXample.org", true),
        (&[name, email], "Ada", false),
        (&[], "ada", false),
    ] {
        let answer = world.accounts.login(LoginRequest { login, password: "right".into(), fields }).await;
        assert_eq!(answer.is_ok(), is_found, "{login} as {fields:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_hash_that_is_not_the_policys_is_replaced_once() {
    for kind in [BCRYPT_12, BCRYPT_10, OLD_ARGON2, HashKind::Argon2id { memory_kib: 8, passes: 1, lanes: 1 }] {
        let world = World::with(&[user("ada", kind, "right")]).await;
        let logged_in = world.login("ada", "right").await.expect("the password is right");
        assert_eq!(world.hashes.take_log(), [HashWork::Verify(kind), HashWork::Hash], "{kind}");
        assert_eq!(world.stored("ada").await.password_hash.kind(), HashKind::POLICY);
        assert_eq!(logged_in, world.stored("ada").await, "the caller gets what is stored");
        world.login("ada", "right").await.expect("the password is still right");
        assert_eq!(world.hashes.take_log(), [HashWork::Verify(HashKind::POLICY)], "the second login finds it done");
    }
}

#[tokio::test]
async fn a_full_disk_keeps_nobody_out() {
    let world = World::with(&[user("ada", BCRYPT_12, "right")]).await;
    world.users.set_fault(Some(Fault::Full));
    let logged_in = world.login("ada", "right").await.expect("only the upgrade failed");
    assert_eq!(logged_in.password_hash.kind(), BCRYPT_12);
    world.users.set_fault(None);
    world.login("ada", "right").await.expect("the password is right");
    assert_eq!(world.stored("ada").await.password_hash.kind(), HashKind::POLICY, "the next login catches up");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_no_wrong_password() {
    let world = World::with(&[user("ada", HashKind::POLICY, "right")]).await;
    world.users.set_fault(Some(Fault::Unavailable));
    for (name, password) in [("ada", "right"), ("ada", "wrong"), ("nobody", "wrong")] {
        let refused = world.login(name, password).await;
        assert!(matches!(refused, Err(LoginRefused::Store(StoreError::Unavailable(_)))), "{refused:?}");
    }
}

#[tokio::test]
async fn bcrypt_beyond_its_72_bytes_is_verified_and_left_alone() {
    let exact = "x".repeat(72);
    let (longer, other_end) = (exact.clone() + "yz", exact.clone() + "!!");
    let hash = |password: &str| PasswordHash::new(bcrypt::hash(password, 4).expect("cost 4 is allowed"));
    let users = Arc::new(MemoryUsers::default());
    for (name, password_hash) in [("exact", hash(&exact)), ("longer", hash(&longer))] {
        users.insert(&NewUser { password_hash, ..new_user(name) }).await.expect("it can be stored");
    }
    let hashing = Hashing::new(HashingLimits::default());
    let accounts = Accounts::new(Arc::clone(&users) as _, hashing, Arc::new(SystemClock));
    let login = async |login, password: &str| {
        accounts.login(LoginRequest { login, password: password.into(), fields: NAME }).await
    };
    login("exact", &exact).await.expect("72 bytes are verified whole");
    assert_eq!(users.find_by_name("exact").await.unwrap().unwrap().password_hash.kind(), HashKind::POLICY);
    for password in [&longer, &other_end] {
        let user = login("longer", password).await.expect("bcrypt reads 72 bytes");
        assert_eq!(user.password_hash.kind(), HashKind::Bcrypt { cost: 4 }, "its end was never verified");
    }
}

#[tokio::test]
async fn real_hashes_are_verified_and_replaced() {
    let hashing = Hashing::new(HashingLimits { permits: NonZeroUsize::MIN, ..HashingLimits::default() });
    // The last one differs in bits that mean nothing, at the end of the salt and of the hash.
    let untidy = BCRYPT_OF_SECRET.replace("OXeP", "OXfP").replace("31lW", "31lX");
    for hash in [
        BCRYPT_OF_SECRET.to_owned(),
        BCRYPT_OF_SECRET.replace("$2b$", "$2a$"),
        BCRYPT_OF_SECRET.replace("$2b$", "$2y$"),
        untidy,
    ] {
        let users = Arc::new(MemoryUsers::default());
        let password_hash = PasswordHash::new(hash);
        users.insert(&NewUser { password_hash, ..new_user("user") }).await.expect("it can be stored");
        let accounts = Accounts::new(Arc::clone(&users) as _, hashing.clone(), Arc::new(SystemClock));
        let login = async |password: &str| {
            accounts.login(LoginRequest { login: "user", password: password.into(), fields: NAME }).await
        };
        assert!(matches!(login("password").await, Err(LoginRefused::BadCredentials)), "it is the hash of another word");
        assert_eq!(login("secret").await.expect("it is the hash of this").password_hash.kind(), HashKind::POLICY);
        login("secret").await.expect("the argon2id hash is of the same word");
        assert!(matches!(login("Secret").await, Err(LoginRefused::BadCredentials)));
    }
}

#[tokio::test]
async fn an_argon2id_hash_from_elsewhere_is_verified() {
    let users = Arc::new(MemoryUsers::default());
    let password_hash = PasswordHash::new(ARGON2_OF_PASSWORD);
    users.insert(&NewUser { password_hash, ..new_user("user") }).await.expect("it can be stored");
    let accounts =
        Accounts::new(Arc::clone(&users) as _, Hashing::new(HashingLimits::default()), Arc::new(SystemClock));
    let login = async |password: &str| {
        accounts.login(LoginRequest { login: "user", password: password.into(), fields: NAME }).await
    };
    assert!(matches!(login("secret").await, Err(LoginRefused::BadCredentials)));
    assert_eq!(login("password").await.expect("it is the hash of this").password_hash.kind(), HashKind::POLICY);
}

/// Runs `event` between the reading of the user and the answer of the verification.
fn meanwhile(world: &World, event: impl AsyncFnOnce(Arc<MemoryUsers>) + Send + 'static) {
    let users = Arc::clone(&world.users);
    world.hashes.before_next_verify(move || {
        // The fake never waits, so its future is ready at the first look.
        futures_util::FutureExt::now_or_never(event(users)).expect("memory does not wait");
    });
}

#[tokio::test]
async fn an_account_disabled_while_its_password_is_checked_does_not_get_in() {
    let world = World::with(&[user("ada", HashKind::POLICY, "right")]).await;
    meanwhile(&world, async |users| assert!(users.set_active(UserId(1), false).await.expect("memory answers")));
    assert!(matches!(world.login("ada", "right").await, Err(LoginRefused::Disabled)));
}

#[tokio::test]
async fn a_password_replaced_while_it_is_checked_does_not_get_in() {
    let world = World::with(&[user("ada", BCRYPT_12, "right")]).await;
    meanwhile(&world, async |users| {
        let new = QuickHashes::hash_as(HashKind::POLICY, "another");
        assert!(users.set_password_hash(UserId(1), None, &new).await.expect("memory answers"));
    });
    assert!(matches!(world.login("ada", "right").await, Err(LoginRefused::BadCredentials)));
    world.login("ada", "another").await.expect("the new password was not overwritten");
}

#[tokio::test]
async fn an_upgrade_never_overwrites_a_new_password() {
    let world = World::with(&[user("ada", BCRYPT_12, "right")]).await;
    world.users.before_next_write(|users| {
        let new = QuickHashes::hash_as(HashKind::POLICY, "another");
        let set = users.set_password_hash(UserId(1), None, &new);
        assert!(futures_util::FutureExt::now_or_never(set).expect("memory does not wait").expect("memory answers"));
    });
    world.login("ada", "right").await.expect("it was right when it was checked");
    assert!(matches!(world.login("ada", "right").await, Err(LoginRefused::BadCredentials)));
    world.login("ada", "another").await.expect("the new password stays");
}

#[tokio::test]
async fn of_two_logins_that_upgrade_one_hash_both_get_in() {
    let world = World::with(&[user("ada", BCRYPT_12, "right")]).await;
    meanwhile(&world, async |users| {
        let new = QuickHashes::hash_as(HashKind::POLICY, "right");
        assert!(users.set_password_hash(UserId(1), None, &new).await.expect("memory answers"));
    });
    world.login("ada", "right").await.expect("the password is right in either form");
}

#[tokio::test]
async fn with_every_place_taken_the_answer_is_busy_for_all() {
    let world = World::with(&[user("ada", HashKind::POLICY, "right")]).await;
    world.accounts.hashing().stop().await;
    for (name, password) in [("ada", "right"), ("ada", "wrong"), ("nobody", "wrong")] {
        let refused = world.login(name, password).await;
        assert!(matches!(refused, Err(LoginRefused::Busy(_))), "{refused:?}");
    }
}
