//! Signatures of requests, as the Standard Webhooks specification describes them: HMAC-SHA256 over
//! `id.timestamp.body`, in Base64 after `v1,`; with two secrets, two signatures.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::hmac;

use crate::domain::Secret;

/// Before a secret in Base64.
const PREFIX: &str = "whsec_";
/// The shortest secret, in bytes, as the specification recommends.
const SECRET_BYTES_MIN: usize = 24;

/// A secret that both sides have. `Debug` prints `***`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningSecret(Secret);

/// Why a text is not a secret. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// It is too short.
    #[error("a secret has at least {SECRET_BYTES_MIN} bytes")]
    TooShort,
    /// What follows `whsec_` is not Base64.
    #[error("what follows {PREFIX} is not Base64")]
    NotBase64,
}

impl SigningSecret {
    /// Accepts `whsec_` and the bytes in Base64, or a text whose bytes are the secret.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let bytes = match text.strip_prefix(PREFIX) {
            Some(encoded) => {
                BASE64_STANDARD.decode(encoded).map_err(|_error| InvalidSecret::NotBase64)?
            }
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(InvalidSecret::TooShort);
        }
        Ok(Self(Secret::from_raw(&bytes)))
    }

    fn sign(&self, content: &str) -> String {
        let Self(secret) = self;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let signature = hmac::sign(&key, content.as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(signature))
    }
}

/// The header `webhook-signature`: one signature per secret. `timestamp` is in seconds since 1970.
pub(super) fn signatures(
    secrets: &[SigningSecret],
    id: &str,
    timestamp: i64,
    body: &str,
) -> String {
    let content = format!("{id}.{timestamp}.{body}");
    let signatures: Vec<_> = secrets.iter().map(|secret| secret.sign(&content)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_signature_equals_that_of_the_specification() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let secrets = [secret];
        assert_eq!(signatures(&secrets, id, 1_614_265_330, body), signature);
        let two = [secrets[0].clone(), secrets[0].clone()];
        let both = format!("{signature} {signature}");
        assert_eq!(signatures(&two, id, 1_614_265_330, body), both, "while one rotates");
    }

    #[test]
    fn a_secret_has_24_bytes_or_more() {
        assert!(SigningSecret::parse(&"x".repeat(24)).is_ok());
        assert_eq!(SigningSecret::parse(&"x".repeat(23)), Err(InvalidSecret::TooShort));
        assert_eq!(SigningSecret::parse("whsec_%"), Err(InvalidSecret::NotBase64));
        assert_eq!(SigningSecret::parse("whsec_AAAA"), Err(InvalidSecret::TooShort));
        let printed = format!("{:?}", SigningSecret::parse(&"secret".repeat(4)).unwrap());
        assert!(!printed.contains("secretsecret"), "{printed}");
    }
}
