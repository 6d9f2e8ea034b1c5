//! JSON-RPC over a process's standard input and output, one message a line, in both directions.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

/// The longest message that is read. A longer one is left out.
const MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// How many messages may wait to be handled. The process waits when there are more.
const WAITING: usize = 4096;

/// The JSON-RPC code of a method that does not exist.
const NO_METHOD: i64 = -32_601;

/// What the other side sent.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    /// It says something.
    Notification { method: String, params: Value },
    /// It asks something, and waits for the answer to this id.
    Request { id: Value, method: String, params: Value },
    /// It answers a request of this side.
    Answer { id: u64, result: Result<Value, Refusal> },
}

/// An error of the other side.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Refusal {
    pub(super) code: i64,
    /// All that it says, with its data.
    pub(super) message: String,
}

/// The other side. Dropping it closes the process's standard input.
pub(super) struct Peer {
    outgoing: mpsc::UnboundedSender<String>,
    incoming: mpsc::Receiver<Message>,
    last_id: u64,
}

impl Peer {
    pub(super) fn new(
        stdin: impl AsyncWrite + Unpin + Send + 'static,
        stdout: impl AsyncRead + Unpin + Send + 'static,
    ) -> Self {
        let (outgoing, to_write) = mpsc::unbounded_channel();
        let (read, incoming) = mpsc::channel(WAITING);
        // Apart from each other: a process that waits until its output is read does not read its input.
        tokio::spawn(write_all(stdin, to_write));
        tokio::spawn(read_all(stdout, read));
        Self { outgoing, incoming, last_id: 0 }
    }

    /// Asks something; returns the id of the answer.
    pub(super) fn request(&mut self, method: &str, params: &Value) -> u64 {
        self.last_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params }));
        self.last_id
    }

    pub(super) fn notify(&self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    pub(super) fn answer(&self, id: &Value, result: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }

    /// Says that there is no such method here.
    pub(super) fn refuse(&self, id: &Value, method: &str) {
        let error = json!({ "code": NO_METHOD, "message": format!("{method} is not supported") });
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "error": error }));
    }

    /// The next message; none when the other side has closed its output.
    pub(super) async fn next(&mut self) -> Option<Message> {
        self.incoming.recv().await
    }

    /// A process that no longer reads has ended or will be ended: its output says so.
    fn send(&self, message: &Value) {
        let _ = self.outgoing.send(format!("{message}\n"));
    }
}

async fn write_all(mut stdin: impl AsyncWrite + Unpin, mut lines: mpsc::UnboundedReceiver<String>) {
    while let Some(line) = lines.recv().await {
        let written = async {
            stdin.write_all(line.as_bytes()).await?;
            stdin.flush().await
        };
        if let Err(error) = written.await {
            tracing::debug!(%error, "the agent's process reads no more");
            return;
        }
    }
}

async fn read_all(stdout: impl AsyncRead + Unpin, messages: mpsc::Sender<Message>) {
    let mut stdout = BufReader::new(stdout);
    let (mut line, mut is_too_long) = (Vec::new(), false);
    loop {
        let room = MESSAGE_BYTES.saturating_sub(line.len()) as u64;
        let read = (&mut stdout).take(room).read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(1..)) && room > 0 {
            return;
        }
        if line.last() != Some(&b'\n') {
            if line.len() >= MESSAGE_BYTES {
                is_too_long = true;
                line.clear();
            }
            continue;
        }
        if std::mem::take(&mut is_too_long) {
            tracing::warn!(max_bytes = MESSAGE_BYTES, "the agent sent a message that is too long; it is left out");
        } else if let Some(message) = parse(&line)
            && messages.send(message).await.is_err()
        {
            return;
        }
        line.clear();
    }
}

/// A line that is no message is something that a program printed.
fn parse(line: &[u8]) -> Option<Message> {
    let mut value: Value = serde_json::from_slice(line).ok()?;
    let method = value["method"].as_str().map(str::to_owned);
    let (id, params) = (value["id"].take(), value["params"].take());
    match (method, id) {
        (Some(method), Value::Null) => Some(Message::Notification { method, params }),
        (Some(method), id) => Some(Message::Request { id, method, params }),
        (None, id) => {
            let result = match &value["error"] {
                Value::Null => Ok(value["result"].take()),
                error => Err(refusal(error)),
            };
            Some(Message::Answer { id: id.as_u64()?, result })
        }
    }
}

fn refusal(error: &Value) -> Refusal {
    let mut message = error["message"].as_str().unwrap_or("it gave no reason").to_owned();
    let data = &error["data"];
    let details = data["details"].as_str().or_else(|| data["message"].as_str()).map(str::to_owned);
    let details = details.or_else(|| (!data.is_null()).then(|| data.to_string()));
    if let Some(details) = details.filter(|details| !message.contains(details.as_str())) {
        message = format!("{message}: {details}");
    }
    Refusal { code: error["code"].as_i64().unwrap_or_default(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_message_is_told_from_the_others() {
        let notification = parse(br#"{"jsonrpc":"2.0","method":"session/update","params":{"a":1}}"#);
        let expected = Message::Notification { method: "session/update".to_owned(), params: json!({ "a": 1 }) };
        assert_eq!(notification, Some(expected));
        let request = parse(br#"{"id":"x","method":"session/request_permission","params":{}}"#);
        assert!(matches!(request, Some(Message::Request { id, .. }) if id == "x"));
        assert_eq!(parse(br#"{"id":3,"result":null}"#), Some(Message::Answer { id: 3, result: Ok(Value::Null) }));
        let refused =
            parse(br#"{"id":4,"error":{"code":-32603,"message":"Internal","data":{"details":"it is down"}}}"#);
        let refusal = Refusal { code: -32603, message: "Internal: it is down".to_owned() };
        assert_eq!(refused, Some(Message::Answer { id: 4, result: Err(refusal) }));
        assert_eq!(parse(b"Debugger attached."), None);
    }

    #[tokio::test]
    async fn what_a_program_prints_in_between_does_not_count() {
        let (reading, writing) = tokio::io::duplex(100);
        let mut peer = Peer::new(writing, &b"hello\n{\"id\":1,\"result\":2}\nbye"[..]);
        assert_eq!(peer.request("initialize", &json!({})), 1);
        assert_eq!(peer.next().await, Some(Message::Answer { id: 1, result: Ok(json!(2)) }));
        assert_eq!(peer.next().await, None);
        let mut asked = String::new();
        BufReader::new(reading).read_line(&mut asked).await.unwrap();
        assert!(asked.contains("\"initialize\""), "{asked}");
    }
}
