-- What is asked of each supplier in one run, with all that a mail says of a line?
SELECT r.supplier_id, s.name, s.name_en, s.email, t.language,
  r.warehouse_id, w.name, w.name_en, r.community_id, c.name, c.name_en,
  r.sku_id, p.supplier_code, k.title, k.title_en, k.spec, p.pack,
  CAST(ROUND(NULLIF(k.cost, 0) * 100) AS SIGNED),
  r.quantity, r.status,
  TIMESTAMPDIFF(MICROSECOND, '1970-01-01', r.must_order_by) DIV 1000, CAST(r.needed_by AS CHAR)
FROM {db}restock_suggestion_rows r
LEFT JOIN {db}suppliers s ON s.supplier_id = r.supplier_id
LEFT JOIN {db}supplier_terms t ON t.supplier_id = r.supplier_id
LEFT JOIN {db}warehouses w ON w.warehouse_id = r.warehouse_id
LEFT JOIN {db}communities c ON c.community_id = r.community_id
LEFT JOIN {db}skus k ON k.sku_id = r.sku_id
LEFT JOIN {db}supply_terms p ON p.sku_id = r.sku_id
WHERE r.run = ?
ORDER BY r.supplier_id
