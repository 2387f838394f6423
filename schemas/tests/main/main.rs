//! What is decoded, held against the schemas, the samples and damaged bytes.

mod changes;
mod equality;
mod samples;
mod shop;
mod values;
