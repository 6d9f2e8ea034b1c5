//! The OpenAPI document at `/openapi.json`, and a page to read and try it at `/docs`.

use crate::state::App;
use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

/// Serves the document and the page. The page's assets are compiled in; nothing is loaded from elsewhere.
pub fn router(document: OpenApi) -> Router<App> {
    SwaggerUi::new("/docs").url("/openapi.json", document).into()
}
