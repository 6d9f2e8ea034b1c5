//! Whether a database can be the API's at all, before anything is changed in it: what is wrong, and what to run.

use sqlx::{PgConnection, Row};

const ENCODING: &str = "UTF8";
/// The first version with everything that the migrations use.
const OLDEST_VERSION: i32 = 130_000;

/// What is asked of a database.
#[derive(Clone, Debug)]
struct Findings {
    database: String,
    role: String,
    version: i32,
    encoding: String,
    /// The schema that tables are created in; absent where the search_path leads to none.
    schema: Option<String>,
    may_create: bool,
    is_standby: bool,
    is_read_only: bool,
}

/// What makes this database unsuitable, as a sentence with what to do; absent if nothing does.
///
/// Nothing is prepared for this, since a pooler may be in between.
///
/// # Errors
/// When the database can't be asked.
pub async fn what_is_wrong(conn: &mut PgConnection) -> sqlx::Result<Option<String>> {
    let sql = "select current_database(), current_user::text, current_setting('server_version_num'), \
        current_setting('server_encoding'), current_schema()::text, \
        coalesce(has_schema_privilege(current_schema(), 'create'), false)::text, pg_is_in_recovery()::text, \
        current_setting('transaction_read_only')";
    let row = sqlx::raw_sql(sql).fetch_one(conn).await?;
    let text = |column: usize| row.try_get_unchecked::<String, _>(column);
    let findings = Findings {
        database: text(0)?,
        role: text(1)?,
        version: text(2)?.parse().unwrap_or(OLDEST_VERSION),
        encoding: text(3)?,
        schema: row.try_get_unchecked(4)?,
        may_create: text(5)? == "true",
        is_standby: text(6)? == "true",
        is_read_only: text(7)? == "on",
    };
    Ok(judge(&findings))
}

fn judge(findings: &Findings) -> Option<String> {
    let Findings { database, role, version, encoding, .. } = findings;
    if *version < OLDEST_VERSION {
        let major = version / 10_000;
        return Some(format!(
            "the database runs on Postgres {major}, but the API needs Postgres 13 or newer; upgrade it"
        ));
    }
    if encoding != ENCODING {
        return Some(format!(
            "the database \"{database}\" has the encoding {encoding}, which can't store every text; create another one with \
             UTF8 (create database terarchitect template template0 encoding 'UTF8' locale 'C.UTF-8') and set DATABASE_URL to \
             its address"
        ));
    }
    if findings.is_standby {
        return Some(
            "the database is a standby, which accepts no changes; set DATABASE_URL to the address of the primary"
                .into(),
        );
    }
    if findings.is_read_only {
        return Some(format!(
            "the database accepts no changes, because default_transaction_read_only is on for the role \"{role}\", for the \
             database \"{database}\" or for the server; switch it off where it is set, such as: alter role \"{role}\" reset \
             default_transaction_read_only"
        ));
    }
    let Some(schema) = &findings.schema else {
        return Some(format!(
            "the search_path of the role \"{role}\" leads to no schema, so there is no place for tables; set one, such as: \
             alter role \"{role}\" in database \"{database}\" set search_path = public"
        ));
    };
    (!findings.may_create).then(|| {
        format!(
            "the role \"{role}\" may not create tables in the schema \"{schema}\"; run as the owner of the database: grant \
             create, usage on schema \"{schema}\" to \"{role}\""
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suitable() -> Findings {
        Findings {
            database: "d".into(),
            role: "r".into(),
            version: 150_018,
            encoding: "UTF8".into(),
            schema: Some("public".into()),
            may_create: true,
            is_standby: false,
            is_read_only: false,
        }
    }

    #[test]
    fn each_reason_is_a_sentence_with_what_to_do() {
        assert_eq!(judge(&suitable()), None);
        for (findings, says) in [
            (Findings { version: 120_001, ..suitable() }, "Postgres 13 or newer"),
            (Findings { encoding: "EUC_JP".into(), ..suitable() }, "encoding 'UTF8'"),
            (Findings { is_standby: true, is_read_only: true, ..suitable() }, "address of the primary"),
            (Findings { is_read_only: true, ..suitable() }, "reset default_transaction_read_only"),
            (Findings { schema: None, may_create: false, ..suitable() }, "set search_path = public"),
            (Findings { may_create: false, ..suitable() }, "grant create, usage on schema"),
        ] {
            let sentence = judge(&findings).unwrap_or_default();
            assert!(sentence.contains(says), "{sentence}");
        }
    }
}
