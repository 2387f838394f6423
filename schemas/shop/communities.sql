-- Which neighbourhoods are served, and from where?
CREATE TABLE IF NOT EXISTS {table} (
  community_id INT NOT NULL,
  name VARCHAR(80) NOT NULL,
  name_en VARCHAR(80) NOT NULL,
  city VARCHAR(40) NOT NULL,
  city_en VARCHAR(40) NOT NULL,
  district VARCHAR(40) NOT NULL,
  district_en VARCHAR(40) NOT NULL,
  latitude DECIMAL(9,6) NOT NULL,
  longitude DECIMAL(9,6) NOT NULL,
  coordinate_system VARCHAR(10) NOT NULL COMMENT '坐标系 WGS84, GCJ02, BD09',
  households INT NOT NULL COMMENT '户数 households',
  leader_id BIGINT COMMENT '团长 leader',
  warehouse_id INT COMMENT '发货仓 served from',
  PRIMARY KEY (community_id)
) CHARACTER SET utf8mb4 COMMENT '社区 communities'
