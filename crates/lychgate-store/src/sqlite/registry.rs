//! Resources and members in SQLite.

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::registry::{Registry, Resource};

use super::SqliteStore;
use super::faults::{is_missing_parent, store_error};

const GIVE: &str = "UPDATE resources SET owner = ?2 WHERE name = ?1";
const REMOVE: &str = "DELETE FROM resources WHERE name = ?1";
const FIND: &str = "SELECT name, owner FROM resources WHERE name = ?1";
const LIST: &str = "SELECT name, owner FROM resources WHERE name > ?1 ORDER BY name LIMIT ?2";
const REMOVE_MEMBER: &str = "DELETE FROM members WHERE resource = ?1 AND user = ?2";
/// One row without a member tells a resource that has none from no resource.
const LIST_MEMBERS: &str = "SELECT members.user FROM resources \
    LEFT JOIN members ON members.resource = resources.name AND members.user > ?2 \
    WHERE resources.name = ?1 ORDER BY members.user LIMIT ?3";
const IS_MEMBER: &str = "SELECT EXISTS (SELECT 1 FROM members WHERE resource = ?1 AND user = ?2)";

/// What must be answered from an index, however many resources and members there are.
#[cfg(test)]
pub(super) const INDEXED: [&str; 7] = [GIVE, REMOVE, FIND, LIST, REMOVE_MEMBER, LIST_MEMBERS, IS_MEMBER];

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    owner: Option<String>,
}

impl From<Row> for Resource {
    fn from(row: Row) -> Self {
        Self { name: row.name, owner: row.owner }
    }
}

#[async_trait]
impl Registry for SqliteStore {
    async fn put_resource(&self, resource: &Resource) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let given = sqlx::query(GIVE).bind(&resource.name).bind(&resource.owner);
        let is_new = given.execute(&mut *transaction).await.map_err(store_error)?.rows_affected() == 0;
        if is_new {
            let made = sqlx::query("INSERT INTO resources (name, owner) VALUES (?1, ?2)");
            let made = made.bind(&resource.name).bind(&resource.owner);
            made.execute(&mut *transaction).await.map_err(store_error)?;
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(is_new)
    }

    async fn remove_resource(&self, name: &str) -> Result<bool, StoreError> {
        let removed = sqlx::query(REMOVE).bind(name).execute(&self.writer).await.map_err(store_error)?;
        Ok(removed.rows_affected() == 1)
    }

    async fn find_resource(&self, name: &str) -> Result<Option<Resource>, StoreError> {
        let row = sqlx::query_as::<_, Row>(FIND).bind(name).fetch_optional(&self.readers).await.map_err(store_error)?;
        Ok(row.map(Resource::from))
    }

    async fn list_resources(&self, after: &str, limit: u32) -> Result<Vec<Resource>, StoreError> {
        let rows = sqlx::query_as::<_, Row>(LIST).bind(after).bind(limit);
        let rows = rows.fetch_all(&self.readers).await.map_err(store_error)?;
        Ok(rows.into_iter().map(Resource::from).collect())
    }

    async fn add_member(&self, resource: &str, user: &str) -> Result<Option<bool>, StoreError> {
        let added = sqlx::query("INSERT INTO members (resource, user) VALUES (?1, ?2) ON CONFLICT DO NOTHING");
        match added.bind(resource).bind(user).execute(&self.writer).await {
            Ok(done) => Ok(Some(done.rows_affected() == 1)),
            Err(error) if is_missing_parent(&error) => Ok(None),
            Err(error) => Err(store_error(error)),
        }
    }

    async fn remove_member(&self, resource: &str, user: &str) -> Result<bool, StoreError> {
        let removed = sqlx::query(REMOVE_MEMBER).bind(resource).bind(user);
        Ok(removed.execute(&self.writer).await.map_err(store_error)?.rows_affected() == 1)
    }

    async fn list_members(&self, resource: &str, after: &str, limit: u32) -> Result<Option<Vec<String>>, StoreError> {
        // At least one row is read, since it is what says that there is the resource.
        let rows = sqlx::query_scalar::<_, Option<String>>(LIST_MEMBERS).bind(resource).bind(after).bind(limit.max(1));
        let rows = rows.fetch_all(&self.readers).await.map_err(store_error)?;
        let exists = !rows.is_empty();
        Ok(exists.then(|| rows.into_iter().flatten().take(limit as usize).collect()))
    }

    async fn is_member(&self, resource: &str, user: &str) -> Result<bool, StoreError> {
        let member = sqlx::query_scalar(IS_MEMBER).bind(resource).bind(user);
        member.fetch_one(&self.readers).await.map_err(store_error)
    }
}
