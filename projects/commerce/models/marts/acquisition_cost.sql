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

persons as (

    select distinct store_id, customer_id, person_id from {{ ref('fact_orders') }} where person_id is not null

),

touches as (

    select
        touches.store_id,
        coalesce(persons.person_id, touches.customer_id, sessions.customer_id) as person_id,
        touches.occurred_at,
        touches.touch_id,
        touches.channel
    from {{ ref('stg_touches') }} as touches
    left join {{ ref('stg_sessions') }} as sessions
        on touches.store_id = sessions.store_id
        and touches.session_id = sessions.session_id
    left join persons
        on touches.store_id = persons.store_id
        and coalesce(touches.customer_id, sessions.customer_id) = persons.customer_id
    where touches.channel <> 'direct'

),

-- The last touch at one moment has the highest id.
last_touches as (

    select
        store_id,
        person_id,
        occurred_at,
        arg_max(channel, touch_id) as channel
    from touches
    where person_id is not null
    group by store_id, person_id, occurred_at

),

won as (

    select
        customers.store_id,
        customers.date_key,
        case
            when touched.occurred_at >= customers.placed_at - interval 30 days then touched.channel else 'direct'
        end as channel
    from customers
    asof left join last_touches as touched
        on customers.store_id = touched.store_id
        and customers.person_id = touched.person_id
        and customers.placed_at >= touched.occurred_at

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
