-- Who delivers to the warehouses?
CREATE TABLE IF NOT EXISTS {table} (
  supplier_id INT NOT NULL,
  name VARCHAR(120) NOT NULL,
  name_en VARCHAR(120) NOT NULL,
  email VARCHAR(200) NOT NULL,
  lead_days INT NOT NULL COMMENT '交货天数 days from order to delivery',
  PRIMARY KEY (supplier_id)
) CHARACTER SET utf8mb4 COMMENT '供应商 suppliers'
