//! The command line as scripts see it: every form of the contract is read, and what it prints and exits with is tested
//! against a daemon that answers what it is told to.

mod daemon;
mod forms;
mod mitigation;
mod output;
mod reports;
