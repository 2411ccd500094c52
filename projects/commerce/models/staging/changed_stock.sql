{{ config(schema='staging') }}

-- The days of shipments that the last thirty days leave behind, or take up again.
with passed as (

    select
        min(last_day) - 29 as first_day,
        max(last_day) - 30 as last_day
    from {{ penstock_changes(ref('int_horizon')) }}
    having count(*) > 0

)

select store_id, variant_id, location from {{ penstock_changes(source('silver', 'inventory_movements')) }}
union
select movements.store_id, movements.variant_id, movements.location
from {{ ref('stg_inventory_movements') }} as movements
inner join passed on {{ lies_in('movements.occurred_at', 'passed.first_day', 'passed.last_day') }}
where movements.reason = 'shipment'
