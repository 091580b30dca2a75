//! The filter of every list: `category:Home/Lighting,brand:Acme,price:10..50,stock`. A comma joins conditions that must all
//! hold; `|` inside a value joins alternatives; `\` makes the next character plain.

use std::fmt;
use std::str::FromStr;

use crate::wire::Item;

/// Conditions on items, all of which must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// Any of these names stands on the item's category path (ignoring case).
    pub categories: Vec<String>,
    /// Any of these brands (ignoring case).
    pub brands: Vec<String>,
    /// Lowest price, included.
    pub price_min: Option<f64>,
    /// Highest price, included.
    pub price_max: Option<f64>,
    /// Only what is in stock.
    pub in_stock: bool,
}

/// A filter that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no condition: use category:NAME, brand:NAME, price:LOW..HIGH or stock, joined by commas")]
pub struct FilterError(String);

impl Filter {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the item passes. An item without price fails any price condition.
    #[must_use]
    pub fn passes(&self, item: &Item) -> bool {
        let named = |wanted: &[String], name: &str| {
            wanted.iter().any(|w| w.eq_ignore_ascii_case(name) || w.to_lowercase() == name.to_lowercase())
        };
        (self.categories.is_empty()
            || item.category.iter().any(|c| named(&self.categories, c))
            || named(&self.categories, &item.category.join("/")))
            && (self.brands.is_empty() || item.brand.as_deref().is_some_and(|b| named(&self.brands, b)))
            && self.price_min.is_none_or(|low| item.price.is_some_and(|p| p >= low))
            && self.price_max.is_none_or(|high| item.price.is_some_and(|p| p <= high))
            && (!self.in_stock || item.in_stock)
    }
}

/// Splits at `at`, honouring backslashes, which stay for the next level.
fn split(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if !escaped && c == at {
            parts.push(String::new());
            continue;
        }
        escaped = !escaped && c == '\\';
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut escaped = false;
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(c);
            escaped = false;
        }
    }
    out
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if matches!(c, '\\' | ',' | '|') {
            out.push('\\');
        }
        out.push(c);
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for condition in split(text, ',') {
            let trimmed = condition.trim();
            if trimmed.is_empty() {
                continue;
            }
            let bad = || FilterError(trimmed.to_owned());
            let values = |v: &str| -> Vec<String> {
                split(v, '|').iter().map(|p| unescape(p.trim())).filter(|p| !p.is_empty()).collect()
            };
            match trimmed.split_once(':') {
                None if trimmed == "stock" => filter.in_stock = true,
                Some(("stock", "true")) => filter.in_stock = true,
                Some(("category", v)) if !values(v).is_empty() => filter.categories = values(v),
                Some(("brand", v)) if !values(v).is_empty() => filter.brands = values(v),
                Some(("price", range)) => {
                    let (low, high) = range.split_once("..").ok_or_else(bad)?;
                    let bound = |t: &str| -> Result<Option<f64>, FilterError> {
                        match t.trim() {
                            "" => Ok(None),
                            t => t.parse().ok().filter(|p: &f64| p.is_finite() && *p >= 0.0).map(Some).ok_or_else(bad),
                        }
                    };
                    (filter.price_min, filter.price_max) = (bound(low)?, bound(high)?);
                    if filter.price_min.is_none() && filter.price_max.is_none() {
                        return Err(bad());
                    }
                }
                _ => return Err(bad()),
            }
        }
        Ok(filter)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (key, values) in [("category", &self.categories), ("brand", &self.brands)] {
            if !values.is_empty() {
                let mut part = format!("{key}:");
                for (n, value) in values.iter().enumerate() {
                    if n > 0 {
                        part.push('|');
                    }
                    escape(value, &mut part);
                }
                parts.push(part);
            }
        }
        if self.price_min.is_some() || self.price_max.is_some() {
            let show = |p: Option<f64>| p.map(|p| p.to_string()).unwrap_or_default();
            parts.push(format!("price:{}..{}", show(self.price_min), show(self.price_max)));
        }
        if self.in_stock {
            parts.push("stock".to_owned());
        }
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_refuses() {
        let filter: Filter = "category:Home|Garden, price:10..50,stock".parse().unwrap();
        assert_eq!(filter.categories, ["Home", "Garden"]);
        assert_eq!((filter.price_min, filter.price_max, filter.in_stock), (Some(10.0), Some(50.0), true));
        for bad in ["colour:red", "price:cheap", "price:..", "price:-1..2", "brand:", "price:NaN..2"] {
            assert!(bad.parse::<Filter>().is_err(), "{bad}");
        }
        assert!("".parse::<Filter>().unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn text_round_trip(categories in prop::collection::vec("[^\\s\\p{C}]{1,8}", 0..3), brand in prop::option::of("[a-z,|\\\\:]{1,8}"), low in prop::option::of(0.0..1e6f64), stock: bool) {
            let filter = Filter { categories, brands: brand.into_iter().collect(), price_min: low, price_max: None, in_stock: stock };
            prop_assert_eq!(filter.to_string().parse::<Filter>().unwrap(), filter);
        }
    }
}
