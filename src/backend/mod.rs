//! The engine that calls back ends over HTTP.

mod circuit;
mod http;
mod signature;

pub use self::{
    http::{HttpBackend, HttpBackendOptions},
    signature::{InvalidSecret, SigningSecret},
};
