//! Lychgate's own register of what belongs to whom, for applications that keep none themselves.
//!
//! **Invariant:** a member belongs to a resource that exists; with the resource its members go.
//!
//! **Absent on purpose:** roles. Who may do what in an application is the application's to say.

use async_trait::async_trait;

use super::StoreError;

/// The longest name of a resource or a user here, in bytes.
pub const REGISTRY_NAME_BYTES_MAX: usize = 255;

/// Whether a resource may be called so: 1 to 255 characters of visible ASCII, as a channel.
#[must_use]
pub fn is_resource_name(name: &str) -> bool {
    (1..=REGISTRY_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether tokens may name a user so: 1 to 255 bytes without control characters.
#[must_use]
pub fn is_user_name(name: &str) -> bool {
    (1..=REGISTRY_NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control)
}

/// A registered resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name, such as `entry:17`: visible ASCII, unique byte for byte.
    pub name: String,
    /// The user it belongs to, as tokens name them; nobody's, if none.
    pub owner: Option<String>,
}

/// Resources and members at rest.
///
/// Every call is atomic, and what an `Ok` of a write reports outlives a crash.
/// A read that starts after a write has returned sees it.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Stores a resource, or gives the one of that name another owner. Its members stay. `true` if it is new.
    async fn put_resource(&self, resource: &Resource) -> Result<bool, StoreError>;

    /// Removes a resource and its members; `false` if there is none.
    async fn remove_resource(&self, name: &str) -> Result<bool, StoreError>;

    /// The resource of that name.
    async fn find_resource(&self, name: &str) -> Result<Option<Resource>, StoreError>;

    /// Resources whose names come after `after`, in byte order, at most `limit`.
    async fn list_resources(&self, after: &str, limit: u32) -> Result<Vec<Resource>, StoreError>;

    /// Lists `user` as a member; `None` if there is no such resource, else whether they are new.
    async fn add_member(&self, resource: &str, user: &str) -> Result<Option<bool>, StoreError>;

    /// Ends a membership; `false` if there is none.
    async fn remove_member(&self, resource: &str, user: &str) -> Result<bool, StoreError>;

    /// Members of a resource after `after`, in byte order, at most `limit`; `None` if there is no such resource.
    async fn list_members(&self, resource: &str, after: &str, limit: u32) -> Result<Option<Vec<String>>, StoreError>;

    /// Whether `user` is listed as a member of a resource that exists. The owner is not listed unless added.
    async fn is_member(&self, resource: &str, user: &str) -> Result<bool, StoreError>;
}
