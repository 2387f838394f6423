//! What the tests of the whole share: real servers, inputs, an oracle, a faulty line, and the program under test.

pub mod http;
pub mod lines;
pub mod oracle;
pub mod program;
pub mod proxy;
pub mod smtp;
pub mod stack;
