//! Settings as they are stored: in the clear, or sealed.

use sqlx::PgConnection;

/// A stored setting.
#[derive(Clone, Debug)]
pub struct StoredSetting {
    /// Its name.
    pub key: String,
    /// Its value, if it is not secret.
    pub value: Option<String>,
    /// Its sealed value, if it is secret.
    pub sealed: Option<Vec<u8>>,
    /// The key that it was sealed with.
    pub key_id: Option<String>,
}

/// All settings that have a value.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<StoredSetting>> {
    sqlx::query_as!(StoredSetting, "select key, value, sealed, key_id from settings order by key").fetch_all(conn).await
}

/// One setting.
pub async fn find(conn: &mut PgConnection, key: &str) -> sqlx::Result<Option<StoredSetting>> {
    sqlx::query_as!(StoredSetting, "select key, value, sealed, key_id from settings where key = $1", key)
        .fetch_optional(conn)
        .await
}

/// Stores a setting, and replaces an older value.
pub async fn upsert(conn: &mut PgConnection, setting: &StoredSetting) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into settings (key, value, sealed, key_id) values ($1, $2, $3, $4)
         on conflict (key) do update
         set value = excluded.value, sealed = excluded.sealed, key_id = excluded.key_id, updated_at = now()",
        setting.key,
        setting.value,
        setting.sealed,
        setting.key_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes a setting's value.
pub async fn delete(conn: &mut PgConnection, key: &str) -> sqlx::Result<()> {
    sqlx::query!("delete from settings where key = $1", key).execute(conn).await?;
    Ok(())
}
