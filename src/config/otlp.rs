//! Where traces are sent: `[otlp]`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use toml::Value;

use super::{BackendUrl, backends};
use crate::telemetry::HAS_TRACES;

/// The key of the collector.
pub(super) const KEY: &str = "otlp.endpoint";

/// The variable of the OpenTelemetry specification that names the collector of all programs.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The parts that a ratio is counted in.
const WHOLE: f64 = 1e9;

/// Where traces are sent, and how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpSettings {
    /// The address of the collector. `None`: there are no traces.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub endpoint: Option<BackendUrl>,
    /// The part of the requests that are traced.
    pub sample_ratio: SampleRatio,
}

/// A part of a whole, 0 to 1, in parts of a milliard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SampleRatio(u32);

impl SampleRatio {
    /// The ratio, if it is one.
    pub fn new(ratio: f64) -> Option<Self> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to a milliard: the range is checked"
        )]
        (0.0..=1.0).contains(&ratio).then_some(Self((ratio * WHOLE).round() as u32))
    }

    /// 0 to 1.
    pub fn as_raw(self) -> f64 {
        f64::from(self.0) / WHOLE
    }
}

impl Default for SampleRatio {
    /// A hundredth: 400 spans a second at 5,000 messages a second.
    fn default() -> Self {
        Self(10_000_000)
    }
}

impl fmt::Debug for SampleRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_raw().fmt(f)
    }
}

impl Serialize for SampleRatio {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_f64(self.as_raw())
    }
}

impl<'de> Deserialize<'de> for SampleRatio {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let ratio = f64::deserialize(input)?;
        Self::new(ratio)
            .ok_or_else(|| D::Error::custom(format!("this must be from 0 to 1, and is {ratio}")))
    }
}

/// Whether a variable names the collector. A program without traces ignores it.
pub(super) fn is_collector(variable: &str) -> bool {
    variable == COLLECTOR && HAS_TRACES
}

/// No error contains the address.
fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Option<BackendUrl>, D::Error> {
    let text = String::deserialize(input)?;
    if text.is_empty() {
        return Ok(None);
    }
    let form = |_reason| D::Error::custom("this must be an address http://… or https://…");
    backends::address(&Value::String(text)).map(Some).map_err(form)
}

/// Settings are serialized only to list the valid keys, and there is no collector by default.
#[expect(clippy::ref_option, reason = "serde passes the field")]
fn write<S: Serializer>(endpoint: &Option<BackendUrl>, output: S) -> Result<S::Ok, S::Error> {
    debug_assert!(endpoint.is_none(), "only defaults are written");
    output.serialize_str("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    fn problems(text: &str) -> String {
        Config::from_toml(text).err().map(|it| it.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_ratio_is_from_0_to_1() {
        for (text, ratio) in [("0", 0.0), ("1", 1.0), ("0.25", 0.25), ("1e-9", 1e-9)] {
            let config = Config::from_toml(&format!("otlp.sample_ratio = {text}")).unwrap();
            let read = config.otlp.sample_ratio.as_raw();
            assert!((read - ratio).abs() < 1e-12, "{text}: {read}");
        }
        for (text, why) in [
            ("1.5", "must be from 0 to 1"),
            ("-0.1", "must be from 0 to 1"),
            ("nan", "must be from 0 to 1"),
            ("'half'", "must be a number from 0 to 1"),
        ] {
            let found = problems(&format!("otlp.sample_ratio = {text}"));
            assert!(found.contains("otlp.sample_ratio") && found.contains(why), "{text}: {found}");
        }
    }

    #[test]
    fn an_endpoint_is_an_address_that_no_error_repeats() {
        for text in ["'ftp://secret'", "'secret'", "['secret']"] {
            let found = problems(&format!("otlp.endpoint = {text}"));
            assert!(found.contains("otlp.endpoint") && !found.contains("secret"), "{found}");
        }
        let config = Config::from_toml("otlp.endpoint = ''").unwrap();
        assert_eq!(config.otlp.endpoint, None);
    }

    #[test]
    fn a_program_without_traces_refuses_an_endpoint() {
        let found = problems("otlp.endpoint = 'http://127.0.0.1:4318'");
        assert_eq!(found.contains("without the feature `otlp`"), !HAS_TRACES, "{found}");
        assert_eq!(found.is_empty(), HAS_TRACES, "{found}");
    }

    #[test]
    fn a_setting_wins_over_the_collector_of_all_programs() {
        let all = || [(COLLECTOR.into(), "http://all:4318".into())].into_iter();
        let own = || [("ROOMCAST_OTLP_ENDPOINT".into(), "http://own:4318".into())].into_iter();
        let file = || Sources::default().text("a.toml", "otlp.endpoint = 'http://file:4318'");
        for (sources, host) in [
            (Sources::default().variables(all()), HAS_TRACES.then_some("all")),
            (Sources::default().variables(all().chain(own())), Some("own")),
            (file().variables(all()), Some("file")),
        ] {
            let config = sources.config();
            let found = config.as_ref().ok().and_then(|it| it.otlp.endpoint.as_ref());
            let found = found.and_then(|it| it.expose().host());
            assert_eq!(found, host.filter(|_| HAS_TRACES), "{config:?}");
        }
        let mistake = [(COLLECTOR.into(), "all:4318/secret".into())].into_iter();
        if HAS_TRACES {
            let text = Sources::default().variables(mistake).config().unwrap_err().to_string();
            assert!(text.contains(COLLECTOR) && !text.contains("secret"), "{text}");
        }
    }
}
