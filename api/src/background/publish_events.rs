//! Publishes new events to their readers.

use crate::state::App;
use tokio_util::sync::CancellationToken;

pub(super) async fn run(app: App, stop: CancellationToken) {
    app.database.hub().publish(stop).await;
}
