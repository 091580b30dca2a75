//! Words for stock states, and for yes and no.

/// Words that say yes, in small letters without spaces, hyphens and underscores.
const YES: [&str; 11] = ["yes", "y", "true", "t", "on", "ja", "oui", "si", "sí", "sim", "是"];
/// Words that say no.
const NO: [&str; 9] = ["no", "n", "false", "f", "off", "nein", "non", "não", "否"];
/// Words for what can be bought, now or to be delivered later.
const AVAILABLE: [&str; 38] = [
    "instock",
    "available",
    "availablefororder",
    "availabletoorder",
    "onstock",
    "lowstock",
    "lowinstock",
    "limitedavailability",
    "limitedstock",
    "instoreonly",
    "onlineonly",
    "preorder",
    "presale",
    "backorder",
    "backordered",
    "onbackorder",
    "availableonbackorder",
    "backordersallowed",
    "madetoorder",
    "madetoorderonly",
    "auflager",
    "lagernd",
    "lieferbar",
    "sofortlieferbar",
    "verfügbar",
    "vorrätig",
    "vorbestellbar",
    "aufbestellung",
    "enstock",
    "disponible",
    "surcommande",
    "précommande",
    "disponibile",
    "disponível",
    "opvoorraad",
    "leverbaar",
    "有货",
    "现货",
];
/// Words for what cannot be bought.
const GONE: [&str; 34] = [
    "outofstock",
    "nostock",
    "notinstock",
    "unavailable",
    "notavailable",
    "currentlyunavailable",
    "temporarilyoutofstock",
    "soldout",
    "sold",
    "discontinued",
    "retired",
    "oos",
    "nla",
    "reserved",
    "nichtauflager",
    "nichtlieferbar",
    "nichtverfügbar",
    "nichtvorrätig",
    "ausverkauft",
    "vergriffen",
    "rupture",
    "rupturedestock",
    "enrupturedestock",
    "épuisé",
    "indisponible",
    "agotado",
    "sinstock",
    "nodisponible",
    "esaurito",
    "nondisponibile",
    "esgotado",
    "nietopvoorraad",
    "uitverkocht",
    "缺货",
];

/// Normalises a word: lower case, without separators and without the address of schema.org.
fn plain(word: &str) -> String {
    let lower = word.trim().to_lowercase();
    let name =
        ["https://schema.org/", "http://schema.org/", "schema:"].iter().find_map(|start| lower.strip_prefix(start));
    name.unwrap_or(&lower).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Yes or no; `None` for another word.
pub(super) fn yes_or_no(word: &str) -> Option<bool> {
    let plain = plain(word);
    match plain.as_str() {
        "1" => Some(true),
        "0" => Some(false),
        word if YES.contains(&word) => Some(true),
        word if NO.contains(&word) => Some(false),
        _ => None,
    }
}

/// Whether an item can be bought, from a word or a count; `None` for a word that is not known.
pub(super) fn in_stock(word: &str) -> Option<bool> {
    // `10+`, `>5`, `<10` are counts as well.
    let count = word.trim().trim_start_matches(['>', '<', '~']).trim_end_matches('+').trim();
    if let Ok(count) = count.parse::<f64>() {
        return count.is_finite().then_some(count > 0.0);
    }
    let plain = plain(word);
    let known = |words: &[&str]| words.contains(&plain.as_str());
    match (known(&AVAILABLE), known(&GONE)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => yes_or_no(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_feeds() {
        for word in [
            "in stock",
            "in_stock",
            "In-Stock",
            "InStock",
            "https://schema.org/InStock",
            "preorder",
            "pre-order",
            "backorder",
            "on backorder",
            "Y",
            "yes",
            "TRUE",
            "1",
            "12",
            "10+",
            "3.0",
            "auf Lager",
            "LimitedAvailability",
        ] {
            assert_eq!(in_stock(word), Some(true), "{word}");
        }
        for word in [
            "out of stock",
            "out_of_stock",
            "OutOfStock",
            "http://schema.org/SoldOut",
            "N",
            "no",
            "false",
            "0",
            "-3",
            "0.0",
            "Sold out",
            "discontinued",
            "nicht auf Lager",
            "Ausverkauft",
        ] {
            assert_eq!(in_stock(word), Some(false), "{word}");
        }
        for word in ["maybe", "in stock soon", "NaN", "inf", ""] {
            assert_eq!(in_stock(word), None, "{word}");
        }
        assert_eq!((yes_or_no("12"), yes_or_no("No"), yes_or_no("is hidden")), (None, Some(false), None));
    }

    #[test]
    fn no_word_says_both() {
        for word in AVAILABLE.iter().chain(&YES) {
            assert!(!GONE.contains(word) && !NO.contains(word) && plain(word) == *word, "{word}");
        }
        assert!(GONE.iter().chain(&NO).all(|word| plain(word) == *word));
    }
}
