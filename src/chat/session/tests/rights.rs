//! Sessions that lose their rights.

use super::*;

#[tokio::test(start_paused = true)]
async fn session_rejects_requests_after_token_expiry() {
    with_chat(async |fixture| {
        let token = fixture.token("ann", Duration::from_mins(1));
        let (mut ann, _outbox) = fixture.enter(Some(token)).await;
        assert!(ask(&mut ann, Request::GroupList { room: None }).await.is_ok());
        *fixture.clock.0.lock() = NOW + Duration::from_mins(1);
        assert_eq!(ask(&mut ann, post()).await.unwrap_err(), Rejection::TokenExpired);
        let fresh = Request::Auth { token: fixture.token("ann", Duration::from_hours(1)) };
        assert_eq!(ask(&mut ann, fresh).await.unwrap_err(), Rejection::TokenExpired, "expired");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn guest_session_is_rejected_when_registered_user_takes_name() {
    with_chat(async |fixture| {
        let (mut guest, outbox) = fixture.enter(None).await;
        let user = UserName::parse_guest("ann").unwrap();
        assert!(ask(&mut guest, Request::Identify { user, device: None }).await.is_ok());
        let (_user, _) = fixture.enter(Some(fixture.token("ann", Duration::from_mins(1)))).await;
        assert!(outbox.events().contains(&"closed NameTaken".to_owned()));
        assert_eq!(ask(&mut guest, post()).await.unwrap_err(), Rejection::Unauthorized);
    })
    .await;
}
