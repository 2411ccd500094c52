{{ config(schema='staging') }}

-- The local days of deliveries that become final with the last day, or are no longer.
with moved as (

    select
        case when count(*) = 2 then min(last_day) - 30 else date '0001-01-02' end as first_day,
        case when count(*) = 2 then max(last_day) - 31 else date '9999-12-30' end as last_day
    from {{ penstock_changes(ref('int_horizon')) }}
    having count(*) > 0

)

select store_id, order_id
from {{ penstock_changes(source('silver', 'shipment_lines')) }}
where delivered_at is not null
union
select store_id, order_id from {{ penstock_changes(source('silver', 'refund_lines')) }}
union
select store_id, order_id
from {{ penstock_changed(
    ref('int_order_lines'),
    ['store_id', 'order_id'],
    columns=['line_no', 'line_key', 'timezone', 'customer_key', 'product_key', 'is_test'],
) }}
union
select parts.store_id, parts.order_id
from {{ ref('stg_shipment_lines') }} as parts
inner join moved on {{ lies_in('parts.delivered_at', 'moved.first_day - 1', 'moved.last_day + 1') }}
left join {{ ref('int_stores') }} as stores on parts.store_id = stores.store_id
where {{ local_day("coalesce(stores.timezone, 'UTC')", 'parts.delivered_at') }} between moved.first_day and moved.last_day
