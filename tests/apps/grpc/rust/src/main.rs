// SPDX-License-Identifier: Apache-2.0

//! gRPC's library for Rust, tonic, at both ends: ../../README.md.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::server::{NamedService, StreamingService};
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};

const PARTS: usize = 5;
const KINDS: [&str; 8] = [
    "Unary", "ServerStream", "ClientStream", "Both", "NotFound", "Internal", "Denied", "Unknown",
];

type Answers = ReceiverStream<Result<Vec<u8>, Status>>;
type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Messages are bytes.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}

fn refused(kind: &str) -> Option<Status> {
    let code = match kind {
        "NotFound" => Code::NotFound,
        "Internal" => Code::Internal,
        "Denied" => Code::PermissionDenied,
        "Unknown" => Code::Unimplemented,
        _ => return None,
    };
    Some(Status::new(code, "as asked"))
}

/// Answers the requests of one call as its kind asks.
async fn answer(kind: &str, mut requests: Streaming<Vec<u8>>, out: mpsc::Sender<Result<Vec<u8>, Status>>) {
    let mut all = Vec::new();
    while let Some(Ok(message)) = requests.next().await {
        let times = match kind {
            "ServerStream" => PARTS,
            "ClientStream" => 0,
            _ => 1,
        };
        if kind == "Slow" {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        for _ in 0..times {
            if out.send(Ok(message.clone())).await.is_err() {
                return;
            }
        }
        all.extend(message);
    }
    if kind == "ClientStream" {
        let _ = out.send(Ok(all)).await;
    }
    if kind == "Cancel" {
        out.closed().await;
    }
}

struct Handler(String);

impl StreamingService<Vec<u8>> for Handler {
    type Response = Vec<u8>;
    type ResponseStream = Answers;
    type Future = Later<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<Vec<u8>>>) -> Self::Future {
        let kind = self.0.clone();
        Box::pin(async move {
            if let Some(status) = refused(&kind) {
                return Err(status);
            }
            let (out, answers) = mpsc::channel(PARTS);
            tokio::spawn(async move { answer(&kind, request.into_inner(), out).await });
            Ok(Response::new(ReceiverStream::new(answers)))
        })
    }
}

#[derive(Clone)]
struct Peer;

impl NamedService for Peer {
    const NAME: &'static str = "weft.Test";
}

impl Service<http::Request<Body>> for Peer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Later<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let name = request.uri().path().rsplit('/').next().unwrap_or("");
        let kind = name.split('_').next().unwrap_or("").to_string();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).streaming(Handler(kind), request).await) })
    }
}

/// The status that the library tells of one call.
async fn one(channel: Channel, kind: &str, number: usize) -> Code {
    let mut client = tonic::client::Grpc::new(channel);
    let many = kind == "ClientStream" || kind == "Both";
    let messages = vec![vec![b'x'; 100]; if many { PARTS } else { 1 }];
    let mut request = Request::new(tokio_stream::iter(messages));
    let path = format!("/weft.Test/{kind}_{number}").parse().unwrap();
    request.set_timeout(Duration::from_millis(if kind == "Slow" { 300 } else { 30000 }));
    if let Err(error) = client.ready().await {
        eprintln!("{error}");
        return Code::Unavailable;
    }
    let mut answers = match client.streaming(request, path, Raw).await {
        Ok(response) => response.into_inner(),
        Err(status) => return status.code(),
    };
    // without an answer until the first message: the library's own limit ends with the head
    let limit = Duration::from_millis(if kind == "Slow" { 300 } else { 30000 });
    loop {
        match tokio::time::timeout(limit, answers.message()).await {
            Err(_) => return Code::DeadlineExceeded,
            Ok(Err(status)) => return status.code(),
            Ok(Ok(None)) => return Code::Ok,
            Ok(Ok(Some(_))) if kind == "Cancel" => return Code::Cancelled, // by letting go of it
            Ok(Ok(Some(_))) => {}
        }
    }
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        _ => "UNKNOWN",
    }
}

async fn call(port: &str, count: usize, threads: usize) {
    let channel = Channel::from_shared(format!("http://127.0.0.1:{port}")).unwrap().connect().await.unwrap();
    let work: Vec<_> = (0..count).flat_map(|n| KINDS.map(|kind| (kind, n))).collect();
    let (work, counts) = (Arc::new(Mutex::new(work)), Arc::new(Mutex::new(BTreeMap::new())));
    let tell = |kind: &str, code| {
        *counts.lock().unwrap().entry(format!("{kind} {}", name(code))).or_insert(0) += 1;
    };
    let mut tasks = Vec::new();
    for _ in 0..threads {
        let (work, counts, channel) = (work.clone(), counts.clone(), channel.clone());
        tasks.push(tokio::spawn(async move {
            loop {
                let Some((kind, number)) = work.lock().unwrap().pop() else { return };
                let told = format!("{kind} {}", name(one(channel.clone(), kind, number).await));
                *counts.lock().unwrap().entry(told).or_insert(0) += 1;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for number in 0..3 {
        tell("Slow", one(channel.clone(), "Slow", number).await);
        tell("Cancel", one(channel.clone(), "Cancel", number).await);
    }
    // until the slow ones are over at the server, too
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let told: Vec<_> = counts.lock().unwrap().iter().map(|(told, n)| format!("\"{told}\": {n}")).collect();
    println!("{{{}}}", told.join(", "));
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    if words[1] == "serve" {
        let address = format!("127.0.0.1:{}", words[2]).parse().unwrap();
        Server::builder().add_service(Peer).serve(address).await.unwrap();
    } else {
        call(&words[2], words[3].parse().unwrap(), words[4].parse().unwrap()).await;
    }
}
