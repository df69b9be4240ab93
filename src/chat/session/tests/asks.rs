//! Answers of sessions to asks.

use std::num::NonZeroU32;

use super::*;
use crate::{
    chat::{Answer, AskRequest, ports::EmitTarget},
    domain::{AskId, AskOutcome, CustomEvent, EventName},
};

const WAIT: Duration = Duration::from_secs(1);

fn whoami() -> AskRequest {
    let (name, args) = (EventName::from_raw("whoami"), Body::from_raw("[]".into(), vec![]));
    let (space, to) = (Space::root(), EmitTarget::Space);
    AskRequest { space, event: CustomEvent { name, args }, to, except: None, wait: WAIT }
}

/// The answer to the ask with this number.
fn answer(ask: u64) -> Request {
    let args = Body::from_raw("[1]".into(), Vec::new());
    Request::AnswerAsk { ask: AskId::from_raw(ask), args }
}

/// The outcome of an ask that `session` answers with `request`.
async fn outcome(
    fixture: &Fixture,
    session: &mut Session,
    request: Request,
) -> (AskOutcome, Reply) {
    let (outcome, reply) = tokio::join!(fixture.chat.ask(whoami()), ask(session, request));
    (outcome.unwrap(), reply)
}

#[tokio::test(start_paused = true)]
async fn answers_count_as_messages_and_those_that_nobody_awaits_are_ignored() {
    let one = NonZeroU32::MIN;
    let limits =
        Limits { messages_per_second_max: one, messages_burst_max: one, ..Limits::default() };
    with_chat_on(&Arc::default(), limits, async |fixture| {
        let (mut session, _outbox) = fixture.enter(None).await;
        let (first, reply) = outcome(fixture, &mut session, answer(1)).await;
        assert_eq!((first.answers.len(), first.missing), (1, 0));
        assert!(matches!(reply, Ok(Answer::Acknowledged)));
        let (second, reply) = outcome(fixture, &mut session, answer(2)).await;
        assert_eq!((second.answers.len(), second.missing), (0, 1));
        assert!(matches!(reply, Err(Rejection::TooFast { .. })));
        for late_or_invented in [1, 2, 99] {
            let reply = ask(&mut session, answer(late_or_invented)).await;
            assert!(matches!(reply, Ok(Answer::Acknowledged)), "{late_or_invented}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_names_the_connection_and_its_user() {
    with_chat(async |fixture| {
        let token = fixture.token("ann", Duration::from_mins(1));
        let (mut ann, _outbox) = fixture.enter(Some(token)).await;
        let (outcome, _reply) = outcome(fixture, &mut ann, answer(1)).await;
        let [answer] = &outcome.answers[..] else { panic!("{outcome:?}") };
        assert_eq!(answer.user, UserName::parse("ann").ok());
        assert_eq!((&answer.connection, answer.args.json()), (&ann.address(), "[1]"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_ask_during_a_drain_ends_at_once() {
    with_chat(async |fixture| {
        let (_session, _outbox) = fixture.enter(None).await;
        fixture.chat.drain();
        let begun_at = fixture.chat.hub.now();
        assert_eq!(fixture.chat.ask(whoami()).await.unwrap().missing, 1);
        assert_eq!(fixture.chat.hub.now(), begun_at);
    })
    .await;
}
