//! Maps records to documents, as the sections of a preset say.

mod anonymise;
mod columns;
mod condition;
mod documents;
mod fill;
mod gather;
mod mapper;
mod null;
mod number;
mod remarks;
mod row;
mod stock;
mod text;
mod time;
mod value;

pub(crate) use gather::{Items, Users};
pub(crate) use mapper::{Doc, Mapped, Mapper};
pub(crate) use remarks::About;
