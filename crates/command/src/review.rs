//! `terarchitect review`.

use crate::app::App;
use crate::exit;
use crate::output::{Field, Tone, field, toned};
use crate::text;
use terarchitect_client::{Review, ReviewThread};

pub(crate) async fn show(app: &App, ticket: &str) -> anyhow::Result<u8> {
    let ticket = app.ticket(ticket).await?;
    let review = app.client.review(ticket.project_id, ticket.id).await?;
    if app.out.json {
        app.out.document(&review)?;
    } else {
        print(app, &review)?;
    }
    Ok(exit::DONE)
}

fn print(app: &App, review: &Review) -> anyhow::Result<()> {
    let word = if review.draft && review.pr_state == "open" { "draft" } else { review.pr_state.as_str() };
    let tone = if word == "merged" { Tone::Good } else { Tone::Plain };
    let title = text::line(&review.title);
    app.out.line(&format!("#{} {title}  {}", review.pr_number, app.out.paint(&text::line(word), tone)))?;
    app.out.line(&text::line(&review.pr_url))?;
    let mut rows: Vec<Vec<Field>> = Vec::new();
    for check in &review.checks {
        let (word, tone) = match check.state.as_str() {
            "success" => ("passed", Tone::Good),
            "failure" => ("failed", Tone::Bad),
            "pending" => ("running", Tone::Warn),
            _ => ("skipped", Tone::Dim),
        };
        rows.push(vec![field("check"), toned(word, tone), field(&check.name)]);
    }
    for verdict in &review.reviews {
        let (word, tone) = match verdict.state.as_str() {
            "approved" if !verdict.stale => ("approved", Tone::Good),
            "approved" => ("approved an earlier head", Tone::Warn),
            "changes_requested" => ("asks for changes", Tone::Bad),
            "dismissed" => ("dismissed", Tone::Dim),
            _ => ("commented", Tone::Plain),
        };
        rows.push(vec![field("review"), toned(word, tone), field(&verdict.author)]);
    }
    for thread in review.threads.iter().filter(|thread| thread.resolved != Some(true)) {
        rows.push(vec![field("thread"), field(place(thread)), field(last_words(thread))]);
    }
    app.out.table(&["", "State", "Which"], rows)?;
    if let Some(reason) = &review.stale_reason {
        app.out.note(&format!("This may be old: {}", text::line(reason)));
    }
    Ok(())
}

fn place(thread: &ReviewThread) -> String {
    thread.line.map_or_else(|| thread.path.clone(), |line| format!("{}:{line}", thread.path))
}

fn last_words(thread: &ReviewThread) -> String {
    let said = |comment: &terarchitect_client::ReviewComment| {
        format!("{}: {}", comment.author, text::short(&comment.body, 100))
    };
    thread.comments.last().map(said).unwrap_or_default()
}
