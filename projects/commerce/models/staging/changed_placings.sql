{{ config(schema='staging') }}

-- Orders whose totals differ, and all orders of the persons who placed them: their orders are numbered.
with totals as (

    select store_id, order_id, person_id from {{ penstock_changes(ref('int_order_totals')) }}

)

select store_id, order_id from totals
union
select orders.store_id, orders.order_id
from {{ ref('int_order_totals') }} as orders
semi join totals
    on orders.store_id = totals.store_id
    and orders.person_id = totals.person_id
