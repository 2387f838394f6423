//! Each port's suite on every implementation: the twins of this program and the real servers.

mod stack;
