{{ config(schema='staging') }}

-- Orders that take another place among those of their persons, and all that these persons placed later: they are numbered.
with moved as (

    select store_id, order_id, person_id, placed_at
    from {{ penstock_changed(
        ref('int_order_totals'),
        ['store_id', 'order_id', 'person_id', 'placed_at'],
        columns=['is_test', 'is_wholly_cancelled'],
    ) }}

),

persons as (

    select store_id, person_id, min(placed_at) as placed_at
    from moved
    where person_id is not null
    group by store_id, person_id

)

select store_id, order_id from moved
union
select orders.store_id, orders.order_id
from {{ ref('int_order_totals') }} as orders
inner join persons
    on orders.store_id = persons.store_id
    and orders.person_id = persons.person_id
    and coalesce(orders.placed_at >= persons.placed_at, true)
