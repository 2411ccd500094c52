{{ penstock_by_key(
    {'store_id': 'store_id', 'transaction_id': 'order_id'}, affected='changed_purchases', slice_by='date_key'
) }}

with orders as (

    select * from {{ penstock_affected(ref('int_order_totals')) }} where not is_test

),

customers as (

    select customer_key, country, region, segment, is_member from {{ ref('dim_customer') }}

)

select
    orders.store_id,
    orders.order_id as transaction_id,
    orders.placed_date as date_key,
    orders.placed_at,
    orders.channel,
    orders.status,
    orders.customer_key,
    orders.customer_id,
    customers.segment,
    customers.is_member,
    coalesce(customers.country, orders.ship_country) as country,
    coalesce(orders.ship_region, customers.region, 'unknown') as region,
    orders.ordered_quantity as quantity,
    orders.currency,
    orders.amount,
    orders.base_currency,
    orders.base_amount,
    case
        when orders.base_amount < {{ var('amount_medium_from') }} then 'low'
        when orders.base_amount < {{ var('amount_high_from') }} then 'medium'
        when orders.base_amount is not null then 'high'
        else 'unknown'
    end as amount_category,
    orders.payment_method
from orders
inner join customers on orders.customer_key = customers.customer_key
