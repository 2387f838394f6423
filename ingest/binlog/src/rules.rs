//! What becomes of a column's values before they leave.

/// One for each column of a table, in the table's order.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum ColumnRule {
    #[default]
    Keep,
    /// The column does not appear.
    Drop,
    /// Parts are replaced by stars. NULL stays NULL.
    Mask(MaskStyle),
    /// Hex of the HMAC-SHA256 of the value's text: equal values stay equal, nothing can be read back without the key.
    Hash { key: Vec<u8> },
}

/// How much of a masked text stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskStyle {
    /// 13812345678 → 138****5678
    Phone,
    /// 张三丰 → 张**
    Name,
    /// The first six characters at most: 湖北省武汉市****
    Address,
    /// ****
    Full,
}

impl std::fmt::Debug for ColumnRule {
    /// Shows no key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ColumnRule::Keep => f.write_str("Keep"),
            ColumnRule::Drop => f.write_str("Drop"),
            ColumnRule::Mask(style) => write!(f, "Mask({style:?})"),
            ColumnRule::Hash { .. } => f.write_str("Hash"),
        }
    }
}
