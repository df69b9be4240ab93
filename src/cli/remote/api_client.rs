//! Requests to the HTTP API.

use std::{error::Error as _, iter, path::Path, time::Duration};

use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, header::HeaderValue};
use serde_json::Value;
use tokio::time::sleep;

use crate::http_client::{http_client, unix_client};

/// How long an answer may take. The server itself waits for other nodes for a second.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// How often a request that comes too fast is repeated, after the pause that the server names.
const REPEATS_MAX: usize = 5;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ApiError {
    /// The server refuses the request: with the status and the code of docs/api.md.
    #[error("refused: {message} ({code})")]
    Refused { code: String, message: String },
    /// The server cannot be reached, or failed.
    #[error("{0}")]
    Failed(String),
}

/// The API of one server.
#[derive(Debug)]
pub(in crate::cli) struct ApiClient {
    client: Client,
    url: Url,
    /// As the user knows the server.
    name: String,
    key: Option<HeaderValue>,
}

/// An answer: its status, and its body as text.
pub(in crate::cli) struct Answer {
    pub(in crate::cli) status: StatusCode,
    pub(in crate::cli) body: String,
}

impl ApiError {
    /// The refusal in an answer, or in the outcome of one item.
    pub(in crate::cli) fn refused(answer: &Value) -> Self {
        let text = |key| answer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self::Refused { code: text("code"), message: text("message") }
    }
}

impl ApiClient {
    /// `url` has the scheme, the host and the port, or is `unix:` and a path. The error says what is
    /// wrong with an argument.
    pub(in crate::cli) fn new(url: &str, key: Option<&str>) -> Result<Self, String> {
        let name = url.to_owned();
        let socket = url.strip_prefix("unix:").filter(|path| !path.is_empty());
        let parsed = Url::parse(if socket.is_some() { "http://localhost" } else { url }).ok();
        let parsed = parsed.filter(|url| {
            matches!(url.scheme(), "http" | "https") && !url.cannot_be_a_base() && url.has_host()
        });
        let url = parsed.ok_or_else(|| {
            format!("--url {url:?}: this is not http://host:port, https://host:port or unix:/path")
        })?;
        let client = match socket {
            Some(path) => unix_client(Path::new(path)),
            None => http_client([Some(url.scheme())]).map_err(|error| error.to_string())?,
        };
        let key = key.map(|key| {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .or(Err("the API key has characters that no key has"))?;
            value.set_sensitive(true);
            Ok::<_, &str>(value)
        });
        Ok(Self { client, url, name, key: key.transpose()? })
    }

    /// What a route with these parameters answers.
    pub(in crate::cli) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        self.call(Method::GET, path, query, None).await
    }

    /// Posts this body.
    pub(in crate::cli) async fn post(&self, route: &str, body: &Value) -> Result<Value, ApiError> {
        self.call(Method::POST, &[route], &[], Some(body)).await
    }

    /// Deletes what the parameters name.
    pub(in crate::cli) async fn delete(
        &self,
        route: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        self.call(Method::DELETE, &[route], query, None).await
    }

    /// What is at a path outside of the API, whatever the status.
    pub(in crate::cli) async fn plain(&self, path: &[&str]) -> Result<Answer, ApiError> {
        self.send(self.client.get(self.address(path, &[]))).await
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let path: Vec<&str> = ["api", "v1"].iter().chain(path).copied().collect();
        let address = self.address(&path, query);
        for _ in 0..REPEATS_MAX {
            let mut request = self.client.request(method.clone(), address.clone());
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body.to_string());
            }
            let answer = self.send(request).await?;
            let Some(pause) = answer.pause() else {
                return match self.key {
                    None if answer.status == StatusCode::UNAUTHORIZED => Err(no_key()),
                    _ => answer.value(),
                };
            };
            sleep(pause).await;
        }
        Err(ApiError::Failed("the key is used too fast: `per_second_max`".to_owned()))
    }

    fn address(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut address = self.url.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            address.query_pairs_mut().extend_pairs(query);
        }
        address
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<Answer, ApiError> {
        if let Some(key) = &self.key {
            request = request.header("authorization", key.clone());
        }
        let failed = |error: reqwest::Error| {
            let causes = iter::successors(error.source(), |error| (*error).source());
            let cause = causes.last().map(|error| format!(": {error}")).unwrap_or_default();
            ApiError::Failed(format!("{} does not answer{cause}", self.name))
        };
        let response = request.timeout(ANSWER_WAIT_MAX).send().await.map_err(failed)?;
        let status = response.status();
        let body = response.bytes().await.map_err(failed)?;
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

impl Answer {
    /// For how long to wait before the request may be repeated.
    fn pause(&self) -> Option<Duration> {
        let too_fast = self.status == StatusCode::TOO_MANY_REQUESTS;
        let body = too_fast.then(|| serde_json::from_str::<Value>(&self.body).ok())??;
        body.get("retryAfterMs")?.as_u64().map(Duration::from_millis)
    }

    fn value(self) -> Result<Value, ApiError> {
        let value = serde_json::from_str::<Value>(&self.body).ok();
        let code = value.as_ref().and_then(|value| value.get("code")?.as_str());
        match (value.as_ref(), code) {
            (Some(_), _) if self.status.is_success() => Ok(value.unwrap_or_default()),
            (Some(value), Some(_)) if self.status.is_client_error() => {
                Err(ApiError::refused(value))
            }
            (_, Some(code)) => Err(ApiError::Failed(format!("{}: {code}", self.status))),
            (_, None) => {
                Err(ApiError::Failed(format!("{}: this is not the API of Roomcast", self.status)))
            }
        }
    }
}

/// The refusal of a request without a key, for who sits at the terminal.
fn no_key() -> ApiError {
    let message = "no key was given: --key-file, or ROOMCAST_API_KEY in the environment".to_owned();
    ApiError::Refused { code: "unauthorized".to_owned(), message }
}

/// The list with this key, out of an answer.
pub(in crate::cli) fn take_list(answer: &mut Value, key: &str) -> Vec<Value> {
    match answer.get_mut(key).map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// The outcome of the one item that a request had.
pub(in crate::cli) fn only_outcome(mut answer: Value) -> Result<Value, ApiError> {
    let outcome = take_list(&mut answer, "results").pop().unwrap_or_default();
    if outcome.get("ok") == Some(&Value::Bool(true)) {
        Ok(outcome)
    } else {
        Err(ApiError::refused(&outcome))
    }
}
