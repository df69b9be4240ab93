//! A site that rotates its keys, hangs, fails and recovers, with a paused clock.

use std::{io, sync::Mutex};

use futures_util::{FutureExt as _, future::join_all};
use jsonwebtoken::Algorithm;
use serde_json::json;
use tokio::time::{advance, sleep};
use tracing::subscriber::set_default;

use super::*;
use crate::{
    auth::{
        KeyTokens, Keys, TokenError, TokenRules,
        test_support::{FixedClock, KeyPair, NOW, P256, P256_NEW, set},
    },
    chat::ports::{Claims, Tokens as _},
    domain::{Rejection, Secret, Token, UserName},
};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A site, and the times of its requests.
#[derive(Clone, Default)]
struct JwksServer(Arc<JwksServerState>);

#[derive(Default)]
struct JwksServerState {
    /// Its response; `None` while it is down.
    text: Mutex<Option<Vec<u8>>>,
    /// The delay of its response.
    delay: Mutex<Duration>,
    requests: Mutex<Vec<Instant>>,
}

#[async_trait]
impl Fetch for JwksServer {
    async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        self.0.requests.lock().unwrap().push(Instant::now());
        let delay = *self.0.delay.lock().unwrap();
        sleep(delay).await;
        let text = self.0.text.lock().unwrap().clone();
        text.ok_or_else(|| FetchError::Connect(io::ErrorKind::ConnectionRefused.into()))
    }
}

impl JwksServer {
    fn with(keys: &[(KeyPair, &str)]) -> Self {
        let site = Self::default();
        site.publish(keys);
        site
    }

    fn publish(&self, keys: &[(KeyPair, &str)]) {
        let keys: Vec<_> =
            keys.iter().map(|(pair, kid)| pair.jwk(&json!({ "kid": kid }))).collect();
        *self.0.text.lock().unwrap() = Some(set(&keys));
    }

    fn take_down(&self) {
        *self.0.text.lock().unwrap() = None;
    }

    fn set_delay(&self, time: Duration) {
        *self.0.delay.lock().unwrap() = time;
    }

    fn request_count(&self) -> usize {
        self.0.requests.lock().unwrap().len()
    }

    fn tokens(&self, refresh: Duration) -> KeyTokens {
        let source = Arc::new(JwksSource::new("a site", Box::new(self.clone()), refresh));
        let secret = Secret::from_raw(b"a key of at least thirty-two bytes");
        let keys = Keys { fixed: Vec::new(), sources: vec![source] };
        KeyTokens::new(&secret, Arc::new(FixedClock)).with(keys, TokenRules::default())
    }
}

/// Runs `scenario` beside the task that fetches.
async fn with_fetch_task<T>(tokens: &KeyTokens, scenario: impl Future<Output = T>) -> T {
    tokio::select! {
        never = tokens.fetch_sets() => match never {},
        result = scenario => result,
    }
}

async fn check(tokens: &KeyTokens, pair: KeyPair, kid: Option<&str>) -> Result<Claims, TokenError> {
    tokens.verify(&Token::from_raw(&pair.token(Algorithm::ES256, kid)), NOW).await
}

#[tokio::test(start_paused = true)]
async fn early_tokens_wait_for_the_first_key_set() {
    for kid in [Some("old"), None] {
        let site = JwksServer::with(&[(P256, "old")]);
        let tokens = site.tokens(HOUR);
        site.set_delay(Duration::from_secs(2));
        with_fetch_task(&tokens, async {
            assert!(check(&tokens, P256, kid).await.is_ok());
        })
        .await;
        assert_eq!(site.request_count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_first_key_set_refusals_are_temporary() {
    let site = JwksServer::default();
    let tokens = site.tokens(HOUR);
    let own = Claims::of(UserName::from_raw("ann"), NOW + HOUR);
    let own = tokens.issue(&own).unwrap();
    with_fetch_task(&tokens, async {
        for kid in [Some("old"), None] {
            assert_eq!(check(&tokens, P256, kid).await, Err(TokenError::KeysNotLoaded));
        }
        assert_eq!(Rejection::from(TokenError::KeysNotLoaded), Rejection::Unavailable);
        assert!(tokens.verify(&own, NOW).await.is_ok(), "the own key is known");
        site.publish(&[(P256, "old")]);
        sleep(MINUTE).await;
        assert!(check(&tokens, P256, None).await.is_ok());
        assert!(matches!(
            check(&tokens, P256_NEW, None).await,
            Err(TokenError::BadSignature { .. })
        ));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_id_causes_at_most_one_fetch_a_minute() {
    let site = JwksServer::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    with_fetch_task(&tokens, async {
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        site.publish(&[(P256_NEW, "new")]);
        assert!(check(&tokens, P256_NEW, Some("new")).await.is_ok());
        assert!(check(&tokens, P256, Some("old")).await.is_err(), "the old key is revoked");
        assert_eq!(site.request_count(), 2);
        advance(Duration::from_millis(59_999)).await;
        let before = Instant::now();
        for _ in 0..10 {
            assert!(check(&tokens, P256, Some("other")).await.is_err());
        }
        assert_eq!((site.request_count(), before.elapsed()), (2, Duration::ZERO));
        advance(Duration::from_millis(1)).await;
        assert!(check(&tokens, P256, Some("other")).await.is_err());
        assert_eq!(site.request_count(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn periodic_fetches_do_not_count_against_the_request_interval() {
    let site = JwksServer::with(&[(P256, "old")]);
    let tokens = site.tokens(Duration::from_secs(10));
    with_fetch_task(&tokens, async {
        sleep(Duration::from_secs(25)).await;
        assert_eq!(site.request_count(), 3);
        site.publish(&[(P256_NEW, "new")]);
        assert!(check(&tokens, P256_NEW, Some("new")).await.is_ok());
        assert_eq!(site.request_count(), 4);
        sleep(Duration::from_secs(11)).await;
        assert_eq!(site.request_count(), 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_tokens_share_one_fetch() {
    let site = JwksServer::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    with_fetch_task(&tokens, async {
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        site.publish(&[(P256, "old"), (P256_NEW, "new")]);
        site.set_delay(Duration::from_secs(1));
        let all = join_all((0..20).map(|_| check(&tokens, P256_NEW, Some("new")))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(site.request_count(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tokens_that_need_no_fetch_do_not_wait() {
    let site = JwksServer::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    with_fetch_task(&tokens, async {
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        site.set_delay(HOUR);
        advance(HOUR).await;
        while site.request_count() < 2 {
            tokio::task::yield_now().await;
        }
        let known = check(&tokens, P256, Some("old")).now_or_never().unwrap();
        assert!(known.is_ok());
        let nameless = check(&tokens, P256_NEW, None).now_or_never().unwrap();
        assert!(nameless.is_err());
        let token = Token::from_raw("eyJhbGciOiJIUzI1NiIsImtpZCI6Im90aGVyIn0.e30.AAAA");
        let hash = tokens.verify(&token, NOW).now_or_never().unwrap();
        assert!(matches!(hash, Err(TokenError::BadSignature { .. })));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_hanging_site_is_bounded() {
    let site = JwksServer::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    site.set_delay(HOUR);
    with_fetch_task(&tokens, async {
        let begin = Instant::now();
        assert!(check(&tokens, P256, Some("old")).await.is_err());
        assert_eq!(begin.elapsed().as_secs(), 5);
        sleep(FETCH_WAIT_MAX).await;
        let fetch_error = tokens.sources()[0].fetch_error().unwrap();
        assert!(
            fetch_error.contains("a site") && fetch_error.contains("within 10 s"),
            "{fetch_error}"
        );
        site.set_delay(Duration::ZERO);
        sleep(2 * FETCH_WAIT_MAX).await;
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        assert_eq!(tokens.sources()[0].fetch_error(), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_last_key_set_stays_while_the_site_is_down_and_retries_back_off() {
    let site = JwksServer::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    let log = CapturedLog::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    let _guard = set_default(lines.finish());
    with_fetch_task(&tokens, async {
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        site.take_down();
        sleep(HOUR + 5 * MINUTE).await;
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        let requests = site.0.requests.lock().unwrap().clone();
        let pauses: Vec<_> =
            requests.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
        assert_eq!(pauses, [3600, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        site.publish(&[(P256_NEW, "new")]);
        sleep(MINUTE).await;
        assert!(check(&tokens, P256_NEW, Some("new")).await.is_ok());
        assert!(check(&tokens, P256, Some("old")).await.is_err());
    })
    .await;
    let log = log.text();
    let said: Vec<_> = ["WARN", "INFO"].iter().map(|level| log.matches(level).count()).collect();
    assert_eq!(said, [1, 1], "{log}");
    assert!(log.contains("jwks fetch failed") && log.contains("jwks fetch recovered"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn an_invalid_key_set_changes_nothing() {
    let site = JwksServer::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    with_fetch_task(&tokens, async {
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        *site.0.text.lock().unwrap() = Some(b"<html>unavailable</html>".to_vec());
        assert!(check(&tokens, P256, Some("other")).await.is_err());
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        site.publish(&[]);
        advance(MINUTE).await;
        assert!(check(&tokens, P256, Some("other")).await.is_err());
        assert!(check(&tokens, P256, Some("old")).await.is_err(), "an empty set is not valid");
    })
    .await;
}

/// Collects the log.
#[derive(Clone, Default)]
struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
