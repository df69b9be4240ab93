//! Clients whose connections are cut and which come back, and the senders that stay.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::{
    client::{Client, Phase},
    connection::{Failure, Session},
    load::{Load, State},
};

/// The first pause between two attempts to come back. It doubles, as that of official clients.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest one.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A member of a room: connects, is cut, comes back with what it has.
pub(super) async fn member(load: Arc<Load>, index: usize, mut phases: watch::Receiver<Phase>) {
    let outcome = async {
        let (connection, session) = load.open(index, None).await?;
        let mut client = Client::new(&load, index, connection, session.head);
        if until(&mut client, &mut phases, |it| matches!(it, Phase::Cut)).await? == Phase::Ended {
            return Ok(());
        }
        let last_seq = client.last_seq();
        // The socket closes without a word, as when a network fails.
        drop(client);
        load.set_state(index, State::Away);
        let is_back = |phase: &Phase| matches!(phase, Phase::Back(_) | Phase::Ended);
        let phase = phases.wait_for(is_back).await.map_or(Phase::Ended, |it| *it);
        let Phase::Back(begin) = phase else { return Ok(()) };
        let Some(mut client) = come_back(&load, index, (session, last_seq), &phases).await? else {
            return Ok(());
        };
        catch_up(&load, &mut client, index, &mut phases).await?;
        if load.behind(index) == 0 {
            load.tally.times.back.record(index, begin.elapsed());
        }
        until(&mut client, &mut phases, |_| false).await.map(drop)
    };
    if let Err(failure) = outcome.await {
        load.tally.failures.add(failure.code());
        load.set_state(index, State::Failed);
    }
}

/// The sender of a room stays connected, and sends while the others are away.
pub(super) async fn sender(load: Arc<Load>, index: usize, mut phases: watch::Receiver<Phase>) {
    let opened = load.open(index, None).await;
    let (connection, session) = match opened {
        Ok(opened) => opened,
        Err(failure) => {
            load.tally.failures.add(failure.code());
            load.set_state(index, State::Failed);
            return;
        }
    };
    let mut client = Client::new(&load, index, connection, session.head);
    let sending = async {
        let is_absent = |phase: Phase| matches!(phase, Phase::Absent(_));
        if let Phase::Absent(count) = until(&mut client, &mut phases, is_absent).await? {
            for _ in 0..count {
                client.send().await?;
                while client.waiting() > 0 {
                    client.receive_next().await?;
                }
            }
        }
        until(&mut client, &mut phases, |_| false).await
    };
    if let Err(failure) = sending.await {
        client.failed(&failure);
    }
}

/// Tries until the server accepts the client. `None`: the run has ended before.
async fn come_back(
    load: &Arc<Load>,
    index: usize,
    (session, last_seq): (Session, u64),
    phases: &watch::Receiver<Phase>,
) -> Result<Option<Client>, Failure> {
    let mut pause = PAUSE;
    loop {
        match load.open(index, Some((&session, last_seq))).await {
            Ok((connection, _)) => return Ok(Some(Client::new(load, index, connection, last_seq))),
            Err(_) if *phases.borrow() == Phase::Ended => return Ok(None),
            Err(failure) => {
                let named = match failure {
                    Failure::Refused { retry_after_ms, .. } => retry_after_ms,
                    Failure::Ended(code) => {
                        load.tally.refusals.add(&code);
                        None
                    }
                };
                sleep(named.map_or(pause, Duration::from_millis).min(PAUSE_MAX)).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// Receives what was missed, or until the server says that it does not send it.
async fn catch_up(
    load: &Load,
    client: &mut Client,
    index: usize,
    phases: &mut watch::Receiver<Phase>,
) -> Result<(), Failure> {
    while load.behind(index) > 0 && *phases.borrow() != Phase::Ended {
        tokio::select! {
            received = client.receive_next() => received?,
            changed = phases.changed() => if changed.is_err() { return Ok(()) },
        }
    }
    Ok(())
}

/// Receives until a phase is one that is asked for, or the run ends: then that one.
async fn until(
    client: &mut Client,
    phases: &mut watch::Receiver<Phase>,
    is_asked_for: impl Fn(Phase) -> bool,
) -> Result<Phase, Failure> {
    loop {
        let phase = *phases.borrow_and_update();
        if phase == Phase::Ended || is_asked_for(phase) {
            return Ok(phase);
        }
        tokio::select! {
            received = client.receive_next() => received?,
            changed = phases.changed() => if changed.is_err() { return Ok(Phase::Ended) },
        }
    }
}
