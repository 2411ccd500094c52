with visits as (

    select
        store_id,
        date_key,
        count(*) as sessions,
        count(*) filter (where is_converted) as converted_sessions
    from {{ ref('fact_sessions') }}
    where is_human
    group by store_id, date_key

),

orders as (

    select
        store_id,
        date_key,
        count(*) as placed,
        count(*) filter (where is_paid) as paid,
        count(*) filter (where shipped_at is not null) as shipped,
        count(*) filter (where delivered_at is not null) as delivered,
        count(*) filter (where is_wholly_cancelled) as cancelled,
        count(*) filter (where refunded_quantity > 0) as refunded
    from {{ ref('fact_orders') }}
    where not is_test
    group by store_id, date_key

)

select
    coalesce(visits.store_id, orders.store_id) as store_id,
    coalesce(visits.date_key, orders.date_key) as date_key,
    coalesce(visits.sessions, 0) as sessions,
    coalesce(visits.converted_sessions, 0) as converted_sessions,
    coalesce(orders.placed, 0) as placed,
    coalesce(orders.paid, 0) as paid,
    coalesce(orders.shipped, 0) as shipped,
    coalesce(orders.delivered, 0) as delivered,
    coalesce(orders.cancelled, 0) as cancelled,
    coalesce(orders.refunded, 0) as refunded
from visits
full join orders on visits.store_id = orders.store_id and visits.date_key = orders.date_key
