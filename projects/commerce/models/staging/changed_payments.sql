{{ config(schema='staging') }}

with payments as not materialized (

    select store_id, payment_id, order_id, occurred_at from {{ ref('stg_payments') }}
    union all
    select
        '{{ var("plain_store") }}' as store_id,
        txn_id as payment_id,
        null as order_id,
        occurred_at
    from {{ ref('stg_payment_events') }}

),

rates as (

    select distinct rate_date as day from {{ penstock_changes(source('silver', 'fx_rates')) }}

),

-- Of an order only the day matters to its payments, that day's rates, and whether it is a test.
orders as (

    select store_id, order_id
    from {{ penstock_changed(ref('int_orders'), ['store_id', 'order_id'], columns=['placed_date', 'is_test']) }}
    union all
    select placed.store_id, placed.order_id
    from {{ ref('int_orders') }} as placed
    semi join rates on placed.placed_date = rates.day

)

select store_id, payment_id from {{ penstock_changes(source('silver', 'payments')) }}
union
select '{{ var("plain_store") }}' as store_id, txn_id as payment_id
from {{ penstock_changes(source('silver', 'payment_events')) }}
union
select payments.store_id, payments.payment_id
from payments
semi join orders
    on payments.store_id = orders.store_id
    and payments.order_id = orders.order_id
union
select payments.store_id, payments.payment_id
from payments
semi join {{ penstock_changes(ref('int_stores')) }} as stores on payments.store_id = stores.store_id
union
select payments.store_id, payments.payment_id
from payments
inner join rates on {{ lies_in('payments.occurred_at', 'rates.day - 1', 'rates.day + 1') }}
left join {{ ref('int_stores') }} as stores on payments.store_id = stores.store_id
where {{ local_day("coalesce(stores.timezone, 'UTC')", 'payments.occurred_at') }} = rates.day
