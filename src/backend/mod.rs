//! The engine that calls back ends and webhooks over HTTP.

mod circuit;
mod http;
mod measured;
mod request;
mod signature;
mod webhook;

pub use self::{
    http::{HttpBackend, HttpBackendOptions},
    measured::MeasuredBackend,
    signature::{InvalidSecret, SigningSecret},
    webhook::HttpWebhook,
};

#[cfg(test)]
mod tests;
