-- How many orders were paid in each hour of a range of local days, and what did they bring, on weekdays and at weekends?
select biz_date, biz_hour, is_weekend, count() as orders, sum(pay_amount) as gmv
from orders final
where biz_date >= {from:Date} and biz_date <= {to:Date} and paid_at is not null
group by biz_date, biz_hour, is_weekend
order by biz_date, biz_hour
