//! Bans and revocations by the clock of the test.

use futures_util::FutureExt as _;

use super::*;
use crate::{
    chat::{
        BanRequest, BansQuestion, Credential, ListRange, Revocation, RevokedTokens,
        ports::{ApiKey, DenialSnapshot},
    },
    domain::{ApiScope, Denial, DenialSubject, TokenId},
};

const MINUTE: Duration = Duration::from_mins(1);

fn key() -> ApiKey {
    let scopes = [ApiScope::Manage, ApiScope::Read].into();
    ApiKey { name: "test".into(), scopes, spaces: Vec::new(), pace: None }
}

fn ban(user: &str, until: Option<OffsetDateTime>) -> BanRequest {
    let user = UserName::from_raw(user);
    BanRequest { space: Some(Space::root()), user, until, reason: None }
}

async fn admit(fixture: &Fixture, token: Option<&Token>) -> Result<(), Rejection> {
    let hello = Hello {
        space: Space::root(),
        token: token.cloned(),
        device: None,
        room: None,
        since: Vec::new(),
        epoch: None,
        client: ClientInfo::default(),
    };
    fixture.chat.admit(hello).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_ban_ends_by_the_clock() {
    with_chat(async |fixture| {
        let (chat, token) = (&fixture.chat, fixture.token("ann", 10 * MINUTE));
        let until = Some(NOW + MINUTE);
        chat.ban(&key(), ban("ann", until)).await.unwrap();
        assert_eq!(admit(fixture, Some(&token)).await, Err(Rejection::Banned { until }));
        let (mut guest, _outbox) = fixture.enter(None).await;
        let user = UserName::from_raw("Ann");
        let identify = || Request::Identify { user: user.clone(), device: None };
        let refused = ask(&mut guest, identify()).await.unwrap_err();
        assert_eq!(refused, Rejection::Banned { until });
        let sign_in = chat.sign_in(&Space::root(), Credential::Token(token.clone())).await;
        assert_eq!(sign_in.unwrap_err(), Rejection::Banned { until });
        *fixture.clock.0.lock() = NOW + MINUTE;
        let range = ListRange { after: None, limit: 9 };
        let question = BansQuestion { space: Some(Space::root()), range };
        assert!(chat.bans(&key(), question).await.unwrap().items.is_empty());
        ask(&mut guest, identify()).await.expect("the guest is free to come");
        assert_eq!(admit(fixture, Some(&token)).await, Ok(()));
        let over = chat.ban(&key(), ban("ann", until)).await.unwrap_err();
        assert_eq!(over, Rejection::BadRequest("`until` is not in the future"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_never_becomes_valid_by_another_revocation() {
    with_chat(async |fixture| {
        let (chat, token) = (&fixture.chat, fixture.token("ann", 10 * MINUTE));
        let revoke = async |at, until| {
            let tokens = RevokedTokens::IssuedBefore(UserName::from_raw("ann"), at);
            chat.revoke(&key(), Revocation { tokens, until }).await
        };
        revoke(NOW + Duration::from_secs(1), None).await.unwrap();
        revoke(NOW - MINUTE, Some(NOW + MINUTE)).await.unwrap();
        assert_eq!(admit(fixture, Some(&token)).await, Err(Rejection::TokenRevoked));
        *fixture.clock.0.lock() = NOW + 2 * MINUTE;
        assert_eq!(admit(fixture, Some(&token)).await, Err(Rejection::TokenRevoked));
        let new = fixture.token("ann", 10 * MINUTE);
        assert_eq!(admit(fixture, Some(&new)).await, Ok(()), "issued two minutes later");
        let early = revoke(NOW + 9 * MINUTE, None).await.unwrap_err();
        assert_eq!(early, Rejection::BadRequest("`issued_before` is in the future"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_full_list_refuses_bans_and_takes_sign_outs() {
    with_chat(async |fixture| {
        let chat = &fixture.chat;
        let denial = |n: u32| {
            let user = UserName::from_raw(&format!("n{n}"));
            let subject = DenialSubject::User(Some(Space::root()), user);
            Denial { subject, at: NOW, until: None, reason: None }
        };
        let denials = (0..100_000).map(denial).collect();
        chat.load_denials(DenialSnapshot { number: 0, denials });
        let refused = chat.ban(&key(), ban("ann", None)).await.unwrap_err();
        assert_eq!(refused, Rejection::TooManyDenials);
        chat.ban(&key(), ban("n7", Some(NOW + MINUTE))).await.expect("it replaces one");
        let token = fixture.token("ann", 10 * MINUTE);
        let signed_in = chat.sign_in(&Space::root(), Credential::Token(token)).await.unwrap();
        chat.sign_out(&signed_in.token).await.unwrap();
        assert_eq!(chat.profile(&signed_in.token).await.unwrap_err(), Rejection::Unauthorized);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_change_is_made_also_when_its_caller_is_gone() {
    with_chat(async |fixture| {
        let (chat, token) = (&fixture.chat, fixture.token("ann", 10 * MINUTE));
        let ((_session, ann), key) = (fixture.enter(Some(token)).await, key());
        // Polled once: the change is queued.
        assert!(chat.ban(&key, ban("ann", None)).now_or_never().is_none());
        chat.ban(&key, ban("bob", None)).await.unwrap();
        assert!(ann.is_revoked(), "{:?}", ann.events());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cookie_is_revoked_with_the_token_that_it_was_made_of() {
    with_chat(async |fixture| {
        let chat = &fixture.chat;
        let sign_in = async |claims: Claims| {
            let token = fixture.tokens.issue(&claims).unwrap();
            chat.sign_in(&Space::root(), Credential::Token(token)).await.unwrap().token
        };
        let ann = Claims::of(UserName::from_raw("ann"), NOW + 10 * MINUTE);
        let old = Claims { issued_at: Some(NOW - MINUTE), ..ann.clone() };
        let id = TokenId::from_raw("t");
        let named = Claims { token: Some(id.clone()), issued_at: Some(NOW), ..ann };
        let (by_age, by_id) = (sign_in(old).await, sign_in(named).await);
        let user = UserName::from_raw("ann");
        let tokens = RevokedTokens::IssuedBefore(user, NOW - MINUTE / 2);
        chat.revoke(&key(), Revocation { tokens, until: None }).await.unwrap();
        assert_eq!(chat.profile(&by_age).await.unwrap_err(), Rejection::TokenRevoked);
        chat.profile(&by_id).await.expect("a newer one");
        let tokens = RevokedTokens::One(id);
        chat.revoke(&key(), Revocation { tokens, until: None }).await.unwrap();
        assert_eq!(chat.profile(&by_id).await.unwrap_err(), Rejection::TokenRevoked);
    })
    .await;
}
