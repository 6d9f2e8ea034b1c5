//! The router that puts all routes together, with their guards, and the OpenAPI document that is made from them.

use crate::access;
use crate::document_errors;
use crate::http::layers;
use crate::routes;
use crate::state::App;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_request};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

/// The largest body of an ordinary call, in bytes.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

#[derive(OpenApi)]
#[openapi(info(
    title = "Terarchitect",
    description = "Turns tickets into reviewed pull requests with coding agents on machines that you own."
))]
struct Documentation;

/// Every documented route, with its guards but without state.
fn documented_routes(app: &App) -> OpenApiRouter<App> {
    let documentation = OpenApiRouter::with_openapi(Documentation::openapi());
    routes::all().into_iter().fold(documentation, |all, (need, routes)| match need {
        Some(need) => all.merge(routes.route_layer(from_fn_with_state((app.clone(), need), access::guard))),
        None => all.merge(routes),
    })
}

/// The whole service.
pub fn router(app: App) -> Router {
    let (router, openapi) = documented_routes(&app).split_for_parts();
    let cors = app.config.origins.layer();
    let routes = router
        .merge(routes::system::openapi::router(with_security(openapi)))
        .fallback(unmatched)
        .method_not_allowed_fallback(layers::method_not_allowed)
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(app.clone(), layers::with_request_id))
        .with_state(app);
    // A layer of the routes themselves would come too late to change which one it is.
    let routes = Router::new().fallback_service(routes).layer(map_request(layers::without_trailing_slash));
    // Before the guards: a browser asks without a key whether it may send one.
    match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    }
}

#[cfg(feature = "web")]
use routes::system::page::serve as unmatched;

#[cfg(not(feature = "web"))]
use layers::not_found as unmatched;

/// The OpenAPI document, made from the code.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let documentation = OpenApiRouter::with_openapi(Documentation::openapi());
    let document = routes::all().into_iter().fold(documentation, |all, (_, routes)| all.merge(routes)).into_openapi();
    with_security(document)
}

/// The page of all error codes, made from the code: `docs/errors.md`.
#[must_use]
pub fn errors_page() -> String {
    document_errors::page()
}

fn with_security(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme("bearer", bearer);
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("terarchitect_session")));
    document.components.get_or_insert_default().add_security_scheme("session", session);
    document_errors::complete(&mut document);
    document
}
