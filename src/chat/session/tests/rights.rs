//! Sessions whose right to go on ends.

use super::*;

#[tokio::test(start_paused = true)]
async fn when_its_time_is_over_a_session_takes_nothing_though_nobody_has_closed_it() {
    live(async |house| {
        let token = house.token("ann", Duration::from_mins(1));
        let (mut ann, _shelf) = house.enter(Some(token)).await;
        assert!(ask(&mut ann, Request::GroupList { room: None }).await.is_ok());
        *house.watch.0.lock().unwrap() = NOW + Duration::from_mins(1);
        assert_eq!(ask(&mut ann, post()).await.unwrap_err(), Rejection::TokenExpired);
        let fresh = Request::Auth { token: house.token("ann", Duration::from_hours(1)) };
        assert_eq!(ask(&mut ann, fresh).await.unwrap_err(), Rejection::TokenExpired, "too late");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_whose_name_is_a_users_now_says_nothing_more_under_it() {
    live(async |house| {
        let (mut guest, shelf) = house.enter(None).await;
        let user = UserName::parse_guest("ann").unwrap();
        assert!(ask(&mut guest, Request::Identify { user, device: None }).await.is_ok());
        let (_user, _) = house.enter(Some(house.token("ann", Duration::from_mins(1)))).await;
        assert!(shelf.events().contains(&"closed NameTaken".to_owned()));
        assert_eq!(ask(&mut guest, post()).await.unwrap_err(), Rejection::Unauthorized);
    })
    .await;
}
