//! The engine that calls back ends and webhooks over HTTP.

mod circuit;
mod http;
mod request;
mod signature;
mod webhook;

pub use self::{
    http::{HttpBackend, HttpBackendOptions},
    signature::{InvalidSecret, SigningSecret},
    webhook::HttpWebhook,
};

#[cfg(test)]
mod tests;
