//! Budgets, what was granted beside them, and what counts against them.

use crate::db::words::Word;
use crate::domain::projects::budgets::{Budget, Budgets, Grant};
use crate::domain::tickets::activity::AttemptOf;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use terarchitect_worker_api::{BudgetLevel, BudgetUnit, ModelUsage, ProjectId, TicketId};
use uuid::Uuid;

/// The budgets of a project, or of a ticket alone.
pub async fn find(conn: &mut PgConnection, project: ProjectId, ticket: Option<TicketId>) -> sqlx::Result<Budgets> {
    let rows = sqlx::query!(
        r#"select level as "level: Word<BudgetLevel>", usd, tokens, calls from budgets
           where project_id = $1 and ticket_id is not distinct from $2"#,
        project.0,
        ticket.map(|ticket| ticket.0)
    )
    .fetch_all(conn)
    .await?;
    let mut budgets = Budgets::default();
    for row in rows {
        budgets.set(row.level.0, Budget { usd: row.usd, tokens: row.tokens, calls: row.calls });
    }
    Ok(budgets)
}

/// Sets all budgets of a project, or of a ticket.
pub async fn set(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: Option<TicketId>,
    budgets: &Budgets,
) -> sqlx::Result<()> {
    let ticket = ticket.map(|ticket| ticket.0);
    for &level in BudgetLevel::ALL {
        let Budget { usd, tokens, calls } = budgets.of(level);
        if budgets.of(level).is_empty() {
            sqlx::query!(
                "delete from budgets where project_id = $1 and ticket_id is not distinct from $2 and level = $3",
                project.0,
                ticket,
                level.as_str()
            )
            .execute(&mut *conn)
            .await?;
            continue;
        }
        sqlx::query!(
            "insert into budgets (project_id, ticket_id, level, usd, tokens, calls) values ($1, $2, $3, $4, $5, $6)
             on conflict on constraint budgets_level_key
             do update set usd = $4, tokens = $5, calls = $6, updated_at = now()",
            project.0,
            ticket,
            level.as_str(),
            usd,
            tokens,
            calls
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// The start of the day that an attempt counts for: the one on which it first used a model, or today.
pub async fn day_of(
    conn: &mut PgConnection,
    ticket: Option<TicketId>,
    of: Option<AttemptOf>,
) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        r#"select date_trunc('day', coalesce((
               select min(created_at) from model_usage
               where $2 and ticket_id = $1 and job_id is not distinct from $3 and attempt is not distinct from $4
           ), now()), 'UTC') as "day!""#,
        ticket.map(|ticket| ticket.0),
        of.is_some(),
        of.and_then(|of| of.job).map(|job| job.0),
        of.and_then(|of| of.attempt)
    )
    .fetch_one(conn)
    .await
}

/// What was granted for this project, this ticket, this attempt and the day that begins then.
pub async fn granted(
    conn: &mut PgConnection,
    (project, ticket): (ProjectId, Option<TicketId>),
    of: Option<AttemptOf>,
    day: DateTime<Utc>,
) -> sqlx::Result<Vec<Grant>> {
    let rows = sqlx::query!(
        r#"select level as "level: Word<BudgetLevel>", unit as "unit: Word<BudgetUnit>", sum(amount) as "amount!"
           from budget_grants
           where project_id = $1
             and (level = 'project' or (level = 'day' and day = ($5::timestamptz at time zone 'UTC')::date)
                  or (level = 'ticket' and ticket_id = $2)
                  or (level = 'attempt' and ticket_id = $2 and job_id = $3 and attempt = $4))
           group by level, unit"#,
        project.0,
        ticket.map(|ticket| ticket.0),
        of.and_then(|of| of.job).map(|job| job.0),
        of.and_then(|of| of.attempt),
        day
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Grant { level: row.level.0, unit: row.unit.0, amount: row.amount }).collect())
}

/// Who gets more, and why.
#[derive(Clone, Copy, Debug)]
pub struct Granting {
    /// The checkpoint that was approved.
    pub checkpoint: Uuid,
    /// Its project and ticket.
    pub of: (ProjectId, TicketId),
    /// Its attempt.
    pub by: AttemptOf,
    /// The day that the attempt counts for.
    pub day: DateTime<Utc>,
    /// How much.
    pub grant: Grant,
}

/// Grants more, once for each checkpoint.
pub async fn grant(conn: &mut PgConnection, granting: &Granting) -> sqlx::Result<()> {
    let Granting { checkpoint, of: (project, ticket), by, day, grant } = granting;
    let day = (grant.level == BudgetLevel::Day).then_some(day);
    sqlx::query!(
        "insert into budget_grants (checkpoint_id, project_id, ticket_id, job_id, attempt, level, unit, amount, day)
         values ($1, $2, $3, $4, $5, $6, $7, $8, ($9::timestamptz at time zone 'UTC')::date)
         on conflict on constraint budget_grants_pkey do nothing",
        checkpoint,
        project.0,
        ticket.0,
        by.job.map(|job| job.0),
        by.attempt,
        grant.level.as_str(),
        grant.unit.as_str(),
        grant.amount,
        day
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a ticket's attempts used, by model: all but this one.
pub async fn used_by_ticket(
    conn: &mut PgConnection,
    ticket: TicketId,
    but: Option<AttemptOf>,
) -> sqlx::Result<Vec<ModelUsage>> {
    sqlx::query_as!(
        ModelUsage,
        r#"select '' as "whose!", model, sum(calls)::bigint as "calls!", sum(uncounted)::bigint as "uncounted!",
             sum(failed)::bigint as "failed!", sum(input)::bigint as "input!", sum(output)::bigint as "output!",
             sum(reasoning)::bigint as "reasoning!", sum(cache_read)::bigint as "cache_read!",
             sum(cache_write)::bigint as "cache_write!"
         from model_usage
         where ticket_id = $1
           and not ($2 and job_id is not distinct from $3 and attempt is not distinct from $4)
         group by model"#,
        ticket.0,
        but.is_some(),
        but.and_then(|but| but.job).map(|job| job.0),
        but.and_then(|but| but.attempt)
    )
    .fetch_all(conn)
    .await
}

/// What a project's attempts used that began between two moments, by model: all but this one of this ticket.
pub async fn used_by_project(
    conn: &mut PgConnection,
    (project, ticket): (ProjectId, Option<TicketId>),
    but: Option<AttemptOf>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<Vec<ModelUsage>> {
    sqlx::query_as!(
        ModelUsage,
        r#"select '' as "whose!", model, sum(calls)::bigint as "calls!", sum(uncounted)::bigint as "uncounted!",
             sum(failed)::bigint as "failed!", sum(input)::bigint as "input!", sum(output)::bigint as "output!",
             sum(reasoning)::bigint as "reasoning!", sum(cache_read)::bigint as "cache_read!",
             sum(cache_write)::bigint as "cache_write!"
         from model_usage
         where project_id = $1 and created_at >= $6 and created_at < $7
           and not ($3 and ticket_id = $2 and job_id is not distinct from $4 and attempt is not distinct from $5)
         group by model"#,
        project.0,
        ticket.map(|ticket| ticket.0),
        but.is_some(),
        but.and_then(|but| but.job).map(|job| job.0),
        but.and_then(|but| but.attempt),
        from,
        to
    )
    .fetch_all(conn)
    .await
}
