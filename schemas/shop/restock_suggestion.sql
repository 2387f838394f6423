-- Read back: what must be ordered, and why? One statement sees one run, whole.
CREATE OR REPLACE VIEW {table} AS
SELECT r.supplier_id, r.warehouse_id, r.community_id, r.sku_id, r.run, r.quantity, r.status, r.reason,
  r.must_order_by, r.needed_by, c.named_at AS updated_at
FROM {database}.restock_current c
JOIN {database}.restock_suggestion_rows r ON r.run = c.run
