//! Numbers and prices as exports write them: decimal points and commas, thousands, currencies.

use crate::preset::Decimal;

/// ISO 4217 codes that are recognised beside a price.
const CURRENCIES: [&str; 48] = [
    "AED", "ARS", "AUD", "BGN", "BHD", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP", "EUR", "GBP",
    "HKD", "HUF", "IDR", "ILS", "INR", "ISK", "JPY", "KRW", "KWD", "MAD", "MXN", "MYR", "NGN", "NOK", "NZD", "PEN",
    "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "ZAR",
];
/// Signs of currencies; most stand for several, so they name none.
const SIGNS: [&str; 23] = [
    "US$", "C$", "A$", "R$", "$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₫", "฿", "₴", "₪", "₱", "₦", "zł", "kr.", "kr",
    "Kč", "Fr.",
];

/// Why a text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotANumber {
    /// It has no number's form.
    Form,
    /// `1,299` may be 1299 or 1.299.
    Ambiguous,
}

/// A number, finite. With both separators the last one is the decimal one; with one separator it is the decimal one unless it
/// groups three digits. A point before three digits is a decimal point, a comma before three digits is ambiguous; `decimal`,
/// the preset's word, settles both.
pub(super) fn number(text: &str, decimal: Option<Decimal>) -> Result<f64, NotANumber> {
    let text = text.trim();
    if decimal != Some(Decimal::Comma)
        && let Ok(number) = text.parse::<f64>()
    {
        return if number.is_finite() { Ok(number) } else { Err(NotANumber::Form) };
    }
    let (sign, digits) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let mut plain = String::with_capacity(text.len());
    for c in digits.chars() {
        match c {
            ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\'' | '\u{2019}' => plain.push('\''),
            c if c.is_ascii_digit() || matches!(c, '.' | ',') => plain.push(c),
            // `1.5e3`: only as programs write it.
            _ => return text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or(NotANumber::Form),
        }
    }
    let point = decimal_place(&plain, decimal)?;
    let (whole, fraction) = point.map_or((plain.as_str(), ""), |point| (&plain[..point], &plain[point + 1..]));
    if !is_grouped(whole) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) || plain.is_empty() {
        return Err(NotANumber::Form);
    }
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    format!("{sign}{whole}.{fraction}").parse().map_err(|_| NotANumber::Form)
}

/// The position of the decimal separator in digits, points, commas and apostrophes.
fn decimal_place(plain: &str, decimal: Option<Decimal>) -> Result<Option<usize>, NotANumber> {
    let last = |separator: char| plain.rfind(separator);
    let separator = match (last('.'), last(',')) {
        (None, None) => return Ok(None),
        (Some(point), Some(comma)) => return Ok(Some(point.max(comma))),
        (Some(place), None) | (None, Some(place)) => place,
    };
    let (mark, after) = (plain.as_bytes()[separator], &plain[separator + 1..]);
    if plain.bytes().filter(|byte| *byte == mark).count() > 1 {
        return Ok(None);
    }
    let before = &plain[..separator];
    let may_group = after.len() == 3 && (1..=3).contains(&before.len()) && !before.starts_with('0');
    let is_decimal = match decimal {
        Some(Decimal::Comma) => mark == b',',
        Some(Decimal::Point) => mark == b'.',
        None if may_group && mark == b',' => return Err(NotANumber::Ambiguous),
        None => true,
    };
    // What cannot be a group of thousands is a fraction, whatever the preset says.
    Ok((is_decimal || !may_group).then_some(separator))
}

/// Whether the whole part is plain digits, or digits in groups: the last group of three, those before of two or three,
/// the first shorter.
fn is_grouped(whole: &str) -> bool {
    let mut groups = whole.rsplit(['.', ',', '\'']);
    let last = groups.next().unwrap_or_default();
    let mut rest = groups.peekable();
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    if rest.peek().is_none() {
        return digits(last);
    }
    let marks = whole.bytes().filter(|byte| !byte.is_ascii_digit()).collect::<Vec<_>>();
    let same = marks.iter().all(|mark| *mark == marks[0]);
    let mut fits = same && last.len() == 3 && digits(last);
    while let Some(group) = rest.next() {
        let shortest = if rest.peek().is_none() { 1 } else { 2 };
        fits &= (shortest..=3).contains(&group.len()) && digits(group);
    }
    fits
}

/// A price with what is written beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Price {
    /// The amount.
    pub(super) amount: f64,
    /// The currency, where its code is written.
    pub(super) currency: Option<&'static str>,
}

/// A price: a number, with a currency's code or sign before or behind it. `19,-` is 19.
pub(super) fn price(text: &str, decimal: Option<Decimal>) -> Result<Price, NotANumber> {
    let mut rest = text.trim();
    let mut currency = None;
    // A code and a sign may both be there: `$5 USD`.
    for _ in 0..2 {
        if let Some(code) = CURRENCIES.iter().find(|code| is_beside(rest, code)) {
            rest = strip(rest, code);
            currency = Some(*code);
        }
        if let Some(sign) = SIGNS.iter().find(|sign| is_beside(rest, sign)) {
            rest = strip(rest, sign);
        }
    }
    let dashed = [",-", ".-", ",\u{2013}", ".\u{2013}", ",\u{2014}", ".\u{2014}"];
    rest = dashed.iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest);
    number(rest, decimal).map(|amount| Price { amount, currency })
}

fn is_beside(text: &str, word: &str) -> bool {
    text.len() > word.len() && (text.starts_with(word) || text.ends_with(word))
}

fn strip<'a>(text: &'a str, word: &str) -> &'a str {
    text.strip_prefix(word).or_else(|| text.strip_suffix(word)).unwrap_or(text).trim()
}

/// A whole number without decimals or exponent: `17850.0` is `17850`, `1.7009E+04` is `17009`. `None` if it is not a
/// whole number or its exponent hides digits.
pub(super) fn integer(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<usize>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    // Spreadsheets show numbers of twelve digits and more with five decimals: the others are lost.
    if exponent > 18 || fraction.len() > exponent || (exponent >= 11 && fraction.len() <= 5) {
        return None;
    }
    let number = format!("{whole}{fraction}{}", "0".repeat(exponent - fraction.len()));
    Some(if exponent == 0 { format!("{sign}{whole}") } else { format!("{sign}{}", strip_zeros(&number)) })
}

fn strip_zeros(number: &str) -> &str {
    let rest = number.trim_start_matches('0');
    if rest.is_empty() { "0" } else { rest }
}

/// Whether a text is a number with an exponent.
pub(super) fn has_exponent(text: &str) -> bool {
    text.contains(['e', 'E'])
        && text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimal_styles() {
        for (text, expected) in [
            ("29,90", 29.9),
            ("1.299,00", 1299.0),
            ("1,299.00", 1299.0),
            ("1.299.000", 1_299_000.0),
            ("1 299,50", 1299.5),
            ("1\u{a0}299,50", 1299.5),
            ("1'299.50", 1299.5),
            ("1\u{2019}299.50", 1299.5),
            ("1,23,456.78", 123_456.78),
            ("0,125", 0.125),
            ("12345,678", 12345.678),
            ("7.50", 7.5),
            ("1.299", 1.299),
            ("-3,5", -3.5),
            ("\u{2212}3,5", -3.5),
            (",5", 0.5),
            ("1.5e3", 1500.0),
            ("+2", 2.0),
        ] {
            assert_eq!(number(text, None), Ok(expected), "{text}");
        }
        assert_eq!(number("1,299", None), Err(NotANumber::Ambiguous));
        for text in ["", "x", "12,34.56.7", "1..2", "1,2,3", "1.2.3", "NaN", "inf", "1,299.00.00", "10:30", "1-2", "."]
        {
            assert_eq!(number(text, None), Err(NotANumber::Form), "{text}");
        }
    }

    #[test]
    fn a_preset_settles_what_is_ambiguous() {
        for (text, comma, point) in
            [("1.299", 1299.0, 1.299), ("1,299", 1.299, 1299.0), ("7.50", 7.5, 7.5), ("7,50", 7.5, 7.5)]
        {
            assert_eq!(number(text, Some(Decimal::Comma)), Ok(comma), "{text}");
            assert_eq!(number(text, Some(Decimal::Point)), Ok(point), "{text}");
        }
    }

    #[test]
    fn prices_with_currencies() {
        let read = |text| price(text, None).map(|price| (price.amount, price.currency));
        assert_eq!(read("$19.50"), Ok((19.5, None)));
        assert_eq!(read("15.00 USD"), Ok((15.0, Some("USD"))));
        assert_eq!(read("EUR 1.299,00"), Ok((1299.0, Some("EUR"))));
        assert_eq!(read("29,90 €"), Ok((29.9, None)));
        assert_eq!(read("19,- €"), Ok((19.0, None)));
        assert_eq!(read("R$ 5,50"), Ok((5.5, None)));
        for text in ["from 12.99", "\u{2014}", "None", "USD", "VON 12,99", "12.99-15.99", "$"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn whole_numbers() {
        for (text, expected) in [
            ("17850.0", "17850"),
            ("17850", "17850"),
            ("007", "007"),
            ("1.7009E+04", "17009"),
            ("1.7009e4", "17009"),
            ("1e+05", "100000"),
            ("-5.0", "-5"),
            ("1.23456789012E+11", "123456789012"),
        ] {
            assert_eq!(integer(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["2.50", "", "x", "12a", "1.5E+00", "1.23457E+11", "1E+11", "1e-3", "1E+99", "."] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    proptest! {
        /// Every way to write an amount of at least four digits reads as the same amount.
        #[test]
        fn every_style_reads_the_same(whole in 1_000_u32..99_999_999, cents in 0_u32..100) {
            let digits = whole.to_string();
            let group = |mark: &str| {
                let mut out = String::new();
                for (place, digit) in digits.chars().enumerate() {
                    if place > 0 && (digits.len() - place).is_multiple_of(3) {
                        out.push_str(mark);
                    }
                    out.push(digit);
                }
                out
            };
            let expected = f64::from(whole) + f64::from(cents) / 100.0;
            for (thousands, decimal) in [("", "."), ("", ","), (",", "."), (".", ","), (" ", ","), ("'", "."), ("\u{202f}", ",")] {
                let text = format!("{}{decimal}{cents:02}", group(thousands));
                let read = number(&text, None).unwrap();
                prop_assert!((read - expected).abs() < 1e-6, "{} is read as {}", text, read);
            }
        }

        #[test]
        fn nothing_panics(text in "[-+0-9.,' eE€$a-z]{0,12}") {
            for decimal in [None, Some(Decimal::Comma), Some(Decimal::Point)] {
                let _ = number(&text, decimal);
                let _ = price(&text, decimal);
            }
            let _ = integer(&text);
        }
    }
}
