{{ config(schema='staging') }}

-- Orders that take another place among those of their persons, and all others of these persons: they are numbered.
with moved as (

    select store_id, order_id, person_id
    from {{ penstock_changed(
        ref('int_order_totals'),
        ['store_id', 'order_id', 'person_id'],
        columns=['placed_at', 'is_test', 'is_wholly_cancelled'],
    ) }}

)

select store_id, order_id from moved
union
select orders.store_id, orders.order_id
from {{ ref('int_order_totals') }} as orders
semi join moved
    on orders.store_id = moved.store_id
    and orders.person_id = moved.person_id
