//! How often somebody may fail to log in.
//!
//! Three buckets stand before each attempt: the address, the address together with the account, and the account alone.
//! The first two refuse. The third only delays, because a refusal would let a stranger lock somebody out.
//! A success gives its events back, so that only failures count.

use std::net::IpAddr;
use std::time::Duration;

use crate::limits::{KeyedRate, Rate, RetryAfter};

/// How many accounts and addresses are remembered at a time, in each bucket.
const KEYS_MAX: usize = 65_536;

/// How many failures are allowed.
#[derive(Clone, Copy, Debug)]
pub struct LoginLimits {
    /// Failures a minute from one address.
    pub per_address_per_minute: u32,
    /// Failures a minute from one address for one account.
    pub per_address_and_account_per_minute: u32,
    /// Failures an hour for one account from anywhere, after which each attempt is delayed.
    pub per_account_per_hour: u32,
    /// The delay.
    pub delay: Duration,
}

/// Counts failures. Shared by all login routes.
pub struct LoginThrottle {
    by_address: KeyedRate<AddressKey>,
    by_address_and_account: KeyedRate<(AddressKey, u64)>,
    by_account: KeyedRate<u64>,
    delay: Duration,
    hasher: std::hash::RandomState,
}

/// An attempt that may go on. Give it back with [`LoginThrottle::succeeded`] when it was no failure.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    address: AddressKey,
    account: u64,
    /// How long the answer must wait.
    pub delay: Option<Duration>,
}

impl LoginThrottle {
    /// A throttle with these limits.
    #[must_use]
    pub fn new(limits: LoginLimits) -> Self {
        const MINUTE_MS: u64 = 60_000;
        let per_minute = |failures: u32| Rate::new(failures, MINUTE_MS, failures);
        let per_hour = Rate::new(limits.per_account_per_hour, 60 * MINUTE_MS, limits.per_account_per_hour);
        Self {
            by_address: KeyedRate::new(per_minute(limits.per_address_per_minute), KEYS_MAX),
            by_address_and_account: KeyedRate::new(per_minute(limits.per_address_and_account_per_minute), KEYS_MAX),
            by_account: KeyedRate::new(per_hour, KEYS_MAX),
            delay: limits.delay,
            hasher: std::hash::RandomState::new(),
        }
    }

    /// Counts an attempt of `account` from `address` as a failure until it is known to be a success.
    ///
    /// # Errors
    ///
    /// [`RetryAfter`] when the address has failed too often. The password must then not be looked at.
    pub fn attempt(&self, address: IpAddr, account: &str, now_ms: u64) -> Result<Attempt, RetryAfter> {
        use std::hash::BuildHasher as _;
        let address = AddressKey::from(address);
        // A keyed hash: an account's name has no bound that this map could afford.
        let account = self.hasher.hash_one(account.to_lowercase());
        self.by_address.take(address, now_ms)?;
        if let Err(wait) = self.by_address_and_account.take((address, account), now_ms) {
            self.by_address.give_back(&address);
            return Err(wait);
        }
        let delay = self.by_account.take(account, now_ms).err().map(|_| self.delay);
        Ok(Attempt { address, account, delay })
    }

    /// Whether `address` may fail once more at something else than a password, such as a token that it shows.
    ///
    /// # Errors
    ///
    /// [`RetryAfter`] when it has failed too often.
    pub fn may_fail(&self, address: IpAddr, now_ms: u64) -> Result<(), RetryAfter> {
        self.by_address.check(&AddressKey::from(address), now_ms)
    }

    /// Counts such a failure.
    pub fn failed(&self, address: IpAddr, now_ms: u64) {
        // Of many at once some may come when the bucket is empty already.
        let _ = self.by_address.take(AddressKey::from(address), now_ms);
    }

    /// Says that the attempt was no failure.
    pub fn succeeded(&self, attempt: &Attempt) {
        self.by_address.give_back(&attempt.address);
        self.by_address_and_account.give_back(&(attempt.address, attempt.account));
        if attempt.delay.is_none() {
            self.by_account.give_back(&attempt.account);
        }
    }
}

/// One address as limits see it: all of an IPv6 /64 is one, since one customer holds it whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressKey(u64, bool);

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits()), false),
            IpAddr::V6(v6) => Self((v6.to_bits() >> 64) as u64, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> LoginThrottle {
        LoginThrottle::new(LoginLimits {
            per_address_per_minute: 10,
            per_address_and_account_per_minute: 5,
            per_account_per_hour: 100,
            delay: Duration::from_secs(1),
        })
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn five_failures_stop_one_account_and_ten_stop_the_address() {
        let throttle = throttle();
        for _ in 0..5 {
            assert!(throttle.attempt(address(1), "ann", 0).is_ok());
        }
        assert!(throttle.attempt(address(1), "Ann", 0).is_err(), "a name in other letters is the same account");
        for _ in 0..5 {
            assert!(throttle.attempt(address(1), "bob", 0).is_ok());
        }
        assert!(throttle.attempt(address(1), "eve", 0).is_err());
        assert!(throttle.attempt(address(2), "ann", 0).is_ok(), "another address is not touched");
    }

    #[test]
    fn success_does_not_count() {
        let throttle = throttle();
        for _ in 0..50 {
            let attempt = throttle.attempt(address(1), "ann", 0).unwrap();
            throttle.succeeded(&attempt);
        }
    }

    #[test]
    fn an_account_under_attack_is_slow_but_never_locked() {
        let throttle = throttle();
        for round in 0..100_u32 {
            let from = IpAddr::from([10, 0, (round / 200) as u8, (round % 200) as u8]);
            assert_eq!(throttle.attempt(from, "ann", 0).unwrap().delay, None);
        }
        assert_eq!(throttle.attempt(address(9), "ann", 0).unwrap().delay, Some(Duration::from_secs(1)));
        assert_eq!(throttle.attempt(address(9), "bob", 0).unwrap().delay, None);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let key = |text: &str| AddressKey::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
