//! Whole-system tests: a real daemon, a real socket, the real programs. They are one program, so that tests which wait for a daemon
//! run beside others.

mod bad_input;
mod canary;
mod cli;
mod drift;
mod durability;
mod evaluation;
mod experiments;
mod explanations;
mod extremes;
mod freshness;
mod holdout;
mod idle;
mod imports;
mod mitigations;
mod pair;
mod planted;
mod privacy;
mod repeat;
mod replay;
mod reports;
mod same_answers;
mod socket;
mod swap;
mod terminal;
mod training;
mod users_and_items;
