//! A span of the library behind the port, and the names of its attributes: those of the semantic
//! conventions, where they have one.

use std::sync::Arc;

use opentelemetry::{
    Context, KeyValue,
    trace::{self, Span as _, SpanBuilder, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};
use parking_lot::Mutex;

use crate::{
    chat::ports::{Span, SpanFact, SpanHandle, SpanKind},
    domain::{Conversation, Rejection},
    wire::code,
};

/// See the module. The library ends its span when it is dropped.
pub(super) struct OtlpSpan {
    tracer: SdkTracer,
    /// That of its steps.
    context: Context,
    span: Mutex<SdkSpan>,
}

impl OtlpSpan {
    /// Begins a span in this context. `None` if it is not sampled.
    pub(super) fn begin(
        tracer: &SdkTracer,
        name: &'static str,
        kind: SpanKind,
        context: &Context,
    ) -> Option<Self> {
        let builder = SpanBuilder::from_name(name).with_kind(kind_of(kind));
        let span = tracer.build_with_context(builder, context);
        if !span.is_recording() {
            return None;
        }
        let context = Context::new().with_remote_span_context(span.span_context().clone());
        Some(Self { tracer: tracer.clone(), context, span: Mutex::new(span) })
    }
}

impl Span for OtlpSpan {
    fn child(&self, name: &'static str, kind: SpanKind) -> SpanHandle {
        let child = Self::begin(&self.tracer, name, kind, &self.context);
        Arc::new(child.expect("steps of what is sampled are sampled"))
    }

    fn rename(&self, name: &'static str) {
        self.span.lock().update_name(name);
    }

    fn record(&self, fact: SpanFact<'_>) {
        let mut span = self.span.lock();
        match fact {
            SpanFact::Refused(rejection) => {
                span.set_attribute(KeyValue::new("error.type", code::rejection(rejection).code));
                // The others are mistakes of clients.
                if matches!(rejection, Rejection::Unavailable) {
                    span.set_status(Status::error(""));
                }
            }
            SpanFact::Failed => span.set_status(Status::error("")),
            _ => span.set_attribute(attribute(fact)),
        }
    }

    fn traceparent(&self) -> String {
        let span = self.context.span();
        let context = span.span_context();
        format!("00-{}-{}-01", context.trace_id(), context.span_id())
    }
}

fn attribute(fact: SpanFact<'_>) -> KeyValue {
    let number = |key, number: usize| KeyValue::new(key, i64::try_from(number).unwrap_or(i64::MAX));
    match fact {
        SpanFact::Wire(wire) => KeyValue::new("roomcast.wire", wire.as_str()),
        SpanFact::Connection(id) => KeyValue::new("roomcast.connection.id", id.to_string()),
        SpanFact::Conversation(conversation) => {
            KeyValue::new("roomcast.conversation", conversation_kind(conversation))
        }
        SpanFact::Message(id) => KeyValue::new("messaging.message.id", id.as_raw().to_owned()),
        SpanFact::Seq(seq) => {
            KeyValue::new("roomcast.seq", i64::try_from(seq.as_raw()).unwrap_or(i64::MAX))
        }
        SpanFact::BodyBytes(bytes) => number("messaging.message.body.size", bytes),
        SpanFact::BatchMessages(messages) => number("messaging.batch.message_count", messages),
        SpanFact::Sockets(sockets) => number("roomcast.sockets", sockets),
        SpanFact::Events(events) => number("roomcast.events", events),
        SpanFact::Refused(_) | SpanFact::Failed => KeyValue::new("error.type", "failed"),
    }
}

fn conversation_kind(conversation: &Conversation) -> &'static str {
    match conversation {
        Conversation::Room(_) => "room",
        Conversation::Direct(..) => "direct",
        Conversation::Inbox(_) => "inbox",
    }
}

fn kind_of(kind: SpanKind) -> trace::SpanKind {
    match kind {
        SpanKind::Server => trace::SpanKind::Server,
        SpanKind::Client => trace::SpanKind::Client,
        SpanKind::Producer => trace::SpanKind::Producer,
        SpanKind::Consumer => trace::SpanKind::Consumer,
        SpanKind::Internal => trace::SpanKind::Internal,
    }
}
