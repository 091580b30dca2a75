//! Micro-batches: a batch is cut into pieces whose gradients add up to the batch's gradient.

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::error::Result;

/// Cuts `ids` into pieces of at most `micro_tokens` tokens, at least one id each, in the order given.
pub(crate) fn split_by_tokens(ids: &[u32], micro_tokens: usize, tokens_of: impl Fn(u32) -> usize) -> Vec<Vec<u32>> {
    let mut pieces: Vec<Vec<u32>> = Vec::new();
    let mut tokens = usize::MAX;
    for &id in ids {
        let n = tokens_of(id);
        if tokens.saturating_add(n) > micro_tokens {
            pieces.push(Vec::new());
            tokens = 0;
        }
        tokens += n;
        if let Some(piece) = pieces.last_mut() {
            piece.push(id);
        }
    }
    pieces
}

/// Adds a gradient to the sum stored under `name`.
pub(crate) fn add_gradient(grads: &mut BTreeMap<String, Tensor>, name: &str, gradient: &Tensor) -> Result<()> {
    let gradient = gradient.detach();
    let sum = match grads.get(name) {
        Some(sum) => (sum + gradient)?,
        None => gradient,
    };
    grads.insert(name.to_owned(), sum);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_order_and_respect_the_token_limit() {
        let pieces = split_by_tokens(&[3, 1, 9, 2, 2], 5, |id| id as usize);
        assert_eq!(pieces, [vec![3, 1], vec![9], vec![2, 2]]);
        assert!(split_by_tokens(&[], 5, |_| 1).is_empty());
    }
}
