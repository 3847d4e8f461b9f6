//! The server, and a tracer for it.

use std::net::SocketAddr;

use serde_json::Value;
use sockleak::service::{
    link::{Link, Settings, respond},
    web::{
        self,
        listen::{Address, Listener},
    },
};
use sockleak_core::attribution::by::By;
use tokio::{net::UnixStream, sync::mpsc};

pub(crate) use crate::fake::Fake;

use crate::scene::Scene;

pub(crate) const TOKEN: &str = "correct horse battery staple";

/// A server that runs until the test ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Events for those who want them.
    pub(crate) events: mpsc::UnboundedSender<Value>,
}

pub(crate) fn settings() -> Settings {
    Settings { names: vec!["db1.example".to_owned()], token: Some(TOKEN.to_owned()), ..Settings::default() }
}

impl Server {
    pub(crate) fn of(scene: &Scene) -> Self {
        Self::start(Fake::new(scene, By::Program), &settings())
    }

    pub(crate) fn start(fake: Fake, settings: &Settings) -> Self {
        let listening = Address::Tcp(([127, 0, 0, 1], 0).into()).bind().unwrap();
        let listener = Listener::new(listening).unwrap();
        let Listener::Tcp(tcp) = &listener else { unreachable!("it was bound to TCP") };
        let address = tcp.local_addr().unwrap();
        let (tracer, link) = UnixStream::pair().unwrap();
        let (events, told) = mpsc::unbounded_channel();
        tokio::spawn(trace(fake, Link::new(tracer, settings).unwrap(), told));
        tokio::spawn(web::serve(link, vec![listener]));
        Self { address, events }
    }
}

async fn trace(mut fake: Fake, mut link: Link<UnixStream>, mut events: mpsc::UnboundedReceiver<Value>) {
    loop {
        tokio::select! {
            asked = link.next() => match asked.unwrap() {
                Some(asked) => {
                    let answer = respond(&mut fake, &asked.question);
                    link.answer(asked.id, &answer).unwrap();
                }
                None => return,
            },
            Some(event) = events.recv() => link.event(&event).unwrap(),
        }
    }
}
