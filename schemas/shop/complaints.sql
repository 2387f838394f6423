-- What went wrong for whom?
CREATE TABLE IF NOT EXISTS {table} (
  complaint_id BIGINT UNSIGNED NOT NULL,
  order_id BIGINT UNSIGNED NOT NULL,
  community_id INT NOT NULL,
  leader_id BIGINT,
  user_id BIGINT NOT NULL,
  reason VARCHAR(80) NOT NULL COMMENT '原因 reason',
  status VARCHAR(20) NOT NULL COMMENT 'open, resolved',
  created_at DATETIME(3) NOT NULL,
  resolved_at DATETIME(3),
  PRIMARY KEY (complaint_id),
  KEY (order_id)
) CHARACTER SET utf8mb4 COMMENT '投诉 complaints'
