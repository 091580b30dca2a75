//! The texts of simulated shoppers: searches, and reviews in the tone of their rating.

use crate::simulate::catalogue::Traits;
use crate::simulate::dice::Dice;
use crate::simulate::goods::{DEPARTMENTS, KINDS};
use crate::simulate::people::Shopper;
use crate::simulate::words::{COLOURS, COMPLAINT, MIDDLING, PRAISE, VAGUE};

/// A search for goods of a kind, in the shopper's language. Shoppers of the disadvantaged group often search vaguely.
pub(crate) fn query(dice: &mut Dice, shopper: &Shopper, kind: usize, vague: bool) -> String {
    let language = shopper.language;
    if vague {
        return dice.pick(VAGUE[language]).to_owned();
    }
    let goods = &KINDS[kind];
    let noun = if dice.chance(0.8) {
        dice.pick(goods.nouns[language]).to_owned()
    } else {
        goods.name[language].to_lowercase()
    };
    let colour = COLOURS[shopper.colour][language];
    let brand = DEPARTMENTS[goods.department].brands[language][usize::from(shopper.brands[goods.department])];
    let material = dice.pick(goods.materials[language]);
    let (low, high) = (f64::from(goods.price.0), f64::from(goods.price.1));
    let bound = (((low + (high - low) * (0.35 + 0.5 * shopper.price_level)) / 5.0) as u32 + 1) * 5;
    let form = dice.below(10);
    if language == 0 {
        match form {
            0 | 1 if goods.coloured => format!("{colour} {noun}"),
            2 => format!("{material} {noun}"),
            3 => format!("{} {noun}", brand.to_lowercase()),
            4 => format!("{noun} under {bound}"),
            5 if goods.coloured => format!("{colour} {noun} under {bound}"),
            _ => noun,
        }
    } else {
        match form {
            0 | 1 if goods.coloured => format!("{colour}{noun}"),
            2 => format!("{material}{noun}"),
            3 => format!("{brand} {noun}"),
            4 => format!("{noun} {bound}欧元以下"),
            5 if goods.coloured => format!("{bound}欧元以下的{colour}{noun}"),
            _ => noun,
        }
    }
}

/// A review whose words fit the rating (1 to 5), in the shopper's language.
pub(crate) fn review(dice: &mut Dice, shopper: &Shopper, item: &Traits, rating: u8) -> String {
    let lists = match rating {
        4.. => &PRAISE,
        3 => &MIDDLING,
        _ => &COMPLAINT,
    };
    // The noun in the language of the review, even when the item is described in the other one.
    let nouns = KINDS[item.kind].nouns;
    let place = nouns[item.language].iter().position(|noun| *noun == item.noun).unwrap_or(0);
    let noun = nouns[shopper.language][place.min(nouns[shopper.language].len() - 1)];
    let first = dice.pick(lists[shopper.language]);
    let mut text = first.replace("{}", noun);
    let second = dice.pick(lists[shopper.language]);
    if dice.chance(0.35) && second != first {
        if shopper.language == 0 {
            text.push(' ');
        }
        text.push_str(&second.replace("{}", noun));
    }
    text
}
