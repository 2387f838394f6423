-- Read back: how much will be wanted? One statement sees one run, whole.
CREATE OR REPLACE VIEW {table} AS
SELECT r.warehouse_id, r.community_id, r.sku_id, r.step_on, r.run, r.model, r.mean,
  r.q10, r.q25, r.q50, r.q75, r.q80, r.q90, r.q95, r.q99, c.named_at AS updated_at
FROM {database}.restock_current c
JOIN {database}.demand_forecast_rows r ON r.run = c.run
