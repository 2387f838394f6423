-- What must be ordered, and why, by every run that is kept? Read by the view restock_suggestion.
CREATE TABLE IF NOT EXISTS {table} (
  run VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT '批次 the run that wrote it',
  supplier_id INT NOT NULL,
  warehouse_id INT NOT NULL,
  community_id INT NOT NULL COMMENT '0: 整仓 for the warehouse itself',
  sku_id BIGINT NOT NULL,
  quantity INT NOT NULL,
  status VARCHAR(10) NOT NULL COMMENT 'ready, held: 待人工放行',
  reason MEDIUMTEXT NOT NULL COMMENT '依据 each term of the sum, JSON as text: type JSON would round its numbers',
  must_order_by DATETIME(3) NOT NULL COMMENT '最晚下单 order by',
  needed_by DATE NOT NULL COMMENT '最晚到货 there on',
  PRIMARY KEY (run, supplier_id, warehouse_id, community_id, sku_id),
  KEY (run, sku_id)
) CHARACTER SET utf8mb4 COMMENT '补货建议 restock suggestions by run, written by Linli'
