//! Scripts of characters, for reducing a vocabulary.

use std::str::FromStr;

/// A script that can be kept. Ranges follow the Unicode blocks of its letters; digits, punctuation and symbols belong to every script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Script {
    /// Latin letters with all their accents.
    Latin,
    /// Chinese characters (also Japanese kanji and Korean hanja).
    Han,
    /// Cyrillic.
    Cyrillic,
    /// Greek.
    Greek,
    /// Hiragana and katakana.
    Kana,
    /// Korean syllables and letters.
    Hangul,
    /// Arabic.
    Arabic,
    /// Hebrew.
    Hebrew,
    /// Devanagari.
    Devanagari,
    /// Thai.
    Thai,
}

impl Script {
    /// Every script with the name it has on the command line.
    pub const ALL: [(&'static str, Self); 10] = [
        ("latin", Self::Latin),
        ("han", Self::Han),
        ("cyrillic", Self::Cyrillic),
        ("greek", Self::Greek),
        ("kana", Self::Kana),
        ("hangul", Self::Hangul),
        ("arabic", Self::Arabic),
        ("hebrew", Self::Hebrew),
        ("devanagari", Self::Devanagari),
        ("thai", Self::Thai),
    ];

    /// Whether the character is a letter of this script.
    #[must_use]
    pub fn contains(self, c: char) -> bool {
        let ranges: &[(u32, u32)] = match self {
            Self::Latin => &[
                (0x41, 0x5A),
                (0x61, 0x7A),
                (0xAA, 0xAA),
                (0xBA, 0xBA),
                (0xC0, 0x24F),
                (0x1E00, 0x1EFF),
                (0x2C60, 0x2C7F),
                (0xA722, 0xA7FF),
                (0xFB00, 0xFB06),
                (0xFF21, 0xFF5A),
            ],
            Self::Han => &[
                (0x2E80, 0x2FDF),
                (0x3005, 0x3007),
                (0x3021, 0x3029),
                (0x3400, 0x4DBF),
                (0x4E00, 0x9FFF),
                (0xF900, 0xFAFF),
                (0x20000, 0x323AF),
            ],
            Self::Cyrillic => &[(0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)],
            Self::Greek => &[(0x370, 0x3FF), (0x1F00, 0x1FFF)],
            Self::Kana => &[(0x3041, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)],
            Self::Hangul => &[(0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)],
            Self::Arabic => &[(0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF)],
            Self::Hebrew => &[(0x590, 0x5FF), (0xFB1D, 0xFB4F)],
            Self::Devanagari => &[(0x900, 0x97F), (0xA8E0, 0xA8FF)],
            Self::Thai => &[(0xE00, 0xE7F)],
        };
        let c = u32::from(c);
        ranges.iter().any(|&(from, to)| (from..=to).contains(&c))
    }
}

impl FromStr for Script {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(s)).map(|(_, script)| *script).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("unknown script {s:?}; known are {}", names.join(", "))
        })
    }
}

/// Whether a character stays if only `wanted` scripts are kept: a letter of one of them, or no letter (digit, punctuation, symbol, space mark).
#[must_use]
pub fn wanted(c: char, wanted: &[Script]) -> bool {
    if !c.is_alphabetic() {
        return true;
    }
    wanted.iter().any(|s| s.contains(c))
}
