//! Reads every recorded shape of `tests/shapes/`: what is usable is used, and what is not is told apart.

use super::answer::PlanVerdict;
use super::envelope::{Envelope, read};
use base64::Engine;
use serde_json::Value;
use std::path::Path;

fn shapes() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shapes");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let shapes = files.filter(|path| path.extension().is_some_and(|ending| ending == "json")).map(|path| {
        let shape = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), shape)
    });
    shapes.collect()
}

fn body(shape: &Value) -> Vec<u8> {
    if let Some(bytes) = shape["body_base64"].as_str() {
        return base64::engine::general_purpose::STANDARD.decode(bytes).unwrap();
    }
    shape["body"].as_str().map_or_else(|| shape["json"].to_string(), str::to_owned).into_bytes()
}

fn outcome(envelope: &Envelope) -> &'static str {
    match envelope {
        Envelope::Answer(answer) if answer.text.is_empty() && answer.is_filtered() => "filtered",
        Envelope::Answer(answer) => match PlanVerdict::parse(&answer.text) {
            Ok(verdict) if verdict.approved => "approved",
            Ok(_) => "rejected",
            Err(_) => "ask again",
        },
        Envelope::Failure { .. } => "failure",
        Envelope::Nothing { .. } => "nothing",
        Envelope::Foreign => "foreign",
    }
}

#[test]
fn every_recorded_shape_is_read_as_it_is_meant() {
    let shapes = shapes();
    assert!(shapes.len() >= 100, "{}", shapes.len());
    let mut wrong = Vec::new();
    for (name, shape) in &shapes {
        assert!(shape["source"].as_str().is_some_and(|source| !source.is_empty()), "{name} has no source");
        if shape.get("status").is_some() {
            continue;
        }
        let envelope = read(&body(shape));
        let expected = match shape["expect"].as_str().unwrap() {
            "unavailable" | "misconfigured" | "refused" => "failure",
            expected => expected,
        };
        if outcome(&envelope) != expected {
            wrong.push(format!("{name}: {envelope:?}"));
        }
        if let (Some(tokens), Envelope::Answer(answer)) = (shape.get("tokens"), &envelope) {
            let counted = serde_json::json!([answer.tokens_in, answer.tokens_out]);
            if counted != *tokens {
                wrong.push(format!("{name}: {counted} tokens"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_body_however_it_is_cut_is_a_panic() {
    for (_, shape) in shapes() {
        let body = body(&shape);
        (0..body.len()).step_by(7).for_each(|end| drop(read(&body[..end])));
    }
}
