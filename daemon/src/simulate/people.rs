//! The simulated shoppers: their declared attributes and consent, and their hidden tastes.

use std::collections::BTreeMap;

use mercer_shared::ids::UserId;
use mercer_shared::wire::{ConsentChoice, User};

use crate::simulate::dice::{Dice, running};
use crate::simulate::goods::{DEPARTMENTS, KINDS};
use crate::simulate::options::{Options, SOURCE, SimulateError, Truth};
use crate::simulate::words::COLOURS;

/// The regions that shoppers live in; the last one is the planted disadvantaged group.
pub(crate) const REGIONS: [&str; 4] = ["north", "south", "coast", "islands"];

/// What a shopper likes, as running sums over the kinds of goods.
pub(crate) struct Taste {
    /// Until the change.
    pub(crate) before: Vec<f32>,
    /// After the change; the same without drift.
    pub(crate) after: Vec<f32>,
}

/// A shopper's hidden side.
pub(crate) struct Shopper {
    pub(crate) language: usize,
    pub(crate) taste: Taste,
    /// Favourite brand per department.
    pub(crate) brands: [u8; DEPARTMENTS.len()],
    pub(crate) colour: usize,
    pub(crate) price_level: f64,
    /// Visits relative to the average shopper.
    pub(crate) activity: f64,
    /// First day in the shop.
    pub(crate) since: u32,
    /// Belongs to the group whose behaviour says little about them.
    pub(crate) disadvantaged: bool,
}

/// All shoppers with their hidden side.
pub(crate) struct People {
    pub(crate) users: Vec<User>,
    pub(crate) shoppers: Vec<Shopper>,
}

/// Makes the shoppers.
pub(crate) fn people(options: &Options, truth: &Truth) -> Result<People, SimulateError> {
    let mut dice = Dice::new(options.seed, 2);
    let mut users = Vec::with_capacity(options.users);
    let mut shoppers = Vec::with_capacity(options.users);
    for number in 0..options.users {
        let gender = ["woman", "man", "nonbinary"][dice.weighted(&[0.52, 0.97, 1.0])];
        let age = dice.weighted(&[0.16, 0.42, 0.64, 0.82, 1.0]);
        let region = dice.weighted(&[0.26, 0.5, 0.7, 1.0]);
        let language = usize::from(dice.chance(options.chinese));
        let mut declared = vec![("language", ["en", "zh"][language]), ("source", SOURCE)];
        for (name, value, share) in [
            ("gender", gender, 0.88),
            ("age_band", ["18-24", "25-34", "35-44", "45-54", "55+"][age], 0.9),
            ("region", REGIONS[region], 0.95),
        ] {
            if dice.chance(share) {
                declared.push((name, value));
            }
        }
        let consent = ConsentChoice {
            personalise: Some(dice.chance(0.97)),
            train: Some(dice.chance(0.93)),
            audit_attributes: Some(dice.chance(0.9)),
            explanations: None,
        };
        users.push(User {
            attributes: declared
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<BTreeMap<_, _>>(),
            consent,
            ..User::new(UserId::new(format!("sim-u{number:06}"))?)
        });
        let taste = taste(&mut dice, options, truth, gender, age);
        let since = if dice.chance(0.7) { 0 } else { dice.below(options.days as usize * 4 / 5) as u32 };
        let disadvantaged = options.bias && options.signal && region == REGIONS.len() - 1;
        let eager = dice.unit();
        shoppers.push(Shopper {
            language,
            taste,
            brands: std::array::from_fn(|department| dice.below(DEPARTMENTS[department].brands[language].len()) as u8),
            colour: dice.below(COLOURS.len()),
            price_level: 0.6 * dice.unit(),
            // Mean 1 over everybody; the busiest come sixteen times as often as the rarest.
            activity: (0.2 + 2.4 * eager * eager) * if disadvantaged { 0.85 } else { 1.0 },
            since,
            disadvantaged,
        });
    }
    Ok(People { users, shoppers })
}

/// Two or three favourite departments and two favourite kinds in each; the change swaps the falling for the rising department.
fn taste(dice: &mut Dice, options: &Options, truth: &Truth, gender: &str, age: usize) -> Taste {
    let skew = |department: usize| {
        let skew = &DEPARTMENTS[department].skew;
        let by_gender = match gender {
            "woman" => skew[0],
            "man" => skew[1],
            _ => 100,
        };
        let by_age = match age {
            0 | 1 => skew[2],
            4 => skew[3],
            _ => 100,
        };
        f64::from(by_gender) * f64::from(by_age) / 10_000.0
    };
    let by_skew = running((0..DEPARTMENTS.len()).map(skew));
    let mut departments = [0.03_f64; DEPARTMENTS.len()];
    for strength in [1.0, 0.7, 0.4] {
        departments[dice.weighted(&by_skew)] += strength * (0.5 + dice.unit());
    }
    let mut inside = [0.0_f64; KINDS.len()];
    for weight in &mut inside {
        let unit = dice.unit();
        *weight = 0.05 + unit * unit * unit;
    }
    let mut changed = departments;
    let follows = dice.chance(0.45);
    if options.drift && options.signal {
        let (falling, rising) = (truth.falling, truth.rising);
        if departments[falling] > departments[rising] {
            changed.swap(falling, rising);
        } else if follows {
            changed[rising] += 1.2;
        }
    }
    let sums = |departments: &[f64]| {
        let weight = |(kind, inner): (usize, &f64)| {
            if options.signal { (departments[KINDS[kind].department] * inner) as f32 } else { 1.0 }
        };
        running(inside.iter().enumerate().map(weight))
    };
    Taste { before: sums(&departments), after: sums(&changed) }
}
