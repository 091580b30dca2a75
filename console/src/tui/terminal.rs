//! Sets the terminal up, and restores it however the console ends (normally, by a panic, by a signal).

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, queue};

/// Whether the terminal is set up at the moment; the panic hook reads it.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken. Dropping it gives the terminal back.
#[derive(Debug)]
pub(crate) struct Taken(());

/// Sets the terminal up: raw mode, the alternate screen, bracketed paste, hidden cursor.
///
/// # Errors
/// The terminal does not take it, or is none.
pub(crate) fn take() -> io::Result<Taken> {
    enter()?;
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        give_back();
        earlier(info);
    }));
    Ok(Taken(()))
}

/// Enters raw mode and the alternate screen; also after the process was stopped and continued.
///
/// # Errors
/// The terminal does not take it.
pub(crate) fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = io::stdout().lock();
    queue!(out, EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
    out.flush()
}

/// Turns the mouse on or off.
///
/// # Errors
/// The terminal is gone.
pub(crate) fn mouse(on: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if on {
        queue!(out, EnableMouseCapture)?;
    } else {
        queue!(out, DisableMouseCapture)?;
    }
    out.flush()
}

/// Restores the terminal; does nothing the second time. Errors are ignored, because a closed terminal cannot be
/// restored.
pub(crate) fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout().lock();
        let _ = queue!(out, DisableMouseCapture, DisableBracketedPaste, cursor::Show, LeaveAlternateScreen);
        let _ = out.flush();
        let _ = disable_raw_mode();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}
