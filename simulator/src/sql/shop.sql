-- Which simulated shop do the databases of this server hold?
create table if not exists linli_simulator.shop (
  one tinyint not null,
  shop varchar(400) not null comment 'seed and sizes',
  opened_on date not null,
  born_ms bigint not null comment 'when its tables were made, epoch ms',
  primary key (one)
)
