//! Devices: recognition, and the policy that the newest device signs out the others.

use roomcast::domain::DevicePolicy;
use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::TestServer,
};

/// Connects with a token on a device, and returns `welcome`, too.
async fn connect(server: &TestServer, wire: Wire, token: &str, device: &str) -> (Client, Value) {
    let options = ConnectOptions::new().token(token).device(device);
    let mut client = Client::open(server, wire, options).await.ok().unwrap();
    let welcome = client.next("welcome").await;
    (client, welcome)
}

#[tokio::test]
async fn a_returning_device_is_recognised() {
    let server = TestServer::on_disk().await;
    let (ann, bob) = (server.token("ann", &[]), server.token("bob", &[]));
    for wire in Wire::ALL {
        let device = format!("phone-{wire:?}");
        let (client, welcome) = connect(&server, wire, &ann, &device).await;
        assert_eq!((&welcome["returning"], welcome.get("lastSeen")), (&json!(false), None));
        client.close().await;
        let (client, welcome) = connect(&server, wire, &ann, &device).await;
        assert_eq!(welcome["returning"], true, "{wire:?}");
        assert!(welcome["lastSeen"].is_string());
        client.close().await;
        let (_, welcome) = connect(&server, wire, &bob, &device).await;
        assert_eq!(welcome["returning"], false, "a device of another user");
        let mut unnamed =
            Client::open(&server, wire, ConnectOptions::new().token(&ann)).await.ok().unwrap();
        assert_eq!(unnamed.next("welcome").await.get("returning"), None);
    }
    let server = server.restart().await;
    for wire in Wire::ALL {
        let (_, welcome) = connect(&server, wire, &ann, &format!("phone-{wire:?}")).await;
        assert_eq!(welcome["returning"], true, "also after a restart");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_guest_may_name_its_device_when_identifying() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let mut guest = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        for bad in [json!(""), json!("x y"), json!("x".repeat(65))] {
            let data = json!({ "name": "ann", "device": bad });
            assert_eq!(guest.refusal("new user", data).await, "id_invalid");
        }
        let data = json!({ "name": format!("ann {wire:?}"), "device": "phone" });
        let token = guest.ask("new user", data).await["token"].as_str().unwrap().to_owned();
        assert_eq!(guest.next("welcome").await["returning"], false);
        let (_, welcome) = connect(&server, wire, &token, "phone").await;
        assert_eq!(welcome["returning"], true);
    }
    server.stop().await;
}

#[tokio::test]
async fn with_newest_a_second_device_signs_out_the_first() {
    let server = TestServer::with(|config| config.devices = DevicePolicy::Newest).await;
    for first in Wire::ALL {
        for second in Wire::ALL {
            let token = server.token("ann", &[]);
            let (mut phone, _) = connect(&server, first, &token, "phone").await;
            let (mut same, _) = connect(&server, second, &token, "phone").await;
            let mut bob = Client::with_token(&server, first, &server.token("bob", &[])).await;
            let (mut laptop, _) = connect(&server, second, &token, "laptop").await;
            for (client, wire) in [(&mut phone, first), (&mut same, second)] {
                let closing = json!({ "code": "replaced", "reconnect": false, "afterMs": 0 });
                assert_eq!(client.next("closing").await, closing, "{first:?} {second:?}");
                let code = client.end().await;
                assert_eq!(code, (wire == Wire::WebSocket).then_some(4500));
            }
            laptop.post("here now").await;
            bob.post("other users stay connected").await;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn with_newest_a_connection_without_a_device_id_counts_as_its_own_device() {
    let server = TestServer::with(|config| config.devices = DevicePolicy::Newest).await;
    let token = server.token("ann", &[]);
    for wire in Wire::ALL {
        let mut first = Client::with_token(&server, wire, &token).await;
        let mut second = Client::with_token(&server, wire, &token).await;
        assert_eq!(first.next("closing").await["code"], "replaced");
        second.post("here now").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn with_many_all_devices_stay_connected() {
    let server = TestServer::start().await;
    let token = server.token("ann", &[]);
    let mut clients = Vec::new();
    for wire in Wire::ALL {
        for device in ["phone", "laptop"] {
            clients.push(connect(&server, wire, &token, device).await.0);
        }
    }
    for client in &mut clients {
        client.post("here").await;
    }
    server.stop().await;
}
