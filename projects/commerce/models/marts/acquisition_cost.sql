with spend as (

    select
        store_id,
        date_key,
        channel,
        {{ base_sum('base_amount') }} as ad_spend
    from {{ ref('fact_ad_spend') }}
    group by store_id, date_key, channel

),

customers as (

    select store_id, order_id, person_id, placed_at, date_key
    from {{ ref('fact_orders') }}
    where is_new_customer

),

-- The accounts of these persons; one that placed no order is a person of its own.
ordering as (

    select distinct store_id, customer_id, person_id from {{ ref('fact_orders') }} where person_id is not null

),

accounts as (

    select ordering.customer_id, customers.*
    from ordering
    inner join customers on ordering.store_id = customers.store_id and ordering.person_id = customers.person_id
    union all
    select customers.person_id as customer_id, customers.*
    from customers
    anti join ordering on customers.store_id = ordering.store_id and customers.person_id = ordering.customer_id

),

touches as (

    select store_id, customer_id, occurred_at, touch_id, channel
    from {{ ref('stg_touches') }}
    where customer_id is not null and channel <> 'direct'
    union all
    select store_id, customer_id, occurred_at, touch_id, channel
    from {{ ref('int_session_touches') }}

),

-- The last touch of the thirty days before; at one moment that with the highest id.
last_touches as (

    select
        accounts.store_id,
        accounts.order_id,
        arg_max(touches.channel, row(touches.occurred_at, touches.touch_id)) as channel
    from accounts
    inner join touches
        on accounts.store_id = touches.store_id
        and accounts.customer_id = touches.customer_id
        and touches.occurred_at between accounts.placed_at - interval 30 days and accounts.placed_at
    group by accounts.store_id, accounts.order_id

),

won as (

    select
        customers.store_id,
        customers.date_key,
        coalesce(touched.channel, 'direct') as channel
    from customers
    left join last_touches as touched
        on customers.store_id = touched.store_id
        and customers.order_id = touched.order_id

),

counted as (

    select store_id, date_key, channel, count(*) as new_customers from won group by store_id, date_key, channel

),

combined as (

    select
        coalesce(spend.store_id, counted.store_id) as store_id,
        coalesce(spend.date_key, counted.date_key) as date_key,
        coalesce(spend.channel, counted.channel) as channel,
        coalesce(spend.ad_spend, 0) as ad_spend,
        coalesce(counted.new_customers, 0) as new_customers
    from spend
    full join counted
        on spend.store_id = counted.store_id
        and spend.date_key = counted.date_key
        and spend.channel = counted.channel

)

select
    combined.store_id,
    combined.date_key,
    combined.channel,
    stores.base_currency,
    combined.ad_spend,
    combined.new_customers,
    {{ per_piece('combined.ad_spend', 'combined.new_customers') }} as acquisition_cost,
    coalesce(combined.date_key + 14 < horizon.last_day, false) as is_final
from combined
left join {{ ref('int_stores') }} as stores on combined.store_id = stores.store_id
left join {{ ref('int_horizon') }} as horizon on true
