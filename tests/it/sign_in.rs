//! `/api/session`: sign-ins of pages, with a cookie.

use roomcast::domain::Guests;
use serde_json::{Value, json};

use crate::{
    clients::{
        Client,
        raw::{Answer, Raw},
    },
    harness::TestServer,
};

const JSON: &str = "Content-Type: application/json\r\n";

/// Sends a request to the API, with headers and a body.
async fn ask(server: &TestServer, method: &str, headers: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers = format!("{headers}Content-Length: {}\r\n", body.len());
    let line = format!("{method} /api/session");
    Raw::connect(server).await.request(&line, &headers, body.as_bytes()).await
}

/// Signs in, and returns the cookie in the form of a request header.
async fn sign_in(server: &TestServer, body: &Value) -> String {
    let answer = ask(server, "POST", JSON, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    format!("Cookie: {cookie}\r\n")
}

/// The parts of a `Set-Cookie` header: the pair, and the attributes in alphabetical order.
fn cookie_parts(answer: &Answer) -> (String, Vec<String>) {
    let mut parts = answer.header("set-cookie").unwrap().split("; ").map(str::to_owned);
    let pair = parts.next().unwrap();
    let mut attributes: Vec<_> = parts.collect();
    attributes.sort_unstable();
    (pair, attributes)
}

async fn current_user(server: &TestServer, cookie: &str) -> (u16, Value) {
    let answer = ask(server, "GET", cookie, &Value::Null).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

#[tokio::test]
async fn a_guest_signs_in_by_name_and_connects_with_the_cookie() {
    let server = TestServer::start().await;
    let answer = ask(&server, "POST", JSON, &json!({ "name": " ann " })).await;
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&told["user"], &told["guest"]), (&json!("ann"), &json!(true)));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let (pair, attributes) = cookie_parts(&answer);
    assert_eq!(attributes, ["HttpOnly", "Max-Age=86399", "Path=/", "SameSite=Lax"]);
    let cookie = format!("Cookie: {pair}\r\n");
    assert_eq!(current_user(&server, &cookie).await, (200, told));
    let taken = ask(&server, "POST", JSON, &json!({ "name": "Ann" })).await;
    assert_eq!((taken.status, taken.code()), (409, json!("name_taken")), "the name is in use");
    let mut ann = Client::open_at(&server, "/ws", &cookie).await.ok().unwrap();
    let welcome = ann.next("welcome").await;
    assert_eq!(
        (&welcome["user"], welcome.get("token")),
        (&json!("ann"), None),
        "no token for scripts"
    );
    ann.post("hi").await;
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_user_signs_in_with_a_token() {
    let server = TestServer::start().await;
    let token = server.token("ann", &[]);
    let cookie = sign_in(&server, &json!({ "token": token })).await;
    assert!(!cookie.contains(&token), "the cookie has a token of its own");
    let (status, told) = current_user(&server, &cookie).await;
    assert_eq!((status, &told["user"], &told["guest"]), (200, &json!("ann"), &json!(false)));
    let mut ann = Client::open_at(&server, "/ws", &cookie).await.ok().unwrap();
    assert_eq!(ann.next("welcome").await["user"], "ann");
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_sign_out_closes_that_sign_ins_connections_and_clears_the_cookie() {
    let server = TestServer::start().await;
    let body = json!({ "token": server.token("ann", &[]) });
    let (here, there) = (sign_in(&server, &body).await, sign_in(&server, &body).await);
    let mut tab = Client::open_at(&server, "/ws", &here).await.ok().unwrap();
    let mut phone = Client::open_at(&server, "/ws", &there).await.ok().unwrap();
    let answer = ask(&server, "DELETE", &here, &Value::Null).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let (pair, attributes) = cookie_parts(&answer);
    assert_eq!(pair, "roomcast_session=");
    assert_eq!(attributes, ["HttpOnly", "Max-Age=0", "Path=/", "SameSite=Lax"]);
    let closing = json!({ "code": "signed_out", "reconnect": false, "afterMs": 0 });
    assert_eq!(tab.next("closing").await, closing);
    assert_eq!(tab.end().await, Some(4501));
    phone.post("still here").await;
    for nothing in ["", "Cookie: roomcast_session=nonsense\r\n"] {
        let answer = ask(&server, "DELETE", nothing, &Value::Null).await;
        assert_eq!(answer.status, 204, "{nothing}");
    }
    drop(phone);
    server.stop().await;
}

#[tokio::test]
async fn a_browser_without_a_session_has_no_profile() {
    let server = TestServer::start().await;
    for cookie in ["", "Cookie: theme=dark\r\n"] {
        let answer = ask(&server, "GET", cookie, &Value::Null).await;
        assert_eq!((answer.status, answer.text()), (200, "null".into()), "{cookie}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    server.stop().await;
}

#[tokio::test]
async fn an_invalid_cookie_is_refused_and_cleared() {
    let server = TestServer::start().await;
    let over = server.token_for("ann", &[], -time::Duration::MINUTE);
    for (cookie, code) in [
        ("roomcast_session=nonsense", "unauthorized"),
        ("roomcast_session=a; roomcast_session=b", "unauthorized"),
        (&format!("roomcast_session={over}"), "token_expired"),
    ] {
        let header = format!("Cookie: {cookie}\r\n");
        let answer = ask(&server, "GET", &header, &Value::Null).await;
        assert_eq!((answer.status, answer.code()), (401, json!(code)));
        assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
        assert!(answer.header("www-authenticate").is_some());
        let refused = Client::open_at(&server, "/ws", &header).await.err().unwrap();
        assert_eq!((refused.status, &*refused.code), (Some(401), code));
    }
    server.stop().await;
}

#[tokio::test]
async fn invalid_sign_ins_are_refused() {
    let server = TestServer::start().await;
    let token = server.token("ann", &[]);
    for (body, status, code) in [
        (json!({}), 400, "bad_request"),
        (json!([]), 400, "bad_request"),
        (json!({ "name": "ann", "token": token }), 400, "bad_request"),
        (json!({ "name": 7 }), 400, "bad_request"),
        (json!({ "name": "" }), 422, "name_invalid"),
        (json!({ "name": "x".repeat(33) }), 422, "name_invalid"),
        (json!({ "name": "ann", "space": "/none" }), 404, "unknown_space"),
        (json!({ "token": "nonsense" }), 401, "unauthorized"),
        (json!({ "token": "x".repeat(30_000) }), 413, "message_too_large"),
    ] {
        let answer = ask(&server, "POST", JSON, &body).await;
        assert_eq!((answer.status, answer.code()), (status, json!(code)), "{body}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    for kind in
        ["", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"]
    {
        let answer = ask(&server, "POST", kind, &json!({ "name": "ann" })).await;
        assert_eq!((answer.status, answer.code()), (400, json!("bad_request")), "{kind}");
    }
    let answer = ask(&server, "PUT", JSON, &json!({ "name": "ann" })).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST, DELETE, OPTIONS")));
    server.stop().await;
}

#[tokio::test]
async fn with_guests_off_a_sign_in_needs_a_token() {
    let server = TestServer::with(|config| config.guests = Guests::Off).await;
    let answer = ask(&server, "POST", JSON, &json!({ "name": "ann" })).await;
    assert_eq!((answer.status, answer.code()), (401, json!("token_required")));
    let cookie = sign_in(&server, &json!({ "token": server.token("ann", &[]) })).await;
    assert_eq!(current_user(&server, &cookie).await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn sign_ins_from_unlisted_origins_are_refused() {
    let site = "https://shop.example";
    let origin = roomcast::config::Config::from_toml(&format!("origins = [\"{site}\"]")).unwrap();
    let server = TestServer::with(|config| config.origins = origin.origins).await;
    for method in ["GET", "POST", "DELETE", "OPTIONS"] {
        let headers = format!("{JSON}Origin: https://evil.example\r\n");
        let answer = ask(&server, method, &headers, &json!({ "name": "ann" })).await;
        assert_eq!((answer.status, answer.code()), (403, json!("origin_forbidden")), "{method}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("set-cookie"), None);
    }
    let headers = format!("{JSON}Origin: {site}\r\n");
    let answer = ask(&server, "POST", &headers, &json!({ "name": "ann" })).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some(site));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    let (_, attributes) = cookie_parts(&answer);
    assert!(attributes.iter().any(|it| it == "Secure"), "the page was loaded over TLS");
    let answer = ask(&server, "OPTIONS", &headers, &Value::Null).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, DELETE, OPTIONS"));
    server.stop().await;
}
