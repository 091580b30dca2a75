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
/// Users that an adapter is trained on, and as many for another adapter.
const MEMBERS: usize = 30;
/// Users that no adapter is trained on.
const OTHERS: usize = 100;
/// Pairs of each user.
const PAIRS: usize = 4;

/// A group of users.
#[derive(Clone, Copy)]
enum Group {
    Members,
    Foreign,
    Others,
}

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
        let mut pair = |user: usize| {
            let taken = catalogue[rng.random_range(0..catalogue.len() as u64) as usize];
            let query = [1, rng.random_range(4..119), rng.random_range(4..119), rng.random_range(4..119), 2];
            ContrastivePair {
                anchor: Anchor::Text(texts.push(&query)),
                positive: taken.text,
                item: taken.item,
                group: user as u64,
                weight: 1.0,
                hard_negative: None,
            }
        };
        let users = (0..2 * MEMBERS + OTHERS).map(|user| (0..PAIRS).map(|_| pair(user)).collect()).collect();
        Self { tiny: Tiny::new(2, 32), texts, users, catalogue }
    }

    fn group(&self, group: Group) -> PrivateSet<'_> {
        let users = match group {
            Group::Members => &self.users[..MEMBERS],
            Group::Foreign => &self.users[MEMBERS..2 * MEMBERS],
            Group::Others => &self.users[2 * MEMBERS..],
        };
        PrivateSet { texts: &self.texts, users, catalogue: &self.catalogue }
    }

    fn lora() -> LoraOptions {
        LoraOptions { rank: 16, dropout: 0.0, targets: Targets::AllLinear, ..LoraOptions::default() }
    }

    /// An adapter that was trained long on one group.
    fn memorised(&self, group: Group) -> Adapter {
        let pairs = self.group(group).users.concat();
        let known = KnownPositives::from_pairs(&pairs);
        let set = TrainingSet { texts: &self.texts, pairs: &pairs, known: &known, teacher: None };
        let options = TuneOptions {
            method: Method::Lora(Self::lora()),
            upper_layers: 2,
            batch_pairs: 60,
            epochs: 1e3,
            max_steps: Some(300),
            pull: 0.0,
            adam: AdamOptions { learning_rate: 3e-3, ..AdamOptions::default() },
            ..TuneOptions::default()
        };
        tune(self.tiny.base(), set, None, &options, &CPU, &mut ()).unwrap().learned
    }

    /// The same with noise that hides every user.
    fn private(&self, group: Group) -> Adapter {
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
        let set = self.group(group);
        tune_privately(self.tiny.base(), set, None, &options, &CPU, &mut Free, &mut ()).unwrap().learned
    }

    /// How far each user's loss fell from the base to the adapter.
    fn falls(&self, adapter: &Adapter, group: Group) -> Vec<f64> {
        let mut tensors = self.tiny.tensors.clone();
        tensors.extend(adapter.changed(&self.tiny.tensors).unwrap());
        let losses = |tensors: &std::collections::HashMap<String, candle_core::Tensor>| {
            let base = BaseEncoder { tensors, ..self.tiny.base() };
            user_losses(base, self.group(group), &UserLossOptions::default(), &CPU, &mut ()).unwrap().unwrap()
        };
        losses(&self.tiny.tensors).iter().zip(losses(&tensors)).map(|(before, after)| before - after).collect()
    }

    /// Share of the members above all but one of the hundred others: the true positive rate at 1 % false positives.
    fn rate(&self, adapter: &Adapter) -> f64 {
        let mut others = self.falls(adapter, Group::Others);
        others.sort_by(|a, b| b.total_cmp(a));
        let members = self.falls(adapter, Group::Members);
        let mean = |falls: &[f64]| falls.iter().sum::<f64>() / falls.len() as f64;
        eprintln!("mean fall of members {:.3}, of others {:.3}", mean(&members), mean(&others));
        members.iter().filter(|fall| **fall > others[1]).count() as f64 / MEMBERS as f64
    }
}

#[test]
fn an_adapter_that_memorised_is_caught_and_others_are_not() {
    let shop = Chance::new();
    let own = shop.rate(&shop.memorised(Group::Members));
    let foreign = shop.rate(&shop.memorised(Group::Foreign));
    let private = shop.rate(&shop.private(Group::Members));
    eprintln!("TPR at 1 % FPR: memorised {own}, other users {foreign}, private {private}");
    assert!(own > 0.3, "{own}");
    // A member passes by chance with probability .02: six of thirty do so less than once in ten thousand times.
    assert!(foreign < 0.2, "{foreign}");
    assert!(private < 0.2 && private < own / 2.0, "{private}");
}

#[test]
fn losses_are_their_definition_and_bad_sets_are_refused() {
    let shop = Chance::new();
    let set = shop.group(Group::Members);
    let options = UserLossOptions { negatives: 1_000, ..UserLossOptions::default() };
    let losses = user_losses(shop.tiny.base(), set, &options, &CPU, &mut ()).unwrap().unwrap();
    assert_eq!(losses.len(), MEMBERS);
    let encoder = crate::graph::TunableEncoder::frozen(shop.tiny.base(), 0, &CPU).unwrap();
    let vector = |id| encoder.embed(&shop.texts, &[id]).unwrap().to_vec2::<f32>().unwrap().remove(0);
    let own = &set.users[3];
    let loss = |pair: &ContrastivePair| {
        let anchor = vector(pair.anchor.texts()[0]);
        let score = |id| anchor.iter().zip(vector(id)).map(|(a, b)| f64::from(a * b)).sum::<f64>() / 0.05;
        let free = |one: &&CatalogueText| own.iter().all(|p| p.item != one.item && p.positive != one.text);
        let others: f64 = shop.catalogue.iter().filter(free).map(|one| score(one.text).exp()).sum();
        (others + score(pair.positive).exp()).ln() - score(pair.positive)
    };
    let expected = own.iter().map(loss).sum::<f64>() / PAIRS as f64;
    assert!((losses[3] - expected).abs() < 1e-4, "{} {expected}", losses[3]);
    let nobody = [Vec::new()];
    let empty = PrivateSet { users: &nobody, ..set };
    assert!(user_losses(shop.tiny.base(), empty, &options, &CPU, &mut ()).is_err());
}
