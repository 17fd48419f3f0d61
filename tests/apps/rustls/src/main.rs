// SPDX-License-Identifier: Apache-2.0

//! rustls at either end, below hyper, or by itself:
//!
//!     rustlspeer serve PORT CERTIFICATE KEY
//!     rustlspeer ask PORT FIRST LAST WORKERS [1.2] [h1] [plain]
//!
//! The server answers /item/NUMBER with the number, as often as ?times= says. The client asks for
//! each number once, by HTTP/2 unless told otherwise, and prints how many answers were right.
//! `plain`: threads that use rustls on sockets of their own.

use std::convert::Infallible;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream as PlainStream;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
    StreamOwned,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let number = request.uri().path().trim_start_matches("/item/").to_string();
    let times = request
        .uri()
        .query()
        .and_then(|query| query.trim_start_matches("times=").parse().ok())
        .unwrap_or(0usize);
    let _ = request.into_body().collect().await;
    Ok(Response::new(Full::new(number.repeat(times + 1).into())))
}

fn lines(path: &str) -> BufReader<File> {
    BufReader::new(File::open(path).unwrap())
}

async fn serve(port: u16, certificate: &str, key: &str) {
    let chain = rustls_pemfile::certs(&mut lines(certificate)).map(Result::unwrap).collect();
    let key = rustls_pemfile::private_key(&mut lines(key)).unwrap().unwrap();
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let stream = acceptor.accept(socket).await?;
            let is_2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let io = TokioIo::new(stream);
            if is_2 {
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(io, service_fn(answer))
                    .await?;
            } else {
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(io, service_fn(answer))
                    .await?;
            }
            Ok::<(), Failure>(())
        });
    }
}

/// Any certificate will do.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn client_config(options: &[String]) -> Arc<ClientConfig> {
    let has = |word: &str| options.iter().any(|option| option == word);
    let versions = if has("1.2") { vec![&TLS12] } else { vec![&TLS13] };
    let mut config = ClientConfig::builder_with_protocol_versions(&versions)
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    let protocol: &[u8] = if has("h1") || has("plain") { b"http/1.1" } else { b"h2" };
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

/// Every seventh question has a body that takes several records, every fifth an answer that does.
struct Question {
    method: &'static str,
    path: String,
    body: String,
    wanted: String,
}

fn question(number: usize) -> Question {
    let (times, is_long) = if number % 5 == 0 { (10000, true) } else { (1, false) };
    let has_body = number % 7 == 0;
    Question {
        method: if has_body { "POST" } else { "GET" },
        path: format!("/item/{number}{}", if is_long { "?times=9999" } else { "" }),
        body: if has_body { "b".repeat(40000 + number) } else { String::new() },
        wanted: number.to_string().repeat(times),
    }
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

type Body = Full<Bytes>;

enum Sender {
    One(hyper::client::conn::http1::SendRequest<Body>),
    Two(hyper::client::conn::http2::SendRequest<Body>),
}

impl Sender {
    async fn connect(port: u16, config: Arc<ClientConfig>) -> Result<Sender, Failure> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        let stream = TlsConnector::from(config).connect(name(), socket).await?;
        let is_2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(stream);
        if is_2 {
            let (sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            return Ok(Sender::Two(sender));
        }
        let (sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        Ok(Sender::One(sender))
    }

    async fn ask(&mut self, port: u16, number: usize) -> Result<bool, Failure> {
        let asked = question(number);
        let host = format!("127.0.0.1:{port}");
        let request = Request::builder().method(asked.method);
        let body = Full::new(asked.body.into());
        let answer = match self {
            Sender::One(one) => {
                one.ready().await?;
                let request = request.uri(asked.path).header("host", host).body(body)?;
                one.send_request(request).await?
            }
            Sender::Two(two) => {
                two.ready().await?;
                let uri = format!("https://{host}{}", asked.path);
                two.send_request(request.uri(uri).body(body)?).await?
            }
        };
        Ok(answer.into_body().collect().await?.to_bytes() == asked.wanted)
    }
}

async fn worker(port: u16, config: Arc<ClientConfig>, numbers: Vec<usize>) -> usize {
    let mut right = 0;
    let mut sender = Sender::connect(port, config).await.unwrap();
    for number in numbers {
        match sender.ask(port, number).await {
            Ok(true) => right += 1,
            Ok(false) => eprintln!("request {number}: another answer"),
            Err(error) => eprintln!("request {number}: {error}"),
        }
    }
    right
}

fn plain_ask(
    stream: &mut StreamOwned<ClientConnection, PlainStream>,
    number: usize,
) -> std::io::Result<bool> {
    let asked = question(number);
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        asked.method,
        asked.path,
        asked.body.len()
    );
    stream.write_all(format!("{head}{}", asked.body).as_bytes())?;
    let (mut got, mut part) = (Vec::new(), [0; 5000]);
    loop {
        let n = stream.read(&mut part)?;
        got.extend_from_slice(&part[..n]);
        let end = got.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            if n == 0 || got.len() - end - 4 >= asked.wanted.len() {
                return Ok(&got[end + 4..] == asked.wanted.as_bytes());
            }
        }
    }
}

fn plain_worker(port: u16, config: Arc<ClientConfig>, numbers: Vec<usize>) -> usize {
    let socket = PlainStream::connect(("127.0.0.1", port)).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(config, name()).unwrap(), socket);
    numbers.into_iter().filter(|number| plain_ask(&mut stream, *number).unwrap()).count()
}

async fn ask(port: u16, numbers: [usize; 3], options: &[String]) {
    let [first, last, workers] = numbers;
    let config = client_config(options);
    let is_plain = options.iter().any(|option| option == "plain");
    let tasks: Vec<_> = (0..workers)
        .map(|i| {
            let (config, own) = (config.clone(), (first + i..=last).step_by(workers).collect());
            if is_plain {
                tokio::task::spawn_blocking(move || plain_worker(port, config, own))
            } else {
                tokio::spawn(worker(port, config, own))
            }
        })
        .collect();
    let mut right = 0;
    for task in tasks {
        right += task.await.unwrap_or(0);
    }
    println!("{right}");
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let port = words[1].parse().unwrap();

    if words[0] == "serve" {
        return serve(port, &words[2], &words[3]).await;
    }
    let number = |i: usize| words[i].parse().unwrap();
    ask(port, [number(2), number(3), number(4)], &words[5..]).await;
}
