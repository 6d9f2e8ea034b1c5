//! Who has the pages open, and what waits for them.

use crate::seed;
use anyhow::Context;
use terarchitect_testbed::postgres::TestPostgres;

/// How many of the tickets wait for a person.
const NEED_PERSON: u32 = 100;

/// Adds people to a database: admins, members, and people with a role in the project alone, one after the other. Each has a
/// session; returns the cookies.
pub(super) async fn fill(postgres: &TestPostgres, database: &str, people: usize) -> anyhow::Result<Vec<String>> {
    let mut conn = seed::connect(postgres, database).await?;
    let sql = format!(
        "create temp table new as
             select n, gen_random_uuid() as id, (array['admin', 'member', 'none'])[1 + n % 3] as role
             from generate_series(1, {people}) as n;
         insert into people (id, email, name, role) select id, 'p' || n || '@example.org', 'Person ' || n, role from new;
         insert into project_roles (person_id, project_id, role)
             select new.id, projects.id, 'member' from new, projects where new.role = 'none';
         insert into sessions (hash, person_id, expires_at)
             select sha256(convert_to('secret-' || n, 'UTF8')), id, now() + interval '1 day' from new;
         update tickets set column_id = 'in_review', pr_number = 1, pr_url = 'https://github.com/demo/hello/pull/1'
             where id in (select id from tickets where column_id = 'backlog' limit {NEED_PERSON});
         analyze;"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.context("could not add people")?;
    Ok((1..=people).map(|n| format!("terarchitect_session=secret-{n}")).collect())
}
