{{ config(schema='staging') }}

with orders as not materialized (

    select store_id, order_id, customer_id, placed_at from {{ ref('stg_orders') }}
    union all
    select
        '{{ var("plain_store") }}' as store_id,
        transaction_id as order_id,
        customer_id,
        occurred_at as placed_at
    from {{ ref('stg_plain_transactions') }}

),

-- When other versions hold than before, or say something else.
customers as (

    {{ changed_spans(ref('dim_customer'), ['store_id', 'customer_id']) }}
    union all
    select
        store_id,
        customer_id,
        {{ first_instant() }} as holds_from,
        {{ last_instant() }} as holds_to
    from {{ penstock_changes(ref('int_persons')) }}

)

select store_id, order_id from {{ penstock_changes(source('silver', 'orders')) }}
union
select '{{ var("plain_store") }}' as store_id, transaction_id as order_id
from {{ penstock_changes(source('silver', 'plain_transactions')) }}
where transaction_id is not null
union
select orders.store_id, orders.order_id
from orders
inner join customers
    on orders.store_id = customers.store_id
    and orders.customer_id = customers.customer_id
    and orders.placed_at >= customers.holds_from
    and orders.placed_at < customers.holds_to
union
select orders.store_id, orders.order_id
from orders
semi join {{ penstock_changes(ref('int_stores')) }} as stores on orders.store_id = stores.store_id
union
select orders.store_id, orders.order_id
from orders
inner join {{ changed_days() }} as rates on {{ lies_in('orders.placed_at', 'rates.day') }}
