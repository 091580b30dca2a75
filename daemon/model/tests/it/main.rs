//! Tests of the encoder crate over small encoders with random weights, made here.
#![allow(missing_docs, reason = "tests: their names say what they hold")]

mod fixture;
mod graph;
mod layout;
mod packing;
mod quality;
mod registry;
mod worker;
