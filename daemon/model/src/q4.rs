//! Encoding of `Q4_0` blocks: 32 weights share an f16 scale `d` and keep four bits `q` each, weight = `d * (q - 8)`.
//!
//! ggml's encoder uses `d = extreme / -8`. That would round weights a second time if they came from four-bit blocks with another choice of scale.
//! This encoder first looks for a scale that reproduces the block exactly, and otherwise takes the one with the least squared error.

use half::f16;

/// Weights that share a scale.
pub const BLOCK: usize = 32;
/// Bytes of a stored block: the scale, then the low nibbles of weights 0..16 with those of 16..32 above them.
pub const BLOCK_BYTES: usize = 18;

/// Possible ratios of the largest weight to the scale, most likely first.
const EXTREMES: [f32; 15] = [-8.0, 7.0, -7.0, 8.0, 6.0, -6.0, 5.0, -5.0, 4.0, -4.0, 3.0, -3.0, 2.0, -2.0, 1.0];

/// Encodes whole blocks of weights; a shorter tail is left out.
#[must_use]
pub fn encode(values: &[f32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() / BLOCK * BLOCK_BYTES);
    for block in values.chunks_exact(BLOCK) {
        let scale = scale_of(block);
        out.extend_from_slice(&scale.to_le_bytes());
        for (low, high) in block[..BLOCK / 2].iter().zip(&block[BLOCK / 2..]) {
            out.push(nibble(*low, scale.to_f32()) | nibble(*high, scale.to_f32()) << 4);
        }
    }
    out
}

/// The scale with the least squared error.
fn scale_of(block: &[f32]) -> f16 {
    let extreme = block.iter().copied().fold(0f32, |a, b| if b.abs() > a.abs() { b } else { a });
    if extreme == 0.0 {
        return f16::ZERO;
    }
    let mut best = (f64::INFINITY, f16::ZERO);
    for multiple in EXTREMES {
        let scale = f16::from_f32(extreme / multiple);
        let d = scale.to_f32();
        let error: f64 = block
            .iter()
            .map(|&v| {
                let read = d * (f32::from(nibble(v, d)) - 8.0);
                f64::from(read - v).powi(2)
            })
            .sum();
        if error < best.0 {
            best = (error, scale);
        }
        if error == 0.0 {
            break;
        }
    }
    best.1
}

fn nibble(value: f32, scale: f32) -> u8 {
    if scale == 0.0 {
        return 8;
    }
    // In range after the clamp, so the cast cannot wrap.
    ((value / scale).round() + 8.0).clamp(0.0, 15.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Vec<f32> {
        let mut out = Vec::new();
        for block in bytes.chunks_exact(BLOCK_BYTES) {
            let d = f16::from_le_bytes([block[0], block[1]]).to_f32();
            out.extend(block[2..].iter().map(|b| d * (f32::from(b & 15) - 8.0)));
            out.extend(block[2..].iter().map(|b| d * (f32::from(b >> 4) - 8.0)));
        }
        out
    }

    proptest::proptest! {
        #[test]
        fn blocks_that_were_four_bit_come_back_exactly(d in -0.5f32..0.5, q in proptest::collection::vec(0u8..16, BLOCK)) {
            let d = f16::from_f32(d).to_f32();
            let block: Vec<f32> = q.iter().map(|&q| d * (f32::from(q) - 8.0)).collect();
            proptest::prop_assert_eq!(decode(&encode(&block)), block);
        }

        #[test]
        fn the_error_is_no_larger_than_that_of_ggml(block in proptest::collection::vec(-1f32..1.0, BLOCK)) {
            let extreme = block.iter().copied().fold(0f32, |a, b| if b.abs() > a.abs() { b } else { a });
            let d = f16::from_f32(extreme / -8.0).to_f32();
            let ggml: f64 = block.iter().map(|&v| f64::from(d * ((v / d).round().clamp(-8.0, 7.0)) - v).powi(2)).sum();
            let ours: f64 = block.iter().zip(decode(&encode(&block))).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            proptest::prop_assert!(ours <= ggml + 1e-9);
        }
    }

    #[test]
    fn a_block_of_zeros_stays_zero() {
        assert_eq!(decode(&encode(&[0.0; BLOCK])), vec![0.0; BLOCK]);
    }
}
