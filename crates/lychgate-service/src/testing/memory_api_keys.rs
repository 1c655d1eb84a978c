//! API keys in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::ports::StoreError;
use crate::ports::api_keys::{ApiKeys, StoredApiKey};

/// API keys in memory.
#[derive(Default)]
pub struct MemoryApiKeys(Mutex<BTreeMap<String, StoredApiKey>>);

#[async_trait]
impl ApiKeys for MemoryApiKeys {
    async fn insert(&self, key: &StoredApiKey) -> Result<bool, StoreError> {
        let mut keys = self.0.lock();
        let is_new = !keys.contains_key(&key.name);
        if is_new {
            keys.insert(key.name.clone(), key.clone());
        }
        Ok(is_new)
    }

    async fn find(&self, hash: &[u8; 32]) -> Result<Option<StoredApiKey>, StoreError> {
        Ok(self.0.lock().values().find(|key| key.hash == *hash).cloned())
    }

    async fn list(&self, after: &str, limit: u32) -> Result<Vec<StoredApiKey>, StoreError> {
        let keys = self.0.lock();
        Ok(keys.values().filter(|key| key.name.as_str() > after).take(limit as usize).cloned().collect())
    }

    async fn revoke(&self, name: &str, now_s: u64) -> Result<Option<bool>, StoreError> {
        let mut keys = self.0.lock();
        let Some(key) = keys.get_mut(name) else { return Ok(None) };
        let was_good = key.revoked_at_s.is_none();
        key.revoked_at_s.get_or_insert(now_s);
        Ok(Some(was_good))
    }

    async fn note_use(&self, hash: &[u8; 32], now_s: u64, every_s: u64) -> Result<bool, StoreError> {
        let mut keys = self.0.lock();
        let Some(key) = keys.values_mut().find(|key| key.hash == *hash) else { return Ok(false) };
        let is_due = key.last_used_at_s.is_none_or(|at_s| at_s.saturating_add(every_s) <= now_s);
        if is_due {
            key.last_used_at_s = Some(now_s);
        }
        Ok(is_due)
    }
}
