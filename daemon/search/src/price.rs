//! Price bounds in a query, in English and Chinese: "under 50", "below £20", "between 10 and 20", "$10-$20", "50元以下", "100-200元".
//!
//! A number that may be anything else ("up to 10 people", "16 gb", "size 10-12") stays a word, because a bound that was not meant
//! hides the right items.

use std::ops::Range;

use mercer_shared::wire::PriceBound;

use crate::tokenize::is_continuous;

/// A piece of the query and its place in bytes.
#[derive(Debug)]
struct Placed {
    piece: Piece,
    place: Range<usize>,
}

/// A number, a word or a sign.
#[derive(Debug)]
enum Piece {
    /// A number, and whether a currency stands before or behind it.
    Number(f64, bool),
    /// A lower-case word, or one character of a script without spaces.
    Word(String),
    /// Anything else that is no white space.
    Sign(char),
}

const SIGNS: &[char] = &['$', '£', '€', '¥', '₹'];
const CURRENCIES: &[&str] = &[
    "usd", "gbp", "eur", "cny", "rmb", "dollar", "dollars", "pound", "pounds", "euro", "euros", "quid", "bucks", "yuan",
];
/// Words that say that a bare number is a price bound when nothing countable follows it.
const BELOW: &[&[&str]] = &[
    &["under"],
    &["below"],
    &["less", "than"],
    &["cheaper", "than"],
    &["up", "to"],
    &["at", "most"],
    &["no", "more", "than"],
    &["not", "more", "than"],
];
const ABOVE: &[&[&str]] =
    &[&["over"], &["above"], &["more", "than"], &["at", "least"], &["no", "less", "than"], &["not", "less", "than"]];
/// Words that need a currency beside the number.
const BELOW_CURRENCY: &[&[&str]] = &[&["max"], &["maximum"], &["within"]];
const ABOVE_CURRENCY: &[&[&str]] = &[&["min"], &["minimum"], &["from"]];
const BELOW_BEFORE: &[&str] = &["低于", "不超过", "不高于", "少于", "小于", "不到", "最多"];
const ABOVE_BEFORE: &[&str] = &["高于", "超过", "不低于", "多于", "大于", "至少", "最少"];
const BELOW_BEHIND: &[&str] = &["以下", "以内", "之内", "之下", "内", "封顶"];
const ABOVE_BEHIND: &[&str] = &["以上", "之上", "起"];
/// Words that may follow a bound without currency; any other word is something that is counted.
const LINKS: &[&str] = &[
    "for", "with", "in", "and", "or", "from", "to", "please", "only", "not", "but", "by", "under", "below", "over",
    "above", "less",
];

/// Removes price bounds from the text; returns the rest and the bound.
pub(crate) fn extract(text: &str) -> (String, Option<PriceBound>) {
    let pieces = pieces(text);
    let mut bound = PriceBound { min: None, max: None };
    let mut cut: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < pieces.len() {
        match bound_at(&pieces, at) {
            Some((found, length)) => {
                bound.min = found.min.or(bound.min);
                bound.max = found.max.or(bound.max);
                cut.push(pieces[at].place.start..pieces[at + length - 1].place.end);
                at += length;
            }
            None => at += 1,
        }
    }
    if cut.is_empty() {
        return (text.to_owned(), None);
    }
    let mut rest = String::new();
    let mut from = 0;
    for range in cut {
        rest.push_str(text.get(from..range.start).unwrap_or_default());
        rest.push(' ');
        from = range.end;
    }
    rest.push_str(text.get(from..).unwrap_or_default());
    // "50元以下的手机": the particle belonged to the bound.
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    let rest = rest.strip_prefix('的').map_or(rest.clone(), |r| r.trim_start().to_owned());
    if let (Some(min), Some(max)) = (bound.min, bound.max)
        && min > max
    {
        (bound.min, bound.max) = (Some(max), Some(min));
    }
    (rest, Some(bound))
}

/// Splits a text into pieces; a currency is joined to its number.
fn pieces(text: &str) -> Vec<Placed> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let end = |n: usize| chars.get(n).map_or(text.len(), |(at, _)| *at);
    let char_at = |n: usize| chars.get(n).map(|(_, c)| *c);
    let mut out: Vec<Placed> = Vec::new();
    let mut push = |piece, place| out.push(Placed { piece, place });
    let mut n = 0;
    while let Some(c) = char_at(n) {
        let start = n;
        if c.is_ascii_digit() {
            while char_at(n).is_some_and(|c| c.is_ascii_digit())
                || (matches!(char_at(n), Some('.' | ',')) && char_at(n + 1).is_some_and(|c| c.is_ascii_digit()))
            {
                n += 1;
            }
            let digits: String = text[end(start)..end(n)].chars().filter(|c| *c != ',').collect();
            // 1.2.3 is no number; 16gb and 4k are no amounts.
            let glued = char_at(n).is_some_and(|c| c.is_alphanumeric() && !is_continuous(c));
            match digits.parse::<f64>() {
                Ok(value) if value.is_finite() && !glued => push(Piece::Number(value, false), end(start)..end(n)),
                _ => push(Piece::Word(digits), end(start)..end(n)),
            }
        } else if is_continuous(c) {
            n += 1;
            push(Piece::Word(c.to_string()), end(start)..end(n));
        } else if c.is_alphanumeric() {
            while char_at(n).is_some_and(|c| c.is_alphanumeric() && !is_continuous(c)) {
                n += 1;
            }
            push(Piece::Word(text[end(start)..end(n)].to_lowercase()), end(start)..end(n));
        } else {
            n += 1;
            if !c.is_whitespace() {
                push(Piece::Sign(c), end(start)..end(n));
            }
        }
    }
    join_currencies(out)
}

/// Makes currency and number one piece.
fn join_currencies(pieces: Vec<Placed>) -> Vec<Placed> {
    let mut out: Vec<Placed> = Vec::new();
    for Placed { piece, place: range } in pieces {
        let is_currency = match &piece {
            Piece::Sign(c) => SIGNS.contains(c),
            Piece::Word(w) => CURRENCIES.contains(&w.as_str()) || matches!(w.as_str(), "元" | "块"),
            Piece::Number(..) => false,
        };
        match (&piece, out.last_mut()) {
            // 50元, 50 dollars, 20£
            (_, Some(Placed { piece: Piece::Number(_, marked), place }))
                if is_currency && (!matches!(piece, Piece::Sign(_)) || place.end == range.start) =>
            {
                *marked = true;
                place.end = range.end;
            }
            // 50块钱
            (Piece::Word(w), Some(Placed { piece: Piece::Number(_, true), place })) if w == "钱" => {
                place.end = range.end
            }
            // £20, usd 20
            (Piece::Number(value, _), Some(Placed { piece: Piece::Sign(c), place })) if SIGNS.contains(c) => {
                let start = place.start;
                out.pop();
                out.push(Placed { piece: Piece::Number(*value, true), place: start..range.end });
            }
            (Piece::Number(value, _), Some(Placed { piece: Piece::Word(w), place }))
                if matches!(w.as_str(), "usd" | "gbp" | "eur" | "cny" | "rmb") =>
            {
                let start = place.start;
                out.pop();
                out.push(Placed { piece: Piece::Number(*value, true), place: start..range.end });
            }
            _ => out.push(Placed { piece, place: range }),
        }
    }
    out
}

/// Finds a bound that begins with the piece `at`; returns it and its number of pieces.
fn bound_at(pieces: &[Placed], at: usize) -> Option<(PriceBound, usize)> {
    let number = |n: usize| match pieces.get(n).map(|placed| &placed.piece) {
        Some(Piece::Number(value, marked)) => Some((*value, *marked)),
        _ => None,
    };
    let word = |n: usize| match pieces.get(n).map(|placed| &placed.piece) {
        Some(Piece::Word(w)) => Some(w.as_str()),
        _ => None,
    };
    let words = |n: usize, list: &[&[&str]]| {
        list.iter().filter(|p| p.iter().enumerate().all(|(i, w)| word(n + i) == Some(w))).map(|p| p.len()).max()
    };
    let chars = |n: usize, list: &[&str]| {
        let matches = |p: &&&str| p.chars().enumerate().all(|(i, c)| word(n + i).is_some_and(|w| w.chars().eq([c])));
        list.iter().filter(matches).map(|p| p.chars().count()).max()
    };
    let counted = |n: usize| match pieces.get(n).map(|placed| &placed.piece) {
        None => false,
        Some(Piece::Word(w)) => !LINKS.contains(&w.as_str()),
        Some(Piece::Sign(c)) => matches!(c, '%' | '"' | '\'' | '°' | '/' | '+' | '-'),
        Some(Piece::Number(..)) => true,
    };
    let below = |max| PriceBound { min: None, max: Some(max) };
    let above = |min| PriceBound { min: Some(min), max: None };
    let both = |a: f64, b: f64| PriceBound { min: Some(a.min(b)), max: Some(a.max(b)) };

    if let Some((low, marked)) = number(at) {
        // 10-20元, $10 - $20, 10到20块, 10 to 20 dollars
        let dash = match pieces.get(at + 1).map(|placed| &placed.piece) {
            Some(Piece::Sign('-' | '–' | '—' | '~')) => true,
            Some(Piece::Word(w)) => matches!(w.as_str(), "to" | "到" | "至"),
            _ => false,
        };
        if let (true, Some((high, other))) = (dash, number(at + 2))
            && (marked || other)
        {
            let tail = chars(at + 3, &["之间", "左右"]).unwrap_or(0);
            return Some((both(low, high), 3 + tail));
        }
        if let Some(tail) = chars(at + 1, BELOW_BEHIND).filter(|_| marked || chars(at + 1, &["内"]).is_none()) {
            return Some((below(low), 1 + tail));
        }
        return chars(at + 1, ABOVE_BEHIND)
            .filter(|_| marked || chars(at + 1, &["起"]).is_none())
            .map(|tail| (above(low), 1 + tail));
    }
    if let (Some("between"), Some((low, a)), Some("and"), Some((high, b))) =
        (word(at), number(at + 1), word(at + 2), number(at + 3))
        && (a || b || !counted(at + 4))
    {
        return Some((both(low, high), 4));
    }
    if let (Some("from"), Some((low, a)), Some("to"), Some((high, b))) =
        (word(at), number(at + 1), word(at + 2), number(at + 3))
        && (a || b)
    {
        return Some((both(low, high), 4));
    }
    for (list, currency, is_max) in
        [(BELOW, false, true), (ABOVE, false, false), (BELOW_CURRENCY, true, true), (ABOVE_CURRENCY, true, false)]
    {
        if let Some(length) = words(at, list)
            && let Some((value, marked)) = number(at + length)
            && (marked || (!currency && !counted(at + length + 1)))
        {
            return Some((if is_max { below(value) } else { above(value) }, length + 1));
        }
    }
    for (list, is_max) in [(BELOW_BEFORE, true), (ABOVE_BEFORE, false)] {
        if let Some(length) = chars(at, list)
            && let Some((value, marked)) = number(at + length)
            && (marked || pieces.get(at + length + 1).is_none())
        {
            return Some((if is_max { below(value) } else { above(value) }, length + 1));
        }
    }
    if let Some(Piece::Sign(sign @ ('<' | '>'))) = pieces.get(at).map(|placed| &placed.piece) {
        let length = 1 + usize::from(matches!(pieces.get(at + 1).map(|placed| &placed.piece), Some(Piece::Sign('='))));
        if let Some((value, marked)) = number(at + length)
            && (marked || !counted(at + length + 1))
        {
            return Some((if *sign == '<' { below(value) } else { above(value) }, length + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds_and_what_is_left() {
        for (text, rest, min, max) in [
            ("red dress under 50", "red dress", None, Some(50.0)),
            ("lamp below £20", "lamp", None, Some(20.0)),
            ("between 10 and 20 mugs", "between 10 and 20 mugs", None, None),
            ("mugs between 10 and 20", "mugs", Some(10.0), Some(20.0)),
            ("between $10 and $20 mugs", "mugs", Some(10.0), Some(20.0)),
            ("$1,000.50 - $2,000 laptop", "laptop", Some(1000.5), Some(2000.0)),
            ("over 10 under 20 dollars mug", "mug", Some(10.0), Some(20.0)),
            ("mug < 12.5", "mug", None, Some(12.5)),
            ("50元以下的手机", "手机", None, Some(50.0)),
            ("手机 100-200元", "手机", Some(100.0), Some(200.0)),
            ("不超过300元 外套", "外套", None, Some(300.0)),
            ("100到200块钱的裙子", "裙子", Some(100.0), Some(200.0)),
            ("1000元以上平板", "平板", Some(1000.0), None),
            ("50以内 零食", "零食", None, Some(50.0)),
        ] {
            let (left, bound) = extract(text);
            assert_eq!(left, rest, "{text}");
            assert_eq!((bound.and_then(|b| b.min), bound.and_then(|b| b.max)), (min, max), "{text}");
        }
    }

    #[test]
    fn numbers_that_are_no_prices() {
        for text in [
            "up to 10 people tent",
            "size 10-12",
            "under 5 years toys",
            "over the door hook",
            "16 gb memory card",
            "pro max 256",
            "under 18% fat",
            "iphone 5",
            "18岁以下 玩具",
            "10-12 inch pan",
        ] {
            assert_eq!(extract(text), (text.to_owned(), None));
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            extract(&text);
        }

        #[test]
        fn bounds_are_in_order(text in "(under |over |between |[0-9]{1,3}| and |-|元|以下|以上|£| ){0,12}") {
            if let (_, Some(PriceBound { min: Some(min), max: Some(max) })) = extract(&text) {
                prop_assert!(min <= max);
            }
        }
    }
}
