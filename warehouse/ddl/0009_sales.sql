-- Every line of every paid order, with the date and the hour of payment: what GMV, TOP lists and community_sales count.
-- A line that left the shop after the order was paid (an archive that purges old rows, say) was sold all the same.
create or replace view sales as
select
    paid.order_id as order_id,
    item_id,
    paid.user_id as user_id,
    paid.community_id as community_id,
    paid.leader_id as leader_id,
    sku_id,
    category_id,
    supplier_id,
    quantity,
    amount,
    paid.paid_at as paid_at,
    paid.biz_date as biz_date,
    paid.biz_hour as biz_hour,
    paid.is_weekend as is_weekend
from order_items as item final
inner join
(
    select order_id, user_id, community_id, leader_id, paid_at, biz_date, biz_hour, is_weekend
    from orders final
    where paid_at is not null
) as paid on item.order_id = paid.order_id
where item.deleted = 0 or item.written_at >= paid.paid_at
