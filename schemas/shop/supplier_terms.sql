-- When does a supplier take orders, and how? Without a row: every day until 22:00, any amount, in Chinese.
CREATE TABLE IF NOT EXISTS {table} (
  supplier_id INT NOT NULL,
  order_days VARCHAR(7) NOT NULL DEFAULT '1234567' COMMENT '接单日 weekdays, Monday is 1',
  delivery_days VARCHAR(7) NOT NULL DEFAULT '1234567' COMMENT '送货日 weekdays, Monday is 1',
  cut_off TIME NOT NULL DEFAULT '22:00:00' COMMENT '截单时间 orders are taken until then',
  min_amount DECIMAL(12,2) NOT NULL DEFAULT 0 COMMENT '起订金额 least amount of an order',
  language VARCHAR(5) NOT NULL DEFAULT 'zh' COMMENT 'zh, en',
  PRIMARY KEY (supplier_id)
) CHARACTER SET utf8mb4 COMMENT '供应商条款 terms of suppliers'
