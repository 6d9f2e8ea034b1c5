//! What tickets have to show before they count as done.

use sqlx::PgConnection;
use terarchitect_worker_api::{ProjectId, ProofTerms, TicketId};

/// What all tickets of a project have to show.
pub async fn of_project(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<ProofTerms> {
    let terms = sqlx::query_as!(
        ProofTerms,
        "select setup, verification, acceptance from proof_terms where project_id = $1 and ticket_id is null",
        project.0
    );
    Ok(terms.fetch_optional(conn).await?.unwrap_or_default())
}

/// What a ticket has to show beside that.
pub async fn of_ticket(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<ProofTerms> {
    let terms = sqlx::query_as!(
        ProofTerms,
        "select setup, verification, acceptance from proof_terms where ticket_id = $1",
        ticket.0
    );
    Ok(terms.fetch_optional(conn).await?.unwrap_or_default())
}

/// Sets what all tickets of a project have to show.
pub async fn set_of_project(conn: &mut PgConnection, project: ProjectId, terms: &ProofTerms) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into proof_terms (project_id, setup, verification, acceptance) values ($1, $2, $3, $4)
         on conflict (project_id) where ticket_id is null
         do update set setup = $2, verification = $3, acceptance = $4, updated_at = now()",
        project.0,
        &terms.setup,
        &terms.verification,
        &terms.acceptance
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets what a ticket has to show beside that.
pub async fn set_of_ticket(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: TicketId,
    terms: &ProofTerms,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into proof_terms (project_id, ticket_id, setup, verification, acceptance) values ($1, $2, $3, $4, $5)
         on conflict (ticket_id) where ticket_id is not null
         do update set setup = $3, verification = $4, acceptance = $5, updated_at = now()",
        project.0,
        ticket.0,
        &terms.setup,
        &terms.verification,
        &terms.acceptance
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a runner proposes for a project, after what it found in the repository.
pub async fn proposed(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<ProofTerms> {
    let terms = sqlx::query!("select setup, verification from proposed_proofs where project_id = $1", project.0);
    let terms = terms.fetch_optional(conn).await?;
    Ok(terms.map_or_else(ProofTerms::default, |row| ProofTerms {
        setup: row.setup,
        verification: row.verification,
        acceptance: Vec::new(),
    }))
}

/// Stores what a runner proposes. Returns whether it is something else than before.
pub async fn propose(conn: &mut PgConnection, project: ProjectId, terms: &ProofTerms) -> sqlx::Result<bool> {
    let stored = sqlx::query!(
        "insert into proposed_proofs (project_id, setup, verification) values ($1, $2, $3)
         on conflict (project_id) do update set setup = $2, verification = $3, updated_at = now()
         where (proposed_proofs.setup, proposed_proofs.verification) is distinct from ($2, $3)",
        project.0,
        &terms.setup,
        &terms.verification
    )
    .execute(conn)
    .await?;
    Ok(stored.rows_affected() > 0)
}
