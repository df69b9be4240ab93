//! A program with Roomcast in it: it answers an event of its own in this process.
//!
//! `cargo run --example embed`, then with any Socket.IO client:
//! `socket.emit("add", 1, 2, (sum) => …)`.

#![expect(clippy::print_stdout, reason = "it is a program")]

use async_trait::async_trait;
use roomcast::{
    app::Server,
    chat::ports::{Action, Backend, BackendAnswer, BackendFailure, EmitTarget, EventCall},
    config::Config,
    domain::{Body, CustomEvent, EventName, EventStorage, PassingDelivery, Refusal},
};

/// Adds numbers, and tells everybody.
struct Calculator;

#[async_trait]
impl Backend for Calculator {
    async fn event(&self, call: EventCall) -> Result<BackendAnswer, BackendFailure> {
        let numbers: Vec<f64> = match serde_json::from_str(call.event.args.json()) {
            Ok(numbers) => numbers,
            Err(_) => return Ok(BackendAnswer::Refused(not_numbers())),
        };
        let sum = numbers.iter().sum::<f64>();
        let args = Body::from_raw(format!("[{sum}]").into(), Vec::new());
        let told = Action::Emit {
            event: CustomEvent { name: EventName::from_raw("sum"), args: args.clone() },
            to: EmitTarget::Space,
            except: Some(call.caller.connection),
            storage: EventStorage::Passing(PassingDelivery::Reliable),
            id: None,
        };
        Ok(BackendAnswer::Accepted { ack: Some(args), actions: vec![told] })
    }
}

fn not_numbers() -> Refusal {
    let message = "the arguments are not numbers".into();
    Refusal { code: "not_numbers".into(), message, data: None }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_toml("events = [{ name = 'add', to = 'backend' }]")?;
    let server = Server::builder(config).backend(Calculator).start().await?;
    for address in server.addresses() {
        println!("{address}");
    }
    tokio::signal::ctrl_c().await?;
    server.stop().await?;
    Ok(())
}
