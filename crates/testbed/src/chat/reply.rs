//! A scripted reply in the protocol's form: one JSON object, or a stream of events.

use super::wire::Event;
use super::{ChatRequest, Reply, Wire};
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io;
use std::time::Duration;

/// How many pieces a streamed text comes in, at the most.
const PIECES: usize = 8;

pub(super) async fn respond(request: &ChatRequest, reply: Reply) -> Response {
    tokio::time::sleep(Duration::from_millis(reply.delay_ms)).await;
    if let Some(status) = reply.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        return super::error(status, "a fault that the script asked for");
    }
    if request.body["stream"] == true {
        return streamed(request, &reply);
    }
    if reply.stall {
        std::future::pending::<Infallible>().await;
    }
    if reply.cut {
        let broken = stream::iter([Ok(Bytes::from_static(b"{\"id\":")), Err(io::Error::other("cut by the script"))]);
        return Body::from_stream(broken).into_response();
    }
    let answer = match request.wire {
        Wire::Chat => whole(request, &reply),
        wire => wire.whole(request, &reply, counted(request, &reply)),
    };
    axum::Json(answer).into_response()
}

fn whole(request: &ChatRequest, reply: &Reply) -> Value {
    let mut message = json!({"role": "assistant", "content": reply.text});
    if !reply.tools.is_empty() {
        message["tool_calls"] = Value::Array(tool_calls(reply));
    }
    json!({
        "id": "chatcmpl-scripted", "object": "chat.completion", "created": 0, "model": request.model(),
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(reply)}],
        "usage": usage(request, reply),
    })
}

fn streamed(request: &ChatRequest, reply: &Reply) -> Response {
    let pieces = pieces(&reply.text);
    let (mut events, end) = match request.wire {
        Wire::Chat => chat_events(request, reply, &pieces),
        wire => {
            let streamed = wire.events(request, reply, &pieces, counted(request, reply));
            (streamed.begin, streamed.end)
        }
    };
    if reply.stall || reply.cut {
        return broken_stream(&events, reply.cut);
    }
    events.extend(end);
    let done = (request.wire == Wire::Chat).then(|| "data: [DONE]\n\n".to_owned());
    let lines = events.iter().map(event).chain(done).map(|line| Ok(Bytes::from(line)));
    sse(Body::from_stream(stream::iter(lines.collect::<Vec<Result<Bytes, Infallible>>>())))
}

/// How a chat's stream begins, and how it ends.
fn chat_events(request: &ChatRequest, reply: &Reply, pieces: &[String]) -> (Vec<Event>, Vec<Event>) {
    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 0, "model": request.model(),
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        })
    };
    let mut begin = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    begin.extend(pieces.iter().map(|piece| chunk(json!({"content": piece}), Value::Null)));
    let mut end: Vec<_> =
        tool_calls(reply).into_iter().map(|call| chunk(json!({"tool_calls": [call]}), Value::Null)).collect();
    end.push(chunk(json!({}), json!(finish_reason(reply))));
    if request.body["stream_options"]["include_usage"] == true {
        let mut last = chunk(json!({}), Value::Null);
        last["choices"] = json!([]);
        last["usage"] = usage(request, reply);
        end.push(last);
    }
    let unnamed = |events: Vec<Value>| events.into_iter().map(|event| (None, event)).collect();
    (unnamed(begin), unnamed(end))
}

/// A stream that begins well and then sends nothing more, or ends in the middle.
fn broken_stream(events: &[Event], cut: bool) -> Response {
    let begin = stream::iter(events.iter().map(event).map(|line| Ok(Bytes::from(line))).collect::<Vec<_>>());
    if cut {
        return sse(Body::from_stream(begin.chain(stream::iter([Err(io::Error::other("cut by the script"))]))));
    }
    sse(Body::from_stream(begin.chain(stream::pending::<io::Result<Bytes>>())))
}

fn sse(body: Body) -> Response {
    ([("content-type", "text/event-stream"), ("cache-control", "no-cache")], body).into_response()
}

fn event((name, data): &Event) -> String {
    match name {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}

fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(chars.len().div_ceil(PIECES).max(1)).map(|piece| piece.iter().collect()).collect()
}

fn tool_calls(reply: &Reply) -> Vec<Value> {
    let calls = reply.tools.iter().enumerate().map(|(index, tool)| {
        let arguments = Value::Object(tool.arguments.clone()).to_string();
        let id = format!("call_{}", uuid::Uuid::new_v4().simple());
        json!({"index": index, "id": id, "type": "function", "function": {"name": tool.name, "arguments": arguments}})
    });
    calls.collect()
}

fn finish_reason(reply: &Reply) -> &'static str {
    if reply.tools.is_empty() { "stop" } else { "tool_calls" }
}

/// The tokens read and written: four characters a token, as a rule of thumb.
fn counted(request: &ChatRequest, reply: &Reply) -> (usize, usize) {
    let prompt = request.body["messages"].to_string().len() / 4;
    (prompt, reply.text.len() / 4 + 16 * reply.tools.len() + 1)
}

fn usage(request: &ChatRequest, reply: &Reply) -> Value {
    let (prompt, completion) = counted(request, reply);
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}
