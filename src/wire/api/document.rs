//! The document of the API: OpenAPI 3.1.
//!
//! Each module with routes describes them as [`Operation`]s. Schemas of bodies are derived from the
//! structs that parse them; answers and refusals are those of the contract.

use std::{collections::BTreeMap, time::Duration};

use http::{Method, StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Header, HeaderBuilder, HttpMethod, InfoBuilder,
    OpenApiBuilder, PathItem, Paths, Required, Response, ResponseBuilder, Type,
    path::{self, OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::ObjectBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

use super::{PayloadSchema, query::Parameter};
use crate::{
    domain::Rejection,
    wire::{code, contract, schema::FORMATS},
};

const ABOUT: &str =
    "Publish, read and manage over HTTP: docs/api.md. Texts with rules have a `format`:";
const KEY: &str = "key";
const KEY_ABOUT: &str = "An API key: `roomcast key new`.";

/// A route with one method: what it takes, and what it answers.
#[derive(Debug)]
pub struct Operation {
    method: Method,
    path: &'static str,
    summary: &'static str,
    scopes: &'static [&'static str],
    parameters: &'static [Parameter],
    body: Option<(PayloadSchema, BodyPresence)>,
    answers: Vec<(StatusCode, Answer)>,
    refusals: Vec<Rejection>,
}

/// Whether a request without a body is refused.
#[derive(Clone, Copy, Debug)]
enum BodyPresence {
    Required,
    Optional,
}

#[derive(Debug)]
struct Answer {
    about: &'static str,
    content_type: &'static str,
    schema: Option<PayloadSchema>,
}

impl Operation {
    /// A route with `GET`.
    pub fn get(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::GET, path, summary)
    }

    /// A route with `POST`.
    pub fn post(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::POST, path, summary)
    }

    /// A route with `PUT`.
    pub fn put(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::PUT, path, summary)
    }

    /// A route with `DELETE`.
    pub fn delete(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::DELETE, path, summary)
    }

    fn new(method: Method, path: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            summary,
            scopes: &[],
            parameters: &[],
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// It needs a key with one of these scopes, or with each for its items.
    #[must_use]
    pub fn scopes(mut self, scopes: &'static [&'static str]) -> Self {
        self.scopes = scopes;
        self.refuses(&[
            Rejection::BadRequest(""),
            Rejection::Draining,
            Rejection::Unavailable,
            Rejection::Unauthorized,
            Rejection::Forbidden,
            Rejection::SpaceForbidden,
            Rejection::UnknownSpace,
            Rejection::TooFast { retry_after: Duration::ZERO },
        ])
    }

    /// It takes these parameters, in its path and its query.
    #[must_use]
    pub fn parameters(mut self, parameters: &'static [Parameter]) -> Self {
        self.parameters = parameters;
        self
    }

    /// It takes this JSON.
    #[must_use]
    pub fn body(self, schema: PayloadSchema) -> Self {
        self.takes(schema, BodyPresence::Required)
    }

    /// It takes this JSON, or nothing.
    #[must_use]
    pub fn optional_body(self, schema: PayloadSchema) -> Self {
        self.takes(schema, BodyPresence::Optional)
    }

    fn takes(mut self, schema: PayloadSchema, presence: BodyPresence) -> Self {
        self.body = Some((schema, presence));
        self.refuses(&[Rejection::MessageTooLarge, Rejection::EncodingUnsupported])
    }

    /// It answers with this JSON.
    #[must_use]
    pub fn answers(self, about: &'static str, schema: PayloadSchema) -> Self {
        self.answer(StatusCode::OK, Answer { about, content_type: JSON, schema: Some(schema) })
    }

    /// It answers with a text of this type.
    #[must_use]
    pub fn answers_text(self, about: &'static str, content_type: &'static str) -> Self {
        self.answer(StatusCode::OK, Answer { about, content_type, schema: None })
    }

    /// It answers with `204` and nothing.
    #[must_use]
    pub fn answers_nothing(self, about: &'static str) -> Self {
        let answer = Answer { about, content_type: "", schema: None };
        self.answer(StatusCode::NO_CONTENT, answer)
    }

    fn answer(mut self, status: StatusCode, answer: Answer) -> Self {
        self.answers.push((status, answer));
        self
    }

    /// It may be refused for these reasons, beside those that its other properties imply.
    #[must_use]
    pub fn refuses(mut self, rejections: &[Rejection]) -> Self {
        self.refusals.extend_from_slice(rejections);
        self
    }

    fn documented_method(&self) -> HttpMethod {
        match self.method {
            Method::POST => HttpMethod::Post,
            Method::PUT => HttpMethod::Put,
            Method::DELETE => HttpMethod::Delete,
            _ => HttpMethod::Get,
        }
    }

    fn documented(&self) -> path::Operation {
        let mut operation = OperationBuilder::new().summary(Some(self.summary));
        if !self.scopes.is_empty() {
            let scopes = self.scopes.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>();
            let about = format!("The key needs the scope {}.", scopes.join(" or "));
            let no_scopes: [&str; 0] = [];
            operation = operation
                .description(Some(about))
                .security(SecurityRequirement::new(KEY, no_scopes));
        }
        for parameter in self.parameters {
            operation = operation.parameter(parameter.documented(self.path));
        }
        if let Some((schema, presence)) = &self.body {
            let required = match presence {
                BodyPresence::Required => Required::True,
                BodyPresence::Optional => Required::False,
            };
            let content = ContentBuilder::new().schema(Some(schema.reference())).build();
            let body = RequestBodyBuilder::new().content(JSON, content);
            operation = operation.request_body(Some(body.required(Some(required)).build()));
        }
        for (status, answer) in &self.answers {
            operation = operation.response(status.as_str(), answer.documented());
        }
        if !self.parameters.is_empty() {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            let response = ResponseBuilder::new().description("The address is too long.").build();
            operation = operation.response(status.as_str(), response);
        }
        for (status, response) in self.documented_refusals() {
            operation = operation.response(status.as_str(), response);
        }
        operation.build()
    }

    /// The refusals by status.
    fn documented_refusals(&self) -> BTreeMap<StatusCode, Response> {
        let mut codes: BTreeMap<StatusCode, Vec<String>> = BTreeMap::new();
        for rejection in &self.refusals {
            let row = code::rejection(rejection);
            codes.entry(row.status).or_default().push(format!("`{}`", row.code));
        }
        let refusal = PayloadSchema::answer(contract::AnswerPayload::Refusal).reference();
        let response = |status, codes: Vec<String>| {
            let content = ContentBuilder::new().schema(Some(refusal.clone())).build();
            let response = ResponseBuilder::new().description(codes.join(", "));
            let response = response.content(JSON, content);
            if status == StatusCode::TOO_MANY_REQUESTS {
                return response.header(RETRY_AFTER.as_str(), retry_after()).build();
            }
            response.build()
        };
        codes.into_iter().map(|(status, codes)| (status, response(status, codes))).collect()
    }
}

const JSON: &str = "application/json";

/// The header of refusals with `429`.
fn retry_after() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let header = HeaderBuilder::new().schema(Some(seconds));
    header.description(Some("Seconds until the same request may succeed.")).build()
}

impl Answer {
    fn documented(&self) -> Response {
        let response = ResponseBuilder::new().description(self.about);
        if self.content_type.is_empty() {
            return response.build();
        }
        let schema = self.schema.as_ref().map(PayloadSchema::reference);
        response.content(self.content_type, ContentBuilder::new().schema(schema).build()).build()
    }
}

impl Parameter {
    fn documented(&self, path: &str) -> path::Parameter {
        let is_in_path = path.contains(&format!("{{{}}}", self.name));
        let place = if is_in_path { ParameterIn::Path } else { ParameterIn::Query };
        let required = if is_in_path || self.required() { Required::True } else { Required::False };
        let parameter = ParameterBuilder::new().name(self.name).parameter_in(place);
        let parameter = parameter.required(required).schema(Some(self.schema()));
        parameter.description(Some(self.about)).build()
    }
}

/// The document of these routes.
pub fn document(operations: &[Operation]) -> Value {
    let mut paths = Paths::new();
    for operation in operations {
        let item = PathItem::new(operation.documented_method(), operation.documented());
        match paths.paths.get_mut(operation.path) {
            Some(known) => known.merge_operations(item),
            None => drop(paths.paths.insert(operation.path.to_owned(), item)),
        }
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(KEY_ABOUT));
    let security = SecurityScheme::Http(bearer.build());
    let formats = FORMATS.iter().map(|(name, about)| format!("\n- `{name}`: {about}"));
    let info = InfoBuilder::new()
        .title("Roomcast")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(format!("{ABOUT}\n{}", formats.collect::<String>())));
    let document = OpenApiBuilder::new().info(info.build()).paths(paths);
    let components = ComponentsBuilder::new().security_scheme(KEY, security).build();
    let mut document = json!(document.components(Some(components)).build());
    // The schemas of the contract say more than the model of this library holds.
    let mut schemas = contract::component_schemas();
    let bodies = operations.iter().filter_map(|it| Some(&it.body.as_ref()?.0));
    let answers = operations.iter().flat_map(|it| &it.answers);
    let payloads = bodies.chain(answers.filter_map(|(_, it)| it.schema.as_ref()));
    for (name, schema) in payloads.flat_map(|it| &it.components) {
        schemas.insert(name.clone(), schema.clone());
    }
    let components = document.get_mut("components").and_then(Value::as_object_mut);
    if let Some(components) = components {
        components.insert("schemas".to_owned(), Value::Object(schemas));
    }
    document
}
