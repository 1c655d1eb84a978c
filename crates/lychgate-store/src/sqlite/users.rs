//! Users in SQLite.

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::users::{
    Attributes, AttributesFault, Email, HashKind, InsertError, NewUser, NotAHashKind, PasswordHash, User, UserId,
    Users, fold,
};
use sqlx::{FromRow, SqliteConnection};

use super::SqliteStore;
use super::faults::store_error;

const BY_ID: &str = "SELECT id, name, email, password_hash, active, created_at_s, attributes FROM users WHERE id = ?1";
const BY_NAME: &str =
    "SELECT id, name, email, password_hash, active, created_at_s, attributes FROM users WHERE name = ?1";
const BY_EMAIL: &str =
    "SELECT id, name, email, password_hash, active, created_at_s, attributes FROM users WHERE email_folded = ?1";
/// From each kind in the index to the next greater one: a look-up for each kind and not a row for each user,
/// which DISTINCT would read.
const HASH_KINDS: &str = "WITH RECURSIVE kinds(kind) AS ( \
      SELECT min(password_kind) FROM users \
      UNION ALL \
      SELECT (SELECT min(password_kind) FROM users WHERE password_kind > kinds.kind) FROM kinds WHERE kinds.kind IS NOT NULL \
    ) SELECT kind FROM kinds WHERE kind IS NOT NULL";
const NAME_TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM users WHERE name = ?1 OR email_folded = ?2)";
const EMAIL_TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM users WHERE email_folded = ?1 OR name_folded = ?1)";

/// What must be answered from an index, however many users there are.
#[cfg(test)]
pub(super) const INDEXED: [&str; 6] = [BY_ID, BY_NAME, BY_EMAIL, HASH_KINDS, NAME_TAKEN, EMAIL_TAKEN];

#[derive(FromRow)]
struct Row {
    id: i64,
    name: String,
    email: Option<String>,
    password_hash: String,
    active: bool,
    created_at_s: i64,
    attributes: String,
}

impl Row {
    fn into_user(self) -> Result<User, StoreError> {
        Ok(User {
            id: UserId(self.id),
            name: self.name,
            email: self.email,
            password_hash: PasswordHash::new(self.password_hash),
            active: self.active,
            created_at_s: u64::try_from(self.created_at_s).map_err(|error| StoreError::Broken(error.into()))?,
            attributes: read_attributes(&self.attributes)?,
        })
    }
}

#[async_trait]
impl Users for SqliteStore {
    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let row =
            sqlx::query_as::<_, Row>(BY_ID).bind(id.0).fetch_optional(&self.readers).await.map_err(store_error)?;
        row.map(Row::into_user).transpose()
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
        let row =
            sqlx::query_as::<_, Row>(BY_NAME).bind(name).fetch_optional(&self.readers).await.map_err(store_error)?;
        row.map(Row::into_user).transpose()
    }

    async fn find_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let row = sqlx::query_as::<_, Row>(BY_EMAIL)
            .bind(fold(email))
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?;
        row.map(Row::into_user).transpose()
    }

    async fn insert(&self, user: &NewUser) -> Result<User, InsertError> {
        // Immediate: what is checked must still hold when it is stored.
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        check(&mut transaction, user).await?;
        let row = sqlx::query_as::<_, Row>(
            "INSERT INTO users (name, name_folded, email, email_folded, password_hash, password_kind, active, created_at_s, \
             attributes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
             RETURNING id, name, email, password_hash, active, created_at_s, attributes",
        );
        let row = row
            .bind(user.name.as_str())
            .bind(user.name.folded())
            .bind(user.email.as_ref().map(Email::as_str))
            .bind(user.email.as_ref().map(Email::folded))
            .bind(user.password_hash.expose())
            .bind(user.password_hash.kind().to_string())
            .bind(user.active)
            .bind(i64::try_from(user.created_at_s).map_err(|error| StoreError::Broken(error.into()))?)
            .bind(user.attributes.to_json())
            .fetch_one(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(row.into_user()?)
    }

    async fn check_insert(&self, user: &NewUser) -> Result<(), InsertError> {
        let mut reader = self.readers.acquire().await.map_err(store_error)?;
        check(&mut reader, user).await
    }

    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let rows = sqlx::query_as::<_, Row>(
            "SELECT id, name, email, password_hash, active, created_at_s, attributes FROM users WHERE id > ?1 ORDER BY id LIMIT ?2",
        );
        // Ids are positive, so every user comes after 0.
        let rows = rows.bind(after.map_or(0, |id| id.0)).bind(limit);
        let rows = rows.fetch_all(&self.readers).await.map_err(store_error)?;
        rows.into_iter().map(Row::into_user).collect()
    }

    async fn set_active(&self, id: UserId, active: bool) -> Result<bool, StoreError> {
        let update = sqlx::query("UPDATE users SET active = ?2 WHERE id = ?1").bind(id.0).bind(active);
        let done = update.execute(&self.writer).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn set_password_hash(
        &self,
        id: UserId,
        expected: Option<&PasswordHash>,
        new: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let update = sqlx::query(
            "UPDATE users SET password_hash = ?2, password_kind = ?3 WHERE id = ?1 AND (?4 IS NULL OR password_hash = ?4)",
        );
        let update =
            update.bind(id.0).bind(new.expose()).bind(new.kind().to_string()).bind(expected.map(PasswordHash::expose));
        let done = update.execute(&self.writer).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn set_attributes(&self, id: UserId, expected: &Attributes, new: &Attributes) -> Result<bool, StoreError> {
        // Compared as values and not as text: what somebody edited by hand has other blanks and is still the same.
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let stored = sqlx::query_scalar::<_, String>("SELECT attributes FROM users WHERE id = ?1").bind(id.0);
        let stored = stored.fetch_optional(&mut *transaction).await.map_err(store_error)?;
        let stored = stored.as_deref().map(read_attributes).transpose()?;
        if stored.as_ref() != Some(expected) {
            return Ok(false);
        }
        let update = sqlx::query("UPDATE users SET attributes = ?2 WHERE id = ?1").bind(id.0).bind(new.to_json());
        update.execute(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(true)
    }

    async fn hash_kinds(&self) -> Result<Vec<HashKind>, StoreError> {
        let labels: Vec<String> = sqlx::query_scalar(HASH_KINDS).fetch_all(&self.readers).await.map_err(store_error)?;
        let mut kinds = labels
            .iter()
            .map(|label| label.parse().map_err(|error: NotAHashKind| StoreError::Broken(error.into())))
            .collect::<Result<Vec<_>, _>>()?;
        kinds.sort_unstable();
        Ok(kinds)
    }
}

fn read_attributes(text: &str) -> Result<Attributes, StoreError> {
    Attributes::from_json(text).map_err(|fault: AttributesFault| StoreError::Broken(fault.into()))
}

/// Whether the name and the address are free, as names and as addresses.
async fn check(connection: &mut SqliteConnection, user: &NewUser) -> Result<(), InsertError> {
    let taken = sqlx::query_scalar(NAME_TAKEN).bind(user.name.as_str()).bind(user.name.folded());
    let taken: bool = taken.fetch_one(&mut *connection).await.map_err(store_error)?;
    if taken {
        return Err(InsertError::NameTaken);
    }
    let Some(email_folded) = user.email.as_ref().map(Email::folded) else {
        return Ok(());
    };
    let taken = sqlx::query_scalar(EMAIL_TAKEN).bind(email_folded);
    let taken: bool = taken.fetch_one(&mut *connection).await.map_err(store_error)?;
    if taken { Err(InsertError::EmailTaken) } else { Ok(()) }
}
