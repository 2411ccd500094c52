with movements as (

    select
        movements.*,
        horizon.last_day
    from {{ ref('stg_inventory_movements') }} as movements
    cross join {{ ref('int_horizon') }} as horizon

)

select
    store_id,
    variant_id,
    location,
    cast(sum(quantity) as bigint) as on_hand,
    cast(
        coalesce(sum(quantity) filter (where record_source <> 'inventory_changes'), 0) as bigint
    ) as delivered_on_hand,
    cast(
        coalesce(-sum(quantity) filter (where reason = 'shipment' and occurred_at >= last_day - 29), 0)
        as bigint
    ) as shipped_30_days,
    sum(quantity) < 0 as is_negative,
    max(occurred_at) as last_moved_at
from movements
group by store_id, variant_id, location
