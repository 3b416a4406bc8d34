//! What happens to an answer on its way, and the connections that can end at any byte or crawl.

use std::io::{Error, ErrorKind, IoSlice, Result as IoResult};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::connect_info::Connected;
use axum::http::Response;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

use super::selection::ActiveFault;
use super::spec::{FaultKind, milliseconds, no_argument};

/// What happens to an answer on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The connection is reset before the first byte.
    Reset,
    /// The connection is closed before the first byte.
    Close,
    /// The connection ends after so many bytes of the answer, or within it where the seed has it; closed or reset, as
    /// the seed has it.
    Cut(Option<u64>),
    /// It does not come until the client goes away.
    Hang,
    /// It comes so much later.
    Latency(Duration),
    /// It comes byte by byte, so far apart, from the status line on.
    SlowDrip(Duration),
    /// The body stops in the middle, and its length says that it is whole.
    Truncated,
    /// The body is called something else.
    ContentType(String),
}

impl Transport {
    pub(super) fn parse(name: &str, argument: Option<&str>) -> Option<Result<Self, &'static str>> {
        Some(match name {
            "reset" => no_argument(argument, Self::Reset),
            "close" => no_argument(argument, Self::Close),
            "cut" => match argument.map(str::parse) {
                None => Ok(Self::Cut(None)),
                Some(Ok(byte)) => Ok(Self::Cut(Some(byte))),
                Some(Err(_)) => Err("the argument is a number of bytes"),
            },
            "hang" => no_argument(argument, Self::Hang),
            "latency" => milliseconds(argument, 1_000).map(Self::Latency),
            "slow-drip" => milliseconds(argument, 100).map(Self::SlowDrip),
            "truncated" => no_argument(argument, Self::Truncated),
            "content-type" => content_type(argument.unwrap_or("text/html")).map(Self::ContentType),
            _ => return None,
        })
    }
}

fn content_type(text: &str) -> Result<String, &'static str> {
    let sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if sound { Ok(text.to_owned()) } else { Err("the argument is a content type") }
}

impl ActiveFault<'_> {
    /// The answer to send, which may be damaged or late, and `peer` may be set to lose some of it.
    pub(crate) async fn deliver(&self, mut response: Response<Body>, peer: &Peer) -> Response<Body> {
        let reset = self.random & 1 == 1;
        let FaultKind::Transport(transport) = self.kind else { return response };
        match transport {
            Transport::Reset => peer.set_delivery(Delivery::CutAfter { bytes: 0, reset: true }),
            Transport::Close => peer.set_delivery(Delivery::CutAfter { bytes: 0, reset: false }),
            Transport::Cut(Some(byte)) => peer.set_delivery(Delivery::CutAfter { bytes: *byte, reset }),
            Transport::Cut(None) => {
                let share = u32::try_from(self.random >> 32).unwrap_or_default();
                let body = response.body().size_hint().exact().unwrap_or_default();
                peer.set_delivery(Delivery::CutWithin { share, body, reset });
            }
            Transport::Hang => std::future::pending().await,
            Transport::Latency(time) => sleep(*time).await,
            Transport::SlowDrip(pause) => peer.set_delivery(Delivery::ByteByByte(*pause)),
            Transport::ContentType(name) => {
                if let Ok(name) = HeaderValue::try_from(name) {
                    response.headers_mut().insert(CONTENT_TYPE, name);
                }
            }
            Transport::Truncated => return self.truncated(response).await,
        }
        response
    }

    /// The first part of a body, without its last byte at least.
    async fn truncated(&self, response: Response<Body>) -> Response<Body> {
        let (head, body) = response.into_parts();
        let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let length = u64::try_from(whole.len()).unwrap_or(u64::MAX).saturating_sub(1);
        let end = u64::try_from((u128::from(self.random) * u128::from(length)) >> 64).unwrap_or_default();
        Response::from_parts(head, whole.slice(..usize::try_from(end).unwrap_or_default()).into())
    }
}

/// Accepts connections whose delivery a fault may change.
pub(crate) struct FaultListener<F> {
    listener: TcpListener,
    accepted: F,
}

/// One connection.
pub(crate) struct FaultStream {
    stream: TcpStream,
    peer: Peer,
    pause: Option<Pin<Box<Sleep>>>,
}

/// The client of a connection, and how the next answer is delivered to it.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    delivery: Arc<Mutex<Delivery>>,
}

/// How an answer is delivered.
#[derive(Clone, Copy, Debug)]
enum Delivery {
    Whole,
    /// It ends where so much of it was sent: a share in 2^32 of its head and its `body` bytes.
    CutWithin {
        share: u32,
        body: u64,
        reset: bool,
    },
    /// It ends after so many bytes more.
    CutAfter {
        bytes: u64,
        reset: bool,
    },
    /// With a pause after each byte.
    ByteByByte(Duration),
}

impl<F: FnMut() + Send + 'static> FaultListener<F> {
    /// `accepted` is called for every connection.
    pub(crate) fn new(listener: TcpListener, accepted: F) -> Self {
        Self { listener, accepted }
    }
}

impl<F: FnMut() + Send + 'static> Listener for FaultListener<F> {
    type Io = FaultStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (FaultStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (self.accepted)();
        let _ = stream.set_nodelay(true);
        let peer = Peer { address, delivery: Arc::new(Mutex::new(Delivery::Whole)) };
        (FaultStream { stream, peer, pause: None }, address)
    }

    fn local_addr(&self) -> IoResult<SocketAddr> {
        self.listener.local_addr()
    }
}

impl<F: FnMut() + Send + 'static> Connected<IncomingStream<'_, FaultListener<F>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, FaultListener<F>>) -> Self {
        stream.io().peer.clone()
    }
}

impl Peer {
    /// Decides about the next answer. A client that sends its next request before it has the answer may lose both.
    fn set_delivery(&self, delivery: Delivery) {
        *self.delivery.lock().unwrap_or_else(PoisonError::into_inner) = delivery;
    }

    /// Lets the next answer pass as a whole.
    pub(crate) fn reset_delivery(&self) {
        self.set_delivery(Delivery::Whole);
    }

    fn delivery(&self) -> Delivery {
        *self.delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultStream {
    fn end(&self, reset: bool) -> Poll<IoResult<usize>> {
        if reset {
            let _ = self.stream.set_zero_linger();
        }
        Poll::Ready(Err(Error::new(ErrorKind::ConnectionAborted, "a fault ends the connection")))
    }

    /// Writes a single byte, and none before the pause after the last one is over.
    fn write_slowly(&mut self, cx: &mut Context, bytes: &[u8], pause: Duration) -> Poll<IoResult<usize>> {
        if let Some(last) = &mut self.pause {
            ready!(last.as_mut().poll(cx));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..bytes.len().min(1)]))?;
        self.pause = Some(Box::pin(sleep(pause)));
        Poll::Ready(Ok(written))
    }
}

impl AsyncWrite for FaultStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context, bytes: &[u8]) -> Poll<IoResult<usize>> {
        let mut delivery = self.peer.delivery();
        if let Delivery::CutWithin { share, body, reset } = delivery {
            // The server writes a head in one piece.
            let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
            let whole = u128::from(body) + head as u128;
            let bytes = u64::try_from((whole * u128::from(share)) >> 32).unwrap_or(u64::MAX);
            delivery = Delivery::CutAfter { bytes, reset };
        }
        match delivery {
            Delivery::Whole | Delivery::CutWithin { .. } => Pin::new(&mut self.stream).poll_write(cx, bytes),
            Delivery::ByteByByte(pause) => self.write_slowly(cx, bytes, pause),
            Delivery::CutAfter { bytes: 0, reset } => self.end(reset),
            Delivery::CutAfter { bytes: left, reset } => {
                let some = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..some]))?;
                self.peer.set_delivery(Delivery::CutAfter { bytes: left - written as u64, reset });
                Poll::Ready(Ok(written))
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        pieces: &[IoSlice],
    ) -> Poll<IoResult<usize>> {
        if matches!(self.peer.delivery(), Delivery::Whole) {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        }
        let first = pieces.iter().find(|piece| !piece.is_empty()).map_or(&[][..], |piece| piece);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<IoResult<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<IoResult<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for FaultStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context, into: &mut ReadBuf) -> Poll<IoResult<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}
