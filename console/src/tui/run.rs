//! The loop of the console: takes messages from the terminal, the daemon, the clock and signals, performs the effects, and
//! draws what changed.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures_util::StreamExt;
use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::time::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::app::App;
use super::ask::{Ask, Reply, send};
use super::message::{Effect, Message};
use super::paint::Painter;
use super::theme::Theme;
use super::{terminal, view};

/// Shortest time between two pictures: about thirty a second.
const FRAME: Duration = Duration::from_millis(33);
/// Time between two ticks: what the console shows of time has seconds.
const TICK: Duration = Duration::from_secs(1);
/// Capacity of the message queue. If a console cannot keep up, the daemon drops events and reports it.
const WAITING: usize = 256;
/// Time limit of an answer: reports rank for every evaluated shopper.
const PATIENCE: Duration = Duration::from_secs(300);
/// Time limit of the status.
const STATUS_PATIENCE: Duration = Duration::from_secs(10);
/// Silence of the stream after which it counts as broken; heartbeats come far more often.
const STREAM_SILENCE: Duration = Duration::from_secs(60);
/// Added to the number of a signal for the exit code, as shells do.
const BY_SIGNAL: u8 = 128;

/// Runs the console on this terminal until it is left; returns the exit code. Starts also when no daemon runs.
pub(crate) fn run(socket: PathBuf) -> u8 {
    // A thread of its own: the caller may be inside a runtime, and one may not be started inside another.
    std::thread::spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failed(&error),
        };
        let code = match terminal::take() {
            Ok(_taken) => runtime.block_on(live(socket)),
            Err(error) => Err(error),
        };
        // Questions still under way must not hold the operator back.
        runtime.shutdown_background();
        code.unwrap_or_else(|error| failed(&error))
    })
    .join()
    .unwrap_or(exit::FAILED)
}

fn failed(error: &std::io::Error) -> u8 {
    let _ = writeln!(std::io::stderr(), "mercer: the terminal cannot be used: {error}");
    exit::FAILED
}

/// Signals that end or disturb the console.
struct Signals {
    terminate: Signal,
    hangup: Signal,
    interrupt: Signal,
    resumed: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            resumed: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }
}

/// Targets of effects: the daemon, its stream of events, the terminal.
struct Outside {
    client: Client,
    messages: mpsc::Sender<Message>,
    stream: Option<JoinHandle<()>>,
}

/// What the loop must do after an effect.
enum Then {
    Nothing,
    Repaint,
    Quit,
}

impl Outside {
    fn perform(&mut self, effect: Effect) -> std::io::Result<Then> {
        match effect {
            Effect::Ask(ask) => {
                let (client, messages) = (self.client.clone(), self.messages.clone());
                tokio::spawn(async move {
                    let patience = if ask == Ask::Status { STATUS_PATIENCE } else { PATIENCE };
                    let result = timeout(patience, send(&client, ask.clone())).await.unwrap_or_else(|_| {
                        Err(Problem::new(Code::Unavailable, format!("no answer within {} s", patience.as_secs())))
                    });
                    // The receiver is gone once the console is being left.
                    let _ = messages.send(Message::Reply(Box::new(Reply { ask, result }))).await;
                });
            }
            Effect::OpenStream => {
                if let Some(earlier) = self.stream.take() {
                    earlier.abort();
                }
                self.stream = Some(tokio::spawn(listen(self.client.clone(), self.messages.clone())));
            }
            Effect::Mouse(on) => terminal::mouse(on)?,
            Effect::Repaint => return Ok(Then::Repaint),
            Effect::Quit => return Ok(Then::Quit),
        }
        Ok(Then::Nothing)
    }
}

/// Reads the stream of events until it ends.
async fn listen(client: Client, messages: mpsc::Sender<Message>) {
    let ended = match client.events().await {
        Err(problem) => problem,
        Ok(mut stream) => {
            if messages.send(Message::StreamOpened).await.is_err() {
                return;
            }
            loop {
                match timeout(STREAM_SILENCE, stream.next()).await {
                    Err(_) => break Problem::new(Code::Unavailable, "the stream of events fell silent"),
                    Ok(None) => break Problem::new(Code::NotRunning, "the daemon ended the stream of events"),
                    Ok(Some(Err(problem))) => break problem,
                    Ok(Some(Ok(event))) => {
                        if messages.send(Message::Event(Box::new(event))).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    };
    let _ = messages.send(Message::StreamEnded(ended)).await;
}

/// The message of a terminal event, if any.
fn message(event: TerminalEvent) -> Option<Message> {
    match event {
        TerminalEvent::Key(key) => Some(Message::Key(key)),
        TerminalEvent::Paste(text) => Some(Message::Paste(text)),
        TerminalEvent::Mouse(mouse) => Some(Message::Mouse(mouse)),
        TerminalEvent::Resize(columns, rows) => Some(Message::Resize(columns, rows)),
        TerminalEvent::FocusGained | TerminalEvent::FocusLost => None,
    }
}

async fn live(socket: PathBuf) -> std::io::Result<u8> {
    let theme = Theme::from_environment(|name| std::env::var(name).ok());
    let (columns, rows) = crossterm::terminal::size()?;
    let (messages, mut inbox) = mpsc::channel(WAITING);
    let mut outside = Outside { client: Client::new(&socket), messages, stream: None };
    let mut signals = Signals::listen()?;
    let mut keys = EventStream::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut painter = Painter::new();
    let (mut app, effects) = App::new(socket, Size::new(columns, rows), Timestamp::now());
    for effect in effects {
        outside.perform(effect)?;
    }
    let mut drawn = Instant::now() - FRAME;
    let mut dirty = true;
    let mut out = Vec::new();
    loop {
        let next = tokio::select! {
            biased;
            () = sleep_until(drawn + FRAME), if dirty => {
                draw(&app, theme, &mut painter, &mut out)?;
                (drawn, dirty) = (Instant::now(), false);
                continue;
            }
            _ = signals.terminate.recv() => return Ok(BY_SIGNAL + 15),
            _ = signals.hangup.recv() => return Ok(BY_SIGNAL + 1),
            _ = signals.interrupt.recv() => return Ok(BY_SIGNAL + 2),
            _ = signals.resumed.recv() => {
                terminal::enter()?;
                painter.forget();
                let (columns, rows) = crossterm::terminal::size()?;
                Some(Message::Resize(columns, rows))
            }
            key = keys.next() => match key {
                Some(Ok(event)) => message(event),
                // The terminal is gone.
                Some(Err(_)) | None => return Ok(exit::OK),
            },
            arrived = inbox.recv() => arrived,
            _ = ticks.tick() => Some(Message::Tick(Timestamp::now())),
        };
        let Some(message) = next else { continue };
        dirty = true;
        for effect in app.update(message) {
            match outside.perform(effect)? {
                Then::Nothing => {}
                Then::Repaint => painter.forget(),
                Then::Quit => return Ok(exit::OK),
            }
        }
    }
}

/// Draws the state and sends what changed, in one write.
fn draw(app: &App, theme: Theme, painter: &mut Painter, out: &mut Vec<u8>) -> std::io::Result<()> {
    let mut picture = Buffer::empty(Rect::new(0, 0, app.context.size.width, app.context.size.height));
    let cursor = view::draw(app, theme, &mut picture);
    out.clear();
    painter.paint(picture, cursor, out);
    if !out.is_empty() {
        let mut terminal = std::io::stdout().lock();
        terminal.write_all(out)?;
        terminal.flush()?;
    }
    Ok(())
}
