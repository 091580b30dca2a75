//! A membership test by losses: it catches an adapter that memorised its users, and finds nothing where an adapter saw none of them, or saw
//! them privately.

use candle_core::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::cache::CacheFormat;
use crate::contrastive_pairs::{Anchor, ContrastivePair, KnownPositives};
use crate::error::Result;
use crate::fixture::Tiny;
use crate::graph::{BaseEncoder, Method};
use crate::lora::{Adapter, LoraOptions, Targets};
use crate::optim::AdamOptions;
use crate::texts::TextTable;
use crate::tune::{TrainingSet, TuneOptions, tune};

const CPU: Device = Device::Cpu;
/// Users of each of the three groups: trained on, held out, and used for another adapter.
const GROUP: usize = 100;

/// Users who take items by chance alone: whatever helps with a user's pairs was learned from these very pairs.
struct Chance {
    tiny: Tiny,
    texts: TextTable,
    users: Vec<Vec<ContrastivePair>>,
    catalogue: Vec<CatalogueText>,
}

impl Chance {
    fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut texts = TextTable::new();
        let mut word = || rng.random_range(4..119u32);
        let catalogue: Vec<CatalogueText> =
            (0..60).map(|item| CatalogueText { text: texts.push(&[1, word(), word(), 2]), item }).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let users = (0..3 * GROUP)
            .map(|user| {
                let taken = catalogue[rng.random_range(0..catalogue.len() as u64) as usize];
                let query = [1, rng.random_range(4..119), rng.random_range(4..119), rng.random_range(4..119), 2];
                vec![ContrastivePair {
                    anchor: Anchor::Text(texts.push(&query)),
                    positive: taken.text,
                    item: taken.item,
                    group: user as u64,
                    weight: 1.0,
                    hard_negative: None,
                }]
            })
            .collect();
        Self { tiny: Tiny::new(2, 32), texts, users, catalogue }
    }

    fn group(&self, number: usize) -> PrivateSet<'_> {
        let users = &self.users[number * GROUP..(number + 1) * GROUP];
        PrivateSet { texts: &self.texts, users, catalogue: &self.catalogue }
    }

    fn lora() -> LoraOptions {
        LoraOptions { rank: 16, dropout: 0.0, targets: Targets::AllLinear, ..LoraOptions::default() }
    }

    /// An adapter that was trained long on one group.
    fn memorised(&self, number: usize) -> Adapter {
        let pairs = self.group(number).users.concat();
        let known = KnownPositives::from_pairs(&pairs);
        let set = TrainingSet { texts: &self.texts, pairs: &pairs, known: &known, teacher: None };
        let options = TuneOptions {
            method: Method::Lora(Self::lora()),
            upper_layers: 2,
            batch_pairs: 50,
            epochs: 1e3,
            max_steps: Some(150),
            pull: 0.0,
            adam: AdamOptions { learning_rate: 1e-2, ..AdamOptions::default() },
            ..TuneOptions::default()
        };
        tune(self.tiny.base(), set, None, &options, &CPU, &mut ()).unwrap().learned
    }

    /// The same with noise that hides every user.
    fn private(&self, number: usize) -> Adapter {
        struct Free;
        impl PrivacyLedger for Free {
            fn book(&mut self) -> Result<bool> {
                Ok(true)
            }
        }
        let options = PrivateOptions {
            lora: Self::lora(),
            upper_layers: 2,
            steps: 40,
            clip: 1.0,
            noise: 4.0,
            rate: 0.2,
            expected_batch: 20.0,
            negatives: 40,
            pull: 0.0,
            adam: AdamOptions { learning_rate: 1e-3, ..AdamOptions::default() },
            cache_format: CacheFormat::F32,
            ..PrivateOptions::default()
        };
        let set = self.group(number);
        tune_privately(self.tiny.base(), set, None, &options, &CPU, &mut Free, &mut ()).unwrap().learned
    }

    /// How far each user's loss fell from the base to the adapter.
    fn falls(&self, adapter: &Adapter, number: usize) -> Vec<f64> {
        let mut tensors = self.tiny.tensors.clone();
        tensors.extend(adapter.changed(&self.tiny.tensors).unwrap());
        let losses = |tensors: &std::collections::HashMap<String, candle_core::Tensor>| {
            let base = BaseEncoder { tensors, ..self.tiny.base() };
            user_losses(base, self.group(number), &UserLossOptions::default(), &CPU, &mut ()).unwrap().unwrap()
        };
        losses(&self.tiny.tensors).iter().zip(losses(&tensors)).map(|(before, after)| before - after).collect()
    }

    /// Share of group 0 above all but one of the hundred users of group 1: the true positive rate at 1 % false positives.
    fn rate(&self, adapter: &Adapter) -> f64 {
        let mut others = self.falls(adapter, 1);
        others.sort_by(|a, b| b.total_cmp(a));
        self.falls(adapter, 0).iter().filter(|fall| **fall > others[1]).count() as f64 / GROUP as f64
    }
}

#[test]
fn an_adapter_that_memorised_is_caught_and_others_are_not() {
    let shop = Chance::new();
    let (own, foreign, private) =
        (shop.rate(&shop.memorised(0)), shop.rate(&shop.memorised(2)), shop.rate(&shop.private(0)));
    eprintln!("TPR at 1 % FPR: memorised {own}, other users {foreign}, private {private}");
    assert!(own > 0.3, "{own}");
    // Five of a hundred is the 99.6 % point of a count with mean 1, with the threshold's own spread some more.
    assert!(foreign <= 0.08, "{foreign}");
    assert!(private <= 0.1 && private < own / 2.0, "{private}");
}

#[test]
fn losses_are_their_definition_and_bad_sets_are_refused() {
    let shop = Chance::new();
    let set = shop.group(0);
    let options = UserLossOptions { negatives: 1_000, ..UserLossOptions::default() };
    let losses = user_losses(shop.tiny.base(), set, &options, &CPU, &mut ()).unwrap().unwrap();
    assert_eq!(losses.len(), GROUP);
    let encoder = crate::graph::TunableEncoder::frozen(shop.tiny.base(), 0, &CPU).unwrap();
    let pair = &set.users[3][0];
    let vector = |id| encoder.embed(&shop.texts, &[id]).unwrap().to_vec2::<f32>().unwrap().remove(0);
    let anchor = vector(pair.anchor.texts()[0]);
    let score = |id| anchor.iter().zip(vector(id)).map(|(a, b)| f64::from(a * b)).sum::<f64>() / 0.05;
    let others = shop.catalogue.iter().filter(|one| one.item != pair.item && one.text != pair.positive);
    let total: f64 = others.map(|one| score(one.text).exp()).sum::<f64>() + score(pair.positive).exp();
    assert!((losses[3] - (total.ln() - score(pair.positive))).abs() < 1e-4);
    let nobody = [Vec::new()];
    let empty = PrivateSet { users: &nobody, ..set };
    assert!(user_losses(shop.tiny.base(), empty, &options, &CPU, &mut ()).is_err());
}
