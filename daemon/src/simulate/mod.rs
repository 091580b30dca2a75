//! A simulated shop from a seed: catalogue in English and Chinese, shoppers with declared attributes and hidden tastes, and a log
//! of their visits. Everything in it says that it is simulated.
//!
//! It exists for the demo and for tests that need a truth to compare with: a change of taste half way ([`Truth::rising`],
//! [`Truth::falling`]), a disadvantaged group ([`Truth::disadvantaged`]), and a switch that takes all signal out of the log, so
//! that whatever a learner finds there is noise. The same options give the same bytes on every platform.

mod catalogue;
mod dice;
mod goods;
mod log;
mod options;
mod people;
mod speech;
mod words;

use std::io::Write;

use mercer_shared::time::{DAY_MS, Timestamp};
use mercer_shared::wire::{ExportLine, Item, User};

pub use log::Log;
pub use options::{Options, SOURCE, SimulateError, Truth};

/// A simulated shop: what stands in it, and the log that is still to be drawn.
pub struct Simulation {
    /// The catalogue.
    pub items: Vec<Item>,
    /// The shoppers.
    pub users: Vec<User>,
    /// What was planted.
    pub truth: Truth,
    /// The interactions, in order of time.
    pub log: Log,
}

/// How much was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Items.
    pub items: usize,
    /// Shoppers.
    pub users: usize,
    /// Interactions.
    pub interactions: usize,
}

/// Makes the shop.
///
/// # Errors
/// [`SimulateError::Options`] for no users or items, fewer than two days, a share outside [0, 1], or a log past the year 9999.
pub fn simulate(options: Options) -> Result<Simulation, SimulateError> {
    let check = |fine: bool, what| if fine { Ok(()) } else { Err(SimulateError::Options(what)) };
    check(options.users > 0 && options.users <= 100_000_000, "users must be 1 to 100,000,000")?;
    check(options.items > 0 && options.items <= 100_000_000, "items must be 1 to 100,000,000")?;
    check((2..=36_500).contains(&options.days), "days must be 2 to 36,500")?;
    check((0.0..=1.0).contains(&options.chinese), "the share of Chinese must lie between 0 and 1")?;
    let length = i64::from(options.days) * DAY_MS;
    check(options.start.millis() <= Timestamp::MAX.millis() - length, "the log would end after the year 9999")?;

    let mut dice = dice::Dice::new(options.seed, 0);
    let departments = goods::DEPARTMENTS.len();
    let rising = dice.below(departments);
    let truth = Truth {
        rising,
        falling: (rising + 1 + dice.below(departments - 1)) % departments,
        disadvantaged: ("region", people::REGIONS[people::REGIONS.len() - 1]),
        change: options.start.plus_millis(i64::from(options.days.div_ceil(2)) * DAY_MS),
    };
    let catalogue = catalogue::catalogue(&options)?;
    let people = people::people(&options, &truth)?;
    Ok(Simulation {
        items: catalogue.items.clone(),
        users: people.users.clone(),
        truth,
        log: Log::new(options, catalogue, people),
    })
}

/// Writes a shop as NDJSON: one `{"item": ...}`, `{"user": ...}` or `{"interaction": ...}` a line, in this order.
///
/// # Errors
/// Those of the writer.
pub fn write_ndjson(simulation: Simulation, out: &mut impl Write) -> Result<Totals, SimulateError> {
    let mut totals = Totals::default();
    let mut line = |document: ExportLine, count: &mut usize| -> Result<(), SimulateError> {
        serde_json::to_writer(&mut *out, &document)?;
        out.write_all(b"\n")?;
        *count += 1;
        Ok(())
    };
    for item in simulation.items {
        line(ExportLine::Item(item), &mut totals.items)?;
    }
    for user in simulation.users {
        line(ExportLine::User(user), &mut totals.users)?;
    }
    for interaction in simulation.log {
        line(ExportLine::Interaction(interaction), &mut totals.interactions)?;
    }
    out.flush()?;
    Ok(totals)
}

#[cfg(test)]
mod tests;
