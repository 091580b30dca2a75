//! Hexadecimal digits of keys, hashes and signatures.

/// Writes bytes as lower-case hexadecimal digits.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)]).collect()
}

/// Reads what [`to_hex`] writes, in either case; `None` if it is something else.
#[must_use]
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}

/// Reads so many bytes; `None` if it is another number of them.
#[must_use]
pub fn array_from_hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    from_hex(digits)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_back_as_bytes() {
        let bytes: [u8; 5] = [0, 9, 10, 171, 255];
        assert_eq!(to_hex(&bytes), "00090aabff");
        assert_eq!(array_from_hex("00090aABff"), Some(bytes));
        for wrong in ["00090aabf", "00090aabff00", "00090aabfg", "+0090aabff", "é090aabff"] {
            assert_eq!(array_from_hex::<5>(wrong), None, "{wrong}");
        }
        assert_eq!(from_hex(""), Some(Vec::new()));
    }
}
