-- Who ordered what, for how much, and how far is it?
CREATE TABLE IF NOT EXISTS {table} (
  order_id BIGINT UNSIGNED NOT NULL,
  user_id BIGINT NOT NULL,
  community_id INT NOT NULL,
  leader_id BIGINT,
  status TINYINT NOT NULL,
  pay_amount DECIMAL(12,2) NOT NULL COMMENT '实付 paid amount',
  discount DECIMAL(12,2),
  address JSON COMMENT '地址 personal',
  note VARCHAR(200),
  phone VARCHAR(20) NOT NULL COMMENT '手机 personal',
  created_at DATETIME(3) NOT NULL,
  paid_at DATETIME(3),
  accepted_at DATETIME(3),
  sorted_at DATETIME(3),
  delivered_at DATETIME(3),
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (order_id)
) CHARACTER SET utf8mb4 COMMENT '订单 orders, status 0 created 1 paid 2 accepted 3 sorted 4 delivered 5 refunded 6 canceled'
