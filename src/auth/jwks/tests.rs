//! A site that rotates, hangs, goes away and comes back, on a clock that stands still.

use std::{io, sync::Mutex};

use futures_util::{FutureExt as _, future::join_all};
use jsonwebtoken::Algorithm;
use serde_json::json;
use tokio::time::{advance, sleep};
use tracing::subscriber::set_default;

use super::*;
use crate::{
    auth::{
        KeyTokens, Keys, Refused, Rules,
        test_support::{NOW, P256, P256_NEW, Pair, Stopped, set},
    },
    chat::ports::{Claims, Tokens as _},
    domain::{Rejection, Secret, Token, UserName},
};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A site, and when it was asked.
#[derive(Clone, Default)]
struct Site(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// What it says; nothing when it is down.
    text: Mutex<Option<Vec<u8>>>,
    /// How long it takes.
    takes: Mutex<Duration>,
    asked: Mutex<Vec<Instant>>,
}

#[async_trait]
impl Fetch for Site {
    async fn fetch(&self) -> Result<Vec<u8>, FetchFailed> {
        self.0.asked.lock().unwrap().push(Instant::now());
        let takes = *self.0.takes.lock().unwrap();
        sleep(takes).await;
        let text = self.0.text.lock().unwrap().clone();
        text.ok_or_else(|| FetchFailed::Connect(io::ErrorKind::ConnectionRefused.into()))
    }
}

impl Site {
    fn with(keys: &[(Pair, &str)]) -> Self {
        let site = Self::default();
        site.says(keys);
        site
    }

    fn says(&self, keys: &[(Pair, &str)]) {
        let keys: Vec<_> =
            keys.iter().map(|(pair, kid)| pair.jwk(&json!({ "kid": kid }))).collect();
        *self.0.text.lock().unwrap() = Some(set(&keys));
    }

    fn goes_away(&self) {
        *self.0.text.lock().unwrap() = None;
    }

    fn takes(&self, time: Duration) {
        *self.0.takes.lock().unwrap() = time;
    }

    fn asked(&self) -> usize {
        self.0.asked.lock().unwrap().len()
    }

    fn tokens(&self, refresh: Duration) -> KeyTokens {
        let source = Arc::new(Source::new("a site", Box::new(self.clone()), refresh));
        let secret = Secret::from_raw(b"a key of at least thirty-two bytes");
        let keys = Keys { fixed: Vec::new(), sources: vec![source] };
        KeyTokens::new(&secret, Arc::new(Stopped)).with(keys, Rules::default())
    }
}

/// Runs `scenario` beside the task that fetches.
async fn beside<T>(tokens: &KeyTokens, scenario: impl Future<Output = T>) -> T {
    tokio::select! {
        () = tokens.sources()[0].run() => panic!("it does not end"),
        result = scenario => result,
    }
}

async fn check(tokens: &KeyTokens, pair: Pair, kid: Option<&str>) -> Result<Claims, Refused> {
    tokens.examine(&Token::from_raw(&pair.token(Algorithm::ES256, kid)), NOW).await
}

#[tokio::test(start_paused = true)]
async fn who_comes_early_waits_for_the_first_set() {
    for kid in [Some("old"), None] {
        let site = Site::with(&[(P256, "old")]);
        let tokens = site.tokens(HOUR);
        site.takes(Duration::from_secs(2));
        beside(&tokens, async {
            assert!(check(&tokens, P256, kid).await.is_ok());
        })
        .await;
        assert_eq!(site.asked(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_refused_for_good_before_there_was_a_set() {
    let site = Site::default();
    let tokens = site.tokens(HOUR);
    let own = Claims::of(UserName::from_raw("ann"), NOW + HOUR);
    let own = tokens.issue(&own).unwrap();
    beside(&tokens, async {
        for kid in [Some("old"), None] {
            assert_eq!(check(&tokens, P256, kid).await, Err(Refused::KeysAwaited));
        }
        assert_eq!(Rejection::from(Refused::KeysAwaited), Rejection::Unavailable);
        assert!(tokens.examine(&own, NOW).await.is_ok(), "our own key is there");
        site.says(&[(P256, "old")]);
        sleep(MINUTE).await;
        assert!(check(&tokens, P256, None).await.is_ok());
        assert!(matches!(check(&tokens, P256_NEW, None).await, Err(Refused::Signature { .. })));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_fetched_at_once_but_only_once_a_minute() {
    let site = Site::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    beside(&tokens, async {
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        site.says(&[(P256_NEW, "new")]);
        assert!(check(&tokens, P256_NEW, Some("new")).await.is_ok());
        assert!(check(&tokens, P256, Some("old")).await.is_err(), "it was taken back");
        assert_eq!(site.asked(), 2);
        advance(Duration::from_millis(59_999)).await;
        let before = Instant::now();
        for _ in 0..10 {
            assert!(check(&tokens, P256, Some("other")).await.is_err());
        }
        assert_eq!((site.asked(), before.elapsed()), (2, Duration::ZERO));
        advance(Duration::from_millis(1)).await;
        assert!(check(&tokens, P256, Some("other")).await.is_err());
        assert_eq!(site.asked(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_fetched_without_being_asked_does_not_count() {
    let site = Site::with(&[(P256, "old")]);
    let tokens = site.tokens(Duration::from_secs(10));
    beside(&tokens, async {
        sleep(Duration::from_secs(25)).await;
        assert_eq!(site.asked(), 3);
        site.says(&[(P256_NEW, "new")]);
        assert!(check(&tokens, P256_NEW, Some("new")).await.is_ok());
        assert_eq!(site.asked(), 4);
        sleep(Duration::from_secs(11)).await;
        assert_eq!(site.asked(), 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn many_who_wait_share_one_fetch() {
    let site = Site::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    beside(&tokens, async {
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        site.says(&[(P256, "old"), (P256_NEW, "new")]);
        site.takes(Duration::from_secs(1));
        let all = join_all((0..20).map(|_| check(&tokens, P256_NEW, Some("new")))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(site.asked(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_needs_no_fetch_does_not_wait_for_one() {
    let site = Site::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    beside(&tokens, async {
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        site.takes(HOUR);
        advance(HOUR).await;
        while site.asked() < 2 {
            tokio::task::yield_now().await;
        }
        let known = check(&tokens, P256, Some("old")).now_or_never().unwrap();
        assert!(known.is_ok());
        let nameless = check(&tokens, P256_NEW, None).now_or_never().unwrap();
        assert!(nameless.is_err());
        let token = Token::from_raw("eyJhbGciOiJIUzI1NiIsImtpZCI6Im90aGVyIn0.e30.AAAA");
        let hash = tokens.examine(&token, NOW).now_or_never().unwrap();
        assert!(matches!(hash, Err(Refused::Signature { .. })));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_for_a_site_that_hangs() {
    let site = Site::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    site.takes(HOUR);
    beside(&tokens, async {
        let begin = Instant::now();
        assert!(check(&tokens, P256, Some("old")).await.is_err());
        assert_eq!(begin.elapsed().as_secs(), 5);
        sleep(FETCH_WAIT_MAX).await;
        let trouble = tokens.sources()[0].trouble().unwrap();
        assert!(trouble.contains("a site") && trouble.contains("within 10 s"), "{trouble}");
        site.takes(Duration::ZERO);
        sleep(2 * FETCH_WAIT_MAX).await;
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        assert_eq!(tokens.sources()[0].trouble(), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_last_set_stays_while_the_site_is_down_and_it_is_tried_ever_more_slowly() {
    let site = Site::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    let log = Page::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    let _guard = set_default(lines.finish());
    beside(&tokens, async {
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        site.goes_away();
        sleep(HOUR + 5 * MINUTE).await;
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        let asked = site.0.asked.lock().unwrap().clone();
        let pauses: Vec<_> = asked.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
        assert_eq!(pauses, [3600, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        site.says(&[(P256_NEW, "new")]);
        sleep(MINUTE).await;
        assert!(check(&tokens, P256_NEW, Some("new")).await.is_ok());
        assert!(check(&tokens, P256, Some("old")).await.is_err());
    })
    .await;
    let log = log.text();
    let said: Vec<_> = ["WARN", "INFO"].iter().map(|level| log.matches(level).count()).collect();
    assert_eq!(said, [1, 1], "{log}");
    assert!(log.contains("the keys of a site cannot be fetched") && log.contains("again"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_set_changes_nothing() {
    let site = Site::with(&[(P256, "old")]);
    let tokens = site.tokens(HOUR);
    beside(&tokens, async {
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        *site.0.text.lock().unwrap() = Some(b"<html>come back later</html>".to_vec());
        assert!(check(&tokens, P256, Some("other")).await.is_err());
        assert!(check(&tokens, P256, Some("old")).await.is_ok());
        site.says(&[]);
        advance(MINUTE).await;
        assert!(check(&tokens, P256, Some("other")).await.is_err());
        assert!(check(&tokens, P256, Some("old")).await.is_err(), "a set of none is one");
    })
    .await;
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
