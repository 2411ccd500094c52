with ends as (

    select distinct last_day(dates.date_key) as as_of_date
    from {{ ref('dim_date') }} as dates
    cross join {{ ref('int_horizon') }} as horizon
    where last_day(dates.date_key) <= horizon.last_day

),

persons as (

    select
        orders.store_id,
        ends.as_of_date,
        orders.person_id,
        min(orders.date_key) < ends.as_of_date - 180 as was_active,
        max(orders.date_key) >= ends.as_of_date - 180 as is_active
    from {{ ref('fact_orders') }} as orders
    inner join ends on orders.date_key >= ends.as_of_date - 365 and orders.date_key < ends.as_of_date
    where orders.person_id is not null and not orders.is_test and not orders.is_wholly_cancelled
    group by orders.store_id, ends.as_of_date, orders.person_id

)

select
    store_id,
    as_of_date,
    count(*) filter (where was_active) as persons,
    count(*) filter (where was_active and not is_active) as churned,
    count(*) filter (where was_active and not is_active) / nullif(count(*) filter (where was_active), 0) as churn_rate
from persons
group by store_id, as_of_date
