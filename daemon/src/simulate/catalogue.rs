//! The simulated catalogue: bilingual items with text, brand, category, price and attributes, and their hidden
//! properties (quality, popularity, launch day).

use std::collections::BTreeMap;

use mercer_shared::ids::ItemId;
use mercer_shared::wire::Item;

use crate::simulate::dice::{Dice, running};
use crate::simulate::goods::{DEPARTMENTS, KINDS, Kind};
use crate::simulate::options::{Options, SOURCE, SimulateError};
use crate::simulate::words::{CLOSINGS, COLOURS, OPENINGS, SELLERS, SERIES, STYLES};

/// What the simulator knows about an item, beside what it says about itself.
pub(crate) struct Traits {
    /// Place in [`KINDS`].
    pub(crate) kind: usize,
    /// 0 English, 1 Chinese.
    pub(crate) language: usize,
    /// Place among the department's brands.
    pub(crate) brand: usize,
    /// Place in [`COLOURS`], if it has one.
    pub(crate) colour: Option<usize>,
    /// Where the price stands in the range of its kind, 0 to 1.
    pub(crate) price_level: f64,
    /// How well it is made, 0 to 1; ratings follow it.
    pub(crate) quality: f64,
    /// How known it is; a few items are much better known than the rest.
    pub(crate) popularity: f64,
    /// Day of launch; negative before the log starts.
    pub(crate) launch: i64,
    /// Noun used in title, queries and reviews.
    pub(crate) noun: &'static str,
}

/// Items of one kind in one language, ready to be drawn by popularity.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) items: Vec<u32>,
    pub(crate) cumulative: Vec<f64>,
}

/// The catalogue with its hidden side.
pub(crate) struct Catalogue {
    pub(crate) items: Vec<Item>,
    pub(crate) traits: Vec<Traits>,
    /// By kind, then by language.
    pub(crate) shelves: Vec<[Shelf; 2]>,
}

/// Makes the catalogue. Without signal every item is equally popular and equally good.
pub(crate) fn catalogue(options: &Options) -> Result<Catalogue, SimulateError> {
    let mut dice = Dice::new(options.seed, 1);
    let mut items = Vec::with_capacity(options.items);
    let mut traits: Vec<Traits> = Vec::with_capacity(options.items);
    for number in 0..options.items {
        // The kinds take turns, so that every kind is on sale even in a small shop.
        let kind = number % KINDS.len();
        let made = traits_of(&mut dice, kind, options);
        items.push(item_of(&mut dice, number, &KINDS[kind], &made, options)?);
        traits.push(made);
    }
    let mut shelves: Vec<[Shelf; 2]> = KINDS.iter().map(|_| Default::default()).collect();
    for (number, one) in traits.iter().enumerate() {
        shelves[one.kind][one.language].items.push(number as u32);
    }
    for shelf in shelves.iter_mut().flatten() {
        shelf.cumulative = running(shelf.items.iter().map(|&item| traits[item as usize].popularity));
    }
    Ok(Catalogue { items, traits, shelves })
}

fn traits_of(dice: &mut Dice, kind: usize, options: &Options) -> Traits {
    let language = usize::from(dice.chance(options.chinese));
    let department = &DEPARTMENTS[KINDS[kind].department];
    let launch =
        if dice.chance(0.8) { -dice.between(1, 700) } else { dice.between(0, i64::from(options.days) * 9 / 10) };
    let spread = 1.0 / (0.04 + dice.unit());
    let quality = (0.68 + 0.2 * dice.normal()).clamp(0.02, 0.98);
    Traits {
        kind,
        language,
        brand: dice.below(department.brands[language].len()),
        colour: KINDS[kind].coloured.then(|| dice.below(COLOURS.len())),
        // Most goods are cheap within their range.
        price_level: dice.unit() * (0.35 + 0.65 * dice.unit()),
        quality: if options.signal { quality } else { 0.5 },
        popularity: if options.signal { spread } else { 1.0 },
        launch,
        noun: dice.pick(KINDS[kind].nouns[language]),
    }
}

fn item_of(
    dice: &mut Dice,
    number: usize,
    kind: &Kind,
    made: &Traits,
    options: &Options,
) -> Result<Item, SimulateError> {
    let language = made.language;
    let department = &DEPARTMENTS[kind.department];
    let brand = department.brands[language][made.brand];
    let material = dice.pick(kind.materials[language]);
    let style = dice.pick(STYLES[language]);
    let series = dice.pick(SERIES[language]);
    let colour = made.colour.map_or("", |colour| COLOURS[colour][language]);
    let size = kind.sizing.values();
    let size = if size.is_empty() { "" } else { dice.pick(size) };
    let form = dice.below(3);

    let mut item = Item::new(
        ItemId::new(format!("sim-i{number:06}"))?,
        title(language, form, [brand, series, style, material, colour, made.noun, size]),
    );
    item.description = Some(description(dice, kind, made, material));
    item.brand = Some(brand.to_owned());
    item.category = vec![department.name[language].to_owned(), kind.name[language].to_owned()];
    let (low, high) = (f64::from(kind.price.0), f64::from(kind.price.1));
    let euros = (low + (high - low) * made.price_level).floor();
    item.price = Some((euros * 100.0 + [49.0, 90.0, 95.0, 99.0][dice.below(4)]) / 100.0);
    item.currency = Some("EUR".to_owned());
    item.seller = Some(SELLERS[dice.below(SELLERS.len())][language].to_owned());
    let mut attributes =
        BTreeMap::from([("material".to_owned(), material.to_owned()), ("source".to_owned(), SOURCE.to_owned())]);
    attributes.insert("language".to_owned(), ["en", "zh"][language].to_owned());
    for (name, value) in [("colour", colour), ("size", size)] {
        if !value.is_empty() {
            attributes.insert(name.to_owned(), value.to_owned());
        }
    }
    item.attributes = attributes;
    item.available_from = Some(options.start.plus_millis(made.launch * mercer_shared::time::DAY_MS));
    item.in_stock = !dice.chance(0.03);
    Ok(item)
}

/// A title in one of three forms; the parts are brand, series, style, material, colour, noun, size, and any may be empty.
fn title(language: usize, form: usize, [brand, series, style, material, colour, noun, size]: [&str; 7]) -> String {
    let english: [&[&str]; 3] = [
        &[brand, series, style, colour, material, noun, size],
        &[brand, style, material, noun, "in", colour, size],
        &[style, colour, noun, "by", brand, series, size],
    ];
    let chinese: [&[&str]; 3] = [
        &[brand, series, style, colour, material, noun, size],
        &[brand, material, style, noun, colour, size],
        &[style, colour, noun, brand, series, size],
    ];
    if language == 0 {
        let parts = english[form].iter().filter(|part| !(part.is_empty() || colour.is_empty() && **part == "in"));
        let joined = parts.copied().collect::<Vec<_>>().join(" ");
        let mut letters = joined.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    } else {
        // Chinese titles set the brand apart and run the rest together.
        let mut text = String::new();
        for part in chinese[form].iter().filter(|part| !part.is_empty()) {
            if *part == size || (*part == brand && !text.is_empty()) {
                text.push(' ');
            }
            text.push_str(part);
            if *part == brand {
                text.push(' ');
            }
        }
        text.trim_end().to_owned()
    }
}

fn description(dice: &mut Dice, kind: &Kind, made: &Traits, material: &str) -> String {
    let language = made.language;
    let opening = dice.pick(OPENINGS[language]).replace("{}", made.noun);
    let feature = dice.pick(kind.features[language]);
    let noun = made.noun;
    let detail = match (language, kind.made_of(), dice.below(3)) {
        (0, true, 0) => format!("Made of {material}, with {feature}."),
        (0, true, 1) => format!("It comes with {feature}; the {material} feels right."),
        (0, true, _) => format!("You get {feature}, in {material}."),
        (0, false, 0) => format!("Our {material} {noun} offers {feature}."),
        (0, false, 1) => format!("Chosen for {feature}, and {material} throughout."),
        (0, false, _) => format!("You get {feature} in a {material} quality."),
        (_, true, 0) => format!("{material}材质，{feature}。"),
        (_, true, 1) => format!("{feature}，选用{material}材质。"),
        (_, true, _) => format!("优质{material}用料，特点是{feature}。"),
        (_, false, 0) => format!("{material}{noun}，{feature}。"),
        (_, false, 1) => format!("{feature}，{material}品质看得见。"),
        (_, false, _) => format!("坚持{material}标准，特点是{feature}。"),
    };
    let closing = if dice.chance(0.6) { dice.pick(CLOSINGS[language]) } else { "" };
    if language == 0 {
        [opening.as_str(), &detail, closing].join(" ").trim_end().to_owned()
    } else {
        format!("{opening}{detail}{closing}")
    }
}
