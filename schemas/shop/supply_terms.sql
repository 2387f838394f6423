-- How is a SKU bought? Without a row: by the piece.
CREATE TABLE IF NOT EXISTS {table} (
  sku_id BIGINT NOT NULL,
  supplier_code VARCHAR(40) COMMENT '供应商货号 what the supplier calls it',
  pack INT NOT NULL DEFAULT 1 COMMENT '箱规 pieces of a pack',
  min_order INT NOT NULL DEFAULT 0 COMMENT '起订量 least pieces of a line',
  service_level DECIMAL(4,3) COMMENT '服务水平 wished, NULL: by the margins',
  PRIMARY KEY (sku_id)
) CHARACTER SET utf8mb4 COMMENT '采购条款 terms of supply'
