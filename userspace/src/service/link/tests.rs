use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    net::UnixStream,
};

use super::{
    answer::JSON,
    frame::{Ask, Head, MOST_TO_TRACER},
    question::ConnectionFilter,
    *,
};

fn settings() -> Settings {
    let token = Some("secret".to_owned());
    Settings { names: vec!["db1".to_owned()], token, ..Settings::default() }
}

/// A link whose other end is written by hand.
fn by_hand() -> (Link<DuplexStream>, DuplexStream) {
    let (tracer, web) = duplex(1 << 16);
    (Link::new(tracer, &settings()).unwrap(), web)
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

fn text(answer: &str) -> Answer {
    Answer::new("text/plain", answer.to_owned())
}

#[test]
fn messages_survive_the_way() {
    let question = Question::Connections(ConnectionFilter { limit: 5, ..ConnectionFilter::default() });
    let ask = Ask { id: 7, question };
    assert_eq!(Ask::read(&ask.bytes().unwrap()).unwrap(), ask);
    let long = ConnectionFilter { socket: Some("x".repeat(MOST_TO_TRACER)), ..ConnectionFilter::default() };
    assert!(Ask { id: 7, question: Question::Connections(long) }.bytes().is_none());
    for head in [
        Head::Settings(settings()),
        Head::Answer { id: 1, status: 200, content_type: JSON.to_owned(), verdicts: None },
        Head::Answer { id: 1, status: 200, content_type: JSON.to_owned(), verdicts: Some(String::new()) },
        Head::Event { with_argv: true, dropped: 3 },
    ] {
        for body in [&b""[..], b"\n", b"a\nb\0\xff"] {
            let (read, rest) = Head::read(head.bytes(body).unwrap()).unwrap();
            assert_eq!((&read, &rest[..]), (&head, body));
        }
    }
    for bad in [&b""[..], b"{}", b"{}\n", b"\n", b"{\"answer\":{}}\nx"] {
        assert!(Head::read(Bytes::from_static(bad)).is_err(), "{bad:?}");
    }
    assert!(!format!("{:?}", settings()).contains("secret"));
}

#[tokio::test]
async fn what_is_no_question_ends_the_link() {
    for bad in [
        frame(b""),
        frame(b"null"),
        frame(b"{\"id\":1}"),
        frame(b"{\"id\":1,\"question\":\"rm\"}"),
        frame(b"{\"id\":-1,\"question\":\"health\"}"),
        frame(b"{\"id\":1,\"question\":\"health\",\"more\":1}"),
        frame(b"{\"id\":1,\"question\":{\"connections\":{\"limit\":4294967296}}}"),
        frame(b"\xff\xfe"),
        frame(&[b' '; MOST_TO_TRACER + 1]),
        u32::MAX.to_be_bytes().to_vec(),
        // Cut off in the middle.
        frame(b"{\"id\":1,\"question\":\"health\"}")[..9].to_vec(),
    ] {
        let (mut link, mut web) = by_hand();
        web.write_all(&bad).await.unwrap();
        web.shutdown().await.unwrap();
        assert!(link.next().await.is_err(), "{bad:?}");
    }
    let (mut link, web) = by_hand();
    drop(web);
    assert!(matches!(link.next().await, Ok(None) | Err(LinkError::Io(_))));
}

/// A tracer's loop drops `next` whenever something else happens: no byte may be lost by that.
#[tokio::test]
async fn nothing_is_lost_when_waiting_is_given_up() {
    let (mut link, mut web) = by_hand();
    for byte in frame(b"{\"id\":9,\"question\":\"health\"}") {
        web.write_all(&[byte]).await.unwrap();
        tokio::select! {
            biased;
            asked = link.next() => {
                assert_eq!(asked.unwrap(), Some(Asked { id: 9, question: Question::Health }));
                return;
            }
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(link.next().await.unwrap(), Some(Asked { id: 9, question: Question::Health }));
}

/// A web process that asks and does not read makes the tracer stop reading, and not grow.
#[tokio::test]
async fn answers_that_are_not_taken_up_stop_further_questions() {
    let (mut link, mut web) = by_hand();
    let ask = frame(b"{\"id\":1,\"question\":\"health\"}");
    web.write_all(&ask.repeat(100)).await.unwrap();
    let large = Answer { body: vec![b'x'; 300 << 10].into(), ..text("") };
    let mut answered = 0;
    loop {
        tokio::select! {
            biased;
            asked = link.next() => {
                link.answer(asked.unwrap().unwrap().id, &large).unwrap();
                answered += 1;
            }
            () = tokio::task::yield_now() => break,
        }
    }
    assert!((3..10).contains(&answered), "{answered} answers are kept");
    // Once they are read it goes on.
    let reading = tokio::spawn(async move {
        let mut all = vec![0; 1 << 20];
        while web.read(&mut all).await.is_ok_and(|length| length > 0) {}
    });
    while answered < 100 {
        let asked = link.next().await.unwrap().unwrap();
        link.answer(asked.id, &large).unwrap();
        answered += 1;
    }
    drop(link);
    reading.await.unwrap();
}

/// The link and an asker on a real pair of sockets.
fn pair() -> (Link<UnixStream>, Asker) {
    let (tracer, web) = UnixStream::pair().unwrap();
    let (asker, half) = Asker::new(web);
    tokio::spawn(half);
    (Link::new(tracer, &settings()).unwrap(), asker)
}

#[tokio::test]
async fn who_asks_the_same_at_a_time_shares_the_answer() {
    let (mut link, asker) = pair();
    let crowd: Vec<_> = (0..200)
        .map(|nth| {
            let asker = asker.clone();
            let question = if nth % 2 == 0 { Question::Health } else { Question::Sockets };
            tokio::spawn(async move { asker.ask(question).await.unwrap().answer.body.clone() })
        })
        .collect();
    // All have asked before the tracer looks.
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    let tracer = tokio::spawn(async move {
        let mut asked = 0;
        while let Ok(Some(question)) = link.next().await {
            asked += 1;
            link.answer(question.id, &text(&format!("{:?}", question.question))).unwrap();
        }
        asked
    });
    for (nth, it) in crowd.into_iter().enumerate() {
        assert_eq!(it.await.unwrap(), if nth % 2 == 0 { "Health" } else { "Sockets" });
    }
    drop(asker);
    assert!(tracer.await.unwrap() <= 4);
}

#[tokio::test]
async fn too_long_too_many_and_nobody_there() {
    let (link, asker) = pair();
    let long = ConnectionFilter { program: Some("x".repeat(5000)), ..ConnectionFilter::default() };
    assert_eq!(asker.ask(Question::Connections(long)).await.unwrap_err(), AskError::TooLong);
    let crowd: Vec<_> = (0..600)
        .map(|id| {
            let asker = asker.clone();
            tokio::spawn(async move { asker.ask(Question::Connection { id, with_argv: false }).await })
        })
        .collect();
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    drop(link);
    let mut refused = Vec::new();
    for it in crowd {
        refused.push(it.await.unwrap().unwrap_err());
    }
    assert!(refused.contains(&AskError::Busy) && refused.contains(&AskError::Gone), "{refused:?}");
    assert_eq!(asker.ask(Question::Health).await.unwrap_err(), AskError::Gone);
    let known = asker.settings().await;
    assert!(known.is_none_or(|known| *known == settings()));
}

#[tokio::test]
async fn events_come_in_order_and_as_the_reader_may_see_them() {
    let (mut link, asker) = pair();
    let event = |nth: u64| json!({"type": "connect", "connection": nth, "argv": ["x", "--password=y"]});
    link.event(&event(0)).unwrap();
    assert!(!link.wants_events());
    let tracer = tokio::spawn(async move {
        let asked = link.next().await.unwrap().unwrap();
        assert!(link.wants_events());
        for nth in 1..=500 {
            link.event(&event(nth)).unwrap();
        }
        link.answer(asked.id, &text("")).unwrap();
        // Both readers have gone: the link says so by wanting no more.
        while link.wants_events() {
            tokio::select! {
                asked = link.next() => assert_eq!(asked.unwrap(), None),
                () = tokio::task::yield_now() => {}
            }
        }
        link.dropped()
    });
    let mut plain = asker.subscribe(false).await.unwrap();
    let mut full = asker.subscribe(true).await.unwrap();
    asker.ask(Question::Health).await.unwrap();
    for nth in 1..=500 {
        let seen: Value = serde_json::from_slice(&plain.events.recv().await.unwrap().text).unwrap();
        assert_eq!(seen, json!({"type": "connect", "connection": nth, "argv": null}));
        let seen: Value = serde_json::from_slice(&full.events.recv().await.unwrap().text).unwrap();
        assert_eq!(seen["argv"][1], "--password=y");
    }
    drop((plain, full));
    assert_eq!(tracer.await.unwrap(), 0);
}

#[tokio::test]
async fn events_that_are_not_taken_up_are_dropped_and_counted() {
    let (mut link, mut web) = by_hand();
    web.write_all(&frame(b"{\"id\":1,\"question\":{\"subscribe\":{\"with_argv\":true}}}")).await.unwrap();
    while !link.wants_events() {
        tokio::select! {
            biased;
            asked = link.next() => assert_eq!(asked.unwrap(), None),
            () = tokio::task::yield_now() => {}
        }
    }
    for _ in 0..100 {
        link.event(&json!({"x": "y".repeat(10 << 10)})).unwrap();
    }
    assert!((40..60).contains(&link.dropped()), "{}", link.dropped());
}

#[tokio::test]
async fn memory_for_answers_is_bounded() {
    let (_link, asker) = pair();
    let most = asker.reserve(100 << 20);
    assert_eq!(asker.reserve(40 << 20).err(), Some(AskError::Busy));
    drop(most);
    assert!(asker.reserve(40 << 20).is_ok());
}
