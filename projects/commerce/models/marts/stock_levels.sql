{{ penstock_by_key(['store_id', 'variant_id', 'location'], affected='changed_stock') }}

{%- set counted %}
    store_id,
    variant_id,
    location,
    quantity as on_hand,
    case when record_source <> 'inventory_changes' then quantity else 0 end as delivered_on_hand,
    occurred_at as last_moved_at
{%- endset %}

-- What came is added to the stock that stands, but where a movement went: there all are counted again.
with movements as (

    select {{ counted }}
    from {{ penstock_affected(ref('stg_inventory_movements'), of='changed_movements') }}
    {%- if is_incremental() %}
    union all
    select came.*
    from (
        select {{ counted | replace('record_source', '_source') }}
        from {{ penstock_changes(source('silver', 'inventory_movements')) }}
    ) as came
    anti join {{ ref('changed_movements') }} as again
        on came.store_id = again.store_id
        and came.variant_id = again.variant_id
        and came.location = again.location
    union all
    select store_id, variant_id, location, on_hand, delivered_on_hand, last_moved_at
    from {{ penstock_stood(but='changed_movements') }}
    {%- endif %}

),

stock as (

    select
        store_id,
        variant_id,
        location,
        cast(sum(on_hand) as bigint) as on_hand,
        cast(sum(delivered_on_hand) as bigint) as delivered_on_hand,
        max(last_moved_at) as last_moved_at
    from movements
    group by store_id, variant_id, location

),

recent as (

    select movements.store_id, movements.variant_id, movements.location, movements.quantity
    from {{ ref('stg_inventory_movements') }} as movements
    inner join {{ ref('int_horizon') }} as horizon on movements.occurred_at >= horizon.last_day - 29
    where movements.reason = 'shipment'

),

shipped as (

    select store_id, variant_id, location, cast(-sum(quantity) as bigint) as shipped_30_days
    from {{ penstock_affected('recent') }}
    group by store_id, variant_id, location

)

select
    stock.store_id,
    stock.variant_id,
    stock.location,
    stock.on_hand,
    stock.delivered_on_hand,
    coalesce(shipped.shipped_30_days, 0) as shipped_30_days,
    stock.on_hand < 0 as is_negative,
    stock.last_moved_at
from stock
left join shipped
    on stock.store_id = shipped.store_id
    and stock.variant_id = shipped.variant_id
    and stock.location = shipped.location
