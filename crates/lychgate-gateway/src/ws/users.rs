//! How many connections each user has open, over all endpoints.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;

/// How many locks the users are spread over.
const STRIPES: usize = 32;

/// The count of every user who has a connection.
pub struct Users {
    per_user_max: usize,
    hasher: RandomState,
    stripes: Box<[Mutex<HashMap<u64, usize>>]>,
}

/// One connection's place; it is free again when this goes.
pub struct UserPlace {
    users: Arc<Users>,
    user: u64,
}

impl Users {
    /// At most `per_user_max` connections for each user.
    #[must_use]
    pub fn new(per_user_max: usize) -> Arc<Self> {
        let stripes = (0..STRIPES).map(|_| Mutex::default()).collect();
        Arc::new(Self { per_user_max, hasher: RandomState::new(), stripes })
    }

    /// A place for one more connection of the user `id`, `None` if there are too many.
    #[must_use]
    pub fn take_place(self: &Arc<Self>, id: &str) -> Option<UserPlace> {
        // A keyed 64-bit hash stands for the name: nobody can aim at a collision, and chance does not find one.
        let user = self.hasher.hash_one(id);
        let mut stripe = self.stripe(user).lock();
        let count = stripe.entry(user).or_insert(0);
        if *count >= self.per_user_max {
            return None;
        }
        *count += 1;
        Some(UserPlace { users: Arc::clone(self), user })
    }

    /// How many users have a connection.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.lock().len()).sum()
    }

    /// Whether nobody has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn stripe(&self, user: u64) -> &Mutex<HashMap<u64, usize>> {
        &self.stripes[(user % STRIPES as u64) as usize]
    }
}

impl Drop for UserPlace {
    fn drop(&mut self) {
        let mut stripe = self.users.stripe(self.user).lock();
        if let Some(count) = stripe.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                stripe.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Users;

    #[test]
    fn places_are_counted_per_user_and_given_back() {
        let users = Users::new(2);
        let first = users.take_place("ann").unwrap();
        let _second = users.take_place("ann").unwrap();
        assert!(users.take_place("ann").is_none());
        let _other = users.take_place("bob").unwrap();
        drop(first);
        assert!(users.take_place("ann").is_some());
        assert_eq!(users.len(), 2);
    }
}
