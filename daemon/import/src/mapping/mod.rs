//! From a record to documents, as a preset's section says.

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
