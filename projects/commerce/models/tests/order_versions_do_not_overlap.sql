-- The versions of an order, as the view has them, begin at moments of their own.
with orders as (

    select order_hk from {{ penstock_tested(ref('hub_order'), ['store_id', 'order_id'], affected='changed_headers') }}

),

told as (

    select versions.* from {{ ref('sat_order') }} as versions semi join orders on versions.order_hk = orders.order_hk

)

select order_hk, valid_from, count(*) as versions
from ({{ vault_versions('told', key='order_hk') }})
group by order_hk, valid_from
having count(*) > 1
