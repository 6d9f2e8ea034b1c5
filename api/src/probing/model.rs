//! Whether a model answers at its address.

use super::{Probed, Said, client, host, moved, send};
use reqwest::{RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use terarchitect_outbound::{api_base, endpoint, is_loopback};
use url::Url;

/// How many tokens the model may use for its answer.
const MAX_TOKENS: u32 = 16;

/// The form in which a model is asked: that of the agent that works with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelForm {
    /// OpenAI's chat completions.
    #[default]
    Chat,
    /// Anthropic's messages.
    Messages,
    /// OpenAI's responses.
    Responses,
    /// Google's `generateContent`.
    Gemini,
}

impl ModelForm {
    /// That of the agent of `WORKER_MODE`.
    #[must_use]
    pub fn of_agent(mode: Option<&str>) -> Self {
        match mode.map(|mode| mode.trim().to_ascii_lowercase()).as_deref() {
            Some("claude") => Self::Messages,
            Some("codex") => Self::Responses,
            Some("gemini") => Self::Gemini,
            _ => Self::Chat,
        }
    }

    /// What people call an API of this form.
    fn name(self) -> &'static str {
        match self {
            Self::Chat => "OpenAI-compatible API",
            Self::Messages => "API of Anthropic's messages",
            Self::Responses => "API of OpenAI's responses",
            Self::Gemini => "API of Google's generateContent",
        }
    }
}

/// A model to ask, and the settings that name it.
#[derive(Clone, Debug)]
pub struct ModelProbe {
    /// The setting with its address.
    pub url_setting: &'static str,
    /// The setting with its name.
    pub model_setting: &'static str,
    /// The setting with its key.
    pub key_setting: &'static str,
    /// Its address, as people write it.
    pub url: Option<String>,
    /// Its name.
    pub model: Option<String>,
    /// Its key.
    pub key: Option<SecretString>,
    /// How it is asked.
    pub form: ModelForm,
}

impl ModelProbe {
    /// Asks the model one short question.
    pub async fn run(&self) -> Probed {
        let Some(url) = &self.url else {
            return Probed::bad(format!("The address is not set: set {}.", self.url_setting));
        };
        let Some(model) = &self.model else {
            return Probed::bad(format!("The model's name is not set: set {}.", self.model_setting));
        };
        let Ok(base) = api_base(url) else {
            return Probed::bad(format!(
                "{} is not an address that starts with http:// or https://.",
                self.url_setting
            ));
        };
        let probed = match self.ask(&base, model).await {
            Ok(said) if is_nothing(&said) => self.ask_other(&base, model, said).await,
            Ok(said) => self.judged(&said, &base, model),
            Err(probed) => probed,
        };
        if !is_loopback(&base) || probed.detail.is_some() {
            return probed;
        }
        let remark =
            "This address is on the API's own machine. A coordinator on another host reaches its own machine there.";
        Probed { detail: Some(remark.to_owned()), ..probed }
    }

    async fn ask(&self, base: &Url, model: &str) -> Result<Said, Probed> {
        let words = "Reply with the word ready.";
        match self.form {
            ModelForm::Chat => self.ask_chat(base, model, words).await,
            ModelForm::Messages => {
                let url = endpoint(base, "messages");
                let question =
                    json!({"model": model, "max_tokens": MAX_TOKENS, "messages": [{"role": "user", "content": words}]});
                let request = client()?.post(url.clone()).header("anthropic-version", "2023-06-01").json(&question);
                self.send_with(request, &url, "x-api-key").await
            }
            ModelForm::Gemini => {
                let url = endpoint(base, &format!("models/{model}:generateContent"));
                let question = json!({"contents": [{"role": "user", "parts": [{"text": words}]}],
                    "generationConfig": {"maxOutputTokens": MAX_TOKENS}});
                self.send_with(client()?.post(url.clone()).json(&question), &url, "x-goog-api-key").await
            }
            ModelForm::Responses => {
                let url = endpoint(base, "responses");
                let question = json!({"model": model, "max_output_tokens": MAX_TOKENS, "input": words});
                send(client()?.post(url.clone()).json(&question), &url, self.key.as_ref()).await
            }
        }
    }

    /// Sends the key in this header, and masks it where the answer repeats it.
    async fn send_with(&self, request: RequestBuilder, url: &Url, header: &str) -> Result<Said, Probed> {
        let Some(key) = &self.key else { return send(request, url, None).await };
        let said = send(request.header(header, key.expose_secret()), url, None).await?;
        Ok(Said { message: said.message.replace(key.expose_secret(), "[secret]"), ..said })
    }

    async fn ask_chat(&self, base: &Url, model: &str, words: &str) -> Result<Said, Probed> {
        let (http, url) = (client()?, endpoint(base, "chat/completions"));
        let question = |limit: &str| {
            let mut question = json!({"model": model, "stream": false,
                "messages": [{"role": "user", "content": words}]});
            question[limit] = json!(MAX_TOKENS);
            question
        };
        let said = send(http.post(url.clone()).json(&question("max_tokens")), &url, self.key.as_ref()).await?;
        // Some models take the limit under its newer name alone.
        if said.status == StatusCode::BAD_REQUEST && said.message.contains("max_tokens") {
            return send(http.post(url.clone()).json(&question("max_completion_tokens")), &url, self.key.as_ref())
                .await;
        }
        Ok(said)
    }

    /// Where no API is at an address, it may be at the same one with or without `/v1`.
    async fn ask_other(&self, base: &Url, model: &str, first: Said) -> Probed {
        let path = base.path().trim_end_matches('/');
        let other = path.strip_suffix("/v1").map_or_else(|| format!("{path}/v1"), str::to_owned);
        let mut url = base.clone();
        url.set_path(&other);
        match self.ask(&url, model).await {
            Ok(said) if said.status.is_success() && !is_nothing(&said) => {
                let probed = self.judged(&said, &url, model);
                Probed {
                    detail: Some(format!("The API is at {}; set {} to that.", shown(&url), self.url_setting)),
                    ..probed
                }
            }
            _ => {
                Probed::bad(format!("There is no {} at {}; check {}.", self.form.name(), shown(base), self.url_setting))
                    .because(format!("{}: {}", first.status, first.message))
            }
        }
    }

    fn judged(&self, said: &Said, base: &Url, model: &str) -> Probed {
        if let Some(moved) = moved(said, base) {
            return moved;
        }
        let (host, status) = (host(base), said.status);
        let bad = match status {
            status if status.is_success() => match answer(self.form, said.json.as_ref()) {
                Some(answer) => return answered(answer, said.json.as_ref(), model),
                None => Probed::bad(format!("{host} answers, but not as an {} does.", self.form.name())),
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let key = if self.key.is_some() { "refused the key" } else { "wants a key" };
                Probed::bad(format!("{host} {key} ({}); check {}.", status.as_u16(), self.key_setting))
            }
            StatusCode::TOO_MANY_REQUESTS => Probed::bad(format!(
                "{host} was reached, but allows no more requests at the moment ({}); check the account's limits and credit.",
                status.as_u16()
            )),
            status if names_model(said) => Probed::bad(format!(
                "{host} does not have the model {model} ({}); check {}.",
                status.as_u16(),
                self.model_setting
            )),
            status if status.is_server_error() => {
                Probed::bad(format!("{host} was reached, but failed with {}.", status.as_u16()))
            }
            status => Probed::bad(format!("{host} did not accept the question ({}).", status.as_u16())),
        };
        bad.because(said.message.clone())
    }
}

fn answered(answer: String, json: Option<&Value>, model: &str) -> Probed {
    let named = json.and_then(|json| json["model"].as_str()).unwrap_or(model).to_owned();
    let words: String = answer.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect();
    let sentence =
        if words.is_empty() { "The model answered.".to_owned() } else { format!("The model answered: {words}") };
    Probed { model: Some(named), ..Probed::good(sentence) }
}

/// The text of an answer; empty for a model that only thought within the limit.
fn answer(form: ModelForm, json: Option<&Value>) -> Option<String> {
    let texts = |parts: &Value| {
        let parts = parts.as_array().into_iter().flatten();
        parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" ")
    };
    match form {
        ModelForm::Chat => {
            let message = json?.get("choices")?.get(0)?.get("message")?;
            Some(message["content"].as_str().unwrap_or_default().to_owned())
        }
        ModelForm::Gemini => {
            let candidate = json?.get("candidates")?.get(0)?;
            Some(texts(&candidate["content"]["parts"]))
        }
        ModelForm::Messages => json?.get("content").filter(|content| content.is_array()).map(texts),
        ModelForm::Responses => {
            let items = json?.get("output")?.as_array()?.iter();
            Some(items.map(|item| texts(&item["content"])).collect::<Vec<_>>().join(" "))
        }
    }
}

fn names_model(said: &Said) -> bool {
    matches!(said.status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST)
        && said.message.to_lowercase().contains("model")
}

/// Whether there is no such call at this address. LM Studio returns 200 and says so.
fn is_nothing(said: &Said) -> bool {
    let unknown = matches!(said.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) && !names_model(said);
    let is_page = said.status.is_success() && said.json.is_none();
    unknown || is_page || said.message.contains("Unexpected endpoint")
}

/// An address without what may be secret.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.to_string()
}
