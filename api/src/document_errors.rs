//! Completes the OpenAPI document with what holds for every endpoint of a kind: the statuses that guards and extractors
//! respond with, and the codes of errors.

use crate::domain::refusal::ErrorCode;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response};

const ERROR_BODY: &str = "ErrorBody";

/// The page of all error codes, `docs/errors.md`.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Errors\n\nEvery response that is not a success has a JSON body with `error` (a sentence for people), `code` (a word \
        for programs) and\n`request_id` (search the API's log for it). A conflict over a job also has its `status`. Codes never \
        change their meaning.\n\nThis page is generated from the code (`ErrorCode` in `api/src/domain/refusal.rs`); \
        `cargo xtask openapi` renews it.\n\n| Status | Code | Meaning |\n|---|---|---|\n",
    );
    for code in ErrorCode::ALL {
        page.push_str(&format!("| {} | `{}` | {} |\n", code.status(), code.as_str(), code.meaning()));
    }
    page
}

/// Adds every status that an endpoint can respond with and that its own description does not name, and lists the codes.
pub(crate) fn complete(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        operations.into_iter().flatten().for_each(complete_operation);
    }
    let components = document.components.get_or_insert_default();
    if let Some(RefOr::T(Schema::Object(body))) = components.schemas.get_mut(ERROR_BODY)
        && let Some(RefOr::T(Schema::Object(code))) = body.properties.get_mut("code")
    {
        code.schema_type = Type::String.into();
        code.enum_values = Some(ErrorCode::ALL.iter().map(|code| code.as_str().into()).collect());
    }
}

fn complete_operation(operation: &mut Operation) {
    let in_place = |place: ParameterIn| {
        operation.parameters.iter().flatten().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == place,
            RefOr::Ref(_) => false,
        })
    };
    let mut statuses = Vec::new();
    if in_place(ParameterIn::Path) || in_place(ParameterIn::Query) || operation.request_body.is_some() {
        statuses.push(400);
    }
    if operation.request_body.is_some() {
        statuses.extend([413, 415, 422]);
    }
    if operation.security.is_some() {
        statuses.extend([401, 403, 500, 503]);
    }
    for status in statuses {
        let words: Vec<_> = ErrorCode::ALL.iter().filter(|code| code.status() == status).map(|c| c.as_str()).collect();
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_string()).or_insert_with(|| RefOr::T(error_response(&words.join("`, `"))));
    }
}

fn error_response(codes: &str) -> Response {
    let mut response = Response::new(format!("Codes: `{codes}`"));
    let body = Content::new(Some(RefOr::Ref(Ref::from_schema_name(ERROR_BODY))));
    response.content.insert("application/json".to_owned(), RefOr::T(body));
    response
}
