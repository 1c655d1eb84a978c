//! The account ports in memory, with failures at will.

use std::collections::BTreeSet;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::ports::StoreError;
use crate::ports::keys::{Keys, StoredKey};
use crate::ports::users::{
    Attributes, Email, HashKind, InsertError, NewUser, PasswordHash, User, UserId, UserName, Users, fold,
};

/// Users in memory.
#[derive(Default)]
pub struct MemoryUsers {
    state: Mutex<State>,
    before_write: Mutex<Option<Event>>,
}

type Event = Box<dyn FnOnce(&MemoryUsers) + Send>;

#[derive(Default)]
struct State {
    users: Vec<User>,
    fault: Option<Fault>,
}

/// A failure that every call answers with until it is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every call fails as unavailable.
    Unavailable,
    /// Writes fail because the disk is full; reads go on.
    Full,
}

/// A user with a name, no address and a hash that no password has; for tests that are about something else.
///
/// # Panics
///
/// Panics when `name` is no name.
pub fn new_user(name: &str) -> NewUser {
    NewUser {
        name: UserName::new(name).expect("a name for a test is a name"),
        email: None,
        password_hash: PasswordHash::new(format!("$2b$04${}", "A".repeat(53))),
        active: true,
        created_at_s: 1_700_000_000,
        attributes: Attributes::default(),
    }
}

impl MemoryUsers {
    /// Makes every call fail from now on, or none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state.lock().fault = fault;
    }

    /// Runs `event` between the next write's being asked for and its being done, as another process might.
    pub fn before_next_write(&self, event: impl FnOnce(&MemoryUsers) + Send + 'static) {
        *self.before_write.lock() = Some(Box::new(event));
    }

    fn read<R>(&self, read: impl FnOnce(&State) -> R) -> Result<R, StoreError> {
        let state = self.state.lock();
        match state.fault {
            Some(Fault::Unavailable) => Err(StoreError::Unavailable("as the test wants it".into())),
            Some(Fault::Full) | None => Ok(read(&state)),
        }
    }

    fn write<R>(&self, write: impl FnOnce(&mut State) -> R) -> Result<R, StoreError> {
        let event = self.before_write.lock().take();
        if let Some(event) = event {
            event(self);
        }
        let mut state = self.state.lock();
        match state.fault {
            Some(Fault::Unavailable) => Err(StoreError::Unavailable("as the test wants it".into())),
            Some(Fault::Full) => Err(StoreError::Full("as the test wants it".into())),
            None => Ok(write(&mut state)),
        }
    }
}

impl State {
    fn check(&self, new: &NewUser) -> Result<(), InsertError> {
        let (name, folded) = (new.name.as_str(), new.name.folded());
        let has_email = |user: &User, email: &str| user.email.as_deref().map(fold).as_deref() == Some(email);
        if self.users.iter().any(|user| user.name == name || has_email(user, &folded)) {
            return Err(InsertError::NameTaken);
        }
        let email = new.email.as_ref().map(Email::folded);
        if email.is_some_and(|email| self.users.iter().any(|user| has_email(user, &email) || fold(&user.name) == email))
        {
            return Err(InsertError::EmailTaken);
        }
        Ok(())
    }

    fn insert(&mut self, new: &NewUser) -> Result<User, InsertError> {
        self.check(new)?;
        let id = UserId(self.users.last().map_or(1, |user| user.id.0 + 1));
        let user = User {
            id,
            name: new.name.as_str().to_owned(),
            email: new.email.as_ref().map(|email| email.as_str().to_owned()),
            password_hash: new.password_hash.clone(),
            active: new.active,
            created_at_s: new.created_at_s,
            attributes: new.attributes.clone(),
        };
        self.users.push(user.clone());
        Ok(user)
    }

    fn find(&self, is_wanted: impl Fn(&User) -> bool) -> Option<User> {
        self.users.iter().find(|user| is_wanted(user)).cloned()
    }
}

#[async_trait]
impl Users for MemoryUsers {
    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(|state| state.find(|user| user.id == id))
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
        self.read(|state| state.find(|user| user.name == name))
    }

    async fn find_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let email = fold(email);
        self.read(|state| state.find(|user| user.email.as_deref().map(fold).as_ref() == Some(&email)))
    }

    async fn insert(&self, user: &NewUser) -> Result<User, InsertError> {
        self.write(|state| state.insert(user))?
    }

    async fn check_insert(&self, user: &NewUser) -> Result<(), InsertError> {
        self.read(|state| state.check(user))?
    }

    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let follows = |user: &&User| after.is_none_or(|after| user.id > after);
        self.read(|state| state.users.iter().filter(follows).take(limit as usize).cloned().collect())
    }

    async fn set_active(&self, id: UserId, active: bool) -> Result<bool, StoreError> {
        self.write(|state| match state.users.iter_mut().find(|user| user.id == id) {
            Some(user) => {
                user.active = active;
                true
            }
            None => false,
        })
    }

    async fn set_password_hash(
        &self,
        id: UserId,
        expected: Option<&PasswordHash>,
        new: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let is_wanted =
            |user: &&mut User| user.id == id && expected.is_none_or(|expected| user.password_hash == *expected);
        self.write(|state| match state.users.iter_mut().find(is_wanted) {
            Some(user) => {
                user.password_hash = new.clone();
                true
            }
            None => false,
        })
    }

    async fn set_attributes(&self, id: UserId, expected: &Attributes, new: &Attributes) -> Result<bool, StoreError> {
        let is_wanted = |user: &&mut User| user.id == id && user.attributes == *expected;
        self.write(|state| match state.users.iter_mut().find(is_wanted) {
            Some(user) => {
                user.attributes = new.clone();
                true
            }
            None => false,
        })
    }

    async fn hash_kinds(&self) -> Result<Vec<HashKind>, StoreError> {
        let distinct =
            |state: &State| state.users.iter().map(|user| user.password_hash.kind()).collect::<BTreeSet<_>>();
        Ok(self.read(distinct)?.into_iter().collect())
    }
}

/// A signing key in memory.
#[derive(Default)]
pub struct MemoryKeys(Mutex<Option<StoredKey>>);

#[async_trait]
impl Keys for MemoryKeys {
    async fn signing_key(&self) -> Result<Option<StoredKey>, StoreError> {
        Ok(self.0.lock().clone())
    }

    async fn load_or_insert_signing_key(&self, candidate: StoredKey) -> Result<StoredKey, StoreError> {
        Ok(self.0.lock().get_or_insert(candidate).clone())
    }
}
