{{ penstock_by_key(['store_id', 'session_id'], affected='changed_sessions', slice_by='date_key') }}

{%- set columns = [
    'store_id', 'session_id', 'customer_id', 'anonymous_id', 'started_at', 'ended_at', 'is_bot', 'is_staff', 'device',
    'country',
] %}

with sessions as (

    select *
    from {{ affected_rows(
        ref('stg_sessions'),
        source('silver', 'sessions'),
        columns=columns
    ) }}

),

links as materialized (

    select store_id, session_id, order_id from {{ penstock_affected(ref('stg_session_orders')) }}

),

converted as (

    select
        links.store_id,
        links.session_id,
        count(*) as orders
    from links
    inner join {{ ref('int_orders') }} as orders
        on links.store_id = orders.store_id
        and links.order_id = orders.order_id
    where not orders.is_test
    group by links.store_id, links.session_id

)

select
    sessions.store_id,
    sessions.session_id,
    {{ local_day("coalesce(stores.timezone, 'UTC')", 'sessions.started_at') }} as date_key,
    sessions.started_at,
    sessions.ended_at,
    sessions.customer_id,
    sessions.anonymous_id,
    sessions.device,
    sessions.country,
    not sessions.is_bot and not sessions.is_staff as is_human,
    coalesce(converted.orders, 0) as orders,
    not sessions.is_bot and not sessions.is_staff and converted.orders is not null as is_converted
from sessions
left join {{ ref('int_stores') }} as stores on sessions.store_id = stores.store_id
left join converted
    on sessions.store_id = converted.store_id
    and sessions.session_id = converted.session_id
