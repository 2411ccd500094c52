{{ config(schema='staging') }}

-- What came of an order does not matter to the session: only that it is there, and whether it is a test.
with orders as (

    select store_id, order_id
    from {{ penstock_changed(ref('int_orders'), ['store_id', 'order_id'], columns=['is_test']) }}

)

select store_id, session_id from {{ penstock_changes(source('silver', 'sessions')) }}
union
select store_id, session_id from {{ penstock_changes(source('silver', 'session_orders')) }}
union
select links.store_id, links.session_id
from {{ ref('stg_session_orders') }} as links
semi join orders
    on links.store_id = orders.store_id
    and links.order_id = orders.order_id
union
select sessions.store_id, sessions.session_id
from {{ ref('stg_sessions') }} as sessions
semi join {{ penstock_changes(ref('int_stores')) }} as stores on sessions.store_id = stores.store_id
