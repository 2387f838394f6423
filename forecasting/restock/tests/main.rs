//! Runs from books and sales.

mod history;
mod planning;
mod shop;
mod value;
