{{ config(schema='staging') }}

-- What was delivered thirty days before a day that the last day passes becomes final; a local day may be the one before
-- or after.
with moved as (

    select
        case when count(*) = 2 then min(last_day) - 31 else date '0001-01-01' end as first_day,
        case when count(*) = 2 then max(last_day) - 30 else date '9999-12-31' end as last_day
    from {{ penstock_changes(ref('int_horizon')) }}
    having count(*) > 0

)

select store_id, order_id from {{ ref('changed_orders') }}
union
select parts.store_id, parts.order_id
from {{ ref('stg_shipment_lines') }} as parts
inner join moved on {{ lies_in('parts.delivered_at', 'moved.first_day', 'moved.last_day') }}
