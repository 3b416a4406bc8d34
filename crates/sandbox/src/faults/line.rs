//! Connections that can end at any byte, or crawl.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

/// Accepts connections whose fate a handler may decide.
pub(crate) struct Lines<F> {
    listener: TcpListener,
    accepted: F,
}

/// One connection.
pub(crate) struct Line {
    stream: TcpStream,
    peer: Peer,
    pause: Option<Pin<Box<Sleep>>>,
}

/// Who is at the other end, and what is to become of the answer under way.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    fate: Arc<Mutex<Fate>>,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Whole,
    /// It ends where so much of it was sent: a share in 2^32 of its head and its `body` bytes.
    EndsWithin {
        share: u32,
        body: u64,
        reset: bool,
    },
    /// It ends after so many bytes more.
    EndsAfter {
        bytes: u64,
        reset: bool,
    },
    /// It comes byte by byte.
    Drips(Duration),
}

impl<F: FnMut() + Send + 'static> Lines<F> {
    /// `accepted` is told of every connection.
    pub(crate) fn new(listener: TcpListener, accepted: F) -> Self {
        Self { listener, accepted }
    }
}

impl<F: FnMut() + Send + 'static> Listener for Lines<F> {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (self.accepted)();
        let _ = stream.set_nodelay(true);
        let peer = Peer { address, fate: Arc::new(Mutex::new(Fate::Whole)) };
        (Line { stream, peer, pause: None }, address)
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl<F: FnMut() + Send + 'static> Connected<IncomingStream<'_, Lines<F>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Lines<F>>) -> Self {
        stream.io().peer.clone()
    }
}

impl Peer {
    /// Decides about the next answer. A client that sends its next request before it has the answer may lose both.
    pub(super) fn decide(&self, fate: Fate) {
        *self.fate.lock().unwrap_or_else(PoisonError::into_inner) = fate;
    }

    /// Lets the next answer pass.
    pub(crate) fn spare(&self) {
        self.decide(Fate::Whole);
    }

    fn fate(&self) -> Fate {
        *self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn end(&self, reset: bool) -> Poll<Result<usize>> {
        if reset {
            let _ = self.stream.set_zero_linger();
        }
        Poll::Ready(Err(Error::new(ErrorKind::ConnectionAborted, "a fault ends the connection")))
    }

    /// Writes a single byte, and none before the pause after the last one is over.
    fn drip(&mut self, cx: &mut Context, bytes: &[u8], every: Duration) -> Poll<Result<usize>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..bytes.len().min(1)]))?;
        self.pause = Some(Box::pin(sleep(every)));
        Poll::Ready(Ok(written))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context, bytes: &[u8]) -> Poll<Result<usize>> {
        let mut fate = self.peer.fate();
        if let Fate::EndsWithin { share, body, reset } = fate {
            // The server writes a head in one piece.
            let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
            let whole = u128::from(body) + head as u128;
            let bytes = u64::try_from((whole * u128::from(share)) >> 32).unwrap_or(u64::MAX);
            fate = Fate::EndsAfter { bytes, reset };
        }
        match fate {
            Fate::Whole | Fate::EndsWithin { .. } => Pin::new(&mut self.stream).poll_write(cx, bytes),
            Fate::Drips(every) => self.drip(cx, bytes, every),
            Fate::EndsAfter { bytes: 0, reset } => self.end(reset),
            Fate::EndsAfter { bytes: left, reset } => {
                let some = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..some]))?;
                self.peer.decide(Fate::EndsAfter { bytes: left - written as u64, reset });
                Poll::Ready(Ok(written))
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        pieces: &[IoSlice],
    ) -> Poll<Result<usize>> {
        if matches!(self.peer.fate(), Fate::Whole) {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        }
        let first = pieces.iter().find(|piece| !piece.is_empty()).map_or(&[][..], |piece| piece);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context, into: &mut ReadBuf) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}
