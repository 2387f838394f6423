-- Read back: what must be ordered, and why?
CREATE TABLE IF NOT EXISTS {table} (
  supplier_id INT NOT NULL,
  community_id INT NOT NULL,
  sku_id BIGINT NOT NULL,
  run VARCHAR(40) NOT NULL,
  quantity INT NOT NULL,
  reason JSON NOT NULL COMMENT '依据 each term of the sum',
  must_order_by DATETIME(3) NOT NULL COMMENT '最晚下单 order by',
  version BIGINT UNSIGNED NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (supplier_id, community_id, sku_id)
) CHARACTER SET utf8mb4 COMMENT '补货建议 restock suggestions, written by Linli'
